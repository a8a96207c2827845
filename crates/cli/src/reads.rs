//! Objects, lists and tables from the server, page by page.

use serde_json::Value;
use skep_api::{
    Kind,
    convert::value_from_struct,
    proto::{GetRequest, ListRequest, TableResponse, WatchRequest},
};

use crate::{args::ResourceId, context::Context};

/// Objects in one answer: keeps messages small however large the cluster is.
const PAGE_OBJECTS_MAX: u32 = 500;

/// Objects of one kind: where they are and what they must match. Empty texts match everything.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// The kind.
    pub(crate) kind: Kind,
    /// The namespace; empty for all.
    pub(crate) namespace: String,
    /// Such as `app=web`.
    pub(crate) label_selector: String,
    /// Such as `metadata.name=web`.
    pub(crate) field_selector: String,
}

impl Listing {
    /// All objects of a kind in a namespace (empty: all namespaces).
    pub(crate) fn new(kind: Kind, namespace: &str) -> Self {
        let namespace = if kind.namespaced() {
            namespace.to_owned()
        } else {
            String::new()
        };
        Self {
            kind,
            namespace,
            label_selector: String::new(),
            field_selector: String::new(),
        }
    }

    /// The one object, if it is there.
    pub(crate) fn one(id: &ResourceId) -> Self {
        Self {
            field_selector: format!("metadata.name={}", id.name),
            ..Self::new(id.kind, &id.namespace)
        }
    }

    fn request(&self, next: String) -> ListRequest {
        ListRequest {
            kind: self.kind.as_str().to_owned(),
            namespace: self.namespace.clone(),
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
            limit: PAGE_OBJECTS_MAX,
            r#continue: next,
            stale_ok: false,
        }
    }

    /// A watch of these objects from their present state on.
    pub(crate) fn watch_request(&self) -> WatchRequest {
        WatchRequest {
            kind: self.kind.as_str().to_owned(),
            namespace: self.namespace.clone(),
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
            ..WatchRequest::default()
        }
    }

    /// The present revision, to watch from.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub(crate) async fn revision(&self, ctx: &Context) -> anyhow::Result<String> {
        let request = ListRequest {
            limit: 1,
            ..self.request(String::new())
        };
        Ok(ctx
            .client()
            .await?
            .list(request)
            .await?
            .into_inner()
            .resource_version)
    }

    /// The objects.
    ///
    /// # Errors
    /// Where the server cannot be asked or refuses a selector.
    pub(crate) async fn objects(&self, ctx: &Context) -> anyhow::Result<Vec<Value>> {
        let mut client = ctx.client().await?;
        let (mut objects, mut next) = (Vec::new(), String::new());
        loop {
            let page = client.list(self.request(next)).await?.into_inner();
            objects.extend(page.items.into_iter().map(value_from_struct));
            next = page.r#continue;
            if next.is_empty() {
                return Ok(objects);
            }
        }
    }

    /// The objects as rows; its revision is that of the first page, so that a watch from there misses nothing.
    ///
    /// # Errors
    /// As [`Self::objects`].
    pub(crate) async fn table(&self, ctx: &Context) -> anyhow::Result<TableResponse> {
        let mut client = ctx.client().await?;
        let mut table = client.table(self.request(String::new())).await?.into_inner();
        while !table.r#continue.is_empty() {
            let next = std::mem::take(&mut table.r#continue);
            let page = client.table(self.request(next)).await?.into_inner();
            table.rows.extend(page.rows);
            table.r#continue = page.r#continue;
        }
        Ok(table)
    }
}

/// One object.
///
/// # Errors
/// `NotFound` where it is not there, and what else the server answers.
pub(crate) async fn get(ctx: &Context, id: &ResourceId) -> anyhow::Result<Value> {
    let request = GetRequest {
        r#ref: Some(id.to_ref()),
        stale_ok: false,
    };
    let answer = ctx.client().await?.get(request).await?.into_inner();
    Ok(value_from_struct(answer.object.unwrap_or_default()))
}

/// One object; `None` where it is not there.
///
/// # Errors
/// What else the server answers.
pub(crate) async fn find(ctx: &Context, id: &ResourceId) -> anyhow::Result<Option<Value>> {
    match get(ctx, id).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if crate::errors::is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
