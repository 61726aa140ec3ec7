//! What a database error means: the one table of SQLSTATEs, and what an operator can do about them.
//!
//! [`classify`] decides by SQLSTATE and by where the error arose, never by message text, which is localised. Every
//! retry in dbload asks here. [`ErrorView`] is what both drivers' errors look like from outside this room.

use std::fmt;

use super::target::CHANGED;

/// SQLSTATE that the ledger's `advance` raises unless it moved exactly one checkpoint.
pub const FENCED: &str = "DL001";

/// What a MERGE did cannot be told from the table's counters: something else writes to the table within this very transaction.
pub const UNCOUNTED: &str = "DL009";
/// The ledger: a batch's books do not balance.
pub const UNBALANCED: &str = "DL002";

/// `transaction_timeout`: the server ends the session along with the transaction.
pub const TOO_LONG: &str = "25P04";

/// The server is a standby, or was told to take no writes.
const READ_ONLY: &str = "25006";

/// Where an error arose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// While connecting and logging in.
    Connect,
    /// In a batch's transaction, outside the merge.
    BeforeCommit,
    /// In the merge of a batch.
    Merge {
        /// The unique index of the key, where the merge takes a path that relies on keys being new.
        cheap_key: Option<&'a str>,
    },
    /// While the batch's rejects are stored in the ledger, before COMMIT.
    Ledger,
    /// After COMMIT was sent: nobody knows whether it happened.
    AfterCommitSent,
    /// Anywhere else: catalog reads, migrations, opening and closing a run.
    Elsewhere,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Connect anew, replay the batch, back off, until the deadline.
    Reconnect,
    /// Read the checkpoint to learn what happened.
    ResolveByCheckpoint,
    /// Replay the batch after a random pause.
    ReplayWithJitter,
    /// Find the server that takes writes, then replay; bounded.
    FindPrimary,
    /// Halve the batch.
    HalveBatch(SingleRecord),
    /// Say so loudly, wait for space; at the deadline a resumable exit.
    PauseForSpace,
    /// Use one connection fewer, never below one.
    ShrinkPool,
    /// Prepare the statements anew, once; then as without this row.
    PrepareAnew,
    /// Roll back and take the careful path; at one record it is a reject.
    CarefulPath,
    /// The table was changed in what the plan relies on: a new plan is made, from the checkpoints on.
    PlanAnew,
    /// Another process has taken over, the batch was committed already, or the run is not there: read the
    /// checkpoint.
    Fenced,
    /// Stop, resumable.
    Fatal,
}

/// What becomes of an error that halving has brought down to a single record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SingleRecord {
    /// The record is rejected: it is what goes beyond the server's limits.
    Reject,
    /// The load stops: the server is short of time or memory, whatever the record.
    Stop,
}

/// An error as the server or the connection reported it. `Debug` leaves out the texts that may quote a record.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ErrorView {
    /// The SQLSTATE, if the server reported the error.
    pub sqlstate: Option<String>,
    /// The session is over: the connection broke, or the server ended it (FATAL, PANIC).
    pub lost: bool,
    /// The primary message; may quote values of the record.
    pub message: String,
    /// The detail; may quote values of the record.
    pub detail: Option<String>,
    /// The constraint.
    pub constraint: Option<String>,
    /// The schema.
    pub schema: Option<String>,
    /// The table.
    pub table: Option<String>,
    /// The column.
    pub column: Option<String>,
}

impl fmt::Debug for ErrorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorView")
            .field("sqlstate", &self.sqlstate)
            .field("lost", &self.lost)
            .field("constraint", &self.constraint)
            .field("table", &self.table)
            .field("column", &self.column)
            .finish_non_exhaustive()
    }
}

/// A protocol violation. Poolers report their own troubles as such, and are gone then, whatever severity they give it.
pub(super) const BROKEN_OFF: &str = "08P01";

