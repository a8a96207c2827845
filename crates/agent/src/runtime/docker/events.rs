//! What happens to containers.

use std::collections::BTreeMap;

use bollard::{Docker as Client, models::EventMessage, query_parameters::EventsOptionsBuilder};
use futures::{StreamExt, future, stream::BoxStream};
use skep_api::Time;

use super::{convert, error};
use crate::runtime::{ContainerEvent, ContainerEventKind, RuntimeError};

/// What the engine adds to a container's labels in its events.
const NOT_LABELS: [&str; 5] = ["image", "name", "exitCode", "signal", "execID"];

/// Begins at the engine's present time: what happens before the stream is first read is not lost.
pub(super) async fn watch(
    client: &Client,
    labels: &BTreeMap<String, String>,
) -> Result<BoxStream<'static, ContainerEvent>, RuntimeError> {
    let info = client.info().await.map_err(error::from)?;
    let mut filters = convert::label_filters(labels);
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    filters.insert(
        "event".to_owned(),
        ["start", "die", "oom", "destroy"].map(str::to_owned).to_vec(),
    );
    let mut options = EventsOptionsBuilder::new().filters(&filters);
    if let Some(now) = info.system_time.as_deref().and_then(epoch) {
        options = options.since(&now);
    }
    let messages = client.events(Some(options.build()));
    let ended = |failure: &bollard::errors::Error| tracing::debug!(error = %failure, "the engine's events have ended");
    Ok(messages
        .take_while(move |message| {
            future::ready(message.as_ref().inspect_err(|failure| ended(failure)).is_ok())
        })
        .filter_map(|message| future::ready(message.ok().and_then(event)))
        .boxed())
}

fn event(message: EventMessage) -> Option<ContainerEvent> {
    let kind = match message.action.as_deref()? {
        "start" => ContainerEventKind::Started,
        "die" => ContainerEventKind::Died,
        "oom" => ContainerEventKind::OutOfMemory,
        "destroy" => ContainerEventKind::Removed,
        _ => return None,
    };
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    let labels = attributes
        .into_iter()
        .filter(|(name, _)| !NOT_LABELS.contains(&name.as_str()))
        .collect();
    Some(ContainerEvent {
        id: actor.id?,
        labels,
        kind,
    })
}

/// `seconds.nanoseconds`, as the engine takes times.
fn epoch(text: &str) -> Option<String> {
    let millis = text.parse::<Time>().ok()?.as_millis();
    Some(format!(
        "{}.{:09}",
        millis.div_euclid(1000),
        millis.rem_euclid(1000) * 1_000_000
    ))
}
