//! How a batch is written: by which path, expecting what. The result depends on none of it.

use crate::schema::{Mode, Relation};

use super::outlook::{Direct, Expect, Outlook};
use super::plan::WritePlan;

/// How a batch is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Path {
    /// Typed staging, set-based merge.
    Fast,
    /// Text staging and conversion in a loop, then the merge: COPY refused a value.
    Converting,
    /// As above, but record by record: the merge was refused.
    Careful,
    /// Conversion in a loop, and record by record.
    ConvertingCareful,
}

impl Path {
    pub(super) const fn converts(self) -> bool {
        matches!(self, Self::Converting | Self::ConvertingCareful)
    }
    pub(super) const fn is_careful(self) -> bool {
        matches!(self, Self::Careful | Self::ConvertingCareful)
    }
    /// The path to take when conversion was refused.
    pub(super) const fn converting(self) -> Self {
        if self.is_careful() { Self::ConvertingCareful } else { Self::Converting }
    }
    /// The path to take when the merge was refused.
    pub(super) const fn careful(self) -> Self {
        if self.converts() { Self::ConvertingCareful } else { Self::Careful }
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
pub(super) struct Way {
    pub(super) path: Path,
    pub(super) conflicts: Conflicts,
    pub(super) outlook: Outlook,
    /// Whether its rows have been tried straight into the table.
    pub(super) direct: Direct,
    /// The merge may begin before it is known whether all rows are staged.
    pub(super) at_once: bool,
    /// These are the rows that are left of a batch of which others were set aside.
    pub(super) apart: bool,
}

impl Way {
    /// Whether rows are inserted without a look for their keys: the unique index of the key has the last word on each. (Of a
    /// partitioned table it is a partition's that the server names.)
    pub(super) fn all_new(self, plan: &WritePlan) -> bool {
        self.outlook.expect == Expect::AllNew
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
