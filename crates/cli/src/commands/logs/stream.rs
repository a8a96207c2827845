//! Logs read from the server and printed.

use std::process::ExitCode;

use futures::{StreamExt, stream};
use skep_api::{
    Time,
    proto::{LogChunk, LogsRequest},
};
use tonic::Streaming;

use super::{LogsArgs, lines::Lines, sources::Source};
use crate::{context::Context, errors::Failures, output};

/// Prints logs: one after the other, or all at the same time where they are followed.
pub(super) async fn print(args: &LogsArgs, ctx: &Context, sources: Vec<Source>) -> anyhow::Result<ExitCode> {
    let single = sources.len() == 1;
    let concurrency = if args.follow { sources.len().max(1) } else { 1 };
    let mut results = stream::iter(&sources)
        .map(|source| one(args, ctx, source, single))
        .buffer_unordered(concurrency);
    let mut failures = Failures::default();
    while let Some(result) = results.next().await {
        match result {
            Err(error) if args.ignore_errors => failures.add(&error),
            result => result?,
        }
    }
    Ok(failures.exit_code())
}

async fn one(args: &LogsArgs, ctx: &Context, source: &Source, single: bool) -> anyhow::Result<()> {
    let mut chunks = open(args, ctx, source).await?;
    let prefix = prefix(args, source);
    if single && prefix.is_empty() {
        while let Some(chunk) = chunks.message().await? {
            output::write_bytes(&chunk.data)?;
        }
        return Ok(());
    }
    let mut lines = Lines::new(prefix);
    while let Some(chunk) = chunks.message().await? {
        output::write_bytes(&lines.take(&chunk.data))?;
    }
    output::write_bytes(&lines.finish())
}

fn prefix(args: &LogsArgs, source: &Source) -> String {
    match args.prefix || args.all_pods {
        true => format!("[pod/{}/{}] ", source.pod, source.container),
        false => String::new(),
    }
}

async fn open(args: &LogsArgs, ctx: &Context, source: &Source) -> anyhow::Result<Streaming<LogChunk>> {
    let request = LogsRequest {
        namespace: source.namespace.clone(),
        pod: source.pod.clone(),
        container: source.container.clone(),
        follow: args.follow,
        previous: args.previous,
        tail_lines: args.tail_lines(),
        since_seconds: args.since_seconds(Time::from(jiff::Timestamp::now())),
        timestamps: args.timestamps,
    };
    Ok(ctx.client().await?.logs(request).await?.into_inner())
}
