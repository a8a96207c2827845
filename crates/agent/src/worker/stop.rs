//! Ends containers: preStop hook, then the engine's stop, both within the grace period.

use std::time::{Duration, Instant};

use super::{
    examine,
    execute::{Done, Job},
    outcome::{Problem, Seen},
};
use crate::check;

/// What a container gets after a hook that took all the time, as in Kubernetes.
const AFTER_HOOK_MIN: Duration = Duration::from_secs(2);

pub(super) async fn stop(job: &Job, name: &str, id: &str, grace: Duration, pre_stop: bool) -> Done {
    let begin = Instant::now();
    let mut left = grace;
    if pre_stop && !grace.is_zero() && run_hook(job, name, id, grace).await {
        left = grace.saturating_sub(begin.elapsed()).max(AFTER_HOOK_MIN);
    }
    let runtime = &job.shared.runtime;
    if let Err(error) = runtime.stop(id, left).await {
        let problem = Problem::engine("FailedKill", &error);
        if !problem.passing {
            job.note(
                name,
                true,
                "FailedKillPod",
                format!("error killing container {name}: {error}"),
            );
        }
        return Err((Vec::new(), problem));
    }
    let seen: Result<Seen, _> = examine::look(&job.shared, &job.desired, id).await;
    seen.map(|seen| vec![seen])
        .map_err(|error| (Vec::new(), Problem::engine("FailedKill", &error)))
}

/// True where there is a hook.
async fn run_hook(job: &Job, name: &str, id: &str, grace: Duration) -> bool {
    let Some(container) = job.container(name) else {
        return false;
    };
    let Some(handler) = container
        .lifecycle
        .as_ref()
        .and_then(|lifecycle| lifecycle.pre_stop.as_ref())
    else {
        return false;
    };
    let target = job.target(container, id);
    let ended = tokio::time::timeout(grace, check::hook(&target, handler)).await;
    let error = match ended {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error,
        Err(_) => format!("not over within the grace period of {} s", grace.as_secs()),
    };
    job.note(
        name,
        true,
        "FailedPreStopHook",
        format!("PreStopHook failed: {error}"),
    );
    true
}
