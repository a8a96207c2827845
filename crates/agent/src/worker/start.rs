//! Makes and starts containers.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use skep_api::Time;

use super::{
    examine::examine,
    execute::{Done, Job},
    outcome::{Problem, Seen},
};
use crate::{
    blocking::blocking,
    clock,
    pod::{CRASHES_LABEL, HOLDER, Run},
    runtime::{ContainerSpec, Mount, RunState, RuntimeError},
    spec::{self, ContainerKind, Grant, Inputs, label},
};

/// Tries while another container that is ending still has the pod's address, and the wait between them.
const ADDRESS_TRIES: u32 = 50;
const ADDRESS_WAIT: Duration = Duration::from_millis(100);

/// Makes and starts a run of a container.
pub(super) async fn container(job: &Job, name: &str, attempt: u32, crashes: u32) -> Done {
    let spec = match build(job, name, attempt, crashes).await {
        Ok(spec) => spec,
        Err(message) => {
            job.note(name, true, "Failed", format!("Error: {message}"));
            return Err((Vec::new(), Problem::new("CreateContainerConfigError", message)));
        }
    };
    let run = Run {
        attempt,
        crashes,
        hash: hash(&spec),
        image: spec.image.clone(),
        ..Run::default()
    };
    create_and_start(job, name, spec, run).await
}

/// Makes and starts the holder.
pub(super) async fn holder(job: &Job) -> Done {
    let image = crate::runtime::ImageInfo::default();
    let network = job.shared.network();
    let inputs = inputs(
        job,
        ContainerKind::Holder,
        0,
        &image,
        &[],
        Vec::new(),
        &network,
        None,
    );
    let spec = match spec::holder(&job.desired.pod, &inputs) {
        Ok(spec) => spec,
        Err(error) => {
            return Err((
                Vec::new(),
                Problem::new("FailedCreatePodSandBox", error.to_string()),
            ));
        }
    };
    if let Err(error) = job.shared.runtime.ensure_holder_image().await {
        return Err((Vec::new(), Problem::engine("FailedCreatePodSandBox", &error)));
    }
    let run = Run {
        image: spec.image.clone(),
        ..Run::default()
    };
    let done = create_and_start(job, HOLDER, spec, run).await;
    if let Err((_, problem)) = &done
        && !problem.passing
    {
        let message = format!("Failed to create pod sandbox: {}", problem.message);
        job.note("", true, "FailedCreatePodSandBox", message);
    }
    done
}

/// Starts a container that was made before and never started.
pub(super) async fn resume(job: &Job, name: &str, id: &str) -> Done {
    let found = job.shared.runtime.container(id).await;
    match found.map_err(|error| (Vec::new(), Problem::engine("RunContainerError", &error)))? {
        None => Ok(vec![Seen::Gone(id.to_owned())]),
        Some(container) => {
            let Some((_, run)) = examine(&job.shared, &job.desired, &container).await else {
                return Ok(vec![Seen::Gone(id.to_owned())]);
            };
            if run.state != RunState::Created {
                return Ok(vec![Seen::Run(name.to_owned(), run)]);
            }
            let _permit = job.shared.starts.acquire().await;
            start(job, name, run).await
        }
    }
}

async fn create_and_start(job: &Job, name: &str, mut spec: ContainerSpec, mut run: Run) -> Done {
    let _permit = job.shared.starts.acquire().await;
    if job.shared.oom_score_refused.load(Ordering::Relaxed) {
        spec.oom_score_adj = spec.oom_score_adj.max(0);
    }
    run.id = create(job, name, &spec).await?;
    match start_with_patience(job, &run.id).await {
        Err(RuntimeError::OomScore(_)) if spec.oom_score_adj < 0 => {
            refuse_oom_score(job);
            let removed = job.shared.runtime.remove(&run.id).await;
            removed.map_err(|error| (Vec::new(), Problem::engine("RunContainerError", &error)))?;
            spec.oom_score_adj = 0;
            run.id = create(job, name, &spec).await?;
            start(job, name, run).await
        }
        result => started(job, name, run, result).await,
    }
}

async fn create(job: &Job, name: &str, spec: &ContainerSpec) -> Result<String, (Vec<Seen>, Problem)> {
    match job.shared.runtime.create(spec).await {
        Ok(id) => {
            if name != HOLDER {
                job.note(name, false, "Created", format!("Created container: {name}"));
            }
            Ok(id)
        }
        Err(error) => {
            let problem = Problem::engine("CreateContainerError", &error);
            if !problem.passing {
                job.note(name, true, "Failed", format!("Error: {error}"));
            }
            if matches!(error, RuntimeError::NotFound(_))
                && let Some(container) = job.container(name)
            {
                job.shared.images.forget(&container.image).await;
            }
            Err((Vec::new(), problem))
        }
    }
}

async fn start(job: &Job, name: &str, run: Run) -> Done {
    let result = start_with_patience(job, &run.id).await;
    started(job, name, run, result).await
}

/// Starts it, and waits for an address that another container of the pod is just giving back.
async fn start_with_patience(job: &Job, id: &str) -> Result<(), RuntimeError> {
    for _ in 1..ADDRESS_TRIES {
        match job.shared.runtime.start(id).await {
            Err(RuntimeError::AddressInUse(_)) => tokio::time::sleep(ADDRESS_WAIT).await,
            result => return result,
        }
    }
    job.shared.runtime.start(id).await
}

