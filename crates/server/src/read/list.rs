//! Objects of one kind, whole or as rows, page by page.

use std::sync::Arc;

use skep_api::{
    Object, Time, convert,
    proto::{ListRequest, ListResponse, TableResponse, TableRow},
};
use skep_state::State;

use super::{filter::Filter, pages::Continue};
use crate::{clock::now, core::Core, failure::Failure, render};

/// One page.
struct Page {
    objects: Vec<Arc<Object>>,
    revision: u64,
    next: String,
    remaining: u64,
}

/// Objects of one kind.
pub(crate) async fn list(core: &Core, request: ListRequest) -> Result<ListResponse, Failure> {
    let (_, page) = page(core, request).await?;
    Ok(ListResponse {
        items: page
            .objects
            .iter()
            .map(|object| convert::to_struct(object))
            .collect(),
        resource_version: page.revision.to_string(),
        r#continue: page.next,
        remaining_items: page.remaining,
    })
}

/// Objects of one kind as rows for people.
pub(crate) async fn table(core: &Core, request: ListRequest) -> Result<TableResponse, Failure> {
    let (filter, page) = page(core, request).await?;
    let now = now();
    Ok(TableResponse {
        columns: render::columns(filter.kind),
        rows: page.objects.iter().map(|object| row(object, now)).collect(),
        resource_version: page.revision.to_string(),
        r#continue: page.next,
    })
}

/// One object as a row.
pub(super) fn row(object: &Object, now: Time) -> TableRow {
    let metadata = serde_json::to_value(object.meta())
        .ok()
        .and_then(convert::struct_from_value);
    TableRow {
        cells: render::row(object, now),
        metadata,
    }
}

async fn page(core: &Core, request: ListRequest) -> Result<(Filter, Page), Failure> {
    let filter = Filter::parse(
        &request.kind,
        &request.namespace,
        &request.label_selector,
        &request.field_selector,
    )?;
    let (state, after) = match Continue::decode(&request.r#continue)? {
        Some(token) => (core.pages.state(token.revision)?, Some(token.after)),
        None => (core.read(request.stale_ok).await?, None),
    };
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let page = cut(&filter, &state, after.as_ref(), limit);
    if !page.next.is_empty() {
        core.pages.keep(&state);
    }
    Ok((filter, page))
}

/// At most `limit` objects, all where it is 0.
fn cut(filter: &Filter, state: &State, after: Option<&skep_api::ObjectKey>, limit: usize) -> Page {
    let mut selected = filter.select(state, after);
    let limit = if limit == 0 { usize::MAX } else { limit };
    let objects: Vec<_> = selected.by_ref().take(limit).cloned().collect();
    let remaining = selected.count() as u64;
    let last = objects.last().filter(|_| remaining > 0);
    let next = last.map_or_else(String::new, |object| {
        Continue {
            revision: state.revision(),
            after: object.key(),
        }
        .encode()
    });
    Page {
        objects,
        revision: state.revision(),
        next,
        remaining,
    }
}
