//! The judge of values: whether what the server stores of a text says what the text said.
//!
//! PostgreSQL's input functions round, cut and reinterpret some texts without an error (`schema::Narrows`).
//! The judge looks at the text that goes into COPY. It need not know what is no value at all: the server
//! refuses that, in its own words. Columns of types that take nothing away have no judge.

mod clocks;
mod decimal;
mod glance;
mod keys;
mod loss;
mod moment;
mod pairs;
mod pieces;
mod positions;
mod span;
#[cfg(test)]
mod tests;
mod unsigned;
mod value;

pub use clocks::Clocks;
pub(super) use glance::surely_keeps_all;
pub(super) use loss::Loss;
pub(super) use span::of_equal_intervals;
pub(super) use value::loss;
