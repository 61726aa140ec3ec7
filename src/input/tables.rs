//! Tables of databases as sources: the word, and what a database must be able to do. Who does it is another
//! room: nothing here knows a database.

use std::borrow::Cow;
use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::future::BoxFuture;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// A word that names a table of a database, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableWord {
    /// The connection string: the word without what follows here.
    pub dsn: String,
    /// What is read.
    pub what: TableOrQuery,
}

/// What is read of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableOrQuery {
    /// A table or a view, by its name, perhaps with its schema.
    Table(String),
    /// The rows of a query.
    Query(String),
}

/// Why a word names no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a database is a source by one of its tables or by a query: {0}")]
pub struct TableWordError(&'static str);

/// Schemes of servers of databases that can be sources.
const SCHEMES: [&str; 2] = ["postgres", "postgresql"];
const MYSQL_SCHEMES: [&str; 2] = ["mysql", "mariadb"];

/// How the word of a file that is a database begins.
const FILE_SCHEME: &str = "sqlite";

/// Tables of a file that an error lists.
const TABLES_SHOWN: usize = 4;

/// What cannot stand in the path of such a word, or would end a word in a shell.
const NOT_IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'?').add(b'\'');
/// And in the name of a table.
const NOT_IN_NAME: &AsciiSet = &NOT_IN_PATH.add(b'&').add(b'+');

/// Whether the word is the connection string of a database, or a file that is one.
#[must_use]
pub fn is_database(word: &str) -> bool {
    is_database_file(word) || is_database_server(word)
}

/// Whether the word is the connection string of a server of databases.
#[must_use]
pub fn is_database_server(word: &str) -> bool {
    is_mysql(word) || SCHEMES.iter().any(|known| scheme(word).eq_ignore_ascii_case(known))
}

/// Whether the word is a server of MySQL or MariaDB, perhaps with the driver that another program would take.
#[must_use]
pub fn is_mysql(word: &str) -> bool {
    let scheme = scheme(word).split('+').next().unwrap_or_default();
    MYSQL_SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Whether the word is a file that is a database.
#[must_use]
pub fn is_database_file(word: &str) -> bool {
    scheme(word).eq_ignore_ascii_case(FILE_SCHEME)
}

fn scheme(word: &str) -> &str {
    word.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// The word of a table of a file.
pub(super) fn word_of_file(file: &Path, table: &str) -> String {
    let file = percent_encode(file.as_os_str().as_bytes(), NOT_IN_PATH);
    format!("{FILE_SCHEME}://{file}?table={}", percent_encode(table.as_bytes(), NOT_IN_NAME))
}

/// The tables of a file, for people.
pub(super) fn tables_words(tables: &[String]) -> String {
    let shown = tables.iter().take(TABLES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match tables.len().checked_sub(TABLES_SHOWN) {
        None if tables.is_empty() => " in which no table can be seen".to_owned(),
        None | Some(0) => format!(" with the tables {shown}"),
        Some(more) => format!(" with the tables {shown} and {more} more"),
    }
}

/// The hint how the tables of a file are loaded.
pub(super) fn commands_of(file: &str, tables: &[String]) -> Option<String> {
    let words = tables.iter().take(TABLES_SHOWN).map(|table| word_of_file(Path::new(file), table));
    let words: Vec<String> = words.map(|word| format!("dbload '{word}'")).collect();
    let hint = || format!("each of its tables is a source: {}", words.join(", or "));
    (!words.is_empty()).then(hint)
}

/// A word that means the same from every folder.
///
/// # Errors
/// When nobody knows where a path begins.
pub(super) fn absolute(word: &str) -> io::Result<String> {
    let (Some(file), Some((_, what))) = (file_of(word), word.split_once('?')) else {
        return Ok(word.to_owned());
    };
    let file = std::path::absolute(file)?;
    let file = percent_encode(file.as_os_str().as_bytes(), NOT_IN_PATH);
    Ok(format!("{FILE_SCHEME}://{file}?{what}"))
}

/// The file of a word.
pub(super) fn file_of(word: &str) -> Option<PathBuf> {
    let (place, _) = word.split_once('?').unwrap_or((word, ""));
    let (_, path) = place.split_once("://").filter(|_| is_database_file(word))?;
    Some(OsString::from_vec(percent_decode_str(path).collect()).into())
}

impl TableWord {
    /// Reads a word: a connection string with `table=` or `query=` among its parameters.
    ///
    /// # Errors
    /// When it has neither, or both.
    pub fn parse(word: &str) -> Result<Self, TableWordError> {
        let (database, parameters) = word.split_once('?').unwrap_or((word, ""));
        let (mut table, mut query, mut others) = (None, None, Vec::new());
        for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "table" => &mut table,
                "query" => &mut query,
                _ => {
                    others.push(pair);
                    continue;
                }
            };
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map(Cow::into_owned).map_err(|_| TableWordError("its name is not UTF-8"))?;
            if place.replace(value).is_some() {
                return Err(TableWordError("it is said twice"));
            }
        }
        let what = match (table, query) {
            (Some(table), None) => TableOrQuery::Table(table),
            (None, Some(query)) => TableOrQuery::Query(query),
            (None, None) => return Err(TableWordError("it says neither")),
            (Some(_), Some(_)) => return Err(TableWordError("it says both")),
        };
        if is_database_file(word) && !others.is_empty() {
            return Err(TableWordError("of a file it takes no other parameter, and & is %26 in a query"));
        }
        let dsn = match others.is_empty() {
            true => database.to_owned(),
            false => format!("{database}?{}", others.join("&")),
        };
        Ok(Self { dsn, what })
    }

    /// The file that the database is.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        file_of(&self.dsn)
    }

    /// What a table that gets its rows would be called.
    #[must_use]
    pub fn stem(&self) -> Option<String> {
        match &self.what {
            TableOrQuery::Table(name) => {
                let name = name.trim_end_matches(['"', '`']);
                name.rsplit(['.', '"', '`']).find(|part| !part.is_empty()).map(ToOwned::to_owned)
            }
            TableOrQuery::Query(_) => None,
        }
    }
}

