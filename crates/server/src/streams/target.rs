//! Which container is meant, and whether it can be asked.

use skep_api::{ContainerState, ContainerStatus, Kind, ObjectKey, Pod};
use skep_state::State;

use crate::{failure::Failure, read::DEFAULT_NAMESPACE};

/// Names the container that is meant where a request does not.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// A container that can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub node: String,
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub container: String,
}

/// The container of a pod whose text is to be read.
pub(crate) fn for_logs(state: &State, key: &Named<'_>, previous: bool) -> Result<Target, Failure> {
    let (pod, target) = find(state, key)?;
    let status = status_of(pod, &target.container);
    match why_silent(status, previous) {
        None => Ok(target),
        Some(why) => {
            let (container, pod) = (&target.container, &target.pod);
            Err(Failure::BadRequest(
                why.replace("{container}", container).replace("{pod}", pod),
            ))
        }
    }
}

/// The container of a pod in which a command is to run.
pub(crate) fn for_exec(state: &State, key: &Named<'_>) -> Result<Target, Failure> {
    let (pod, target) = find(state, key)?;
    if pod.is_terminal() {
        let phase = pod.status.phase;
        return Err(Failure::BadRequest(format!(
            "cannot exec into a container in a completed pod; current phase is {phase:?}"
        )));
    }
    let running = status_of(pod, &target.container).is_some_and(|status| status.state.running.is_some());
    if !running {
        let (container, pod) = (&target.container, &target.pod);
        return Err(Failure::BadRequest(format!(
            "container \"{container}\" in pod \"{pod}\" is not running"
        )));
    }
    Ok(target)
}

/// A pod and its container as a request names them; empty fields take the default.
pub(crate) struct Named<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    pub container: &'a str,
}

fn find<'a>(state: &'a State, named: &Named<'_>) -> Result<(&'a Pod, Target), Failure> {
    let namespace = if named.namespace.is_empty() {
        DEFAULT_NAMESPACE
    } else {
        named.namespace
    };
    let key = ObjectKey::new(namespace, named.pod);
    let pod = state
        .get::<Pod>(&key)
        .ok_or_else(|| Failure::NotFound(Kind::Pod, key.clone()))?;
    let container = container_name(pod, named.container)?.to_owned();
    if pod.spec.node_name.is_empty() {
        return Err(Failure::BadRequest(format!(
            "pod {} does not have a host assigned",
            key.name
        )));
    }
    let target = Target {
        node: pod.spec.node_name.clone(),
        namespace: key.namespace,
        pod: key.name,
        pod_uid: pod.metadata.uid.clone(),
        container,
    };
    Ok((pod, target))
}

fn container_name<'a>(pod: &'a Pod, wanted: &'a str) -> Result<&'a str, Failure> {
    let (pod_name, spec) = (&pod.metadata.name, &pod.spec);
    let names =
        |containers: &'a [skep_api::Container]| containers.iter().map(|container| container.name.as_str());
    let known = |name: &str| {
        names(&spec.containers)
            .chain(names(&spec.init_containers))
            .any(|known| known == name)
    };
    if !wanted.is_empty() {
        let unknown = || Failure::BadRequest(format!("container {wanted} is not valid for pod {pod_name}"));
        return known(wanted).then_some(wanted).ok_or_else(unknown);
    }
    if let Some(name) = pod
        .metadata
        .annotations
        .get(DEFAULT_CONTAINER)
        .filter(|name| known(name))
    {
        return Ok(name);
    }
    if let [only] = spec.containers.as_slice() {
        return Ok(&only.name);
    }
    let list = |containers| names(containers).collect::<Vec<_>>().join(" ");
    let mut message = format!(
        "a container name must be specified for pod {pod_name}, choose one of: [{}]",
        list(&spec.containers)
    );
    if !spec.init_containers.is_empty() {
        message.push_str(&format!(
            " or one of the init containers: [{}]",
            list(&spec.init_containers)
        ));
    }
    Err(Failure::BadRequest(message))
}

