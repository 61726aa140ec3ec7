//! What a database error means: the one table of SQLSTATEs, and what an operator can do about them.
//!
//! [`classify`] decides by SQLSTATE and by where the error arose, never by message text, which is localised.
//! Every retry in dbload asks here. Who asks about a code asks here too, by the name of what it means: no
//! other file compares codes.

use super::db_error::{DbError, ServerError};

/// SQLSTATE that the ledger's `advance` raises unless it moved exactly one checkpoint.
const FENCED: &str = "DL001";

/// What [`DbError::Uncounted`] is noted as.
const UNCOUNTED: &str = "DL009";
/// SQLSTATE that the ledger's `target_version` raises where the version is another one than expected.
pub(super) const CHANGED: &str = "DL003";
/// The same without a ledger: a division by zero, the one error that plain SQL can raise on purpose.
const DIVISION_BY_ZERO: &str = "22012";
/// What [`DbError::Stale`] is noted as: the server says so of a cached plan.
const STALE: &str = "0A000";
/// The ledger: a batch's books do not balance.
const UNBALANCED: &str = "DL002";

/// `transaction_timeout`: the server ends the session along with the transaction.
const TOO_LONG: &str = "25P04";

/// The server is a standby, or was told to take no writes.
pub(super) const READ_ONLY: &str = "25006";

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

/// What to do about an error.
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
    /// Try again with half of the batch.
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
    /// Stop the load, which stays resumable.
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

/// A protocol violation. Poolers report their own troubles as such, and are gone then, whatever severity they
/// give it.
pub(super) const BROKEN_OFF: &str = "08P01";

/// Decides what to do about an error: the table of docs/how-it-works.md, row by row.
#[must_use]
pub fn classify(stage: Stage<'_>, error: &DbError) -> Action {
    match (error, stage) {
        (DbError::Server(said), _) => of_server(stage, said),
        (DbError::TableChanged { .. }, _) => Action::PlanAnew,
        (_, Stage::AfterCommitSent) => Action::ResolveByCheckpoint,
        (DbError::ReadOnly(_), _) => Action::FindPrimary,
        (DbError::Lost { .. } | DbError::TimedOut { .. } | DbError::Unreachable(_), _) => Action::Reconnect,
        (_, Stage::Connect) => Action::Fatal,
        (DbError::Stale { .. }, _) => Action::PrepareAnew,
        (DbError::Uncounted, Stage::Merge { cheap_key: Some(_) }) => Action::ReplayWithJitter,
        (DbError::Uncounted, Stage::Merge { cheap_key: None }) => Action::CarefulPath,
        (DbError::Uncounted, _) => Action::Fatal,
        // A driver's own, or an answer that nobody expects.
        (DbError::Answer(_) | DbError::Nul | DbError::Other(_), _) => Action::Fatal,
    }
}

/// What an error means by its SQLSTATE, at this stage.
pub(super) fn of_server(stage: Stage<'_>, said: &ServerError) -> Action {
    match (stage, said.sqlstate.as_str()) {
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
        (Stage::Ledger, code) if MISSING_OBJECT.contains(&code) => Action::Fenced,
        (Stage::Merge { cheap_key: Some(key) }, "23505") if said.constraint.as_deref() == Some(key) => {
            Action::ReplayWithJitter
        }
        (_, "25006") => Action::FindPrimary,
        (_, "53100") => Action::PauseForSpace,
        (_, "53300") => Action::ShrinkPool,
        // A pooler reports its own troubles as protocol violations, a login's too: the server behind it is
        // away.
        (Stage::Connect, BROKEN_OFF) if said.ended_session => Action::Reconnect,
        (Stage::Connect, _) => Action::Fatal,
        (_, "57P04") => Action::Fatal, // the database was dropped: connecting again finds nothing
        // Time, memory, room for temporary files: half a batch takes less of each.
        (_, TOO_LONG | "57014" | "53000" | "53200" | "53400") => Action::HalveBatch(SingleRecord::Stop),
        (_, code) if code.starts_with("54") => Action::HalveBatch(SingleRecord::Reject),
        (_, "26000" | "42P05" | "0A000") => Action::PrepareAnew,
        // The server (or a pooler) ended the session without one of the codes above: nothing was committed.
        (_, _) if said.ended_session => Action::Reconnect,
        (Stage::Merge { .. }, _) => Action::CarefulPath,
        (Stage::BeforeCommit | Stage::Ledger | Stage::Elsewhere, _) => Action::Fatal,
    }
}

