//! The database as somebody else sees it: plain SQL, values as text, content digests. Blocking, one
//! connection.

use dbload::internals::local::{FreshDatabase, SharedServer};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// One field as text; nothing is NULL.
pub type Text = Option<String>;

pub struct Database {
    runtime: Runtime,
    client: Client,
    url: String,
    // Dropped last: it drops the database.
    _fresh: Option<FreshDatabase>,
}

impl Database {
    /// An empty database on the server that all tests of this process share.
    pub fn fresh() -> Self {
        let fresh =
            SharedServer::get().expect("a throwaway server").fresh_database().expect("a fresh database");
        let url = fresh.url();
        Self { _fresh: Some(fresh), ..Self::connect(&url) }
    }

    pub fn connect(url: &str) -> Self {
        Self::try_connect(url).unwrap_or_else(|e| panic!("{url}: {e}"))
    }

    pub fn try_connect(url: &str) -> Result<Self, tokio_postgres::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
        // Runs whenever this runtime does; an error shows at the next statement.
        runtime.spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { runtime, client, url: url.to_owned(), _fresh: None })
    }

    /// Another connection to the same database.
    pub fn another(&self) -> Self {
        Self::connect(&self.url)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Host, port and name as the report prints them are not known here, but the name is.
    pub fn name(&self) -> String {
        self.one("SELECT current_database()")
    }

    /// Runs statements.
    #[track_caller]
    pub fn sql(&self, sql: &str) {
        self.try_sql(sql).unwrap_or_else(|e| panic!("{}\n{sql}", describe(&e)));
    }

    pub fn try_sql(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.runtime.block_on(self.client.batch_execute(sql))
    }

    /// Runs one or more statements; the rows of all that have any, and the most rows that one of them
    /// touched.
    pub fn try_rows(&self, sql: &str) -> Result<(Vec<Vec<Text>>, u64), tokio_postgres::Error> {
        let (mut rows, mut touched) = (vec![], 0);
        for message in self.runtime.block_on(self.client.simple_query(sql))? {
            match message {
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
                }
                SimpleQueryMessage::CommandComplete(count) => touched = touched.max(count),
                _ => {}
            }
        }
        Ok((rows, touched))
    }

    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Vec<Text>> {
        self.try_rows(sql).unwrap_or_else(|e| panic!("{}\n{sql}", describe(&e))).0
    }

    /// Rows for people and for comparison: fields joined by `|`, NULL spelt out.
    #[track_caller]
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let show = |row: Vec<Text>| {
            row.into_iter().map(|f| f.unwrap_or_else(|| "NULL".to_owned())).collect::<Vec<_>>().join("|")
        };
        self.rows(sql).into_iter().map(show).collect()
    }

    /// What `COPY .. TO STDOUT` writes.
    #[track_caller]
    pub fn copy_out(&self, sql: &str) -> String {
        use futures::TryStreamExt as _;
        let read = async {
            let stream = self.client.copy_out(sql).await?;
            std::pin::pin!(stream)
                .try_fold(vec![], async |mut all, part| {
                    all.extend_from_slice(&part);
                    Ok(all)
                })
                .await
        };
        let bytes = self.runtime.block_on(read).unwrap_or_else(|e| panic!("{}\n{sql}", describe(&e)));
        String::from_utf8(bytes).unwrap()
    }

    /// The one field of the one row.
    #[track_caller]
    pub fn one(&self, sql: &str) -> String {
        let lines = self.lines(sql);
        assert_eq!(lines.len(), 1, "{sql}");
        lines.into_iter().next().unwrap()
    }

    #[track_caller]
    pub fn count(&self, table: &str) -> u64 {
        self.one(&format!("SELECT count(*) FROM {table}")).parse().unwrap()
    }

    /// Count and content digest of a table or `(query) x`: equal if and only if the rows are, in whatever
    /// order.
    #[track_caller]
    pub fn digest(&self, table: &str) -> String {
        self.lines(&format!(
            "SELECT count(*), md5(string_agg(md5(x::text), '' ORDER BY md5(x::text))) FROM (SELECT * FROM {table}) x"
        ))
        .remove(0)
    }

    /// Waits until some session of this database waits for a lock.
    #[track_caller]
    pub fn until_blocked(&self) {
        self.until(
            "a session waits for a lock",
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
    }

    /// Waits until what others have sent has ended: the last of a killed load may still commit.
    #[track_caller]
    pub fn until_quiet(&self) {
        self.until(
            "what was in flight has ended",
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
    }

    /// Waits until the sessions of others are gone: what they counted is told by then.
    #[track_caller]
    pub fn until_alone(&self) {
        self.until(
            "all sessions have ended",
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: &str) {
        let began = std::time::Instant::now();
        while self.one(is_so) != "t" {
            assert!(began.elapsed() < std::time::Duration::from_secs(30), "never: {what}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Whether there is such a table.
    pub fn has_table(&self, name: &str) -> bool {
        self.one(&format!("SELECT to_regclass({}) IS NOT NULL", literal(name))) == "t"
    }

    /// Names and types of the columns, in order.
    pub fn columns(&self, table: &str) -> Vec<String> {
        self.lines(&format!(
            "SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute \
             WHERE attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            literal(table)
        ))
    }

    /// Bytes of WAL up to now.
    pub fn wal(&self) -> u64 {
        self.one("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").parse().unwrap()
    }
}

/// An error with what it says about the data.
pub fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(e) => format!("{} {} {}", e.code().code(), e.message(), e.detail().unwrap_or("")),
        None => error.to_string(),
    }
}

/// A string constant, as of `standard_conforming_strings = on`.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A quoted identifier.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
