//! Tasks that let others go first.
//!
//! The task of a connection is woken by the first of the calls that have something to send. Run at once, it would write that
//! by itself, and all that is ready to follow as well, each with a system call of its own; run after those that are ready, it
//! takes along what they leave.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::Executor;

type Task<T = ()> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that goes on, each time it is woken, once all tasks that were ready have had their turn.
#[derive(Debug)]
pub struct Patient<F> {
    future: F,
    others_had_their_turn: bool,
}

impl<F> Patient<F> {
    /// The same future, but patient.
    pub fn new(future: F) -> Self {
        Self {
            future,
            others_had_their_turn: false,
        }
    }
}

impl<F: Future + Unpin> Future for Patient<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if !self.others_had_their_turn {
            self.others_had_their_turn = true;
            // A task that wakes itself goes to the end of the line.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.others_had_their_turn = false;
        Pin::new(&mut self.future).poll(cx)
    }
}

/// Runs the tasks of connections, patiently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PatientTasks;

impl Executor<Task> for PatientTasks {
    fn execute(&self, task: Task) {
        tokio::spawn(Patient::new(task));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use tokio::sync::Notify;

    use super::*;

    /// What a task sees, woken by the first of three, of what each of them leaves.
    async fn seen(wrap: impl Fn(Task<usize>) -> Task<usize>) -> usize {
        let (left, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (counted, called) = (left.clone(), woken.clone());
        let reader = tokio::spawn(wrap(Box::pin(async move {
            called.notified().await;
            counted.load(Relaxed)
        })));
        // It waits before anything is left.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            let (left, woken) = (left.clone(), woken.clone());
            tokio::spawn(async move {
                left.fetch_add(1, Relaxed);
                woken.notify_one();
            });
        }
        reader.await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_others_leave_meanwhile_is_taken_along() {
        let patient = tokio::spawn(seen(|future| Box::pin(Patient::new(future))));
        assert_eq!(patient.await.unwrap(), 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn without_patience_each_is_taken_by_itself() {
        let hasty = tokio::spawn(seen(|future| future));
        assert_eq!(hasty.await.unwrap(), 1);
    }
}
