//! A stream that lets other tasks go first.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt};

/// So often do all tasks that are ready have their turn: what a commit sets off takes a few of them in a row until the next
/// entries are in the log.
const TURNS: u8 = 4;

/// What to send to a follower, asked for a little later than it could be: the news of a commit goes out with the entries
/// that are proposed because of it, and not by itself just before. No clock is waited for.
pub(super) struct Patient<S> {
    stream: S,
    turns: u8,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, turns: 0 }
    }
}

impl<S: Stream + Unpin> Stream for Patient<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.turns < TURNS {
            self.turns += 1;
            // A task that wakes itself goes to the end of the line.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.turns = 0;
        self.stream.poll_next_unpin(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream::{self, BoxStream};
    use tokio::sync::watch;

    use super::*;

    /// What a stream that is woken by a change sees of what others make of it, one after the other.
    async fn seen(wrap: impl FnOnce(BoxStream<'static, u32>) -> BoxStream<'static, u32>) -> Option<u32> {
        let [first, second, third] = [(); 3].map(|()| watch::Sender::new(0));
        let (change, latest) = (first.subscribe(), third.subscribe());
        let news = stream::unfold((change, latest), |(mut change, latest)| async move {
            change.changed().await.ok()?;
            let told = *latest.borrow();
            Some((told, (change, latest)))
        });
        for (from, to) in [(&first, &second), (&second, &third)] {
            let (mut from, to) = (from.subscribe(), to.clone());
            tokio::spawn(async move {
                from.changed().await.expect("the sender is there");
                to.send_replace(1);
            });
        }
        let mut news = wrap(news.boxed());
        let told = tokio::spawn(async move { news.next().await });
        for _ in 0..2 * TURNS {
            tokio::task::yield_now().await;
        }
        first.send_replace(1);
        told.await.expect("it does not panic")
    }

    #[tokio::test]
    async fn what_comes_of_a_change_is_told_with_it() {
        assert_eq!(seen(|news| Patient::new(news).boxed()).await, Some(1));
    }

    #[tokio::test]
    async fn without_patience_the_change_is_told_by_itself() {
        assert_eq!(seen(|news| news).await, Some(0));
    }
}
