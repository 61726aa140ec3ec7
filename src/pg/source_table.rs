//! A table that is read, not written: its rows by COPY, sorted by its primary key, all of one snapshot.
//!
//! The session reads only, so that nothing can go wrong on the other side. Values are asked for as the target
//! takes them whatever its settings are: ISO dates, UTC, every digit of a float.

use bytes::Bytes;

use super::copy_out::{CopyOut, DescribedColumn};
use super::db_error::DbError;
use super::dsn::ConnInfo;
use super::lease::connect_pool;
use super::outcome::StatementResult;
use super::session::Session;
use super::sqlstate::is_missing_right;
use crate::schema::{Ident, TableName, literal};

/// One state of the database for all that is read; a table with policies is refused, not read in part.
/// Sorting is left to the index of the key: a sort of a large table would fill the server's disk.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n\
    SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC';\n\
    SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL xmlbinary = 'base64';\n\
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL jit = off;\n\
    SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'";
const ONLY_WHOLE: &str = "SET LOCAL row_security = off; SET LOCAL enable_sort = off";

/// Columns in order: name, type as it is compared, type for a new table. What is generated is left out; types
/// that another database need not have are text.
const COLUMNS: &str = "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), \
    CASE WHEN b.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace THEN 'text' \
    ELSE pg_catalog.format_type(b.oid, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) END, \
    a.attnum \
    FROM pg_catalog.pg_attribute a \
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
    WHERE a.attrelid = current_setting('dbload.target')::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped \
    AND a.attgenerated = '' ORDER BY a.attnum";

/// The numbers of the columns of the primary key, where that is one of all rows that are read.
const KEY: &str = "SELECT k.attnum FROM pg_catalog.pg_index i \
    CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) \
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
    WHERE i.indrelid = current_setting('dbload.target')::pg_catalog.oid AND i.indisprimary AND i.indisvalid \
    AND (c.relkind = 'p' OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid)) \
    ORDER BY k.place";

/// Its name with its schema, and what it is.
const NAME: &str = "SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = current_setting('dbload.target')::pg_catalog.oid";

/// The server as it was started, the database, and the table: no other table has the same.
const IDENTITY: &str = "SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_postmaster_start_time(), \
    (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()), \
    current_setting('dbload.target'))";

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceTableError {
    /// Nobody lets us in.
    #[error("cannot connect to its database")]
    Connect(#[source] super::PgError),
    /// The name is none.
    #[error("cannot use the name of the table")]
    Name(#[source] crate::schema::IdentError),
    /// No table of that name is to be seen.
    #[error("its database {0} has no table of that name")]
    Missing(String),
    /// It has rows that nobody could name.
    #[error("it has no columns that could be read")]
    NoColumns,
    /// The server refuses, or is gone.
    #[error("its database does not give the rows")]
    Refused(#[source] DbError),
}

impl SourceTableError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect(error) => error.hint().map(ToOwned::to_owned),
            Self::Name(_) => Some("table=SCHEMA.NAME, by SQL's rules; special characters as %22..%22".to_owned()),
            Self::Missing(_) => Some(
                "say its schema: table=SCHEMA.NAME; a role sees the tables of schemas that it may use".to_owned(),
            ),
            Self::NoColumns => None,
            Self::Refused(error) if is_missing_right(error) => Some(
                "the role needs SELECT on it; if policies hide rows from it, query=SELECT.. reads what it may see"
                    .to_owned(),
            ),
            Self::Refused(error) if error.is_lost() => {
                Some("the same command goes on where the last batch was committed".to_owned())
            }
            Self::Refused(_) => None,
        }
    }
}

/// A table, or the rows of a query, open for reading.
pub struct SourceTable {
    session: Session,
    /// `None`: a query.
    table: Option<TableName>,
    query: String,
    columns: Vec<(String, String)>,
    /// Places of the key's columns, and their types as they are compared.
    key: Vec<usize>,
    key_types: Vec<String>,
    copy: Option<CopyOut>,
}

