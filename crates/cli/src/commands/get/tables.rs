//! The tables of `skep get`.

use std::{collections::HashMap, process::ExitCode};

use serde_json::Value;
use skep_api::{
    convert::value_from_struct,
    proto::{TableColumn, TableResponse, TableRow},
};

use super::{GetArgs, plan::Part};
use crate::{
    args::qualified_singular,
    context::Context,
    errors::{Failures, NotFound},
    output::{self, OutputFormat, Table},
    reads::Listing,
};

/// Shows a table for each part.
///
/// # Errors
/// Where standard output is gone; what the server answers is printed and makes the exit code 1.
pub(super) async fn run(args: &GetArgs, parts: &[Part], ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    let mut shown = 0;
    for part in parts {
        let Some(answer) = failures.keep(fetch(args, part, ctx, &mut Vec::new()).await) else {
            continue;
        };
        for missing in answer.missing {
            failures.add(&missing.into());
        }
        if answer.table.rows.is_empty() {
            continue;
        }
        if shown > 0 {
            output::write("\n")?;
        }
        shown += 1;
        let layout = Layout::new(args, part, parts.len() > 1, &answer.table.columns);
        let mut table = layout.table(ctx);
        table.show_headers = !args.no_headers;
        answer
            .table
            .rows
            .iter()
            .for_each(|row| table.push(layout.row(row)));
        output::write(&table.render())?;
    }
    if shown == 0 && !failures.any() && !args.ignore_not_found {
        eprintln!("{}", nothing_found(parts));
    }
    Ok(failures.exit_code())
}

/// What the server has of a part.
pub(super) struct Answer {
    /// Rows in the order to show them.
    pub(super) table: TableResponse,
    /// Objects that were named and are not there.
    pub(super) missing: Vec<NotFound>,
}

/// Asks for a part's rows; documents that were needed for sorting are left in `objects`.
pub(super) async fn fetch(
    args: &GetArgs,
    part: &Part,
    ctx: &Context,
    objects: &mut Vec<Value>,
) -> anyhow::Result<Answer> {
    let (mut table, missing) = if part.names.is_empty() {
        (part.listing.table(ctx).await?, Vec::new())
    } else {
        named(args, part, ctx).await?
    };
    if let Some(key) = args.sort_key() {
        *objects = part.listing.objects(ctx).await?;
        key.sort(objects)?;
        let order: HashMap<_, _> = objects
            .iter()
            .enumerate()
            .map(|(index, object)| (uid(object), index))
            .collect();
        let position = |row: &TableRow| order.get(&uid(&whole(row))).copied();
        // What came into being between the two questions goes last.
        table
            .rows
            .sort_by_cached_key(|row| position(row).unwrap_or(usize::MAX));
    }
    Ok(Answer { table, missing })
}

async fn named(args: &GetArgs, part: &Part, ctx: &Context) -> anyhow::Result<(TableResponse, Vec<NotFound>)> {
    let mut all = TableResponse::default();
    let mut missing = Vec::new();
    for id in part.ids() {
        let table = Listing::one(&id).table(ctx).await?;
        if table.rows.is_empty() && !args.ignore_not_found {
            missing.push(NotFound(id));
        }
        all.columns = table.columns;
        all.rows.extend(table.rows);
        all.resource_version = table.resource_version;
    }
    Ok((all, missing))
}

/// The document of a row, as far as the row has it.
fn whole(row: &TableRow) -> Value {
    let metadata = row.metadata.clone().map(value_from_struct).unwrap_or_default();
    serde_json::json!({ "metadata": metadata })
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn nothing_found(parts: &[Part]) -> String {
    let listing = parts.first().map(|part| &part.listing);
    match listing.filter(|listing| {
        parts.iter().any(|part| part.listing.kind.namespaced()) && !listing.namespace.is_empty()
    }) {
        Some(listing) => format!("No resources found in {} namespace.", listing.namespace),
        None => "No resources found".to_owned(),
    }
}

/// Which cells a row has, given the flags.
pub(super) struct Layout<'a> {
    args: &'a GetArgs,
    columns: Vec<(usize, String)>,
    show_namespace: bool,
    prefix: String,
}

impl<'a> Layout<'a> {
    /// `several` is true where other kinds are shown as well.
    pub(super) fn new(args: &'a GetArgs, part: &Part, several: bool, columns: &[TableColumn]) -> Self {
        let wide = args.output.output == Some(OutputFormat::Wide);
        let columns = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| wide || column.priority == 0);
        let kind = part.listing.kind;
        Self {
            args,
            columns: columns
                .map(|(index, column)| (index, column.name.to_uppercase()))
                .collect(),
            show_namespace: args.all_namespaces && kind.namespaced(),
            prefix: if several || args.show_kind {
                qualified_singular(kind) + "/"
            } else {
                String::new()
            },
        }
    }

    /// An empty table with the headings.
    pub(super) fn table(&self, ctx: &Context) -> Table {
        let mut headings: Vec<String> = Vec::new();
        headings.extend(self.args.output_watch_events.then(|| "EVENT".to_owned()));
        headings.extend(self.show_namespace.then(|| "NAMESPACE".to_owned()));
        headings.extend(self.columns.iter().map(|(_, name)| name.clone()));
        let short = |label: &String| label.rsplit('/').next().unwrap_or_default().to_uppercase();
        headings.extend(self.args.label_columns.iter().map(short));
        headings.extend(self.args.show_labels.then(|| "LABELS".to_owned()));
        let mut table = Table::new(headings);
        table.color = ctx.color();
        table
    }

    /// The cells of an object that was there.
    pub(super) fn row(&self, row: &TableRow) -> Vec<String> {
        self.event_row("ADDED", row)
    }

    /// The cells of an object to which this happened.
    pub(super) fn event_row(&self, event: &str, row: &TableRow) -> Vec<String> {
        let document = whole(row);
        let metadata = &document["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut cells: Vec<String> = Vec::new();
        cells.extend(self.args.output_watch_events.then(|| event.to_owned()));
        cells.extend(self.show_namespace.then(|| text(&metadata["namespace"])));
        cells.extend(self.columns.iter().map(|(index, name)| {
            let cell = row.cells.get(*index).cloned().unwrap_or_default();
            if name == "NAME" {
                self.prefix.clone() + &cell
            } else {
                cell
            }
        }));
        let labels = &metadata["labels"];
        cells.extend(
            self.args
                .label_columns
                .iter()
                .map(|label| text(&labels[label.as_str()])),
        );
        cells.extend(self.args.show_labels.then(|| all_labels(labels)));
        cells
    }
}

fn all_labels(labels: &Value) -> String {
    let Some(labels) = labels.as_object().filter(|labels| !labels.is_empty()) else {
        return "<none>".to_owned();
    };
    let pairs: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.join(",")
}
