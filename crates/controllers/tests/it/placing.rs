//! What is told of pods as they are placed.

use expect_test::expect;
use skep_api::{Event, Pod};
use skep_testkit::{node, pod};

use crate::moving::Led;

fn important(name: &str, priority: i32) -> Pod {
    let mut pod = pod(name).cpu("3").build();
    pod.spec.priority = Some(priority);
    pod
}

#[test]
fn a_pod_that_others_make_room_for_says_where() {
    let mut led = Led::new();
    led.create(node("a").cpu("4"));
    led.create(important("small", -5));
    led.advance(5);
    led.create(important("large", 7));
    led.advance(5);
    let events = led.state.list::<Event>(None);
    let placing = events.filter(|event| event.source.component == "default-scheduler");
    let mut told: Vec<String> = placing
        .map(|event| {
            format!(
                "{} of {}: {}",
                event.reason, event.involved_object.name, event.message
            )
        })
        .collect();
    told.sort();
    expect![[r#"
        FailedScheduling of large: 0/1 nodes fit: 1 has too little cpu (3 wanted, 1 free at most); room is being made for it on a
        Preempted of small: Preempted by pod default/large (priority 7) on node a
        Scheduled of large: Successfully assigned default/large to a
        Scheduled of small: Successfully assigned default/small to a"#]].assert_eq(&told.join("\n"));
}
