//! The first look at a file: its tables, the columns of one, and what tells its rows apart.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::declared::{SeenClasses, column_type};
use super::error::SqliteError;
use super::value::{KeyClass, WrittenAs, quoted};

/// So long is waited for who writes.
const WAITS_FOR_WRITERS: Duration = Duration::from_secs(5);

/// Rows whose values are looked at; those of a query are begun to be reckoned for it.
const ROWS_LOOKED_AT: usize = 1000;
const ROWS_OF_QUERY: usize = 100;

/// What is read, and how.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    /// Gives the rows, in no order.
    pub(super) sql: String,
    /// Names and types.
    pub(super) columns: Vec<(String, String)>,
    /// How the values of each are written.
    pub(super) written: Vec<WrittenAs>,
    /// Places of the columns of the key, and what their values are; empty: there is none.
    pub(super) key: Vec<usize>,
    pub(super) classes: Vec<KeyClass>,
}

/// Opens a file, and begins the one transaction in which all of it is read.
pub(super) fn open(file: &Path) -> Result<Connection, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(WAITS_FOR_WRITERS)?;
    // What a view of the file may do is what can be done to a file that nobody trusts.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // The first statement behind BEGIN takes the state that all others see.
    connection.execute_batch("PRAGMA cell_size_check = ON; BEGIN; SELECT count(*) FROM sqlite_schema")?;
    Ok(connection)
}

/// Names of tables and views, sorted.
pub(super) fn tables(connection: &Connection) -> Result<Vec<String>, SqliteError> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names = statement.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

/// A column of a table.
struct DeclaredColumn {
    name: String,
    declared: String,
    /// Its place in the primary key, from 1; 0: none.
    in_key: i64,
}

/// A table or a view.
pub(super) fn table(connection: &Connection, asked: &str) -> Result<Looked, SqliteError> {
    let Some((name, has_rowid)) = find(connection, asked)? else {
        return Err(SqliteError::Missing { name: asked.to_owned(), has: tables(connection)? });
    };
    // What is generated, or hidden by a virtual table, is left out.
    let mut statement = connection
        .prepare("SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid")?;
    let column = |row: &rusqlite::Row<'_>| {
        Ok(DeclaredColumn { name: row.get(0)?, declared: row.get(1)?, in_key: row.get(2)? })
    };
    let columns = statement.query_map([&name], column)?.collect::<Result<Vec<_>, _>>()?;
    if columns.is_empty() {
        return Err(SqliteError::NoColumns);
    }
    let from = format!("FROM main.{}", quoted(&name));
    let seen = seen_in_table(connection, &columns, &from)?;
    let types: Vec<_> =
        columns.iter().zip(seen).map(|(column, seen)| column_type(Some(&column.declared), seen)).collect();
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let (key, classes) = key(connection, &name, has_rowid, &columns)?.unzip();
    Ok(Looked {
        sql: format!("SELECT {} {from}", names.join(", ")),
        columns: columns
            .iter()
            .zip(&types)
            .map(|(c, (type_name, _))| (c.name.clone(), (*type_name).to_owned()))
            .collect(),
        written: types.iter().map(|(_, written)| *written).collect(),
        key: key.unwrap_or_default(),
        classes: classes.unwrap_or_default(),
    })
}