/// Why a database gives no (further) rows.
#[derive(Debug)]
pub struct TableError {
    /// The error, in its own words.
    pub source: Box<dyn Error + Send + Sync>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Texts of the values of a key, in its order.
pub(super) type KeyText = Vec<String>;

/// The rows behind one key, up to and with another one.
#[derive(Debug, Clone, Default)]
pub struct RowsBetween {
    /// None: from the first row on.
    pub behind: Option<Vec<String>>,
    /// None: up to the last row.
    pub up_to: Option<Vec<String>>,
}

/// Databases whose tables are sources.
pub trait Databases: Send + Sync {
    /// Opens what a word names: all that is read of it is one state of it.
    fn open<'a>(&'a self, word: &'a str) -> BoxFuture<'a, Result<Box<dyn TableReader>, TableError>>;

    /// Names of the tables of a file; none: it is no database, or cannot be read.
    fn tables_of<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Vec<String>>;
}

/// A table that is open for reading.
pub trait TableReader: Send + Sync {
    /// Names and types of its columns, in the order of their values in rows; an empty type: their texts say
    /// it.
    fn columns(&self) -> &[(String, String)];

    /// Places of the columns by whose values its rows are sorted and told apart; empty: there are none.
    fn key(&self) -> &[usize];

    /// Begins to read rows, in the order of the key if there is one.
    fn begin(&mut self, range: RowsBetween) -> BoxFuture<'_, Result<(), TableError>>;

