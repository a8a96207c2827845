//! `skep events`: what happened, oldest first.

use std::{process::ExitCode, str::FromStr};

use anyhow::bail;
use clap::Args;
use serde_json::Value;
use skep_api::{
    Condition, ConditionStatus, Event, EventType, Kind, Pod, Time, convert::value_from_struct,
    proto::watch_event::Type,
};

use super::live;
use crate::{
    args::{self, ResourceId},
    context::Context,
    duration,
    output::{self, OutputArgs, Table},
    reads::{self, Listing},
    watch::Changes,
};

/// The reason of the event that tells of a pod's node.
const SCHEDULED: &str = "Scheduled";

/// What `skep events` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep events -A
  skep events --for pod/web-0 --watch
  skep events --types=Warning")]
pub(crate) struct EventsArgs {
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only what happened to this object, as TYPE/NAME
    #[arg(long = "for", value_name = "RESOURCE")]
    about: Option<String>,
    /// Only these types: Normal, Warning
    #[arg(long, value_delimiter = ',', value_name = "TYPE", value_parser = event_type)]
    types: Vec<EventType>,
    /// Go on with what happens from now on
    #[arg(short, long)]
    watch: bool,
    /// Leave out the line of headings
    #[arg(long)]
    no_headers: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows events.
///
/// # Errors
/// Where the server cannot be asked, or is gone while it is watched.
pub(crate) async fn run(args: EventsArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let listing = listing(&args, ctx)?;
    let mut documents = listing.objects(ctx).await?;
    if let Some(about) = &args.about
        && !documents.iter().any(|document| document["reason"] == SCHEDULED)
    {
        documents.extend(placed_with_others(about, ctx).await?);
    }
    documents.retain(|document| args.asks_for(document));
    documents.sort_by_key(|document| (last_seen(document), revision(document)));
    let newest = documents.iter().map(revision).max().unwrap_or(0);
    if documents.is_empty() && !args.watch {
        match args.all_namespaces {
            true => eprintln!("No events found."),
            false => eprintln!("No events found in {} namespace.", ctx.namespace()),
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(format) = &args.output.output
        && !args.watch
    {
        output::write(&format.documents(documents, !args.no_headers)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut printer = Printer::new(&args);
    printer.print(documents)?;
    if args.watch {
        return watch(&args, ctx, &listing, newest, &mut printer).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// The event of what makes a pod that tells of its node and of those of many others: it has none of its own then.
async fn placed_with_others(about: &str, ctx: &Context) -> anyhow::Result<Option<Value>> {
    let (kind, name) = args::parse_target(about, Kind::Pod)?;
    if kind != Kind::Pod {
        return Ok(None);
    }
    let id = ResourceId::new(kind, ctx.namespace(), name);
    let Some(pod) = reads::find(ctx, &id).await? else {
        return Ok(None);
    };
    let pod: Pod = live::typed(pod)?;
    let placed = Condition::find(&pod.status.conditions, "PodScheduled");
    let placed = placed.filter(|condition| condition.status == ConditionStatus::True);
    let (Some(owner), Some(placed)) = (pod.metadata.controller(), placed) else {
        return Ok(None);
    };
    let mut listing = Listing::new(Kind::Event, ctx.namespace());
    listing.field_selector = format!(
        "involvedObject.kind={},involvedObject.name={}",
        owner.kind, owner.name
    );
    let told = listing.objects(ctx).await?.into_iter();
    // The last of them that was told before the pod was placed, or in the same second.
    let before = |document: &Value| {
        let first = document["firstTimestamp"]
            .as_str()
            .and_then(|text| Time::from_str(text).ok());
        document["reason"] == SCHEDULED && first <= placed.last_transition_time
    };
    Ok(told
        .filter(before)
        .max_by_key(|document| (last_seen(document), revision(document))))
}

impl EventsArgs {
    fn asks_for(&self, document: &Value) -> bool {
        let found = document["type"].as_str().unwrap_or_default();
        self.types.is_empty() || self.types.iter().any(|wanted| format!("{wanted:?}") == found)
    }
}

fn event_type(text: &str) -> Result<EventType, String> {
    match text.to_ascii_lowercase().as_str() {
        "normal" => Ok(EventType::Normal),
        "warning" => Ok(EventType::Warning),
        _ => Err("events are Normal or Warning".to_owned()),
    }
}

fn listing(args: &EventsArgs, ctx: &Context) -> anyhow::Result<Listing> {
    let namespace = if args.all_namespaces { "" } else { ctx.namespace() };
    let mut listing = Listing::new(Kind::Event, namespace);
    if let Some(about) = &args.about {
        if !about.contains('/') {
            bail!("--for must be in resource/name form");
        }
        let (kind, name) = args::parse_target(about, Kind::Pod)?;
        listing.field_selector = format!("involvedObject.kind={kind},involvedObject.name={name}");
        if !kind.namespaced() {
            listing.namespace = String::new();
        }
    }
    Ok(listing)
}

/// Prints events as they happen, for ever.
async fn watch(
    args: &EventsArgs,
    ctx: &Context,
    listing: &Listing,
    from: u64,
    printer: &mut Printer,
) -> anyhow::Result<ExitCode> {
    let mut changes = Changes::new(listing, false, from.to_string());
    loop {
        let event = changes.next(ctx).await?;
        if !matches!(event.r#type(), Type::Added | Type::Modified) {
            continue;
        }
        let document = event
            .object
            .map(value_from_struct)
            .filter(|document| args.asks_for(document));
        printer.print(document.into_iter().collect())?;
    }
}

fn revision(document: &Value) -> u64 {
    document["metadata"]["resourceVersion"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn last_seen(document: &Value) -> Option<Time> {
    let time = |value: &Value| value.as_str().and_then(|text| Time::from_str(text).ok());
    time(&document["lastTimestamp"]).or_else(|| time(&document["metadata"]["creationTimestamp"]))
}

/// Prints rows in columns that stay where they are while more comes.
struct Printer {
    namespaces: bool,
    headers: bool,
    format: Option<crate::output::OutputFormat>,
    widths: Vec<usize>,
}

impl Printer {
    fn new(args: &EventsArgs) -> Self {
        Self {
            namespaces: args.all_namespaces,
            headers: !args.no_headers,
            format: args.output.output.clone(),
            widths: Vec::new(),
        }
    }

    fn print(&mut self, documents: Vec<Value>) -> anyhow::Result<()> {
        if let Some(format) = &self.format {
            return documents
                .iter()
                .try_for_each(|document| output::write(&format.document(document)?));
        }
        let now = Time::from(jiff::Timestamp::now());
        let events = documents
            .into_iter()
            .map(live::typed::<Event>)
            .collect::<anyhow::Result<Vec<_>>>()?;
        output::write(&self.rows(&events, now))
    }

    fn rows(&mut self, events: &[Event], now: Time) -> String {
        if events.is_empty() {
            return String::new();
        }
        let headers = ["NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
        let hidden = usize::from(!self.namespaces);
        let mut table = Table::new(headers.into_iter().skip(hidden));
        table.show_headers = std::mem::take(&mut self.headers);
        for event in events {
            let cells: Vec<String> = row(event, now).into_iter().skip(hidden).collect();
            table.push(cells);
        }
        self.widths = table.widths(&self.widths);
        table.render_with(&self.widths)
    }
}

fn row(event: &Event, now: Time) -> [String; 6] {
    let age = |time: Option<Time>| {
        time.map_or_else(|| "<unknown>".to_owned(), |time| duration::human(now.since(time)))
    };
    let first = event.first_timestamp.or(event.metadata.creation_timestamp);
    let last = age(event.last_timestamp.or(first));
    let seen = if event.count > 1 {
        format!("{last} (x{} over {})", event.count, age(first))
    } else {
        last
    };
    let object = &event.involved_object;
    [
        event.metadata.namespace.clone(),
        seen,
        format!("{:?}", event.r#type),
        event.reason.clone(),
        format!("{}/{}", object.kind, object.name),
        event.message.trim().replace('\n', " "),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use skep_api::ObjectReference;
    use skep_testkit::at;

    use super::*;

    fn event(reason: &str, message: &str, count: i32) -> Event {
        let involved_object = ObjectReference {
            kind: "Pod".into(),
            name: "web-0".into(),
            ..ObjectReference::default()
        };
        Event {
            involved_object,
            reason: reason.into(),
            message: message.into(),
            first_timestamp: Some(at(0)),
            last_timestamp: Some(at(50)),
            count,
            ..Event::default()
        }
    }

    fn printer(namespaces: bool) -> Printer {
        Printer {
            namespaces,
            headers: true,
            format: None,
            widths: Vec::new(),
        }
    }

    #[test]
    fn events_that_came_again_say_how_often() {
        let events = [
            event("Pulled", "image web:v2 is here", 1),
            event("BackOff", "back-off\nrestarting", 3),
        ];
        expect![[r#"
            LAST SEEN           TYPE     REASON    OBJECT      MESSAGE
            10s                 Normal   Pulled    Pod/web-0   image web:v2 is here
            10s (x3 over 60s)   Normal   BackOff   Pod/web-0   back-off restarting
        "#]]
        .assert_eq(&printer(false).rows(&events, at(60)));
    }

    #[test]
    fn later_rows_stay_in_the_columns_of_the_first() {
        let mut printer = printer(true);
        let first = printer.rows(&[event("ALongReasonIndeed", "one", 1)], at(60));
        let second = printer.rows(&[event("Short", "two", 1)], at(60));
        assert_eq!(
            first.lines().nth(1).and_then(|line| line.find("one")),
            second.find("two")
        );
        assert_eq!(second.lines().count(), 1, "headings are shown once");
    }

    #[test]
    fn types_are_normal_or_warning() {
        assert_eq!(event_type("warning"), Ok(EventType::Warning));
        assert!(event_type("error").is_err());
    }
}
