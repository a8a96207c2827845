//! `skep get -w`: what there is, then what changes.

use std::process::ExitCode;

use serde_json::{Value, json};
use skep_api::{convert::value_from_struct, proto::watch_event::Type};

use super::{
    GetArgs,
    plan::Part,
    tables::{Layout, fetch},
};
use crate::{
    context::Context,
    output::{self, OutputFormat, Table},
    reads::{self, Listing},
    watch::Changes,
};

/// Shows what there is (unless `--watch-only`), then each change, until it is ended from outside, or `--request-timeout` is over.
///
/// # Errors
/// Where the server refuses, or stays out of reach.
pub(super) async fn run(args: &GetArgs, part: &Part, ctx: &Context) -> anyhow::Result<ExitCode> {
    let listing = match &part.names[..] {
        [] => part.listing.clone(),
        [_] => part
            .ids()
            .next()
            .map(|id| Listing::one(&id))
            .expect("one name is one object"),
        _ => anyhow::bail!("you may only watch one object by name; select several with -l"),
    };
    let watching = async {
        match args.document_format() {
            Some(format) => {
                let documents = Documents {
                    args,
                    format,
                    listing,
                };
                documents.run(part, ctx).await
            }
            None => rows(args, part, &listing, ctx).await,
        }
    };
    match ctx.request_timeout() {
        None => watching.await?,
        // The time that was asked for is over: that is no failure.
        Some(timeout) => tokio::time::timeout(timeout, watching).await.unwrap_or(Ok(()))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn rows(args: &GetArgs, part: &Part, listing: &Listing, ctx: &Context) -> anyhow::Result<()> {
    let answer = fetch(args, part, ctx, &mut Vec::new()).await?;
    if let Some(missing) = answer.missing.into_iter().next() {
        return Err(missing.into());
    }
    let layout = Layout::new(args, part, false, &answer.table.columns);
    let mut widths = layout.table(ctx).widths(&[]);
    let mut print = |rows: Vec<Vec<String>>, headers: bool| {
        let mut table: Table = layout.table(ctx);
        table.show_headers = headers;
        rows.into_iter().for_each(|row| table.push(row));
        // Columns only grow, so that lines stay under each other.
        widths = table.widths(&widths);
        output::write(&table.render_with(&widths))
    };
    let mut headers = !args.no_headers;
    if !args.watch_only && !answer.table.rows.is_empty() {
        print(
            answer.table.rows.iter().map(|row| layout.row(row)).collect(),
            headers,
        )?;
        headers = false;
    }
    let mut changes = Changes::new(listing, true, answer.table.resource_version);
    loop {
        let event = changes.next(ctx).await?;
        let Some(row) = &event.row else { continue };
        print(vec![layout.event_row(word(event.r#type()), row)], headers)?;
        headers = false;
    }
}

struct Documents<'a> {
    args: &'a GetArgs,
    format: &'a OutputFormat,
    listing: Listing,
}

impl Documents<'_> {
    async fn run(&self, part: &Part, ctx: &Context) -> anyhow::Result<()> {
        if let Some(id) = part.ids().next() {
            reads::get(ctx, &id).await?;
        }
        // Without a revision a watch begins with all there is; with --watch-only that is passed over.
        let from = if self.args.watch_only {
            self.listing.revision(ctx).await?
        } else {
            String::new()
        };
        let mut headings = !self.args.no_headers;
        let mut changes = Changes::new(&self.listing, false, from);
        loop {
            let event = changes.next(ctx).await?;
            let kind = word(event.r#type());
            let Some(object) = event.object.map(value_from_struct) else {
                continue;
            };
            self.print(kind, object, headings)?;
            headings = false;
        }
    }

    fn print(&self, event: &str, object: Value, headings: bool) -> anyhow::Result<()> {
        let object = if self.args.output_watch_events {
            json!({ "type": event, "object": object })
        } else {
            object
        };
        let text = match self.format {
            OutputFormat::CustomColumns(_) => self.format.documents(vec![object], headings)?,
            OutputFormat::Yaml if !headings => format!("---\n{}", self.format.document(&object)?),
            format => format.document(&object)?,
        };
        output::write(&text)
    }
}

fn word(kind: Type) -> &'static str {
    match kind {
        Type::Added => "ADDED",
        Type::Modified => "MODIFIED",
        Type::Deleted => "DELETED",
        Type::Bookmark => "BOOKMARK",
        Type::Unspecified => "UNKNOWN",
    }
}
