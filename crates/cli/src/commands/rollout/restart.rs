//! `skep rollout restart`: all pods replaced by new ones.

use anyhow::bail;
use skep_api::{Deployment, Time};

use crate::{args::ResourceId, commands::live, context::Context, output};

/// A new value makes a new template, and so a rollout.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

pub(super) async fn restart(ctx: &Context, id: &ResourceId) -> anyhow::Result<()> {
    if live::get_as::<Deployment>(ctx, id).await?.spec.paused {
        bail!("can't restart paused deployment (run rollout resume first)");
    }
    let now = Time::from(jiff::Timestamp::now()).whole_secs().to_string();
    let patch = serde_json::json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: now } } } } });
    if !live::merge(ctx, id, "", patch).await? {
        bail!(
            "if restart has already been triggered within the past second, please wait before attempting again"
        );
    }
    output::write(&format!("{id} restarted\n"))
}
