//! Pods on a real engine: what they see, how they fail, and what is said of it.

use std::time::Duration;

use serde_json::Value;
use skep_tests::{Cluster, SLEEPER, WEB_V1, eventually, manifest};

const SOON: Duration = Duration::from_secs(60);

/// The reason a pod's only container waits for, or that of its last end.
fn reason(pod: &Value) -> Option<String> {
    let state = &pod["status"]["containerStatuses"][0]["state"];
    let reason = [&state["waiting"], &state["terminated"]]
        .into_iter()
        .find_map(|state| state["reason"].as_str());
    reason.map(str::to_owned)
}

fn wait_for_reason(cluster: &Cluster, pod: &str, wanted: &str) -> Value {
    eventually(&format!("{pod} says {wanted}"), SOON, || {
        let object = cluster.object(&format!("pod/{pod}"));
        (reason(&object).as_deref() == Some(wanted)).then_some(object)
    })
}

#[test]
fn a_pod_that_can_never_fit_stays_pending_and_says_why() {
    let cluster = Cluster::start();
    let greedy = format!("{{name: main, image: '{SLEEPER}', resources: {{requests: {{cpu: 4000}}}}}}");
    cluster.apply(&manifest::pod("greedy", &greedy, ""));
    let message = eventually("the scheduler has said why", SOON, || {
        let pod = cluster.object("pod/greedy");
        let condition = pod["status"]["conditions"]
            .as_array()?
            .iter()
            .find(|c| c["type"] == "PodScheduled")?
            .clone();
        condition["message"].as_str().map(str::to_owned)
    });
    assert!(
        message.contains("0/1 nodes fit") && message.contains("too little cpu"),
        "{message}"
    );
    let described = cluster.ok(&["describe", "pod", "greedy"]);
    assert!(
        described.contains("FailedScheduling") && described.contains("too little cpu"),
        "{described}"
    );
    assert!(cluster.ok(&["get", "pods"]).contains("Pending"));
}

#[test]
fn a_missing_image_is_reported_in_the_engines_own_words() {
    let cluster = Cluster::start();
    cluster.apply(&manifest::pod(
        "lost",
        "{name: main, image: 'skep-test/nowhere:1', imagePullPolicy: Never}",
        "",
    ));
    wait_for_reason(&cluster, "lost", "ErrImageNeverPull");
    cluster.apply(&manifest::pod(
        "gone",
        "{name: main, image: 'localhost:1/nowhere:1'}",
        "",
    ));
    let pod = wait_for_reason(&cluster, "gone", "ImagePullBackOff");
    let message = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"].to_string();
    assert!(message.contains("localhost:1/nowhere:1"), "{message}");
    let events = cluster.ok(&["events", "--for", "pod/gone"]);
    assert!(
        events.contains("connection refused") || events.contains("dial tcp"),
        "{events}"
    );
}

#[test]
fn a_container_that_exits_at_once_is_restarted_with_back_off_and_keeps_its_last_log() {
    let cluster = Cluster::start();
    let command = r#"["sh", "-c", "echo last words; exit 3"]"#;
    cluster.apply(&manifest::pod(
        "crash",
        &format!("{{name: main, image: '{SLEEPER}', command: {command}}}"),
        "",
    ));
    let pod = wait_for_reason(&cluster, "crash", "CrashLoopBackOff");
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 3, "{status}");
    assert!(cluster.ok(&["get", "pod", "crash"]).contains("CrashLoopBackOff"));
    eventually("it was restarted", SOON, || {
        (cluster.object("pod/crash")["status"]["containerStatuses"][0]["restartCount"].as_i64()? >= 1)
            .then_some(())
    });
    assert_eq!(cluster.ok(&["logs", "crash", "--previous"]), "last words\n");
}