impl SourceTable {
    /// Opens a table by its name.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn of_table(dsn: &ConnInfo, name: &str) -> Result<Self, SourceTableError> {
        let name = TableName::parse(name).map_err(SourceTableError::Name)?;
        let session = connect(dsn).await?;
        let refused = SourceTableError::Refused;
        session.begin(&format!("{BEGIN};\n{ONLY_WHOLE}")).await.map_err(refused)?;
        let asked = format!("{NAME};\n{COLUMNS};\n{KEY}");
        let answers = session.ask_about(&name, &asked).await.map_err(refused)?;
        let rows = |n: usize| answers.get(n).map(|answer: &StatementResult| answer.rows.as_slice());
        let text = |row: &[Option<String>], n: usize| row.get(n).cloned().flatten().unwrap_or_default();
        let Some(found) = rows(0).and_then(<[_]>::first) else {
            return Err(SourceTableError::Missing(dsn.describe()));
        };
        let ident = |text| Ident::new(text).map_err(SourceTableError::Name);
        let is_table = text(found, 2) == "r";
        let table = TableName { schema: Some(ident(text(found, 0))?), name: ident(text(found, 1))? };
        let columns = rows(1).unwrap_or_default();
        let numbers: Vec<String> = columns.iter().map(|row| text(row, 3)).collect();
        let place = |row: &Vec<Option<String>>| numbers.iter().position(|number| *number == text(row, 0));
        let key: Option<Vec<usize>> = rows(2).unwrap_or_default().iter().map(place).collect();
        let key = key.unwrap_or_default();
        let key_types = key.iter().map(|place| text(&columns[*place], 1)).collect();
        let columns: Vec<(String, String)> = columns.iter().map(|row| (text(row, 0), text(row, 2))).collect();
        if columns.is_empty() {
            return Err(SourceTableError::NoColumns);
        }
        let names: Vec<String> = columns
            .iter()
            .map(|(name, _)| ident(name.clone()).map(|name| name.to_string()))
            .collect::<Result<_, _>>()?;
        // A table with heirs and no key of all of them has their rows too, as SQL has it.
        let only = if is_table && !key.is_empty() { "ONLY " } else { "" };
        let query = format!("SELECT {} FROM {only}{table}", names.join(", "));
        Ok(Self { session, table: Some(table), query, columns, key, key_types, copy: None })
    }

    /// Opens the rows of a query.
    ///
    /// # Errors
    /// When it is none, or cannot be run.
    pub async fn of_query(dsn: &ConnInfo, query: &str) -> Result<Self, SourceTableError> {
        let session = connect(dsn).await?;
        let refused = SourceTableError::Refused;
        session.begin(BEGIN).await.map_err(refused)?;
        // Whatever stands at its end, a comment too, is behind a line of its own.
        let query = format!("SELECT * FROM (\n{}\n) asked", query.trim().trim_end_matches(';'));
        let described = session.describe(&query).await.map_err(refused)?;
        let of_type = |(place, column): (usize, &DescribedColumn)| {
            format!("({place}, {}, {})", column.type_oid, column.modifier)
        };
        let oids = described.iter().enumerate().map(of_type);
        let oids: Vec<String> = oids.collect();
        if oids.is_empty() {
            return Err(SourceTableError::NoColumns);
        }
        let types = format!(
            "SELECT CASE WHEN b.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace THEN 'text' \
             ELSE pg_catalog.format_type(b.oid, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE asked.modifier END) END \
             FROM (SELECT * FROM (VALUES {}) AS v (place, id, modifier)) AS asked \
             JOIN pg_catalog.pg_type t ON t.oid = asked.id::pg_catalog.oid \
             JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
             ORDER BY asked.place",
            oids.join(", ")
        );
        let mut columns = Vec::with_capacity(described.len());
        let answers = session.run(&types).await.map_err(refused)?;
        let mut rows = answers.into_iter().flat_map(|answer| answer.rows);
        for column in described {
            let type_name = rows.next().and_then(|row| row.into_iter().next().flatten());
            columns.push((column.name, type_name.unwrap_or_else(|| "text".to_owned())));
        }
        let (key, key_types) = (Vec::new(), Vec::new());
        Ok(Self { session, table: None, query, columns, key, key_types, copy: None })
    }

    /// Names and types of its columns, in the order of their values.
    #[must_use]
    pub fn columns(&self) -> &[(String, String)] {
        &self.columns
    }

    /// Places of the columns by which rows are sorted; empty: they are not.
    #[must_use]
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Begins to read the rows behind a key, up to and with another one.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn begin(
        &mut self,
        behind: Option<&[String]>,
        up_to: Option<&[String]>,
    ) -> Result<(), SourceTableError> {
        self.copy = None;
        let mut sql = self.query.clone();
        let bounds = [behind.map(|key| self.bound(">", key)), up_to.map(|key| self.bound("<=", key))];
        let bounds: Vec<String> = bounds.into_iter().flatten().collect();
        if !bounds.is_empty() {
            sql.push_str(&format!(" WHERE {}", bounds.join(" AND ")));
        }
        if !self.key.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", self.key_names().join(", ")));
        }
        let copy = self.session.copy_out(&format!("COPY ({sql}) TO STDOUT")).await;
        self.copy = Some(copy.map_err(SourceTableError::Refused)?);
        Ok(())
    }

    fn key_names(&self) -> Vec<String> {
        let names = self.key.iter().filter_map(|place| self.columns.get(*place));
        names.filter_map(|(name, _)| Ident::new(name.as_str()).ok()).map(|name| name.to_string()).collect()
    }

    fn bound(&self, operator: &str, key: &[String]) -> String {
        let values = key.iter().zip(&self.key_types).map(|(value, of)| format!("{}::{of}", literal(value)));
        let values: Vec<String> = values.collect();
        format!("({}) {operator} ({})", self.key_names().join(", "), values.join(", "))
    }

    /// The next rows, as COPY writes them; `None` behind the last. Cancelled, it loses none.
    ///
    /// # Errors
    /// When the server ends it early, or the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SourceTableError> {
        let Some(copy) = &mut self.copy else { return Ok(None) };
        let rows = self.session.copied(copy).await.map_err(SourceTableError::Refused)?;
        if rows.is_none() {
            self.copy = None;
        }
        Ok(rows)
    }

    /// What no other table has; `None`: it is no table.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn identity(&self) -> Result<Option<String>, DbError> {
        match &self.table {
            Some(table) => identity(&self.session, table).await,
            None => Ok(None),
        }
    }
}

/// What no other table has: the server, its database, and the table in it.
///
/// # Errors
/// When the server refuses it.
pub async fn identity(session: &Session, table: &TableName) -> Result<Option<String>, DbError> {
    let answers = session.ask_about(table, IDENTITY).await?;
    Ok(answers.first().and_then(StatementResult::value).map(ToOwned::to_owned))
}

async fn connect(dsn: &ConnInfo) -> Result<Session, SourceTableError> {
    let pool = connect_pool(dsn, 1).await.map_err(SourceTableError::Connect)?;
    Session::open(&pool).await.map_err(SourceTableError::Refused)
}
