//! One task for each pod: it gathers what is seen, asks [`crate::pod::step`] and has the actions done.

mod devices;
mod examine;
mod execute;
mod image;
mod inbox;
mod news;
mod outcome;
mod report;
mod start;
mod stop;
mod task;

pub(crate) use inbox::Inbox;
pub(crate) use task::Worker;
