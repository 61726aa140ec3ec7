//! The content of a table as a whole: a table beside it to load into, and what puts that in its place.

mod beside;
mod put;
mod remove;

pub use beside::create_beside;
pub use put::{begin_whole, count_both, held_rows, lock_beside, lock_whole, put};
pub use remove::{count_rows, look_for_gone, remove_all, remove_each};
