//! Expressions of users over records, judged by the server: as CHECKs of an empty temporary table that has
//! the fields as columns, and is gone with its transaction.
//!
//! A CHECK takes no subquery, aggregate, window or set, and the catalog then says which columns it names and
//! which functions it calls.

use std::fmt::Write as _;

use super::answer::CatalogError;
use super::db_error::DbError;
use super::session::Session;

/// Nothing but what is there in every database is found by its bare name, and a text in quotes is what the
/// standard says.
const ALONE: &str = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), \
                     pg_catalog.set_config('standard_conforming_strings', 'on', true), \
                     pg_catalog.set_config('client_min_messages', 'warning', true)";

/// A column of the records.
#[derive(Debug, Clone)]
pub struct RecordColumn {
    /// Its name, quoted.
    pub name: String,
    /// It is a boolean, else a text.
    pub is_boolean: bool,
}

/// An expression, to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Phrase<'a> {
    /// As it stands between brackets of a statement.
    pub sql: &'a str,
    /// It must be true or false.
    pub is_condition: bool,
}

/// An expression that the server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Columns that it names, by their place.
    pub names: Vec<usize>,
    /// The type of its values.
    pub type_name: String,
}

/// Why an expression is none over a record.
#[derive(Debug, thiserror::Error)]
pub enum ExpressionMisfit {
    /// The server does not take it.
    #[error("an expression is refused")]
    Refused {
        /// Which one, by its place.
        nth: usize,
        /// What the server says.
        #[source]
        error: DbError,
    },
    /// It calls a function whose value is another one the next time.
    #[error("{function} is another one at each call")]
    Changing {
        /// Which one, by its place.
        nth: usize,
        /// What it calls, by its name.
        function: String,
    },
    /// The server could not be asked.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Judges expressions, in a transaction of its own that leaves nothing.
///
/// # Errors
/// At the first expression that is none.
pub async fn judge(
    session: &Session,
    columns: &[RecordColumn],
    phrases: &[Phrase<'_>],
) -> Result<Vec<Judged>, ExpressionMisfit> {
    let judged = judged(session, columns, phrases).await;
    session.roll_back().await;
    judged
}

async fn judged(
    session: &Session,
    columns: &[RecordColumn],
    phrases: &[Phrase<'_>],
) -> Result<Vec<Judged>, ExpressionMisfit> {
    let failed = |error: DbError| ExpressionMisfit::Catalog(error.into());
    session.begin(&format!("BEGIN;\n{ALONE};\nDROP TABLE IF EXISTS pg_temp.record")).await.map_err(failed)?;
    let list = columns.iter().fold(String::new(), |mut out, column| {
        let type_name = if column.is_boolean { "pg_catalog.bool" } else { "pg_catalog.text" };
        let _ = write!(out, "{}{} {type_name}", if out.is_empty() { "" } else { ", " }, column.name);
        out
    });
    session.run(&format!("CREATE TEMPORARY TABLE record ({list}) ON COMMIT DROP")).await.map_err(failed)?;
    for (nth, phrase) in phrases.iter().enumerate() {
        let Phrase { sql, is_condition } = phrase;
        let check = if *is_condition { format!("({sql})") } else { format!("({sql}) IS NULL") };
        // Constants in it are computed by the planner: what fails there fails for every record.
        let run = format!(
            "ALTER TABLE pg_temp.record ADD CONSTRAINT x{nth} CHECK ({check});\n\
             SELECT ({sql})::pg_catalog.text FROM pg_temp.record;\n\
             CREATE TEMPORARY TABLE dbload_x{nth} ON COMMIT DROP AS SELECT ({sql}) AS v FROM pg_temp.record WITH NO DATA"
        );
        session.run(&run).await.map_err(|error| match error.server() {
            Some(_) if !error.is_lost() => ExpressionMisfit::Refused { nth, error },
            _ => failed(error),
        })?;
    }
    let mut judged = Vec::with_capacity(phrases.len());
    for nth in 0..phrases.len() {
        let answer = session.ask(&question(nth)).await.map_err(failed)?;
        let row = answer.first().and_then(|answer| answer.rows.first()).ok_or(CatalogError::Answer)?;
        let value = |at: usize| row.get(at).and_then(Option::as_deref);
        if let Some(function) = value(2) {
            return Err(ExpressionMisfit::Changing { nth, function: function.to_owned() });
        }
        let names = value(0).unwrap_or_default().split_whitespace();
        let names = names.filter_map(|n| n.parse::<usize>().ok()?.checked_sub(1)).collect();
        judged.push(Judged { names, type_name: value(1).unwrap_or("text").to_owned() });
    }
    Ok(judged)
}

/// Of an expression: the numbers of the columns that it names, its type, and a function in it whose value
/// is another one the next time. The tree of a CHECK has the functions by their numbers, those of operators
/// and casts too; what SQL says without a call (`current_date`) is a node of its own. Functions of others
/// that are not immutable may read tables.
fn question(nth: usize) -> String {
    format!(
        "SELECT pg_catalog.array_to_string(c.conkey, ' '), \
         (SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a \
            WHERE a.attrelid = 'pg_temp.dbload_x{nth}'::pg_catalog.regclass AND a.attnum = 1), \
         CASE WHEN pg_catalog.strpos(c.conbin::pg_catalog.text, '{{SQLVALUEFUNCTION ') > 0 THEN 'what SQL knows by itself (current_date, user)' \
         ELSE (SELECT p.proname || '()' FROM pg_catalog.pg_proc p \
            WHERE p.oid::pg_catalog.text IN (SELECT m[1] FROM pg_catalog.regexp_matches(c.conbin::pg_catalog.text, ':(?:op)?funcid ([0-9]+)', 'g') m) \
              AND (p.provolatile = 'v' OR p.provolatile = 's' AND (p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace \
                OR p.proname IN ('now', 'transaction_timestamp', 'statement_timestamp') OR p.proname = 'age' AND p.pronargs = 1)) \
            ORDER BY p.proname LIMIT 1) END \
         FROM pg_catalog.pg_constraint c WHERE c.conrelid = 'pg_temp.record'::pg_catalog.regclass AND c.conname = 'x{nth}'"
    )
}

/// What the server says of an expression, in its own words.
#[must_use]
pub fn said(error: &DbError) -> String {
    error.server().map_or_else(|| error.to_string(), |said| said.message.clone())
}
