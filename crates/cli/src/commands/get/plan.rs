//! What `skep get` has to ask for.

use anyhow::bail;

use super::GetArgs;
use crate::{
    args::{Query, ResourceId, parse_words},
    context::Context,
    errors::Failures,
    reads::Listing,
};

/// Objects of one kind in one place: those named, or all that the listing matches.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Where they are and what they must match.
    pub(super) listing: Listing,
    /// Names in the order given; empty for all.
    pub(super) names: Vec<String>,
}

impl Part {
    /// The objects named.
    pub(super) fn ids(&self) -> impl Iterator<Item = ResourceId> {
        self.names
            .iter()
            .map(|name| ResourceId::new(self.listing.kind, &self.listing.namespace, name))
    }
}

/// What to ask for, in order; objects of one kind that are named one after the other are one part.
///
/// # Errors
/// Where the words name no resources or contradict the flags.
pub(super) fn plan(args: &GetArgs, ctx: &Context) -> anyhow::Result<Vec<Part>> {
    if !args.files.is_empty() {
        return of_files(args, ctx);
    }
    let queries = parse_words(&args.words)?;
    let namespace = if args.all_namespaces { "" } else { ctx.namespace() };
    let selects = args.selector.is_some() || args.field_selector.is_some();
    let mut parts: Vec<Part> = Vec::new();
    for Query { kind, names } in queries {
        if !names.is_empty() && args.all_namespaces && kind.namespaced() {
            bail!("a resource cannot be retrieved by name across all namespaces");
        }
        if !names.is_empty() && selects {
            bail!("name cannot be provided when a selector is specified");
        }
        let listing = Listing {
            label_selector: args.selector.clone().unwrap_or_default(),
            field_selector: args.field_selector.clone().unwrap_or_default(),
            ..Listing::new(kind, namespace)
        };
        push(&mut parts, Part { listing, names });
    }
    Ok(parts)
}

fn of_files(args: &GetArgs, ctx: &Context) -> anyhow::Result<Vec<Part>> {
    if !args.words.is_empty() || args.selector.is_some() {
        bail!("when files are given with -f, no resources are named by type or selector");
    }
    let mut failures = Failures::default();
    let documents = args.files.load(ctx, &mut failures);
    if failures.any() {
        bail!("not all files could be read");
    }
    let mut parts = Vec::new();
    for document in documents {
        let listing = Listing::new(document.id.kind, &document.id.namespace);
        push(
            &mut parts,
            Part {
                listing,
                names: vec![document.id.name],
            },
        );
    }
    Ok(parts)
}

/// Adds names to the last part where they are of its kind and namespace.
fn push(parts: &mut Vec<Part>, part: Part) {
    match parts.last_mut() {
        Some(last)
            if !part.names.is_empty()
                && !last.names.is_empty()
                && last.listing.kind == part.listing.kind
                && last.listing.namespace == part.listing.namespace =>
        {
            last.names.extend(part.names);
        }
        _ => parts.push(part),
    }
}
