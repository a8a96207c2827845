//! Sees to it that a container's image is there, by its pull policy.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use skep_api::{Container, ImagePullPolicy, Secret};

use super::{
    execute::{Done, Job},
    outcome::{Problem, Seen},
};
use crate::{
    pod::Image,
    runtime::{ImageInfo, RuntimeError},
    spec::{Sources, pull_credentials},
};

pub(super) async fn ensure(job: &Job, name: &str, attempt: u32) -> Done {
    let Some(container) = job.container(name) else {
        return Ok(Vec::new());
    };
    match find(job, container).await {
        Ok(info) => Ok(vec![Seen::Image(name.to_owned(), Image { attempt, info })]),
        Err(problem) => {
            if !problem.passing {
                job.note(name, true, "Failed", format!("Error: {}", problem.reason));
            }
            Err((Vec::new(), problem))
        }
    }
}

async fn find(job: &Job, container: &Container) -> Result<ImageInfo, Problem> {
    let image = &container.image;
    let failed = |error: RuntimeError| Problem::engine("ErrImagePull", &error);
    let policy = policy(container);
    if policy == ImagePullPolicy::Always {
        return pull(job, container).await;
    }
    if let Some(info) = job.shared.images.get(image).await.map_err(failed)? {
        let message = format!("Container image \"{image}\" already present on machine");
        job.note(&container.name, false, "Pulled", message);
        return Ok(info);
    }
    if policy == ImagePullPolicy::Never {
        let message = format!("Container image \"{image}\" is not present with pull policy of Never");
        job.note(&container.name, true, "ErrImageNeverPull", message.clone());
        return Err(Problem::new("ErrImageNeverPull", message));
    }
    pull(job, container).await
}

async fn pull(job: &Job, container: &Container) -> Result<ImageInfo, Problem> {
    let (name, image) = (&container.name, &container.image);
    job.note(name, false, "Pulling", format!("Pulling image \"{image}\""));
    let begin = Instant::now();
    let credentials = pull_credentials(&secrets(job), image);
    match job.shared.images.pull(image, credentials).await {
        Ok(info) => {
            job.shared.image_changes.fetch_add(1, Ordering::Relaxed);
            let took = begin.elapsed();
            job.note(
                name,
                false,
                "Pulled",
                format!("Successfully pulled image \"{image}\" in {took:?}"),
            );
            Ok(info)
        }
        Err(error) => {
            let problem = Problem::engine("ErrImagePull", &error);
            if !problem.passing {
                job.note(
                    name,
                    true,
                    "Failed",
                    format!("Failed to pull image \"{image}\": {error}"),
                );
            }
            Err(problem)
        }
    }
}

fn secrets(job: &Job) -> Vec<Arc<Secret>> {
    let pod = &job.desired.pod;
    let names = pod.spec.image_pull_secrets.iter();
    names
        .filter_map(|reference| {
            job.shared
                .objects
                .secret(&pod.metadata.namespace, &reference.name)
        })
        .collect()
}

/// The stated policy; Always for `:latest` and no tag, else IfNotPresent.
fn policy(container: &Container) -> ImagePullPolicy {
    container.image_pull_policy.unwrap_or_else(|| {
        let image = container.image.as_str();
        let last = image.rsplit('/').next().unwrap_or(image);
        let is_moving = !image.contains('@') && (!last.contains(':') || last.ends_with(":latest"));
        if is_moving {
            ImagePullPolicy::Always
        } else {
            ImagePullPolicy::IfNotPresent
        }
    })
}
