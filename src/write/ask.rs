//! Asking: the expressions of a load over the records of a block, in a transaction that only reads.
//!
//! One question for all of a block's records; the server reads their fields out of arrays of text. Where it
//! fails, a loop on the server finds the records that it fails for, and the others are asked about once more.
//! It never writes, so it is asked again whenever the connection is lost.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::ledger::{LedgerRef, begun_at};
use crate::map::{AskedExpressions, AskedFor, AskedRefusal, AskedRow, Questions, RecordAnswer};
use crate::pg::sqlstate::{is_of_encoding, is_raised_again, is_transient};
use crate::pg::{DbError, Lease, Raised, Session, literal};

use super::commit::retry::{Retry, RetryPolicy};
use super::event::WriteError;
use super::plan::WritePlan;
use super::sql::settings;

/// Whether a record is kept, where expressions are computed for it.
const KEPT: &str = "\"dbload kept\"";
/// Whether a record deletes, likewise.
const DELETES: &str = "\"dbload deletes\"";
/// Its number among those that are asked about.
const NUMBER: &str = "\"dbload n\"";
/// Where the loop leaves what it has found.
const FOUND: &str = "dbload.failed";

/// Asks the server about records.
pub struct Asker {
    /// How the session is set.
    pub plan: Arc<WritePlan>,
    /// What is asked.
    pub asked: Arc<AskedExpressions>,
    /// The pool that connections are leased from.
    pub pool: Lease,
    /// How long to wait for a server that is away.
    pub retry_policy: RetryPolicy,
}

