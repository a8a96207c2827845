//! Objects as people read them: rows of a table, and a page that explains one object.
//!
//! Pure: it reads a state and the time it is given. What is shown, and how, is what kubectl shows.

mod age;
mod cells;
mod describe;
mod table;

pub(crate) use describe::describe;
pub(crate) use table::{columns, row};