#[test]
fn pods_end_as_their_restart_policy_says() {
    let cluster = Cluster::start();
    let run = |name: &str, code: u32| {
        let container =
            format!(r#"{{name: main, image: '{SLEEPER}', command: ["sh", "-c", "exit {code}"]}}"#);
        cluster.apply(&manifest::pod(name, &container, "restartPolicy: Never"));
    };
    run("good", 0);
    run("bad", 7);
    cluster.ok(&[
        "wait",
        "--for=jsonpath={.status.phase}=Succeeded",
        "pod/good",
        "--timeout=60s",
    ]);
    cluster.ok(&[
        "wait",
        "--for=jsonpath={.status.phase}=Failed",
        "pod/bad",
        "--timeout=60s",
    ]);
    let ended = cluster.object("pod/bad")["status"]["containerStatuses"][0]["state"]["terminated"].clone();
    assert_eq!(
        (ended["exitCode"].as_i64(), ended["reason"].as_str()),
        (Some(7), Some("Error")),
        "{ended}"
    );
}

#[test]
fn a_container_sees_its_configuration_its_secrets_and_its_limits() {
    let cluster = Cluster::start();
    cluster.apply(
        "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {COLOUR: blue, file.txt: from a map}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {TOKEN: s3cret}
",
    );
    let container = format!(
        "name: main
    image: '{SLEEPER}'
    envFrom: [{{configMapRef: {{name: settings}}}}]
    env:
    - {{name: TOKEN, valueFrom: {{secretKeyRef: {{name: token, key: TOKEN}}}}}}
    - {{name: ME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
    - {{name: CPU, valueFrom: {{resourceFieldRef: {{resource: limits.cpu, divisor: 1m}}}}}}
    resources: {{limits: {{cpu: 500m, memory: 64Mi}}}}
    securityContext: {{runAsUser: 1000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
    volumeMounts:
    - {{name: settings, mountPath: /settings}}
    - {{name: token, mountPath: /token}}
    - {{name: scratch, mountPath: /scratch}}
    - {{name: memory, mountPath: /memory}}"
    );
    let volumes = "securityContext: {fsGroup: 2000}
volumes:
- {name: settings, configMap: {name: settings}}
- {name: token, secret: {secretName: token, defaultMode: 0440}}
- {name: scratch, emptyDir: {}}
- {name: memory, emptyDir: {medium: Memory, sizeLimit: 4Mi}}";
    cluster.apply(&manifest::pod("sees", &container, volumes));
    cluster.ok(&["wait", "--for=condition=Ready", "pod/sees", "--timeout=60s"]);
    let shell = |script: &str| cluster.ok(&["exec", "sees", "--", "sh", "-c", script]);
    assert_eq!(shell("echo $COLOUR $TOKEN $ME $CPU"), "blue s3cret sees 500\n");
    assert_eq!(shell("cat /settings/file.txt /token/TOKEN"), "from a maps3cret");
    assert_eq!(shell("id -u"), "1000\n");
    assert_eq!(shell("touch /scratch/a /memory/a && echo written"), "written\n");
    assert_eq!(shell("touch /a 2>/dev/null || echo refused"), "refused\n");
    assert!(shell("grep ' /token ' /proc/mounts").contains("tmpfs"));
    assert_eq!(
        shell("grep CapEff /proc/self/status"),
        "CapEff:\t0000000000000000\n"
    );
    assert_eq!(shell("grep NoNewPrivs /proc/self/status"), "NoNewPrivs:\t1\n");
    let failed = cluster.skep(&["exec", "sees", "--", "sh", "-c", "exit 42"]);
    assert_eq!(failed.code, 42, "{failed:?}");
}

#[test]
fn a_changed_config_map_reaches_the_running_container() {
    let cluster = Cluster::start();
    let map = |text: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: live}}\ndata: {{text: {text}}}\n")
    };
    cluster.apply(&map("old"));
    let container =
        format!("{{name: main, image: '{SLEEPER}', volumeMounts: [{{name: live, mountPath: /live}}]}}");
    cluster.apply(&manifest::pod(
        "reader",
        &container,
        "volumes: [{name: live, configMap: {name: live}}]",
    ));
    cluster.ok(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=60s"]);
    cluster.apply(&map("new"));
    eventually("the file has changed", SOON, || {
        (cluster
            .skep(&["exec", "reader", "--", "cat", "/live/text"])
            .stdout
            == "new")
            .then_some(())
    });
    assert_eq!(
        cluster.object("pod/reader")["status"]["containerStatuses"][0]["restartCount"],
        0
    );
}

#[test]
fn a_missing_config_map_holds_the_container_back_until_it_is_there() {
    let cluster = Cluster::start();
    let container =
        format!("{{name: main, image: '{SLEEPER}', envFrom: [{{configMapRef: {{name: later}}}}]}}");
    cluster.apply(&manifest::pod("waits", &container, ""));
    let pod = wait_for_reason(&cluster, "waits", "CreateContainerConfigError");
    assert!(pod["status"].to_string().contains("later"), "{pod}");
    cluster.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\ndata: {A: b}\n");
    cluster.ok(&["wait", "--for=condition=Ready", "pod/waits", "--timeout=60s"]);
}

#[test]
fn memory_beyond_the_limit_ends_as_oom_killed() {
    let cluster = Cluster::start();
    let container = format!(
        r#"{{name: main, image: '{SLEEPER}', command: ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"], resources: {{limits: {{memory: 16Mi}}}}}}"#
    );
    cluster.apply(&manifest::pod("hungry", &container, "restartPolicy: Never"));
    let pod = wait_for_reason(&cluster, "hungry", "OOMKilled");
    assert_eq!(pod["status"]["phase"], "Failed");
}

#[test]
fn liveness_failing_restarts_and_readiness_failing_only_takes_out() {
    let cluster = Cluster::start();
    let container = format!(
        "name: main
    image: '{WEB_V1}'
    livenessProbe: {{httpGet: {{path: /health, port: 8080}}, periodSeconds: 1, failureThreshold: 2}}
    readinessProbe: {{exec: {{command: [cat, /www/ready]}}, periodSeconds: 1, failureThreshold: 1}}"
    );
    cluster.apply(&manifest::pod("probed", &container, ""));
    cluster.ok(&["wait", "--for=condition=Ready", "pod/probed", "--timeout=60s"]);
    cluster.ok(&["exec", "probed", "--", "rm", "/www/ready"]);
    cluster.ok(&[
        "wait",
        "--for=condition=Ready=False",
        "pod/probed",
        "--timeout=60s",
    ]);
    assert_eq!(
        cluster.object("pod/probed")["status"]["containerStatuses"][0]["restartCount"],
        0
    );
    cluster.ok(&["exec", "probed", "--", "touch", "/www/ready"]);
    cluster.ok(&["wait", "--for=condition=Ready", "pod/probed", "--timeout=60s"]);
    cluster.ok(&["exec", "probed", "--", "rm", "/www/health"]);
    eventually("liveness has restarted it", SOON, || {
        (cluster.object("pod/probed")["status"]["containerStatuses"][0]["restartCount"].as_i64()? >= 1)
            .then_some(())
    });
    let events = cluster.ok(&["events", "--for", "pod/probed"]);
    assert!(
        events.contains("Unhealthy") && events.contains("Liveness probe failed"),
        "{events}"
    );
}

#[test]
fn containers_of_a_pod_share_its_address_and_init_containers_run_first() {
    let cluster = Cluster::start();
    let container = format!(
        r#"{{name: web, image: '{WEB_V1}'}}
  - {{name: side, image: '{SLEEPER}', volumeMounts: [{{name: shared, mountPath: /shared}}]}}
  initContainers:
  - {{name: first, image: '{SLEEPER}', command: ["sh", "-c", "echo one >> /shared/order"], volumeMounts: [{{name: shared, mountPath: /shared}}]}}
  - {{name: second, image: '{SLEEPER}', command: ["sh", "-c", "echo two >> /shared/order"], volumeMounts: [{{name: shared, mountPath: /shared}}]}}"#
    );
    cluster.apply(&manifest::pod(
        "pair",
        &container,
        "volumes: [{name: shared, emptyDir: {}}]",
    ));
    cluster.ok(&["wait", "--for=condition=Ready", "pod/pair", "--timeout=60s"]);
    assert_eq!(
        cluster.ok(&["exec", "pair", "-c", "side", "--", "cat", "/shared/order"]),
        "one\ntwo\n"
    );
    let page = eventually("the other container answers on localhost", SOON, || {
        let outcome = cluster.skep(&[
            "exec",
            "pair",
            "-c",
            "side",
            "--",
            "wget",
            "-qO-",
            "http://127.0.0.1:8080/version",
        ]);
        (outcome.code == 0).then_some(outcome.stdout)
    });
    assert_eq!(page, "v1");
    cluster.ok(&["delete", "pod", "pair", "--timeout=60s"]);
    assert_eq!(cluster.running_containers(), Vec::<String>::new());
}

/// A sidecar that serves a page, an init container that needs it, and a container that needs it and then is done.
const ATTENDED: &str = r#"apiVersion: v1
kind: Pod
metadata: {name: attended, labels: {app: attended}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 20
  initContainers:
  - name: page
    image: 'IMAGE'
    restartPolicy: Always
    command: ["sh", "-c", "echo hello > /tmp/index.html; trap 'kill $!; echo page ended; exit 0' TERM; httpd -f -p 8080 -h /tmp & wait $!"]
    startupProbe: {exec: {command: ["wget", "-qO", "/dev/null", "http://127.0.0.1:8080/"]}, periodSeconds: 1, failureThreshold: 60}
  - name: fetch
    image: 'IMAGE'
    command: ["sh", "-c", "wget -qO- http://127.0.0.1:8080/"]
  containers:
  - name: main
    image: 'IMAGE'
    command: ["sh", "-c", "wget -qO- http://127.0.0.1:8080/; while ! [ -e /tmp/done ]; do sleep 0.2; done; wget -qO- http://127.0.0.1:8080/"]
"#;

#[test]
fn a_sidecar_serves_those_after_it_and_ends_once_they_are_done() {
    let cluster = Cluster::start();
    cluster.apply(&ATTENDED.replace("IMAGE", SLEEPER));
    let pod = eventually("the pod is ready", SOON, || {
        let pod = cluster.object("pod/attended");
        (pod["status"]["containerStatuses"][0]["ready"] == true).then_some(pod)
    });
    assert_eq!(cluster.ok(&["logs", "attended", "-c", "fetch"]), "hello\n");
    let inits = &pod["status"]["initContainerStatuses"];
    assert_eq!(
        (&inits[0]["started"], &inits[0]["ready"]),
        (&true.into(), &true.into()),
        "{inits}"
    );
    assert!(
        inits[0]["state"]["running"].is_object() && inits[1]["state"]["terminated"].is_object(),
        "{inits}"
    );
    assert!(cluster.ok(&["get", "pod", "attended"]).contains("2/2"));
    cluster.ok(&["exec", "attended", "-c", "main", "--", "touch", "/tmp/done"]);
    cluster.ok(&[
        "wait",
        "--for=jsonpath={.status.phase}=Succeeded",
        "pod/attended",
        "--timeout=60s",
    ]);
    assert_eq!(cluster.ok(&["logs", "attended", "-c", "main"]), "hello\nhello\n");
    assert_eq!(cluster.ok(&["logs", "attended", "-c", "page"]), "page ended\n");
    let restarts = &cluster.object("pod/attended")["status"]["initContainerStatuses"][0]["restartCount"];
    assert_eq!(*restarts, 0, "it is not started again once nobody needs it");
}

#[test]
fn a_sidecar_that_dies_is_started_again_and_the_others_go_on() {
    let cluster = Cluster::start();
    cluster.apply(&ATTENDED.replace("IMAGE", SLEEPER));
    let ready = |restarts: i64| {
        eventually(
            &format!("all run, and the sidecar was restarted {restarts} times"),
            SOON,
            || {
                let status = cluster.object("pod/attended")["status"].clone();
                let (sidecar, main) = (
                    &status["initContainerStatuses"][0],
                    &status["containerStatuses"][0],
                );
                let up =
                    sidecar["ready"] == true && main["ready"] == true && sidecar["restartCount"] == restarts;
                up.then(|| main["containerID"].clone())
            },
        )
    };
    let main = ready(0);
    cluster.ok(&["exec", "attended", "-c", "page", "--", "sh", "-c", "kill -TERM 1"]);
    assert_eq!(ready(1), main, "the container itself is the same");
    cluster.ok(&["delete", "pod", "attended", "--timeout=60s"]);
    eventually("nothing of it is left", SOON, || {
        cluster.running_containers().is_empty().then_some(())
    });
}
