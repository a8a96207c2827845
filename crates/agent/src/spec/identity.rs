//! Which user and groups a container's processes have.

use skep_api::{Container, Pod};

use crate::runtime::ImageInfo;

/// Why a container that must not run as root may not start. Kubernetes' words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunAsNonRootError {
    /// The image's user is root, and the pod names no other.
    #[error("container has runAsNonRoot and image will run as root (pod: \"{pod}\", container: {container})")]
    ImageIsRoot {
        /// `{name}_{namespace}({uid})`
        pod: String,
        /// The container's name.
        container: String,
    },
    /// The pod itself asks for root.
    #[error("container's runAsUser breaks non-root policy (pod: \"{pod}\", container: {container})")]
    RunAsRoot {
        /// `{name}_{namespace}({uid})`
        pod: String,
        /// The container's name.
        container: String,
    },
    /// The image's user is a name, which may stand for root.
    #[error(
        "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root (pod: \"{pod}\", container: {container})"
    )]
    NotNumeric {
        /// The image's user.
        user: String,
        /// `{name}_{namespace}({uid})`
        pod: String,
        /// The container's name.
        container: String,
    },
}

/// `uid[:gid]` for the engine; empty: the image's. The container's own wishes win over the pod's.
pub(super) fn user(pod: &Pod, container: &Container, image: &ImageInfo) -> Result<String, RunAsNonRootError> {
    let of_pod = pod.spec.security_context.as_ref();
    let own = container.security_context.as_ref();
    let run_as_user = own
        .and_then(|c| c.run_as_user)
        .or_else(|| of_pod.and_then(|p| p.run_as_user));
    let run_as_group = own
        .and_then(|c| c.run_as_group)
        .or_else(|| of_pod.and_then(|p| p.run_as_group));
    let non_root = own
        .and_then(|c| c.run_as_non_root)
        .or_else(|| of_pod.and_then(|p| p.run_as_non_root));
    if non_root == Some(true) {
        check_not_root(pod, container, run_as_user, &image.user)?;
    }
    Ok(match (run_as_user, run_as_group) {
        (None, None) => String::new(),
        (Some(user), None) => user.to_string(),
        (Some(user), Some(group)) => format!("{user}:{group}"),
        (None, Some(group)) => format!("{}:{group}", image_user(&image.user)),
    })
}

/// The groups that the processes are in besides their own: supplemental ones and the one that owns the volumes.
pub(super) fn groups(pod: &Pod) -> Vec<i64> {
    let Some(context) = &pod.spec.security_context else {
        return Vec::new();
    };
    let mut groups = context.supplemental_groups.clone();
    groups.extend(context.fs_group);
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn check_not_root(
    pod: &Pod,
    container: &Container,
    run_as_user: Option<i64>,
    image_user_text: &str,
) -> Result<(), RunAsNonRootError> {
    let meta = &pod.metadata;
    let (pod, container) = (
        format!("{}_{}({})", meta.name, meta.namespace, meta.uid),
        container.name.clone(),
    );
    let user = image_user(image_user_text);
    match (run_as_user, user.parse::<i64>()) {
        (Some(0), _) => Err(RunAsNonRootError::RunAsRoot { pod, container }),
        (Some(_), _) => Ok(()),
        (None, Ok(0)) => Err(RunAsNonRootError::ImageIsRoot { pod, container }),
        (None, Ok(_)) => Ok(()),
        (None, Err(_)) => Err(RunAsNonRootError::NotNumeric {
            user: user.to_owned(),
            pod,
            container,
        }),
    }
}

/// The user's part of `user[:group]`; root where the image names none.
fn image_user(text: &str) -> &str {
    match text.split(':').next() {
        None | Some("") => "0",
        Some(user) => user,
    }
}