/// The table of a name as SQL or the user has it, and whether its rows have numbers.
fn find(connection: &Connection, asked: &str) -> Result<Option<(String, bool)>, SqliteError> {
    let of_main = asked.strip_prefix("main.").unwrap_or(asked);
    let quoted = of_main.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let unquoted = quoted.map(|name| name.replace("\"\"", "\""));
    for name in [Some(asked), Some(of_main), unquoted.as_deref()].into_iter().flatten() {
        let sql =
            "SELECT name, NOT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        if let Some(found) = connection.query_row(sql, [name], row).optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Classes of the values in the first rows.
fn seen_in_table(
    connection: &Connection,
    columns: &[DeclaredColumn],
    from: &str,
) -> Result<Vec<SeenClasses>, SqliteError> {
    let classes: Vec<String> =
        columns.iter().map(|column| format!("typeof({})", quoted(&column.name))).collect();
    let sql = format!("SELECT {} {from} LIMIT {ROWS_LOOKED_AT}", classes.join(", "));
    let mut seen = vec![SeenClasses::default(); columns.len()];
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        for (place, seen) in seen.iter_mut().enumerate() {
            seen.note(match row.get_ref(place)?.as_bytes().unwrap_or_default() {
                b"integer" => Type::Integer,
                b"real" => Type::Real,
                b"text" => Type::Text,
                b"blob" => Type::Blob,
                _ => Type::Null,
            });
        }
    }
    Ok(seen)
}

/// The rows of a query.
pub(super) fn query(connection: &Connection, text: &str) -> Result<Looked, SqliteError> {
    let mut statement = connection.prepare(text).map_err(|error| match error {
        rusqlite::Error::MultipleStatement => SqliteError::NoRows,
        error => error.into(),
    })?;
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(SqliteError::NoRows);
    }
    let declared: Vec<(String, Option<String>)> = statement
        .columns()
        .iter()
        .map(|column| (column.name().to_owned(), column.decl_type().map(ToOwned::to_owned)))
        .collect();
    let mut seen = vec![SeenClasses::default(); declared.len()];
    let mut rows = statement.query(())?;
    for _ in 0..ROWS_OF_QUERY {
        let Some(row) = rows.next()? else { break };
        for (place, seen) in seen.iter_mut().enumerate() {
            seen.note(row.get_ref(place)?.data_type());
        }
    }
    let types = declared.into_iter().zip(seen).map(|((name, declared), seen)| {
        let (type_name, written) = column_type(declared.as_deref(), seen);
        ((name, type_name.to_owned()), written)
    });
    let (columns, written) = types.unzip();
    Ok(Looked { sql: text.to_owned(), columns, written, key: Vec::new(), classes: Vec::new() })
}

/// Places of the columns of a key, and of which class the values of each are.
type KeyPlaces = (Vec<usize>, Vec<KeyClass>);

/// The columns by whose values rows are sorted and told apart, and the class of those values. A number of a
/// row that no column shows is none: VACUUM gives others. A column with NULLs, or with values of several
/// classes, is none either.
fn key(
    connection: &Connection,
    table: &str,
    has_rowid: bool,
    columns: &[DeclaredColumn],
) -> Result<Option<KeyPlaces>, SqliteError> {
    let mut places: Vec<usize> = (0..columns.len()).filter(|place| columns[*place].in_key > 0).collect();
    places.sort_by_key(|place| columns[*place].in_key);
    if let [place] = places[..]
        && has_rowid
        && columns[place].declared.eq_ignore_ascii_case("INTEGER")
    {
        let sql = "SELECT count(*) FROM pragma_index_list(?1) WHERE origin = 'pk'";
        // Without an index of its own it is the number of the row.
        if connection.query_row(sql, [table], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(Some((places, vec![KeyClass::Number])));
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    let bounds = places.iter().map(|place| {
        let name = quoted(&columns[*place].name);
        format!("min(typeof({name})), max(typeof({name}))")
    });
    let sql = format!("SELECT {} FROM main.{}", bounds.collect::<Vec<_>>().join(", "), quoted(table));
    let mut statement = connection.prepare(&sql)?;
    let classes = statement.query_row((), |row| {
        let class = |n: usize| -> rusqlite::Result<Option<KeyClass>> {
            let (min, max): (Option<String>, Option<String>) = (row.get(2 * n)?, row.get(2 * n + 1)?);
            Ok(match (min.as_deref(), max.as_deref()) {
                (Some("integer" | "real"), Some("integer" | "real")) => Some(KeyClass::Number),
                (Some("text"), Some("text")) => Some(KeyClass::Text),
                (Some("blob"), Some("blob")) => Some(KeyClass::Blob),
                _ => None,
            })
        };
        (0..places.len()).map(class).collect::<rusqlite::Result<Option<Vec<_>>>>()
    })?;
    Ok(classes.map(|classes| (places, classes)))
}