/// Decides what to do about an error: the table of docs/how-it-works.md, row by row.
#[must_use]
pub fn classify(stage: Stage<'_>, error: &ErrorView) -> Action {
    let code = error.sqlstate.as_deref().unwrap_or("");
    match (stage, code) {
        (_, FENCED) => Action::Fenced,
        (_, CHANGED) => Action::PlanAnew,
        (_, "XX001" | "XX002") => Action::Fatal,
        (Stage::AfterCommitSent, _) | (_, "08007" | "40003") => Action::ResolveByCheckpoint,
        (_, "08000" | "08001" | "08003" | "08006" | "57P01" | "57P02" | "57P03" | "25P03" | "57P05") => {
            Action::Reconnect
        }
        // 25P01, 25P02: somebody (a pooler, say) has ended or failed our transaction behind our back; nothing
        // of it was committed.
        (_, "40000" | "40001" | "40P01" | "55P03" | "55006" | "25P01" | "25P02" | "72000") => {
            Action::ReplayWithJitter
        }
        // A disk that cannot be read may be back soon; what is damaged has a code of its own.
        (_, "58000" | "58030") => Action::ReplayWithJitter,
        // A reject is stored once: this very batch was committed before, by a backend that was given up.
        (Stage::Ledger, "23505") => Action::Fenced,
        // A reject belongs to a run, and this server has no such run; or no ledger.
        (Stage::Ledger, "23503") => Action::Fenced,
        (Stage::Ledger, code) if is_missing_object(code) => Action::Fenced,
        (Stage::Merge { cheap_key: Some(key) }, "23505") if error.constraint.as_deref() == Some(key) => {
            Action::ReplayWithJitter
        }
        (Stage::Merge { cheap_key: Some(_) }, UNCOUNTED) => Action::ReplayWithJitter,
        (_, "25006") => Action::FindPrimary,
        (_, "53100") => Action::PauseForSpace,
        (_, "53300") => Action::ShrinkPool,
        // A pooler reports its own troubles as protocol violations, a login's too: the server behind it is away.
        (Stage::Connect, "" | BROKEN_OFF) if error.lost => Action::Reconnect,
        (Stage::Connect, _) => Action::Fatal,
        (_, "57P04") => Action::Fatal, // the database was dropped: connecting again finds nothing
        // Time, memory, room for temporary files: half a batch takes less of each.
        (_, TOO_LONG | "57014" | "53000" | "53200" | "53400") => Action::HalveBatch(SingleRecord::Stop),
        (_, code) if code.starts_with("54") => Action::HalveBatch(SingleRecord::Reject),
        (_, "26000" | "42P05" | "0A000") => Action::PrepareAnew,
        // The server (or a pooler) ended the session without one of the codes above: nothing was committed.
        (_, _) if error.lost => Action::Reconnect,
        (_, "") => Action::Fatal, // not the server's: a driver's own error
        (Stage::Merge { .. }, _) => Action::CarefulPath,
        (Stage::BeforeCommit | Stage::Ledger | Stage::Elsewhere, _) => Action::Fatal,
    }
}

/// Whether a step that is safe to repeat may succeed when it is tried again.
#[must_use]
pub fn is_passing(error: &ErrorView) -> bool {
    match classify(Stage::Elsewhere, error) {
        Action::Reconnect
        | Action::ResolveByCheckpoint
        | Action::ReplayWithJitter
        | Action::FindPrimary
        | Action::PauseForSpace
        | Action::ShrinkPool => true,
        Action::HalveBatch(_)
        | Action::PrepareAnew
        | Action::CarefulPath
        | Action::PlanAnew
        | Action::Fenced
        | Action::Fatal => false,
    }
}

/// The server does not have a table, schema or function that the statement names.
#[must_use]
pub fn is_missing_object(sqlstate: &str) -> bool {
    matches!(sqlstate, "42P01" | "3F000" | "42883")
}

/// A statement that fails, or a record that is refused, with one of these may do so because the table was changed under
/// the load: a missing column, table, schema, type, operator or index, types that no longer match, or something that is
/// no table any more.
#[must_use]
pub fn may_be_changed_table(sqlstate: &str) -> bool {
    match sqlstate {
        "42501" => false,
        "0A000" | "3F000" | "55000" => true,
        code => code.starts_with("42"),
    }
}

