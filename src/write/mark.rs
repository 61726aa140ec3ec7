//! The watermark of a batch: the greatest value of a field among the records that it commits.
//!
//! It is read from the COPY text of the rows when the batch is about to commit, since only then it is known
//! which records the server has refused. Without a watermark nothing of it is done.

use std::collections::HashSet;

use crate::batch::{Batch, Chunk};
use crate::map::{PRESENCE_WORD_BITS, Slot};
use crate::schedule::{MarkOrder, MarkValue};

use super::reject::Rejected;

/// What of the records is the watermark.
#[derive(Debug, Clone, Copy)]
pub struct MarkColumn {
    /// Its slot.
    pub slot: Slot,
    /// How its values are ordered.
    pub order: MarkOrder,
    /// Values beyond this are later than the run was begun: what has changed since in what was read before
    /// would be passed over by them.
    pub until: Option<i128>,
    /// Values beyond this are of a clock that is wrong.
    pub latest: Option<i128>,
}

/// What a batch, or all of them, came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// The greatest value.
    pub greatest: Option<MarkValue>,
    /// Records with a value.
    pub with: u64,
    /// Records without one, or with one that cannot be ordered.
    pub without: u64,
    /// Records whose value lies in the future.
    pub ahead: u64,
}

impl Marked {
    /// Adds what another batch came to.
    pub fn add(&mut self, other: &Self) {
        self.with += other.with;
        self.without += other.without;
        self.ahead += other.ahead;
        if let Some(mark) = &other.greatest {
            self.take(mark.order, &mark.text);
        }
    }

    fn take(&mut self, order: i128, text: &str) {
        if self.greatest.as_ref().is_none_or(|greatest| greatest.order < order) {
            self.greatest = Some(MarkValue { text: text.to_owned(), order });
        }
    }
}

/// The watermark of the records of a batch that are not rejected.
pub(super) fn of_batch(column: &MarkColumn, batch: &Batch, rejected: &[Rejected]) -> Marked {
    let rejected: HashSet<(u32, u64)> =
        rejected.iter().map(|r| (r.reject.place.source, r.reject.place.record)).collect();
    let mut marked = Marked::default();
    for chunk in &batch.chunks {
        let place = place_of(chunk, column.slot);
        for (n, row) in chunk.rows.iter().enumerate() {
            let record = chunk.block.start.record + u64::from(row.i) + 1;
            if !rejected.is_empty() && rejected.contains(&(chunk.block.source, record)) {
                continue;
            }
            let text = place.and_then(|place| value(chunk.row(n), place));
            match text.and_then(|text| Some((column.order.order_of(text)?, text))) {
                None => marked.without += 1,
                Some((order, _)) if column.latest.is_some_and(|latest| order > latest) => marked.ahead += 1,
                Some((order, text)) => {
                    marked.with += 1;
                    if column.until.is_none_or(|until| order <= until) {
                        marked.take(order, text);
                    }
                }
            }
        }
    }
    marked
}

/// Which value of a row it is, where the rows of a chunk have the column: behind the sequence number and the
/// words that say what is there.
fn place_of(chunk: &Chunk, slot: Slot) -> Option<usize> {
    let at = chunk.columns.binary_search(&slot).ok()?;
    let mut words: Vec<usize> = chunk.columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect();
    words.dedup();
    Some(1 + words.len() + at)
}

/// A value of a row, as it arrived. What needs escapes is no mark.
fn value(row: &[u8], place: usize) -> Option<&str> {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    let text = row.split(|byte| *byte == b'\t').nth(place)?;
    std::str::from_utf8(text).ok().filter(|text| !text.contains('\\'))
}
