//! `skep rollout pause` and `resume`: changes of the template wait.

use anyhow::bail;
use serde_json::json;

use crate::{args::ResourceId, commands::live, context::Context, output};

pub(super) async fn pause(ctx: &Context, id: &ResourceId) -> anyhow::Result<()> {
    if !live::merge(ctx, id, "", json!({ "spec": { "paused": true } })).await? {
        bail!("{id} is already paused");
    }
    output::write(&format!("{id} paused\n"))
}

pub(super) async fn resume(ctx: &Context, id: &ResourceId) -> anyhow::Result<()> {
    if !live::merge(ctx, id, "", json!({ "spec": { "paused": null } })).await? {
        bail!("{id} is not paused");
    }
    output::write(&format!("{id} resumed\n"))
}
