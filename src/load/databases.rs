//! Tables of databases as sources: who opens them, and what must not be read.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::input::{
    Databases, RowsBetween, TableError, TableOrQuery, TableReader, TableWord, is_database_server, is_mysql,
};
use crate::job::{Job, SourceDatabase, SourceServer};
use crate::mysql::{self, MysqlError, MysqlServer, MysqlTable, MysqlWordError, ZeroDates};
use crate::pg::dsn::without_password;
use crate::pg::{
    ConnInfo, DsnError, Session, SourceTable, SourceTableError, TableName, connect_pool, identity,
};
use crate::plan::Refusal;
use crate::prepared::LoadError;
use crate::sqlite::{SqliteError, SqliteTable, tables_of};

/// Finds the words of a job that are servers of databases: what they are connected with is kept beside them,
/// and the words have no password any more, since they are shown and stored.
///
/// `read`: connection strings of PostgreSQL; `env`: the variables that clients of MySQL know.
///
/// # Errors
/// When a connection string cannot be read.
pub fn name_databases(
    job: &mut Job,
    read: impl Fn(&str) -> Result<ConnInfo, DsnError>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(), SourceServerError> {
    for word in job.sources.iter_mut().filter(|word| is_database_server(word)) {
        // One that names no table is refused where words are read.
        let Ok(parts) = TableWord::parse(word) else { continue };
        let server = match is_mysql(word) {
            true => SourceServer::Mysql(Box::new(MysqlServer::parse(&parts.dsn, env)?)),
            false => SourceServer::Postgres(Box::new(read(&parts.dsn)?)),
        };
        *word = word_without_password(word);
        job.databases.push(SourceDatabase { word: word.clone(), server });
    }
    Ok(())
}

/// The word of a table as it may be shown and stored.
pub(super) fn word_without_password(word: &str) -> String {
    if is_mysql(word) { mysql::without_password(word) } else { without_password(word).0 }
}

/// Why a connection string of a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceServerError {
    /// One of PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] DsnError),
    /// One of MySQL.
    #[error(transparent)]
    Mysql(#[from] MysqlWordError),
}

/// The databases of a job's sources: its servers, and files.
struct OfJob {
    servers: Vec<SourceDatabase>,
    zero_dates: ZeroDates,
}

/// Who opens the tables that are sources of a job.
#[must_use]
pub fn source_databases(job: &Job) -> Arc<dyn Databases> {
    Arc::new(OfJob { servers: job.databases.clone(), zero_dates: job.zero_dates })
}

impl Databases for OfJob {
    fn open<'a>(&'a self, word: &'a str) -> BoxFuture<'a, Result<Box<dyn TableReader>, TableError>> {
        Box::pin(async move {
            let missing = |_| told(SourceTableError::Missing(word.to_owned()));
            let parts = TableWord::parse(word).map_err(missing)?;
            if let Some(file) = parts.file() {
                let table = match &parts.what {
                    TableOrQuery::Table(name) => SqliteTable::of_table(&file, name).await,
                    TableOrQuery::Query(query) => SqliteTable::of_query(&file, query).await,
                };
                return Ok(Box::new(OfFile(table.map_err(said)?)) as Box<dyn TableReader>);
            }
            let found = self.servers.iter().find(|known| known.word == word);
            let found = found.ok_or_else(|| told(SourceTableError::Missing(word.to_owned())))?;
            let zero = self.zero_dates;
            Ok(match (&found.server, &parts.what) {
                (SourceServer::Postgres(dsn), what) => {
                    let table = match what {
                        TableOrQuery::Table(name) => SourceTable::of_table(dsn, name).await,
                        TableOrQuery::Query(query) => SourceTable::of_query(dsn, query).await,
                    };
                    Box::new(OfPostgres(table.map_err(told)?))
                }
                (SourceServer::Mysql(server), what) => {
                    let table = match what {
                        TableOrQuery::Table(name) => MysqlTable::of_table(server, name, zero).await,
                        TableOrQuery::Query(query) => MysqlTable::of_query(server, query, zero).await,
                    };
                    Box::new(OfMysql(table.map_err(of_mysql)?))
                }
            })
        })
    }

    fn tables_of<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async move { tables_of(file).await.unwrap_or_default() })
    }
}

fn told(error: SourceTableError) -> TableError {
    TableError { hint: error.hint(), source: error.into() }
}

fn said(error: SqliteError) -> TableError {
    TableError { hint: error.hint().map(ToOwned::to_owned), source: error.into() }
}

fn of_mysql(error: MysqlError) -> TableError {
    TableError { hint: error.hint().map(ToOwned::to_owned), source: error.into() }
}

/// A table of a file of SQLite.
struct OfFile(SqliteTable);

impl TableReader for OfFile {
    fn columns(&self) -> &[(String, String)] {
        self.0.columns()
    }

    fn key(&self) -> &[usize] {
        self.0.key()
    }

    fn begin(&mut self, range: RowsBetween) -> BoxFuture<'_, Result<(), TableError>> {
        Box::pin(
            async move { self.0.begin(range.behind.as_deref(), range.up_to.as_deref()).await.map_err(said) },
        )
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TableError>> {
        Box::pin(async move { self.0.next().await.map_err(said) })
    }
}

/// A table of PostgreSQL.
struct OfPostgres(SourceTable);

impl TableReader for OfPostgres {
    fn columns(&self) -> &[(String, String)] {
        self.0.columns()
    }

    fn key(&self) -> &[usize] {
        self.0.key()
    }

    fn begin(&mut self, range: RowsBetween) -> BoxFuture<'_, Result<(), TableError>> {
        Box::pin(
            async move { self.0.begin(range.behind.as_deref(), range.up_to.as_deref()).await.map_err(told) },
        )
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TableError>> {
        Box::pin(async move { self.0.next().await.map_err(told) })
    }
}

/// A table of MySQL.
struct OfMysql(MysqlTable);

impl TableReader for OfMysql {
    fn columns(&self) -> &[(String, String)] {
        self.0.columns()
    }

    fn key(&self) -> &[usize] {
        self.0.key()
    }

    fn begin(&mut self, range: RowsBetween) -> BoxFuture<'_, Result<(), TableError>> {
        Box::pin(async move {
            self.0.begin(range.behind.as_deref(), range.up_to.as_deref()).await.map_err(of_mysql)
        })
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TableError>> {
        Box::pin(async move { self.0.next().await.map_err(of_mysql) })
    }
}

/// Refuses to load a table into itself: what is written would be read, and written again.
///
/// # Errors
/// When one of the sources is the target.
pub(super) async fn refuse_itself(job: &Job, session: &Session, target: &TableName) -> Result<(), LoadError> {
    for SourceDatabase { word, server } in &job.databases {
        let SourceServer::Postgres(dsn) = server else { continue };
        let Ok(TableWord { what: TableOrQuery::Table(name), .. }) = TableWord::parse(word) else { continue };
        let Ok(name) = TableName::parse(&name) else { continue };
        let asked = async {
            let pool = connect_pool(dsn, 1).await.ok()?;
            let there = Session::open(&pool).await.ok()?;
            identity(&there, &name).await.ok()?
        };
        // Who cannot be asked is no source either, and says so when it is opened.
        let Some(source) = asked.await else { continue };
        let here = identity(session, target).await;
        let here = here.map_err(|source| LoadError::Prepare { doing: "look at the target", source })?;
        if here == Some(source) {
            let message = format!("{word} is the table that is loaded");
            return Err(Refusal::new(message, "a table is no source of itself; name another --table").into());
        }
    }
    Ok(())
}
