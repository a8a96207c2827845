//! Calls to another server over one stream: each costs a frame there and a frame back, and they arrive in their order.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use skep_api::proto::PeerMessage;
use skep_store::TransportError;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::transport;

/// Calls that wait to be sent; more have to wait to wait.
const CALLS_MAX: usize = 256;

/// A conversation takes new calls for so long: by and by, each side looks at the other's certificate again.
const RENEWED_AFTER: Duration = Duration::from_secs(10 * 60);

type Answer = Result<Vec<u8>, TransportError>;

/// A conversation with another server. It begins by itself, and is over once its stream breaks or all clones are gone.
#[derive(Clone)]
pub(super) struct Conversation {
    calls: mpsc::Sender<PeerMessage>,
    waiting: Arc<Waiting>,
    began: Instant,
}

/// Who waits for which answer.
#[derive(Default)]
struct Waiting(Mutex<Open>);

#[derive(Default)]
struct Open {
    next: u64,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    /// Why it is over.
    over: Option<TransportError>,
}

impl Conversation {
    /// Begins one over this connection.
    pub(super) fn begin(channel: Channel) -> Self {
        let (calls, outgoing) = mpsc::channel(CALLS_MAX);
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(converse(channel, outgoing, waiting.clone()));
        Self {
            calls,
            waiting,
            began: Instant::now(),
        }
    }

    /// True where it can take another call.
    pub(super) fn goes_on(&self) -> bool {
        !self.calls.is_closed() && self.began.elapsed() < RENEWED_AFTER
    }

    /// Sends a message and waits for its answer.
    pub(super) async fn call(self, mut message: PeerMessage) -> Answer {
        let (answer, answered) = oneshot::channel();
        message.call = self.waiting.add(answer)?;
        let _listed = Listed(&self.waiting, message.call);
        // Where it is over, whoever waits is told so.
        self.calls.send(message).await.ok();
        answered
            .await
            .unwrap_or_else(|_| Err(TransportError::Lost("the conversation is over".to_owned())))
    }
}

/// Carries calls and answers until either side ends.
async fn converse(channel: Channel, outgoing: mpsc::Receiver<PeerMessage>, waiting: Arc<Waiting>) {
    let mut client = transport::client(channel);
    let over = match client.converse(ReceiverStream::new(outgoing)).await {
        Err(status) => transport::error(&status),
        Ok(response) => {
            let mut answers = response.into_inner();
            loop {
                match answers.message().await {
                    Ok(Some(answer)) => waiting.answer(answer),
                    Ok(None) => {
                        break TransportError::Lost("the server has ended the conversation".to_owned());
                    }
                    Err(status) => break transport::error(&status),
                }
            }
        }
    };
    waiting.end(&over);
}

impl Waiting {
    fn add(&self, answer: oneshot::Sender<Answer>) -> Result<u64, TransportError> {
        let mut open = self.lock();
        if let Some(over) = &open.over {
            return Err(over.clone());
        }
        open.next += 1;
        let number = open.next;
        open.answers.insert(number, answer);
        Ok(number)
    }

    fn answer(&self, message: PeerMessage) {
        if let Some(answer) = self.lock().answers.remove(&message.call) {
            // Nobody may be waiting any more.
            answer.send(Ok(message.payload)).ok();
        }
    }

    fn end(&self, why: &TransportError) {
        let mut open = self.lock();
        for (_, answer) in open.answers.drain() {
            answer.send(Err(why.clone())).ok();
        }
        // Whatever comes now was not sent at all.
        open.over = Some(TransportError::Unreachable(why.to_string()));
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a call off the list, answered or not.
struct Listed<'a>(&'a Waiting, u64);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.0.lock().answers.remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(call: u64) -> PeerMessage {
        PeerMessage {
            call,
            payload: vec![u8::try_from(call).expect("a small number")],
            ..PeerMessage::default()
        }
    }

    #[tokio::test]
    async fn answers_find_their_calls_in_any_order() {
        let waiting = Waiting::default();
        let [(first, one), (second, two)] = [(); 2].map(|()| oneshot::channel());
        let numbers = [first, second].map(|sender| waiting.add(sender).unwrap());
        waiting.answer(answer(numbers[1]));
        waiting.answer(answer(numbers[0]));
        waiting.answer(answer(77));
        assert_eq!(
            (one.await.unwrap(), two.await.unwrap()),
            (Ok(vec![1]), Ok(vec![2]))
        );
    }

    #[tokio::test]
    async fn what_was_sent_is_lost_with_the_stream_and_what_was_not_is_known_not_to_be() {
        let waiting = Waiting::default();
        let (sender, receiver) = oneshot::channel();
        waiting.add(sender).unwrap();
        let why = TransportError::Lost("cut".to_owned());
        waiting.end(&why);
        assert_eq!(receiver.await.unwrap(), Err(why));
        let late = waiting.add(oneshot::channel().0);
        assert!(matches!(late, Err(TransportError::Unreachable(_))), "{late:?}");
    }

    #[test]
    fn a_call_that_nobody_waits_for_is_forgotten() {
        let waiting = Waiting::default();
        let number = waiting.add(oneshot::channel().0).unwrap();
        drop(Listed(&waiting, number));
        assert!(waiting.lock().answers.is_empty());
    }
}