fn status_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let statuses = pod
        .status
        .container_statuses
        .iter()
        .chain(&pod.status.init_container_statuses);
    statuses.into_iter().find(|status| status.name == container)
}

/// Why a container has no text to read, as Kubernetes words it; `None` where it may have.
fn why_silent(status: Option<&ContainerStatus>, previous: bool) -> Option<String> {
    let waiting_for = |what: &str| {
        Some(format!(
            "container \"{{container}}\" in pod \"{{pod}}\" is waiting to start: {what}"
        ))
    };
    let Some(status) = status else {
        return waiting_for("ContainerCreating");
    };
    let ended_before = status.last_state.terminated.is_some();
    if previous {
        let why = "previous terminated container \"{container}\" in pod \"{pod}\" not found";
        return (!ended_before).then(|| why.to_owned());
    }
    match &status.state {
        ContainerState { running: Some(_), .. }
        | ContainerState {
            terminated: Some(_), ..
        } => None,
        _ if ended_before => None,
        ContainerState {
            waiting: Some(waiting),
            ..
        } => waiting_for(match waiting.reason.as_str() {
            "ErrImagePull" => "trying and failing to pull image",
            "ImagePullBackOff" => "image can't be pulled",
            "" => "no logs yet",
            reason => reason,
        }),
        _ => waiting_for("no logs yet"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use skep_api::{Object, Time};
    use skep_state::{Change, Entry};
    use skep_testkit::{PodBuilder, namespace, pod};

    use super::*;

    fn state(pod: PodBuilder) -> State {
        let mut state = State::default();
        let objects: [Object; 2] = [namespace("default").build().into(), pod.build().into()];
        let changes = objects.into_iter().map(Change::create).collect();
        let outcomes = state.apply(&Entry {
            request_id: String::new(),
            sent: None,
            now: Time::from_secs(0),
            changes,
        });
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        state
    }

    fn named(container: &str) -> Named<'_> {
        Named {
            namespace: "",
            pod: "web",
            container,
        }
    }

    fn check(pod: PodBuilder, container: &str, expected: &Expect) {
        let told = match for_logs(&state(pod), &named(container), false) {
            Ok(target) => format!("{} on {}", target.container, target.node),
            Err(failure) => tonic::Status::from(failure).message().to_owned(),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn the_only_container_need_not_be_named() {
        check(pod("web").node("a").running(), "", &expect!["main on a"]);
    }

    #[test]
    fn one_of_several_containers_must_be_named() {
        let two = || pod("web").node("a").sidecar("side", "1").running();
        check(
            two(),
            "",
            &expect!["a container name must be specified for pod web, choose one of: [main side]"],
        );
        check(two(), "side", &expect!["side on a"]);
        check(two(), "nope", &expect!["container nope is not valid for pod web"]);
    }

    #[test]
    fn a_container_that_has_not_started_says_what_it_waits_for() {
        check(pod("web"), "", &expect!["pod web does not have a host assigned"]);
        check(
            pod("web").node("a"),
            "",
            &expect![[r#"container "main" in pod "web" is waiting to start: ContainerCreating"#]],
        );
        check(
            pod("web").node("a").waiting("ImagePullBackOff", "no such image"),
            "",
            &expect![[r#"container "main" in pod "web" is waiting to start: image can't be pulled"#]],
        );
    }

    #[test]
    fn there_is_no_text_of_a_run_before_the_first() {
        let refused = for_logs(&state(pod("web").node("a").running()), &named(""), true).unwrap_err();
        expect![[r#"previous terminated container "main" in pod "web" not found"#]]
            .assert_eq(tonic::Status::from(refused).message());
    }

    #[test]
    fn no_command_runs_in_a_pod_that_has_ended() {
        assert!(for_exec(&state(pod("web").node("a").running()), &named("")).is_ok());
        assert!(for_exec(&state(pod("web").node("a").succeeded()), &named("")).is_err());
    }
}
