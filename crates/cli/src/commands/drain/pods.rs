//! Which pods of a node are evicted, which stay, and which may not be touched without a word.

use skep_api::Pod;

use super::DrainArgs;

/// What is to be done with the pods of a node.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// To be evicted.
    pub(super) pods: Vec<Pod>,
    /// Why the node cannot be drained as things are, and which flag would help.
    pub(super) refused: Vec<String>,
    /// What its user should know.
    pub(super) warnings: Vec<String>,
}

/// Sorts the pods of a node as kubectl does.
pub(super) fn choose(pods: Vec<Pod>, args: &DrainArgs) -> Choice {
    let mut choice = Choice::default();
    let (mut daemons, mut alone, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for pod in pods {
        let name = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
        if pod.is_terminal() || pod.metadata.is_deleting() {
            choice.pods.push(pod);
            continue;
        }
        match pod.metadata.controller() {
            Some(owner) if owner.kind == "DaemonSet" => {
                daemons.push(name);
                continue;
            }
            Some(_) => {}
            None => alone.push(name.clone()),
        }
        if pod.spec.volumes.iter().any(|volume| volume.empty_dir.is_some()) {
            data.push(name);
        }
        choice.pods.push(pod);
    }
    for (names, what, flag, allowed) in [
        (
            daemons,
            "pods of daemon sets, which would come back",
            "--ignore-daemonsets",
            args.ignore_daemonsets,
        ),
        (alone, "pods that nobody makes again", "--force", args.force),
        (
            data,
            "pods whose emptyDir data would be lost",
            "--delete-emptydir-data",
            args.delete_emptydir_data,
        ),
    ] {
        if names.is_empty() {
            continue;
        }
        let names = names.join(", ");
        if allowed {
            let done = if flag == "--ignore-daemonsets" {
                "ignoring"
            } else {
                "evicting"
            };
            choice.warnings.push(format!("{done} {what}: {names}"));
        } else {
            choice
                .refused
                .push(format!("there are {what} (use {flag} to go on): {names}"));
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use expect_test::expect;
    use skep_api::OwnerReference;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: DrainArgs,
    }

    fn pod(name: &str, owner: Option<&str>, empty_dir: bool) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = name.to_owned();
        pod.metadata.namespace = "default".to_owned();
        pod.metadata
            .owner_references
            .extend(owner.map(|kind| OwnerReference {
                kind: kind.to_owned(),
                controller: true,
                ..OwnerReference::default()
            }));
        if empty_dir {
            let volume = serde_json::json!({ "name": "data", "emptyDir": {} });
            pod.spec.volumes.push(serde_json::from_value(volume).unwrap());
        }
        pod
    }

    fn told(flags: &[&str]) -> String {
        let line = ["drain", "n1"].iter().chain(flags);
        let args = Line::parse_from(line).args;
        let pods = vec![
            pod("web", Some("ReplicaSet"), false),
            pod("cache", Some("ReplicaSet"), true),
            pod("log", Some("DaemonSet"), false),
            pod("own", None, false),
        ];
        let choice = choose(pods, &args);
        let names: Vec<_> = choice.pods.iter().map(|pod| pod.metadata.name.as_str()).collect();
        format!(
            "{}\n{}\n{}",
            names.join(" "),
            choice.refused.join("\n"),
            choice.warnings.join("\n")
        )
    }

    #[test]
    fn what_would_be_lost_needs_a_word() {
        expect![[r#"
            web cache own
            there are pods of daemon sets, which would come back (use --ignore-daemonsets to go on): default/log
            there are pods that nobody makes again (use --force to go on): default/own
            there are pods whose emptyDir data would be lost (use --delete-emptydir-data to go on): default/cache
        "#]]
        .assert_eq(&told(&[]));
        expect![[r#"
            web cache own

            ignoring pods of daemon sets, which would come back: default/log
            evicting pods that nobody makes again: default/own
            evicting pods whose emptyDir data would be lost: default/cache"#]]
        .assert_eq(&told(&[
            "--force",
            "--ignore-daemonsets",
            "--delete-emptydir-data",
        ]));
    }
}
