//! Opening the ledger, in a build without the feature `ledger`: nobody does. Loads run as under `--no-ledger`
//! (`load::act` asks), and what would be asked has no value.

use crate::feature;
use crate::pg::{Lease, PgError, TableName};

use super::appended::Appended;
use super::error::LedgerError;
use super::owner::Owner;
use super::read::AppendMarks;
use super::run::StoredRun;
use super::unfinished::Opened;

/// A connection to the ledger: there is none.
pub enum Ledger {}

impl Ledger {
    /// Connects to the database of the ledger.
    pub async fn connect(_pool: &Lease) -> Result<Self, LedgerError> {
        feature::LEDGER.needed_for(|| "the ledger".to_owned()).map_err(PgError::from)?;
        Err(LedgerError::Forgotten)
    }

    /// Connects beside the pool and looks for a ledger.
    pub async fn connect_beside(_pool: &Lease) -> Option<Self> {
        None
    }

    /// Brings the ledger to the schema of this version.
    pub async fn migrate(&mut self, _role: &str) -> Result<(), LedgerError> {
        match *self {}
    }

    /// Closes the connection to the ledger.
    pub async fn close(self) {
        match self {}
    }

    /// Looks for an unfinished run.
    pub async fn find_first(&mut self, _identities: &[String], _me: &Owner) -> Result<Opened, LedgerError> {
        match *self {}
    }

    /// Looks for an unfinished run.
    pub async fn find(&mut self, _identity: &str, _me: &Owner) -> Result<Opened, LedgerError> {
        match *self {}
    }

    /// Reads a run and its checkpoints.
    pub async fn read(&mut self, _run: &str) -> Result<StoredRun, LedgerError> {
        match *self {}
    }

    /// Takes a run over.
    pub async fn take_over(&mut self, _run: &str, _me: &Owner) -> Result<StoredRun, LedgerError> {
        match *self {}
    }

    /// Gives a run up.
    pub async fn abandon(&mut self, _run: &str) -> Result<(), LedgerError> {
        match *self {}
    }

    /// Whether a run was completed.
    pub async fn is_complete(&mut self, _run: &str) -> Result<bool, LedgerError> {
        match *self {}
    }

    /// Whether a load has completed a window of time.
    pub async fn has_window(
        &mut self,
        _job: &str,
        _load: &str,
        _starts_at: &str,
        _ends_at: &str,
    ) -> Result<bool, LedgerError> {
        match *self {}
    }

    /// Whether a table holds no row.
    pub async fn target_is_empty(&mut self, _table: &TableName) -> Result<bool, LedgerError> {
        match *self {}
    }

    /// Whether a table holds a row of a run.
    pub async fn holds_rows_of(&mut self, _member: &str, _run: &str) -> Result<bool, LedgerError> {
        match *self {}
    }

    /// Reads completed appends from the ledger.
    pub async fn appends_before(
        &mut self,
        _target_oid: u32,
        _table: &TableName,
        _marks: &AppendMarks,
    ) -> Result<u64, LedgerError> {
        match *self {}
    }

    /// The latest run of a load that went by a key.
    pub async fn loaded_by_key(
        &mut self,
        _identities: &[String],
        _target_oid: u32,
        _table: &TableName,
    ) -> Result<Option<(String, String, bool)>, LedgerError> {
        match *self {}
    }

    /// Sources of earlier appends.
    pub async fn appended(
        &mut self,
        _target_oid: u32,
        _table: &TableName,
    ) -> Result<Vec<Appended>, LedgerError> {
        match *self {}
    }

    /// Those of a run, and of others since it began.
    pub async fn appended_since(
        &mut self,
        _run: &str,
        _target_oid: u32,
        _table: &TableName,
    ) -> Result<Vec<Appended>, LedgerError> {
        match *self {}
    }

    /// Whether one of these tables is there.
    pub async fn has_any_table(&mut self, _oids: &[u32]) -> Result<bool, LedgerError> {
        match *self {}
    }

    /// Whether rows of a source are still there.
    pub async fn still_holds(
        &mut self,
        _table: &TableName,
        _appended: &Appended,
    ) -> Result<bool, LedgerError> {
        match *self {}
    }
}
