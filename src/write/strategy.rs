//! The strategy, how a batch is written: by which path, expecting what. The result depends on none of it.

use crate::schema::{Mode, Relation};

use super::plan::WritePlan;
use super::predictor::{Direct, Forecast, Predictor};

/// How a batch is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum WritePath {
    /// Typed staging, set-based merge.
    SetBased,
    /// Text staging and conversion in a loop, then the merge: COPY refused a value.
    Converting,
    /// As above, but record by record: the merge was refused.
    RowByRow,
    /// Conversion in a loop, and record by record.
    ConvertingRowByRow,
}

impl WritePath {
    pub(super) const fn converts(self) -> bool {
        matches!(self, Self::Converting | Self::ConvertingRowByRow)
    }
    pub(super) const fn is_row_by_row(self) -> bool {
        matches!(self, Self::RowByRow | Self::ConvertingRowByRow)
    }
    /// The path to take when conversion was refused.
    pub(super) const fn converting(self) -> Self {
        if self.is_row_by_row() { Self::ConvertingRowByRow } else { Self::Converting }
    }
    /// The path to take when the merge was refused.
    pub(super) const fn row_by_row(self) -> Self {
        if self.converts() { Self::ConvertingRowByRow } else { Self::RowByRow }
    }
}

/// Whether an insert may do without `ON CONFLICT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Conflicts {
    /// None is expected: keys are looked up first, and a partition has one writer. Half the cost of the other
    /// way; should another program insert such a key at this very moment, the server refuses (23505 on the
    /// key) and the batch is replayed.
    NotExpected,
    /// What another program inserts meanwhile is left to the update.
    LeftAlone,
}

/// A path, what is expected of other programs, and of the rows. The result depends on none of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strategy {
    pub(super) path: WritePath,
    pub(super) conflicts: Conflicts,
    pub(super) predictor: Predictor,
    /// Whether its rows have been tried straight into the table.
    pub(super) direct: Direct,
    /// The merge may begin before it is known whether all rows are staged.
    pub(super) at_once: bool,
    /// These are the rows that are left of a batch of which others were set aside.
    pub(super) remainder: bool,
}

impl Strategy {
    /// Whether rows are inserted without a look for their keys: the unique index of the key has the last word
    /// on each. (Of a partitioned table it is a partition's that the server names.)
    pub(super) fn all_new(self, plan: &WritePlan) -> bool {
        self.predictor.expect == Forecast::AllNew
            && self.conflicts == Conflicts::NotExpected
            && plan.mode == Mode::Upsert
            && plan.key_index.is_some()
            && plan.table().relation == Relation::Table
            && !plan.table().has_children
            && !plan.paths.may_swallow
    }

    /// The unique index of the key, where a stored key is not expected and would mean another program.
    pub(super) fn cheap_key(self, plan: &WritePlan) -> Option<&str> {
        let key = plan.key_index.filter(|_| self.conflicts == Conflicts::NotExpected)?;
        Some(&plan.table().unique[key].name)
    }
}