/// Whether a step that is safe to repeat may succeed when it is tried again.
#[must_use]
pub fn is_transient(error: &DbError) -> bool {
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

/// What an error is noted as in the ledger, and known as in hints: its SQLSTATE, or that of the condition.
#[must_use]
pub fn known_as(error: &DbError) -> Option<&str> {
    match error {
        DbError::Server(said) => Some(&said.sqlstate),
        DbError::ReadOnly(_) => Some(READ_ONLY),
        DbError::TableChanged { .. } => Some(CHANGED),
        DbError::Stale { .. } => Some(STALE),
        DbError::Uncounted => Some(UNCOUNTED),
        _ => None,
    }
}

impl DbError {
    /// What an operator can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        hint(known_as(self)?)
    }
}

fn is(error: &DbError, codes: &[&str]) -> bool {
    error.sqlstate().is_some_and(|code| codes.contains(&code))
}

/// The ledger: the run has another owner, or this batch is not the next one.
#[must_use]
pub fn is_fenced(error: &DbError) -> bool {
    is(error, &[FENCED])
}

/// The ledger: a batch's books do not balance.
#[must_use]
pub fn is_unbalanced(error: &DbError) -> bool {
    is(error, &[UNBALANCED])
}

/// The target has another version than was expected, by the ledger or without one.
#[must_use]
pub fn is_changed(error: &DbError) -> bool {
    is(error, &[CHANGED, DIVISION_BY_ZERO])
}

/// A statement has divided by zero: on purpose, where plain SQL has no other way to raise.
#[must_use]
pub fn is_division_by_zero(error: &DbError) -> bool {
    is(error, &[DIVISION_BY_ZERO])
}

/// `transaction_timeout`: the server ended the session along with the transaction.
#[must_use]
pub fn is_too_long(error: &DbError) -> bool {
    is(error, &[TOO_LONG])
}

/// The COMMIT that failed may have committed all the same.
#[must_use]
pub fn may_be_committed(error: &DbError) -> bool {
    error.is_lost() || is(error, &["08007", "40003"])
}

/// A key that was taken for new is stored; or nobody can tell what a merge did that took keys for new.
#[must_use]
pub fn was_not_new(error: &DbError) -> bool {
    matches!(error, DbError::Uncounted) || is(error, &["23505"])
}

/// The server has found its own data damaged.
#[must_use]
pub fn is_damage(error: &DbError) -> bool {
    is(error, &DAMAGE)
}

/// The server does not have a table, schema or function that the statement names.
#[must_use]
pub fn is_missing_object(error: &DbError) -> bool {
    is(error, &MISSING_OBJECT)
}

/// `foreign_key_violation`: a row belongs to one that is not there, or one that goes has others.
pub const REFERENCE: &str = "23503";

/// A row belongs to one that is not there.
#[must_use]
pub fn is_missing_reference(error: &DbError) -> bool {
    is(error, &[REFERENCE])
}

/// The role lacks a right.
#[must_use]
pub fn is_missing_right(error: &DbError) -> bool {
    is(error, &["42501"])
}

/// Somebody created an object of that name at the same moment: the server says that it is there, or trips
/// over its catalog.
#[must_use]
pub fn is_taken_name(error: &DbError) -> bool {
    let in_catalog = error.server().is_some_and(|said| said.schema.as_deref() == Some("pg_catalog"));
    is(error, &["42P07", "42710"]) || in_catalog && is(error, &["23505"])
}

/// A lock was held for longer than we wait.
#[must_use]
pub fn is_lock_timeout(error: &DbError) -> bool {
    is(error, &["55P03"])
}

/// The server has no connection left.
#[must_use]
pub fn is_out_of_connections(error: &DbError) -> bool {
    error.server().is_some_and(has_no_connection)
}

pub(super) fn has_no_connection(said: &ServerError) -> bool {
    said.sqlstate == "53300"
}

/// A character has no counterpart in the database's encoding, or is none.
#[must_use]
pub fn is_of_encoding(error: &DbError) -> bool {
    is(error, &["22P05", "22021"])
}

/// What can be done about an expression over a record that the server does not take.
#[must_use]
pub fn about_expression(error: &DbError) -> &'static str {
    match error.sqlstate().unwrap_or_default() {
        "42883" => {
            "fields are text: cast them, as in amount::numeric; functions but those of pg_catalog are named \
             with their schema"
        }
        "42P01" | "42703" | "3F000" => "names are fields of the record: name, \"Name\" or record.name",
        "0A000" | "42803" | "42P20" => {
            "an expression is about one record: it has no subquery, aggregate, window function or set"
        }
        "42804" => "--where is true or false of a record: compare something",
        "42601" => "it is written as behind SELECT, with texts in single quotes: upper(name) || '!'",
        _ => "it would fail for every record: mend it",
    }
}

