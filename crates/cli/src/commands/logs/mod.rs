//! `skep logs`: what containers wrote.

mod lines;
mod sources;
mod stream;

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Args;
use skep_api::Time;

use crate::{context::Context, duration};

/// What `skep logs` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep logs web-0
  skep logs -f web-0 -c main --tail=20
  skep logs --previous web-0            (the run before the present one)
  skep logs deployment/web --since=1h
  skep logs -f -l app=web --prefix --max-log-requests=10")]
pub(crate) struct LogsArgs {
    /// POD, TYPE/NAME, or POD CONTAINER
    #[arg(value_name = "POD")]
    words: Vec<String>,
    /// The labels to select pods by; the last 10 lines of each unless --tail says otherwise
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// This container
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_containers")]
    container: Option<String>,
    /// All containers, init containers too
    #[arg(long)]
    all_containers: bool,
    /// With deployment/NAME: all its pods, with a prefix
    #[arg(long)]
    all_pods: bool,
    /// Go on with what is written from now on
    #[arg(short, long)]
    follow: bool,
    /// The run before the present one
    #[arg(short, long)]
    previous: bool,
    /// Only the last lines; -1 is all
    #[arg(long, value_name = "LINES", allow_hyphen_values = true)]
    tail: Option<i64>,
    /// Only what is younger, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "since_time")]
    since: Option<Duration>,
    /// Only what was written after, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since_time: Option<Time>,
    /// Put the time before each line
    #[arg(long)]
    timestamps: bool,
    /// Put pod and container before each line
    #[arg(long)]
    prefix: bool,
    /// Go on with the other containers where one cannot be read
    #[arg(long)]
    ignore_errors: bool,
    /// How many containers may be followed at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    max_log_requests: usize,
}

/// Prints the logs of containers: one after the other, or all at the same time where they are followed.
///
/// # Errors
/// Where nothing is found, or a log cannot be read.
pub(crate) async fn run(args: LogsArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let sources = sources::find(&args, ctx).await?;
    if args.follow && sources.len() > args.max_log_requests {
        bail!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {}, \
             use --max-log-requests to increase the limit",
            sources.len(),
            args.max_log_requests
        );
    }
    stream::print(&args, ctx, sources).await
}

impl LogsArgs {
    /// How many lines to show at most; all where `None`.
    fn tail_lines(&self) -> Option<i64> {
        let default = self.selector.as_ref().map(|_| 10);
        self.tail.or(default).filter(|lines| *lines >= 0)
    }

    /// The age in seconds of the oldest text to show, at least 1.
    fn since_seconds(&self, now: Time) -> Option<i64> {
        let age = self
            .since
            .or_else(|| self.since_time.map(|time| now.since(time)))?;
        let seconds = age.as_secs() + u64::from(age.subsec_nanos() > 0);
        Some(i64::try_from(seconds).unwrap_or(i64::MAX).max(1))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: LogsArgs,
    }

    fn parse(line: &str) -> LogsArgs {
        Line::try_parse_from(std::iter::once("logs").chain(line.split_whitespace()))
            .unwrap()
            .args
    }

    #[test]
    fn a_selector_shows_the_last_ten_lines_of_each() {
        assert_eq!(parse("-l app=web").tail_lines(), Some(10));
        assert_eq!(parse("-l app=web --tail=-1").tail_lines(), None);
        assert_eq!(parse("web").tail_lines(), None);
        assert_eq!(parse("web --tail=0").tail_lines(), Some(0));
    }

    #[test]
    fn ages_are_rounded_up_to_seconds() {
        let now = Time::from_millis(100_500);
        assert_eq!(parse("web --since=1500ms").since_seconds(now), Some(2));
        assert_eq!(
            parse("web --since-time=1970-01-01T00:01:40Z").since_seconds(now),
            Some(1)
        );
        assert_eq!(parse("web").since_seconds(now), None);
    }
}
