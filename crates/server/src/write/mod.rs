//! Writing objects: from a document to a change on the log.

mod admission;
mod apply;
mod commit;
mod create;
mod delete;
mod evict;
mod json_patch;
mod patch;
mod plan;
mod rebalance;
mod reserved;
mod update;

use skep_api::{
    Object, convert,
    proto::{WriteResponse, WriteResult},
};

pub(crate) use admission::NAMESPACE_LABEL;
pub(crate) use apply::apply;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use evict::evict;
pub(crate) use patch::patch;
pub(crate) use plan::{apply_plan, plan};
pub(crate) use rebalance::plan_rebalance;
pub(crate) use reserved::SYSTEM_NAMESPACES;
pub(crate) use update::update;

/// How often a write that loses a race is tried again with what is there now.
const ATTEMPTS: u32 = 6;

fn response(object: &Object, result: WriteResult, warnings: Vec<String>) -> WriteResponse {
    WriteResponse {
        object: Some(convert::to_struct(object)),
        result: result.into(),
        warnings,
    }
}