impl Asker {
    /// The answers for the records of a block.
    ///
    /// # Errors
    /// If the server is away for longer than we wait, or fails for another reason than a record.
    pub async fn answers(&self, mut asking: Questions) -> Result<Vec<RecordAnswer>, WriteError> {
        let mut retry = Retry::new(self.retry_policy);
        let mut parts: Vec<_> = std::iter::once(0..asking.rows.len()).collect();
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let rows: Vec<usize> = part.clone().collect();
            match self.ask(&rows, &mut asking).await {
                Ok(()) => {}
                // A character that the database lacks is in no question: the records are found by halves.
                Err(error) if is_of_encoding(&error) && part.len() > 1 => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
                Err(error) if is_of_encoding(&error) => {
                    let refusal = AskedRefusal {
                        column: None,
                        sqlstate: error.sqlstate().unwrap_or_default().to_owned(),
                        reason: error.server().map_or_else(String::new, |said| said.message.clone()),
                    };
                    asking.settle(part.start, RecordAnswer::Refused(refusal));
                }
                Err(error) if is_transient(&error) => {
                    tracing::debug!(?error, "a question about records failed");
                    let Some(pause) = retry.pause() else { return Err(WriteError::Database(error)) };
                    tokio::time::sleep(pause).await;
                    parts.push(part);
                }
                Err(error) => return Err(WriteError::Database(error)),
            }
        }
        Ok(asking.answers)
    }

    /// The time of the run's first start, in UTC; without a ledger that of this start.
    ///
    /// # Errors
    /// If the server is away for longer than we wait.
    pub async fn begun_at(&self, run: Option<&LedgerRef>) -> Result<String, WriteError> {
        let now = || begun_at("pg_catalog.clock_timestamp()");
        let sql = run.map_or_else(now, LedgerRef::begun_at_query);
        let mut retry = Retry::new(self.retry_policy);
        loop {
            match self.run(&sql).await {
                Ok(rows) => {
                    let value = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
                    let missing = || DbError::Answer("no time of the first start".to_owned());
                    return value.ok_or_else(|| WriteError::Database(missing()));
                }
                Err(error) if is_transient(&error) => {
                    let Some(pause) = retry.pause() else { return Err(WriteError::Database(error)) };
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(WriteError::Database(error)),
            }
        }
    }

    /// Asks about these rows.
    async fn ask(&self, rows: &[usize], asking: &mut Questions) -> Result<(), DbError> {
        let source = self.source(rows, &asking.rows);
        let error = match self.run(&self.question(&source)).await {
            Ok(answers) => return self.take(rows, answers, asking),
            Err(error) if error.is_lost() || is_transient(&error) || is_of_encoding(&error) => {
                return Err(error);
            }
            Err(error) => error,
        };
        let failed = self.run(&self.search(&source)).await?;
        let failed = failed.first().and_then(|row| row.first()?.as_deref()).unwrap_or("[]");
        let failed: Vec<FoundRecord> = serde_json::from_str(failed).map_err(|_| error.clone())?;
        if failed.is_empty() {
            return Err(error);
        }
        let mut rest = rows.to_vec();
        for FoundRecord(number, at, sqlstate, reason) in failed {
            let Some(&row) = rows.get(number.wrapping_sub(1)) else { return Err(error) };
            let expression = self.asked.expressions.get(at).ok_or_else(|| error.clone())?;
            let reason = format!("{}: {reason}", expression.words);
            let refusal = AskedRefusal { column: expression.column().map(str::to_owned), sqlstate, reason };
            asking.settle(row, RecordAnswer::Refused(refusal));
            rest.retain(|other| *other != row);
        }
        if rest.is_empty() {
            return Ok(());
        }
        let answers = self.run(&self.question(&self.source(&rest, &asking.rows))).await?;
        self.take(&rest, answers, asking)
    }

    /// One statement in a transaction of its own; the rows of its answer.
    async fn run(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, DbError> {
        let session = Session::open(&self.pool).await?;
        // What follows is read by these settings: texts of users are in it.
        session.begin(&settings::begin_reading(&self.plan)).await?;
        let answers = session.run(&format!("{sql};\nCOMMIT")).await;
        match answers {
            Ok(answers) => {
                session.transaction_ended();
                let asked = answers.into_iter().rev().find(|answer| !answer.rows.is_empty());
                Ok(asked.map_or_else(Vec::new, |answer| answer.rows))
            }
            Err(error) => {
                session.roll_back().await;
                Err(error)
            }
        }
    }

    fn take(
        &self,
        rows: &[usize],
        answers: Vec<Vec<Option<String>>>,
        asking: &mut Questions,
    ) -> Result<(), DbError> {
        let unread = || DbError::Answer("not one answer for each record".to_owned());
        if answers.len() != rows.len() {
            return Err(unread());
        }
        for answer in answers {
            let mut values = answer.into_iter();
            let number: usize = values.next().flatten().and_then(|n| n.parse().ok()).ok_or_else(unread)?;
            let row = *rows.get(number.wrapping_sub(1)).ok_or_else(unread)?;
            let is_kept = values.next().flatten().as_deref() == Some("t");
            let deletes = self.asked.has_deletion() && values.next().flatten().as_deref() == Some("t");
            match is_kept {
                true => asking.keep(&self.asked, row, deletes, values.collect()),
                false => asking.settle(row, RecordAnswer::LeftOut),
            }
        }
        Ok(())
    }

    /// The rows as a table: a number, and the columns that expressions name.
    fn source(&self, rows: &[usize], all: &[AskedRow]) -> String {
        let mut arrays = String::new();
        let mut names = String::new();
        for (at, column) in self.asked.columns.iter().enumerate() {
            let mut array = String::from("{");
            for &row in rows {
                if array.len() > 1 {
                    array.push(',');
                }
                let field = &all[row].fields[at];
                match (column.is_presence, field) {
                    (true, field) => array.push(if field.is_some() { 't' } else { 'f' }),
                    (false, Some(Some(text))) => push_element(&mut array, text),
                    (false, Some(None) | None) => array.push_str("NULL"),
                }
            }
            array.push('}');
            let type_name = if column.is_presence { "bool" } else { "text" };
            let _ = write!(arrays, ", pg_catalog.unnest({}::pg_catalog.{type_name}[])", literal(&array));
            let _ = write!(names, ", {}", column.quoted());
        }
        format!(
            "ROWS FROM (pg_catalog.generate_series(1, {}){arrays}) AS record({NUMBER}{names})",
            rows.len()
        )
    }

    /// Which records are kept, which delete, and the values of what is set.
    fn question(&self, source: &str) -> String {
        let condition = self.asked.expression(&AskedFor::Condition);
        let kept = condition.map_or("true".to_owned(), |condition| format!("({}) IS TRUE", condition.sql));
        let kept = format!("(SELECT record.*, {kept} AS {KEPT} FROM {source} OFFSET 0) AS record");
        let deletion = self.asked.expression(&AskedFor::Deletion);
        let (records, deletes) = match deletion {
            None => (kept, String::new()),
            Some(deletion) => {
                let sql = format!("CASE WHEN record.{KEPT} THEN ({}) IS TRUE END", deletion.sql);
                let records = format!("(SELECT record.*, {sql} AS {DELETES} FROM {kept} OFFSET 0) AS record");
                (records, format!(", record.{DELETES}"))
            }
        };
        let sets = self.asked.sets().fold(String::new(), |mut out, (_, set)| {
            let unless = match set.asked_for {
                AskedFor::Value { is_needed: false, .. } if deletion.is_some() => {
                    format!(" AND NOT record.{DELETES}")
                }
                _ => String::new(),
            };
            let _ = write!(out, ", CASE WHEN record.{KEPT}{unless} THEN ({})::pg_catalog.text END", set.sql);
            out
        });
        format!("SELECT record.{NUMBER}, record.{KEPT}{deletes}{sets} FROM {records}")
    }

    /// The records for which an expression fails: number, expression, SQLSTATE and reason.
    fn search(&self, source: &str) -> String {
        let columns = self.asked.columns.iter().map(|column| column.quoted());
        let row = columns.fold(format!("dbload_row.{NUMBER}"), |mut out, name| {
            let _ = write!(out, ", dbload_row.{name} AS {name}");
            out
        });
        let mut steps = String::new();
        for (at, expression) in self.asked.expressions.iter().enumerate() {
            let sql = &expression.sql;
            let of = format!("FROM (SELECT {row}) AS record");
            let _ = match expression.asked_for {
                AskedFor::Condition => write!(
                    steps,
                    "dbload_at := {at};\n            dbload_kept := (SELECT ({sql}) IS TRUE {of});\n            "
                ),
                AskedFor::Deletion => write!(
                    steps,
                    "IF dbload_kept THEN\n                dbload_at := {at};\n                \
                     dbload_deletes := (SELECT ({sql}) IS TRUE {of});\n            END IF;\n            "
                ),
                AskedFor::Value { is_needed, .. } => write!(
                    steps,
                    "IF dbload_kept{} THEN\n                dbload_at := {at};\n                \
                     dbload_value := (SELECT ({sql})::pg_catalog.text {of});\n            END IF;\n            ",
                    if is_needed { "" } else { " AND NOT dbload_deletes" }
                ),
            };
        }
        let raised = is_raised_again("dbload_state", Raised::Conversion);
        let text = format!(
            "#variable_conflict use_column
DECLARE
    dbload_row pg_catalog.record;
    dbload_at int; dbload_kept bool; dbload_deletes bool; dbload_value pg_catalog.text;
    dbload_state pg_catalog.text; dbload_message pg_catalog.text; dbload_detail pg_catalog.text;
    dbload_failed pg_catalog.json[];
BEGIN
    FOR dbload_row IN SELECT * FROM {source} LOOP
        BEGIN
            dbload_kept := true;
            dbload_deletes := false;
            {steps}
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS dbload_state = RETURNED_SQLSTATE, dbload_message = MESSAGE_TEXT,
                dbload_detail = PG_EXCEPTION_DETAIL;
            IF {raised} THEN
                RAISE;
            END IF;
            dbload_failed := pg_catalog.array_append(dbload_failed, pg_catalog.json_build_array(dbload_row.{NUMBER}, dbload_at, dbload_state,
                dbload_message OPERATOR(pg_catalog.||) CASE WHEN dbload_detail OPERATOR(pg_catalog.<>) '' THEN ': ' OPERATOR(pg_catalog.||) dbload_detail ELSE '' END));
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('{FOUND}', coalesce(pg_catalog.array_to_json(dbload_failed)::pg_catalog.text, '[]'), true);
END"
        );
        format!("DO LANGUAGE plpgsql {};\nSELECT pg_catalog.current_setting('{FOUND}')", literal(&text))
    }
}

/// What the loop has found of a record: its number, the expression, SQLSTATE and reason.
#[derive(serde::Deserialize)]
struct FoundRecord(usize, usize, String, String);

/// Appends an element of an array's text.
fn push_element(array: &mut String, text: &str) {
    array.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            array.push('\\');
        }
        array.push(c);
    }
    array.push('"');
}
