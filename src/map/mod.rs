//! Mapping: which field goes to which column, what a value looks like as COPY text, and which partition a
//! record belongs to. Pure and synchronous: the same record gives the same bytes and the same partition,
//! always.
//!
//! Never touches files, Postgres or the clock. Whatever it refuses becomes one reject with a reason.

mod asked;
mod canonical;
mod cell;
mod column;
mod copy_text;
mod deletions;
mod doubts;
mod encode;
mod foresee;
mod infer;
mod judge;
mod keys;
mod mapping;
mod names;
mod narrowing;
mod needed;
mod nested;
mod original;
mod partition;
mod pieces;
mod presence;
mod questions;
mod refusal;
mod rows;
mod runs;
mod shaped;
#[cfg(test)]
mod tests;
#[cfg(feature = "testing")]
mod value_text;
mod wanted;

pub use asked::{AskedColumn, AskedExpression, AskedExpressions, AskedFor, Judgement};
pub use deletions::{DeletionMark, Deletions, MarkKind, MarkTexts};
pub use doubts::has_day_and_month;
pub use encode::encode_block;
pub use foresee::{Foreseen, ForeseenLoss, ForeseenSpelling};
pub use infer::{Inference, InferredColumn, names_like_values};
pub use judge::Clocks;
pub use keys::{KeyNumbers, KeyRange};
pub use mapping::{Extra, Mapping, MappingError, MatchNote, Slot, Target};
pub use names::{BLANKS, Match, listed};
pub use narrowing::Narrowing;
pub use original::{masked_original, original};
pub use partition::{Partitioner, Partitioning, neighbour_bits};
pub use presence::PRESENCE_WORD_BITS;
pub use questions::{AskedRefusal, AskedRow, Questions, RecordAnswer, asking};
pub use rows::{EncodedBlock, EncodedPiece, NarrowedValues, PartRows, RecordNote, RowMeta, WhyNot};
#[cfg(feature = "testing")]
pub use value_text::{json_text, plain_text};
pub use wanted::WantedColumn;