/// What a start has led to. One that failed counts as a run that ended at once.
async fn started(job: &Job, name: &str, mut run: Run, result: Result<(), RuntimeError>) -> Done {
    let now = clock::now();
    run.image_id = job
        .images
        .get(name)
        .map(|info| info.id.clone())
        .unwrap_or_default();
    match result {
        Ok(()) => {
            if name != HOLDER {
                job.note(name, false, "Started", format!("Started container {name}"));
            }
            run.state = RunState::Running { started: now };
            Ok(vec![Seen::Run(name.to_owned(), run)])
        }
        Err(RuntimeError::Unavailable(words)) => {
            // Whether it runs shows when the engine is back.
            let error = RuntimeError::Unavailable(words);
            Err((Vec::new(), Problem::engine("RunContainerError", &error)))
        }
        Err(error @ RuntimeError::AddressInUse(_)) => {
            run.state = RunState::Created;
            Err((
                vec![Seen::Run(name.to_owned(), run)],
                Problem::engine("RunContainerError", &error),
            ))
        }
        Err(error) => {
            job.note(name, true, "Failed", format!("Error: {error}"));
            run.state = not_started(&error, now);
            if name == HOLDER {
                let problem = Problem::engine("FailedCreatePodSandBox", &error);
                return Err((vec![Seen::Run(name.to_owned(), run)], problem));
            }
            Ok(vec![Seen::Run(name.to_owned(), run)])
        }
    }
}

fn not_started(error: &RuntimeError, now: Time) -> RunState {
    RunState::Exited {
        code: 128,
        oom_killed: false,
        message: error.to_string(),
        started: None,
        finished: now,
    }
}

fn refuse_oom_score(job: &Job) {
    if !job.shared.oom_score_refused.swap(true, Ordering::Relaxed) {
        let message =
            "The engine may not lower OOM scores on this node (no CAP_SYS_RESOURCE); containers run with 0";
        job.note("", true, "OOMScoreRefused", message.to_owned());
    }
}

fn hash(spec: &ContainerSpec) -> String {
    spec.labels.get(label::SPEC_HASH).cloned().unwrap_or_default()
}

/// The container in the engine's terms; the error is a configuration error's message.
async fn build(job: &Job, name: &str, attempt: u32, crashes: u32) -> Result<ContainerSpec, String> {
    let pod = &job.desired.pod;
    let container = job
        .container(name)
        .ok_or_else(|| format!("the pod has no container {name}"))?;
    let facts = job.shared.facts(job.address);
    let env =
        spec::env::resolve(pod, container, &job.shared.objects, &facts).map_err(|error| error.to_string())?;
    if !env.skipped.is_empty() {
        let message = format!(
            "Keys [{}] cannot be names of variables and were skipped",
            env.skipped.join(", ")
        );
        job.note(name, true, "InvalidEnvironmentVariableNames", message);
    }
    let grant = job.shared.devices.grant(&pod.metadata.uid, name);
    let vars = with_devices(env.vars, &grant.env);
    let mounts = mounts(job, container.clone(), attempt).await?;
    let seccomp = seccomp_profile(job, container).await?;
    let is_init = pod.spec.init_containers.iter().any(|init| init.name == name);
    let kind = if is_init {
        ContainerKind::Init
    } else {
        ContainerKind::App
    };
    let image = job.images.get(name).cloned().unwrap_or_default();
    let network = job.shared.network();
    let inputs = inputs(
        job,
        kind,
        attempt,
        &image,
        &vars,
        mounts,
        &network,
        seccomp.as_deref(),
    );
    let inputs = Inputs { grant, ..inputs };
    let mut spec = spec::container(pod, container, &inputs).map_err(|error| error.to_string())?;
    spec.labels.insert(CRASHES_LABEL.to_owned(), crashes.to_string());
    Ok(spec)
}

/// What the pod says itself wins.
fn with_devices(vars: Vec<(String, String)>, devices: &[(String, String)]) -> Vec<(String, String)> {
    let is_own = |name: &str| vars.iter().any(|(known, _)| known == name);
    let mut all: Vec<_> = devices
        .iter()
        .filter(|(name, _)| !is_own(name))
        .cloned()
        .collect();
    all.extend(vars);
    all
}

async fn mounts(job: &Job, container: skep_api::Container, attempt: u32) -> Result<Vec<Mount>, String> {
    let (shared, pod) = (Arc::clone(&job.shared), Arc::clone(&job.desired.pod));
    let mounts = blocking(move || shared.volumes.mounts(&pod, &container, attempt));
    mounts.await.map_err(|error| error.to_string())
}

async fn seccomp_profile(job: &Job, container: &skep_api::Container) -> Result<Option<String>, String> {
    let Some(name) = spec::localhost_profile(&job.desired.pod, container) else {
        return Ok(None);
    };
    let path = job.shared.seccomp_dir().join(name);
    let read = path.clone();
    let text = blocking(move || std::fs::read_to_string(read)).await;
    text.map(Some)
        .map_err(|error| format!("cannot read seccomp profile {}: {error}", path.display()))
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one value that differ between its two makers"
)]
fn inputs<'a>(
    job: &'a Job,
    kind: ContainerKind,
    attempt: u32,
    image: &'a crate::runtime::ImageInfo,
    env: &'a [(String, String)],
    mounts: Vec<Mount>,
    network: &'a str,
    seccomp_profile: Option<&'a str>,
) -> Inputs<'a> {
    Inputs {
        cluster: job.shared.cluster(),
        node: &job.shared.config.node_name,
        kind,
        attempt,
        env,
        image,
        mounts,
        network,
        address: job.address,
        holder: job.holder.as_deref(),
        seccomp_profile,
        dns: &job.shared.machine.dns,
        grant: Grant::default(),
        node_memory_bytes: i64::try_from(job.shared.machine.memory_bytes).unwrap_or(i64::MAX),
        log_bytes_max: job.shared.config.log_bytes_max,
    }
}
