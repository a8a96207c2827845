//! Which containers' logs are meant.

use anyhow::bail;
use skep_api::{Kind, Pod};

use super::LogsArgs;
use crate::{
    args::{self, ResourceId},
    commands::{live, targets},
    context::Context,
};

/// One log: that of a container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The pod's namespace.
    pub(super) namespace: String,
    /// The pod's name.
    pub(super) pod: String,
    /// The container's name.
    pub(super) container: String,
}

/// The logs that the command line names.
pub(super) async fn find(args: &LogsArgs, ctx: &Context) -> anyhow::Result<Vec<Source>> {
    let (pods, container) = pods(args, ctx).await?;
    let mut sources = Vec::new();
    for pod in &pods {
        sources.extend(of_pod(
            pod,
            container.as_deref(),
            args.all_containers,
            pods.len() > 1,
        )?);
    }
    Ok(sources)
}

/// The pods, and the container where one is named.
async fn pods(args: &LogsArgs, ctx: &Context) -> anyhow::Result<(Vec<Pod>, Option<String>)> {
    let (target, container) = match (args.words.as_slice(), &args.selector) {
        ([], Some(selector)) => {
            let pods = live::list_as::<Pod>(ctx, ctx.namespace(), selector).await?;
            if pods.is_empty() {
                eprintln!("No resources found in {} namespace.", ctx.namespace());
            }
            return Ok((pods, args.container.clone()));
        }
        (_, Some(_)) => bail!("only a selector (-l) or a pod name is allowed"),
        ([target], None) => (target, args.container.clone()),
        ([target, container], None) if args.container.is_none() => (target, Some(container.clone())),
        ([_, _], None) => bail!("only one of -c or an inline container is allowed"),
        _ => bail!("expected one pod: write POD, TYPE/NAME or -l LABELS"),
    };
    let (kind, name) = args::parse_target(target, Kind::Pod)?;
    let id = ResourceId::new(kind, ctx.namespace(), name);
    let pods = match args.all_pods {
        true => targets::pods(ctx, &id).await?,
        false => vec![targets::one_pod(ctx, &id).await?],
    };
    Ok((pods, container))
}

fn of_pod(pod: &Pod, named: Option<&str>, all: bool, quiet: bool) -> anyhow::Result<Vec<Source>> {
    let containers = if all {
        pod.spec
            .all_containers()
            .map(|container| container.name.clone())
            .collect()
    } else {
        vec![targets::container(pod, named, quiet)?]
    };
    let source = |container| Source {
        namespace: pod.metadata.namespace.clone(),
        pod: pod.metadata.name.clone(),
        container,
    };
    Ok(containers.into_iter().map(source).collect())
}

#[cfg(test)]
mod tests {
    use skep_testkit::pod;

    use super::*;

    #[test]
    fn all_containers_are_those_for_initialization_too() {
        let pod = pod("web").sidecar("log", "1").init("migrate", "1").build();
        let names = |all| -> Vec<_> {
            of_pod(&pod, None, all, true)
                .unwrap()
                .into_iter()
                .map(|source| source.container)
                .collect()
        };
        assert_eq!(names(true), ["migrate", "main", "log"]);
        assert_eq!(names(false), ["main"]);
    }
}
