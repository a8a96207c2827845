//! What happened in a simulation, line by line, each with the simulated time. The same seed writes the same lines.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    io,
    path::Path,
};

use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt, util::SubscriberInitExt};

use crate::hermetic;

/// Lines that are shown where a simulation fails.
const SHOWN: usize = 60;

thread_local! {
    static LINES: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes what happened now.
macro_rules! note {
    ($($what:tt)*) => { $crate::trace::add(format_args!($($what)*)) };
}
pub(crate) use note;

pub(crate) fn add(what: fmt::Arguments<'_>) {
    let now = hermetic::elapsed();
    LINES.with_borrow_mut(|lines| {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{:>4}.{:06} {what}", now.as_secs(), now.subsec_micros());
    });
}

/// How many lines there are, and a sum over all of them.
pub(crate) fn sum() -> (usize, u32) {
    LINES.with_borrow(|lines| (lines.lines().count(), crc32fast::hash(lines.as_bytes())))
}

/// Writes all lines to a file.
pub(crate) fn write_to(path: &Path) -> io::Result<()> {
    LINES.with_borrow(|lines| std::fs::write(path, lines))
}

/// The last lines.
pub(crate) fn tail() -> String {
    LINES.with_borrow(|lines| {
        let all: Vec<&str> = lines.lines().collect();
        all[all.len().saturating_sub(SHOWN)..].join("\n")
    })
}

/// Has this thread's log go to the trace as well.
pub(crate) fn take_log(root: &Path) {
    let log = Log {
        root: root.display().to_string(),
    };
    tracing_subscriber::registry()
        .with(log.with_filter(filter()))
        .init();
}

fn filter() -> tracing_subscriber::EnvFilter {
    let wanted = std::env::var("SKEP_SIM_LOG").unwrap_or_default();
    let wanted = if wanted.is_empty() {
        "warn,skep_store=info,skep_server=info,skep_agent=info".to_owned()
    } else {
        wanted
    };
    tracing_subscriber::EnvFilter::new(wanted)
}

/// Writes the log's events to the trace.
struct Log {
    /// The folder of all files: it is called otherwise in every run.
    root: String,
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let text = line.0.replace(&self.root, "…");
        add(format_args!("{} {}:{text}", metadata.level(), metadata.target()));
    }
}

#[derive(Default)]
struct Line(String);

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