    /// The next rows: lines in the text format of COPY; `None` behind the last. Cancelled, it loses none.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TableError>>;
}

/// The value of a field in the text format of COPY; `None`: NULL, or no text.
pub(super) fn value_of(field: &[u8]) -> Option<String> {
    if field == b"\\N" {
        return None;
    }
    let mut text = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(&byte) = bytes.next() {
        text.push(match byte {
            // A server writes these, and no other escapes.
            b'\\' => match bytes.next()? {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => *other,
            },
            other => other,
        });
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_a_connection_string_and_a_table_or_a_query() {
        let table = |name: &str| TableOrQuery::Table(name.to_owned());
        for (word, dsn, what) in [
            ("postgres://h/d?table=t", "postgres://h/d", table("t")),
            (
                "postgresql://u@h:1/d?sslmode=require&table=s.t&connect_timeout=3",
                "postgresql://u@h:1/d?sslmode=require&connect_timeout=3",
                table("s.t"),
            ),
            ("postgres:///d?host=/tmp&table=%22a%26b%22", "postgres:///d?host=/tmp", table("\"a&b\"")),
            ("postgres://h/d?query=SELECT%201", "postgres://h/d", TableOrQuery::Query("SELECT 1".to_owned())),
        ] {
            assert_eq!(TableWord::parse(word), Ok(TableWord { dsn: dsn.to_owned(), what }), "{word}");
        }
        for word in ["postgres://h/d", "postgres://h/d?table=a&table=b", "postgres://h/d?table=a&query=b"] {
            assert!(TableWord::parse(word).is_err(), "{word}");
        }
        for (word, stem) in [("s.t", "t"), ("t", "t"), ("\"S\".\"T x\"", "T x")] {
            let word = format!("postgres://h/d?table={word}");
            assert_eq!(TableWord::parse(&word).unwrap().stem().as_deref(), Some(stem), "{word}");
        }
        assert!(is_database("POSTGRES://h") && !is_database("oracle://h") && !is_database("postgres"));
        for word in ["mysql://h/d?table=t", "MariaDB://h/d", "mysql+pymysql://h/d"] {
            assert!(is_mysql(word) && is_database_server(word), "{word}");
        }
        assert!(!is_mysql("postgres://h"));
        assert!(is_database("sqlite://a.db?table=t") && !is_database_server("sqlite://a.db?table=t"));
    }

    #[test]
    fn a_word_of_a_file_has_a_path_and_means_the_same_everywhere() {
        for (word, path) in [
            ("sqlite://shop.db?table=t", "shop.db"),
            ("sqlite:///x/my shop.db?table=t", "/x/my shop.db"),
            ("SQLITE:///x/my%20shop%3F.db?query=SELECT%201", "/x/my shop?.db"),
            ("sqlite://100%.db?table=t", "100%.db"),
        ] {
            assert_eq!(TableWord::parse(word).unwrap().file(), Some(PathBuf::from(path)), "{word}");
            let everywhere = absolute(word).unwrap();
            assert_eq!(absolute(&everywhere).unwrap(), everywhere);
            let file = TableWord::parse(&everywhere).unwrap().file();
            assert_eq!(file, Some(std::path::absolute(path).unwrap()), "{word}");
        }
        let word = word_of_file(Path::new("it's 5% of?.db"), "a&b c");
        assert_eq!(word, "sqlite://it%27s%205%25%20of%3F.db?table=a%26b%20c");
        let parts = TableWord::parse(&word).unwrap();
        assert_eq!(parts.file(), Some(PathBuf::from("it's 5% of?.db")));
        assert_eq!(parts.what, TableOrQuery::Table("a&b c".to_owned()));
        assert_eq!(absolute("postgres://h/d?table=t").unwrap(), "postgres://h/d?table=t");
        assert!(TableWord::parse("sqlite://a.db?table=t&mode=rw").is_err());
        assert_eq!(TableWord::parse("postgres://h/d?table=t").unwrap().file(), None);
    }

    #[test]
    fn values_are_what_a_server_wrote() {
        for (field, value) in [
            ("a", Some("a")),
            ("", Some("")),
            ("\\N", None),
            ("a\\tb\\nc\\\\d\\r", Some("a\tb\nc\\d\r")),
            ("\\\\N", Some("\\N")),
        ] {
            assert_eq!(value_of(field.as_bytes()).as_deref(), value, "{field}");
        }
    }
}