/// What an operator can do about an SQLSTATE.
#[must_use]
pub fn hint(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        "28P01" => "wrong password, or no such role; passwords come from the DSN, PGPASSWORD or ~/.pgpass",
        "28000" => {
            "the server does not let this role in from here: see its pg_hba.conf, and try sslmode=require"
        }
        "3D000" => "no such database; create it, or mend dbname",
        "3F000" => "no such schema; create it, or name another one in --table",
        "42501" => "the role lacks a right; GRANT it, or log in as another role",
        "42P01" => "no such table; check --table and its schema",
        "53100" => "the server's disk is full; free space, then run the same command to resume",
        "53200" => "the server is out of memory; a smaller --batch-rows or --pool-size asks for less",
        "53300" => "the server has no connection left; lower --pool-size, or raise max_connections",
        "57P03" => "the server is starting up or shutting down; it is tried again until the deadline",
        "57P01" | "57P02" => "the server was shut down, or an administrator ended the session",
        "57P04" => "the database was dropped while in use",
        "57014" => "the statement was cancelled, most likely by statement_timeout of the role or database",
        TOO_LONG => {
            "transaction_timeout of the role, the database or the server ended a batch: raise it, or have fewer records in a \
             batch (--batch-rows)"
        }
        "53400" => {
            "a limit of the server was met, temp_file_limit most likely: raise it, or have fewer records in a batch (--batch-rows)"
        }
        "58030" | "58000" => "the server cannot read or write its files; its log says which",
        "22P05" => {
            "the database's encoding lacks a character of it: rename it, or use a database with ENCODING 'UTF8'"
        }
        "25006" => {
            "the server takes no writes: it is a standby, or default_transaction_read_only is on; name the primary, \
             or all hosts with target_session_attrs=read-write"
        }
        "55P03" => "a lock was held too long by another session; see pg_locks",
        "40P01" | "40001" => "another session works on the same rows; the batch is tried again",
        "08P01" => "the server or a pooler broke the protocol off; its log says why",
        "0A000" => "the server does not support this, or the table was changed meanwhile",
        "XX001" | "XX002" => "the server reports damaged data; look at its log before anything else",
        "26000" | "42P05" => {
            "prepared statements vanish behind a pooler in transaction mode: say --pooler transaction"
        }
        FENCED => "another process has taken this load over",
        _ => return None,
    })
}

impl ErrorView {
    /// A lost connection, without a word from the server.
    #[must_use]
    pub fn lost() -> Self {
        Self { lost: true, message: "the connection was lost".to_owned(), ..Self::default() }
    }

    /// No server takes writes, as far as the connection string names any.
    pub(super) fn read_only(message: String) -> Self {
        Self { sqlstate: Some(READ_ONLY.to_owned()), message, ..Self::default() }
    }

    /// The server takes no writes: its sessions are of no more use, even if it says so on an open one.
    pub(super) fn is_read_only(&self) -> bool {
        self.sqlstate.as_deref() == Some(READ_ONLY)
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.sqlstate.as_deref().and_then(hint)
    }
}

impl From<&tokio_postgres::Error> for ErrorView {
    fn from(error: &tokio_postgres::Error) -> Self {
        use tokio_postgres::error::Severity;
        let Some(db) = error.as_db_error() else {
            let io = std::error::Error::source(error).and_then(|e| e.downcast_ref::<std::io::Error>());
            let lost = error.is_closed() || io.is_some_and(is_lost);
            return Self { lost, message: with_sources(error), ..Self::default() };
        };
        Self {
            sqlstate: Some(db.code().code().to_owned()),
            lost: match db.parsed_severity() {
                Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
                // Poolers leave that field out, but do not translate the other one.
                None => matches!(db.severity(), "FATAL" | "PANIC"),
            } || db.code().code() == BROKEN_OFF,
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            constraint: db.constraint().map(str::to_owned),
            schema: db.schema().map(str::to_owned),
            table: db.table().map(str::to_owned),
            column: db.column().map(str::to_owned),
        }
    }
}

/// Whether an I/O error means that the connection is gone. Only what the driver refused to encode is not: it never
/// reached the socket.
pub(super) fn is_lost(error: &std::io::Error) -> bool {
    error.kind() != std::io::ErrorKind::InvalidInput
}

