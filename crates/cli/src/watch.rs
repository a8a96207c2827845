//! Changes of objects as the server tells of them, over as many connections as it takes.

use skep_api::proto::{WatchEvent, WatchRequest, watch_event::Type};
use tonic::{Code, Status};

use crate::{context::Context, reads::Listing, retry::Backoff};

/// Changes of a listing, over as many connections as it takes.
pub(crate) struct Changes {
    request: WatchRequest,
    stream: Option<tonic::Streaming<WatchEvent>>,
    backoff: Backoff,
}

impl Changes {
    /// Changes after this revision; empty begins with all there is.
    pub(crate) fn new(listing: &Listing, table: bool, revision: String) -> Self {
        let request = WatchRequest {
            resource_version: revision,
            bookmarks: true,
            table,
            ..listing.watch_request()
        };
        Self {
            request,
            stream: None,
            backoff: Backoff::default(),
        }
    }

    /// The next change. A connection that ends is made again from where it came to.
    ///
    /// # Errors
    /// Where the server refuses, or stays out of reach.
    pub(crate) async fn next(&mut self, ctx: &Context) -> anyhow::Result<WatchEvent> {
        loop {
            match self.try_next(ctx).await {
                Ok(Some(event)) => {
                    self.backoff.reset();
                    self.request.resource_version.clone_from(&event.resource_version);
                    if event.r#type() != Type::Bookmark {
                        return Ok(event);
                    }
                }
                Ok(None) => self.stream = None,
                Err(status) => self.recover(status).await?,
            }
        }
    }

    async fn try_next(&mut self, ctx: &Context) -> Result<Option<WatchEvent>, Status> {
        if self.stream.is_none() {
            let mut client = ctx
                .client()
                .await
                .map_err(|error| Status::unavailable(format!("{error:#}")))?;
            self.stream = Some(client.watch(self.request.clone()).await?.into_inner());
        }
        match &mut self.stream {
            Some(stream) => stream.message().await,
            None => Ok(None),
        }
    }

    async fn recover(&mut self, status: Status) -> anyhow::Result<()> {
        self.stream = None;
        match status.code() {
            // Too far behind: begin again with all there is.
            Code::OutOfRange => self.request.resource_version.clear(),
            Code::Unavailable | Code::Unknown | Code::Cancelled => {}
            _ => return Err(status.into()),
        }
        if self.backoff.wait().await {
            Ok(())
        } else {
            Err(status.into())
        }
    }
}
