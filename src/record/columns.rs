//! Records as columns: what a reader of columnar files hands out, with the rows of it that are the block's.
//!
//! What the columns are is known to who makes them and to who decodes them; here they are counted, cut and
//! given numbers.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

/// A run of rows of one batch.
#[derive(Clone)]
pub struct Columns {
    /// The batch, as whoever decodes it knows it.
    pub batch: Arc<dyn Any + Send + Sync>,
    /// The first of its rows that is here.
    pub from: usize,
    /// Rows that are here.
    pub count: usize,
    /// The number of the batch's first row in the source, from 0 on.
    pub first_row: u64,
    /// What the batch takes in memory.
    pub batch_bytes: usize,
    /// Rows of the batch.
    pub batch_rows: usize,
    /// No value needs an escape in COPY text.
    pub is_verbatim: bool,
    /// No bytes; a handle to them keeps what the block is counted by.
    held: Bytes,
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Columns({} rows from {})", self.count, self.first_row + self.from as u64)
    }
}

impl Columns {
    /// All rows of a batch. `first_row`: the number of the first in the source, from 0 on.
    pub fn new(
        batch: Arc<dyn Any + Send + Sync>,
        rows: usize,
        first_row: u64,
        batch_bytes: usize,
        is_verbatim: bool,
    ) -> Self {
        let held = Bytes::new();
        Self { batch, from: 0, count: rows, first_row, batch_bytes, batch_rows: rows, is_verbatim, held }
    }

    /// The number of the `i`th row in the source, from 0 on.
    pub(super) const fn row(&self, i: usize) -> u64 {
        self.first_row + (self.from + i) as u64
    }

    /// What a row takes, on the average.
    pub(super) const fn row_bytes(&self) -> usize {
        match self.batch_rows {
            0 => 0,
            rows => self.batch_bytes.div_ceil(rows),
        }
    }

    pub(super) const fn bytes(&self) -> &Bytes {
        &self.held
    }

    pub(super) fn alone(&self, i: usize) -> Self {
        Self { from: self.from + i, count: 1, ..self.clone() }
    }

    pub(super) fn beginning(&self, rows: usize) -> Self {
        Self { count: self.count.min(rows), ..self.clone() }
    }

    /// Leaves out so many rows, which there are.
    pub(super) const fn pass_over(&mut self, rows: usize) {
        self.from += rows;
        self.count -= rows;
    }

    /// The guard is dropped with the last handle to the bytes.
    pub(super) fn hold(&mut self, guard: Arc<dyn Any + Send + Sync>) {
        self.held = Bytes::from_owner(Guard { _guard: guard, _batch: Arc::clone(&self.batch) });
    }
}

struct Guard {
    _guard: Arc<dyn Any + Send + Sync>,
    _batch: Arc<dyn Any + Send + Sync>,
}

impl AsRef<[u8]> for Guard {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}
