//! What containers wrote.

use bollard::{Docker as Client, container::LogOutput, query_parameters::LogsOptionsBuilder};
use futures::{StreamExt, future, stream::BoxStream};

use super::error;
use crate::runtime::{LogOptions, Output, RuntimeError};

pub(super) async fn read(
    client: &Client,
    id: &str,
    options: &LogOptions,
) -> Result<BoxStream<'static, Result<Output, RuntimeError>>, RuntimeError> {
    // The stream would say so too, but only once it is read.
    client.inspect_container(id, None).await.map_err(error::from)?;
    let mut query = LogsOptionsBuilder::new()
        .follow(options.follow)
        .stdout(true)
        .stderr(true)
        .timestamps(options.timestamps)
        .tail(
            &options
                .tail_lines
                .map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
        );
    if let Some(since) = options.since {
        query = query.since(i32::try_from(since.as_millis().div_euclid(1000)).unwrap_or(i32::MAX));
    }
    let chunks = client.logs(id, Some(query.build()));
    Ok(chunks
        .filter_map(|chunk| future::ready(output(chunk).transpose()))
        .boxed())
}

/// `None` for what is not output.
pub(super) fn output(
    chunk: Result<LogOutput, bollard::errors::Error>,
) -> Result<Option<Output>, RuntimeError> {
    Ok(match chunk.map_err(error::from)? {
        // A terminal has one stream.
        LogOutput::StdOut { message } | LogOutput::Console { message } => Some(Output::Stdout(message)),
        LogOutput::StdErr { message } => Some(Output::Stderr(message)),
        LogOutput::StdIn { .. } => None,
    })
}