/// A value cannot be what it is to be, whatever is done about it.
#[must_use]
pub fn is_data_exception(error: &DbError) -> bool {
    error.sqlstate().is_some_and(|code| code.starts_with("22"))
}

/// Schema, mapping or rights are to be mended, not the server: something does not exist, or is not allowed.
#[must_use]
pub fn is_refusal(error: &DbError) -> bool {
    error.sqlstate().is_some_and(|code| code.starts_with("42") || code == "3F000" || code == "22P05")
}

/// A pooler has given us another backend than the one that knows our statements.
pub(super) fn is_unknown_statement(error: &DbError) -> bool {
    is(error, &["26000", "42P05"])
}

/// The server takes no writes: its sessions are of no more use, even if it says so on an open one.
pub(super) fn is_read_only(error: &DbError) -> bool {
    matches!(error, DbError::ReadOnly(_)) || is(error, &[READ_ONLY])
}

/// The server lets nobody in yet.
pub(super) fn is_starting_up(said: &ServerError) -> bool {
    said.sqlstate == "57P03"
}

/// The server does not let this role in from here, or not in this way.
pub(super) fn is_denied_by_host(said: &ServerError) -> bool {
    said.sqlstate == "28000"
}

/// The server cannot do what every session asks of it.
pub(super) fn lacks_conversion(said: &ServerError) -> bool {
    said.sqlstate == STALE
}

/// The server does not let this role in, whatever the way.
pub(super) fn is_denied_login(said: &ServerError) -> bool {
    said.sqlstate.starts_with("28")
}

/// A reject's value is no date, time or timestamp as the server was told to read them.
#[must_use]
pub fn is_bad_date(sqlstate: &str) -> bool {
    matches!(sqlstate, "22007" | "22008")
}

const DAMAGE: [&str; 2] = ["XX001", "XX002"];
const MISSING_OBJECT: [&str; 3] = ["42P01", "3F000", "42883"];

/// Classes of errors that are not the record's fault, of whatever statement: the batch is replayed, or the
/// load ends.
const NOT_THE_RECORDS: [&str; 5] = ["40", "53", "55", "57", "58"];

/// In a block of PL/pgSQL: whether a state is none that a record can be rejected for. A conversion may raise
/// an internal error (class XX) for a value, but none of damage; a merge that does is not to be trusted.
#[must_use]
pub fn is_raised_again(state: &str, at: Raised) -> String {
    let list = |codes: &[&str]| codes.iter().map(|code| format!("'{code}'")).collect::<Vec<_>>().join(", ");
    let class = format!("pg_catalog.left({state}, 2) OPERATOR(pg_catalog.=) ANY");
    match at {
        Raised::Merge => format!("{class} (ARRAY[{}, 'XX'])", list(&NOT_THE_RECORDS)),
        Raised::Conversion => format!(
            "{class} (ARRAY[{}])\n                OR {state} OPERATOR(pg_catalog.=) ANY (ARRAY[{}])",
            list(&NOT_THE_RECORDS),
            list(&DAMAGE)
        ),
    }
}

/// What a statement of ours raises to have its batch replayed.
pub const REPLAYED: &str = "40001";

/// Where a block catches what a record raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// In the conversion of a value.
    Conversion,
    /// In the merge of a row.
    Merge,
}

/// A statement that fails, or a record that is refused, with one of these may do so because the table was
/// changed under the load: a missing column, table, schema, type, operator or index, types that no longer
/// match, something that is no table any more, or a key of which its index and its column say different
/// things, so that a row is neither stored nor inserted.
#[must_use]
pub fn may_be_changed_table(sqlstate: &str) -> bool {
    match sqlstate {
        "42501" => false,
        "0A000" | "3F000" | "55000" | REPLAYED => true,
        code => code.starts_with("42"),
    }
}

