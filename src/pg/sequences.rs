//! Sequences behind the columns that they fill: after explicit ids were written, the next id that a sequence
//! gives may be taken. Which sequences fill which columns, which are behind, and moving those on.
//!
//! A sequence is only ever moved on, never back, and what it gives meanwhile is waited for: whoever inserts
//! into the table while a sequence is set waits for the end of that transaction.

use crate::schema::{Table, literal};

use super::db_error::DbError;
use super::session::Session;

/// Setting a sequence waits this long for those who write to the table.
const LOCK_TIMEOUT: &str = "10s";

/// A sequence that a column takes its values from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// Name of the column that the sequence fills.
    pub column: String,
    /// Name of the sequence, qualified and quoted.
    pub name: String,
    /// Whether the sequence counts up.
    ascends: bool,
}

/// The sequences of these columns: of identities and serials, and those that a default names.
pub async fn sequences_of(
    session: &Session,
    table: &Table,
    columns: &[&str],
) -> Result<Vec<Sequence>, DbError> {
    let names: Vec<String> = columns.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT a.attname, pg_catalog.format('%I.%I', n.nspname, s.relname), q.seqincrement > 0
         FROM (
             SELECT d.objid AS sequence, d.refobjsubid AS attnum FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = {oid}
             UNION
             SELECT d.refobjid, f.adnum FROM pg_catalog.pg_attrdef f
             JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
             WHERE f.adrelid = {oid}
         ) used
         JOIN pg_catalog.pg_class s ON s.oid = used.sequence AND s.relkind = 'S'
         JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
         JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
         JOIN pg_catalog.pg_attribute a ON a.attrelid = {oid} AND a.attnum = used.attnum
         WHERE a.attname = ANY (ARRAY[{}]::text[]) ORDER BY a.attnum, s.oid",
        names.join(", "),
        oid = table.oid,
    );
    let outcomes = session.ask(&sql).await?;
    let rows = outcomes.into_iter().next().unwrap_or_default().rows;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter();
            let mut next = || row.next().flatten();
            Some(Sequence { column: next()?, name: next()?, ascends: next()? == "t" })
        })
        .collect())
}

/// The last id in the table, and whether the sequence would give one that is not behind it.
fn behind(table: &Table, sequence: &Sequence) -> String {
    let column = table.column(&sequence.column).map(|c| table.columns[c].name.to_string());
    let (column, name) = (column.unwrap_or_default(), &sequence.name);
    let (last, further) = if sequence.ascends { ("max", ">") } else { ("min", "<") };
    format!(
        "(SELECT pg_catalog.{last}(t.{column})::bigint AS last FROM {} t) t, {name} s
         WHERE t.last {further} s.last_value OR (t.last = s.last_value AND NOT s.is_called)",
        table.name
    )
}

/// The greatest id that is stored, if the sequence is behind it.
pub async fn is_behind(
    session: &Session,
    table: &Table,
    sequence: &Sequence,
) -> Result<Option<i64>, DbError> {
    let outcomes = session.ask(&format!("SELECT t.last FROM {}", behind(table, sequence))).await?;
    Ok(outcomes.first().and_then(|outcome| outcome.value()).and_then(|value| value.parse().ok()))
}

/// Moves the sequence on to the greatest id that is stored, if it is behind; that id.
pub async fn catch_up(session: &Session, table: &Table, sequence: &Sequence) -> Result<Option<i64>, DbError> {
    // Who may only insert cannot lock the table: a sequence that is behind is then as good as unused by
    // others.
    let may_lock =
        format!("SELECT pg_catalog.has_table_privilege({}::oid, 'UPDATE, DELETE, TRUNCATE')", table.oid);
    let may_lock = session.ask(&may_lock).await?.first().and_then(|outcome| outcome.value()) == Some("t");
    let lock = if may_lock {
        format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE;\n", table.name)
    } else {
        String::new()
    };
    let sql = format!(
        "BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL lock_timeout = '{LOCK_TIMEOUT}';\n{lock}SELECT pg_catalog.setval({}::pg_catalog.regclass, t.last, true) FROM {};\nCOMMIT",
        literal(&sequence.name),
        behind(table, sequence)
    );
    match session.begin(&sql).await {
        Ok(outcomes) => {
            session.transaction_ended();
            Ok(outcomes.iter().find_map(|outcome| outcome.value()).and_then(|value| value.parse().ok()))
        }
        Err(error) => {
            session.roll_back().await;
            Err(error)
        }
    }
}
