//! What is known of the target while a load writes to it: the version that the next batch expects, and the
//! files of its tables.
//!
//! The plan stays what it was; this moves on when the table was changed in something that means nothing to
//! the load.

use std::sync::{Mutex, PoisonError};

use crate::ledger::{self, LedgerRef};
use crate::pg;
use crate::schema::{Table, Tree};

/// What is known of the target, the same for all writers of a run.
#[derive(Debug)]
pub struct Watched {
    known: Mutex<KnownTarget>,
}

#[derive(Debug, Clone)]
struct KnownTarget {
    tree: Tree,
    columns_version: String,
}

impl Watched {
    /// As the plan was made.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        Self { known: Mutex::new(KnownTarget::of(table)) }
    }

    /// The version and the files as last seen.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.known().tree
    }

    /// Its version as last seen.
    pub(super) fn version(&self) -> String {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).tree.version.clone()
    }

    /// The version of its columns as last seen.
    pub(super) fn columns_version(&self) -> String {
        self.known().columns_version
    }

    /// It is as good as it was, as found now.
    pub(super) fn adopt(&self, table: &Table) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = KnownTarget::of(table);
    }

    /// The statement that raises unless the table is what it was.
    pub(super) fn check(&self, table: &Table, ledger: Option<&LedgerRef>) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match ledger {
            Some(ledger) => ledger::check_target(&table.name, &known.tree, &ledger.run),
            None => pg::check_target(&table.name, &known.tree),
        }
    }

    fn known(&self) -> KnownTarget {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl KnownTarget {
    fn of(table: &Table) -> Self {
        Self { tree: table.tree.clone(), columns_version: table.columns_version.clone() }
    }
}