/// A driver's error with its causes; these are the driver's words, no record's.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const MERGE: Stage<'static> = Stage::Merge { cheap_key: None };

    fn check(stage: Stage<'_>, codes: &[&str], expected: Action) {
        for code in codes {
            let view = ErrorView { sqlstate: Some((*code).to_owned()), ..ErrorView::default() };
            assert_eq!(classify(stage, &view), expected, "{code} in {stage:?}");
        }
    }

    #[test]
    fn each_row_of_the_design_has_its_action() {
        let lost = ["08000", "08003", "08006", "57P01", "57P02", "57P03", "25P03", "57P05"];
        for stage in [Stage::Connect, Stage::BeforeCommit, MERGE, Stage::Elsewhere] {
            check(stage, &lost, Action::Reconnect);
            assert_eq!(classify(stage, &ErrorView::lost()), Action::Reconnect);
        }
        check(Stage::AfterCommitSent, &lost, Action::ResolveByCheckpoint);
        check(Stage::AfterCommitSent, &["40001", "23505", "53100", "P0001"], Action::ResolveByCheckpoint);
        assert_eq!(classify(Stage::AfterCommitSent, &ErrorView::lost()), Action::ResolveByCheckpoint);
        for stage in [Stage::BeforeCommit, MERGE, Stage::Elsewhere] {
            check(stage, &["08007", "40003"], Action::ResolveByCheckpoint);
            check(
                stage,
                &["40000", "40001", "40P01", "55P03", "55006", "25P01", "25P02", "58000", "58030", "72000"],
                Action::ReplayWithJitter,
            );
            check(stage, &["25006"], Action::FindPrimary);
            check(
                stage,
                &["57014", "25P04", "53000", "53200", "53400"],
                Action::HalveBatch(SingleRecord::Stop),
            );
            check(stage, &["54000", "54001", "54011", "54023"], Action::HalveBatch(SingleRecord::Reject));
            check(stage, &["53100"], Action::PauseForSpace);
            check(stage, &["53300"], Action::ShrinkPool);
            check(stage, &["26000", "42P05", "0A000"], Action::PrepareAnew);
        }
        check(
            MERGE,
            &["22001", "22P02", "23502", "23514", "23503", "42501", "P0001", "ZZ123"],
            Action::CarefulPath,
        );
        let others = ["22P02", "23505", "42501", "42P01", "P0001", "42601"];
        check(Stage::BeforeCommit, &others, Action::Fatal);
        check(Stage::Elsewhere, &others, Action::Fatal);
        check(Stage::Ledger, &["23505", "23503", "42P01", "3F000"], Action::Fenced);
        check(Stage::Ledger, &["22021", "42501", "P0001"], Action::Fatal);
        for stage in [Stage::Connect, Stage::BeforeCommit, MERGE, Stage::AfterCommitSent, Stage::Elsewhere] {
            check(stage, &["XX001", "XX002"], Action::Fatal);
            check(stage, &[FENCED], Action::Fenced);
            check(stage, &[CHANGED], Action::PlanAnew);
        }
        check(Stage::Connect, &["28P01", "28000", "3D000", "42501", "0A000"], Action::Fatal);
        // The transaction ended with its session: an error that ends one is no lost connection.
        for stage in [Stage::BeforeCommit, MERGE, Stage::Elsewhere] {
            let view = ErrorView { sqlstate: Some(TOO_LONG.to_owned()), lost: true, ..ErrorView::default() };
            assert_eq!(classify(stage, &view), Action::HalveBatch(SingleRecord::Stop));
        }
        check(Stage::AfterCommitSent, &[TOO_LONG], Action::ResolveByCheckpoint);
        check(Stage::Connect, &["53300"], Action::ShrinkPool);
        check(Stage::Connect, &["25006"], Action::FindPrimary);
    }

    #[test]
    fn a_duplicate_of_the_key_is_replayed_only_in_a_cheap_path() {
        let view = |constraint: &str| ErrorView {
            sqlstate: Some("23505".to_owned()),
            constraint: Some(constraint.to_owned()),
            ..ErrorView::default()
        };
        let cheap = Stage::Merge { cheap_key: Some("t_pkey") };
        assert_eq!(classify(cheap, &view("t_pkey")), Action::ReplayWithJitter);
        assert_eq!(classify(cheap, &view("t_email_key")), Action::CarefulPath);
        assert_eq!(classify(MERGE, &view("t_pkey")), Action::CarefulPath);
        let uncounted = ErrorView { sqlstate: Some(UNCOUNTED.to_owned()), ..ErrorView::default() };
        assert_eq!(classify(cheap, &uncounted), Action::ReplayWithJitter);
    }

    #[test]
    fn a_session_ended_by_the_server_is_a_lost_connection_but_a_refused_login_is_not() {
        let fatal =
            |code: &str| ErrorView { sqlstate: Some(code.to_owned()), lost: true, ..ErrorView::default() };
        assert_eq!(classify(Stage::BeforeCommit, &fatal("08P01")), Action::Reconnect);
        assert_eq!(classify(MERGE, &fatal("P0001")), Action::Reconnect);
        assert_eq!(classify(MERGE, &fatal("57P04")), Action::Fatal);
        assert_eq!(classify(Stage::Connect, &fatal("28P01")), Action::Fatal);
        assert_eq!(classify(Stage::Connect, &fatal("08P01")), Action::Reconnect);
    }

    #[test]
    fn debug_shows_no_texts_that_may_quote_a_record() {
        let view = ErrorView {
            message: "invalid input syntax: \"canary\"".to_owned(),
            detail: Some("Key (a)=(canary) exists".to_owned()),
            ..ErrorView::default()
        };
        assert!(!format!("{view:?}").contains("canary"));
    }
}