/// What an operator can do about an SQLSTATE.
#[must_use]
pub fn hint(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        "28P01" => "wrong password, or no such role; passwords come from the DSN, PGPASSWORD or ~/.pgpass",
        "28000" => {
            "no such role, or the server does not let it in from here: its pg_hba.conf says which; try sslmode=require"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: &str) -> DbError {
        ServerError { sqlstate: code.to_owned(), ..ServerError::default() }.into()
    }

    fn ending(code: &str) -> DbError {
        ServerError { sqlstate: code.to_owned(), ended_session: true, ..ServerError::default() }.into()
    }

    const MERGE: Stage<'static> = Stage::Merge { cheap_key: None };

    fn check(stage: Stage<'_>, codes: &[&str], expected: Action) {
        for code in codes {
            assert_eq!(classify(stage, &said(code)), expected, "{code} in {stage:?}");
        }
    }

    #[test]
    fn each_row_of_the_design_has_its_action() {
        let lost = ["08000", "08003", "08006", "57P01", "57P02", "57P03", "25P03", "57P05"];
        for stage in [Stage::Connect, Stage::BeforeCommit, MERGE, Stage::Elsewhere] {
            check(stage, &lost, Action::Reconnect);
            assert_eq!(classify(stage, &DbError::lost()), Action::Reconnect);
        }
        check(Stage::AfterCommitSent, &lost, Action::ResolveByCheckpoint);
        check(Stage::AfterCommitSent, &["40001", "23505", "53100", "P0001"], Action::ResolveByCheckpoint);
        assert_eq!(classify(Stage::AfterCommitSent, &DbError::lost()), Action::ResolveByCheckpoint);
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
            assert_eq!(classify(stage, &ending(TOO_LONG)), Action::HalveBatch(SingleRecord::Stop));
        }
        check(Stage::AfterCommitSent, &[TOO_LONG], Action::ResolveByCheckpoint);
        check(Stage::Connect, &["53300"], Action::ShrinkPool);
        check(Stage::Connect, &["25006"], Action::FindPrimary);
    }

    #[test]
    fn a_duplicate_of_the_key_is_replayed_only_in_a_cheap_path() {
        let duplicate = |constraint: &str| {
            let constraint = Some(constraint.to_owned());
            DbError::from(ServerError { sqlstate: "23505".to_owned(), constraint, ..ServerError::default() })
        };
        let cheap = Stage::Merge { cheap_key: Some("t_pkey") };
        assert_eq!(classify(cheap, &duplicate("t_pkey")), Action::ReplayWithJitter);
        assert_eq!(classify(cheap, &duplicate("t_email_key")), Action::CarefulPath);
        assert_eq!(classify(MERGE, &duplicate("t_pkey")), Action::CarefulPath);
        assert_eq!(classify(cheap, &DbError::Uncounted), Action::ReplayWithJitter);
        assert_eq!(classify(MERGE, &DbError::Uncounted), Action::CarefulPath);
    }

    #[test]
    fn a_session_ended_by_the_server_is_a_lost_connection_but_a_refused_login_is_not() {
        assert_eq!(classify(Stage::BeforeCommit, &ending("08P01")), Action::Reconnect);
        assert_eq!(classify(MERGE, &ending("P0001")), Action::Reconnect);
        assert_eq!(classify(MERGE, &ending("57P04")), Action::Fatal);
        assert_eq!(classify(Stage::Connect, &ending("28P01")), Action::Fatal);
        assert_eq!(classify(Stage::Connect, &ending("08P01")), Action::Reconnect);
    }

    #[test]
    fn conditions_of_our_own_have_their_actions_without_a_code() {
        let table = || "t".to_owned();
        let changed = DbError::TableChanged { table: table(), change: String::new() };
        let stale = DbError::Stale { table: table() };
        let none = DbError::ReadOnly(std::sync::Arc::new(std::fmt::Error));
        for stage in [Stage::BeforeCommit, MERGE, Stage::Elsewhere, Stage::Ledger] {
            assert_eq!(classify(stage, &changed), Action::PlanAnew);
            assert_eq!(classify(stage, &stale), Action::PrepareAnew);
            assert_eq!(classify(stage, &none), Action::FindPrimary);
            assert_eq!(classify(stage, &DbError::Nul), Action::Fatal);
        }
        assert_eq!(classify(Stage::Connect, &none), Action::FindPrimary);
        assert_eq!(classify(Stage::AfterCommitSent, &stale), Action::ResolveByCheckpoint);
        assert_eq!(classify(Stage::AfterCommitSent, &DbError::Uncounted), Action::ResolveByCheckpoint);
    }

    #[test]
    fn what_is_raised_again_of_a_block_is_never_what_a_record_can_be_rejected_for() {
        let merge = is_raised_again("state", Raised::Merge);
        let conversion = is_raised_again("state", Raised::Conversion);
        for class in NOT_THE_RECORDS {
            assert!(merge.contains(&format!("'{class}'")) && conversion.contains(&format!("'{class}'")));
        }
        assert!(merge.contains("'XX'") && !conversion.contains("'XX'") && conversion.contains("'XX001'"));
    }
}
