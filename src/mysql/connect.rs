//! A connection to a server, set up for reading one state of it.

use futures::TryStreamExt as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use super::error::MysqlError;
use super::server::{MysqlServer, TlsRule};
use crate::row_text::push_digits;

/// What a server may have been set up to do to those who read long and slowly: it ends statements, gives up
/// writing to them, or counts rows. A writer that waits for PostgreSQL reads nothing for minutes.
/// What only one of the two makes of servers knows stands in comments that only that one reads.
const READ_ALL: &str = "SET SESSION net_write_timeout = 31536000, net_read_timeout = 31536000, wait_timeout = 31536000, \
    sql_select_limit = 18446744073709551615, sql_big_selects = 1, character_set_results = utf8mb4 \
    /*M!100103 , max_statement_time = 0 */ /*M!100300 , idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0 */ \
    /*!50708 , max_execution_time = 0 */";

/// One state of all tables of InnoDB, and nothing is written.
const BEGIN: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
];

/// Opens a connection, and begins the one transaction in which all is read.
pub(super) async fn connect(server: &MysqlServer) -> Result<MySqlConnection, MysqlError> {
    let place = server.describe();
    let opened = tokio::time::timeout(server.connects_for, options(server).connect()).await;
    let late = |_| MysqlError::Connect {
        place: place.clone(),
        source: format!("no answer within {} s", server.connects_for.as_secs()).into(),
    };
    let mut connection =
        opened.map_err(late)?.map_err(|error| MysqlError::of_connect(place.clone(), error))?;
    ask(&mut connection, READ_ALL).await?;
    for statement in BEGIN {
        ask(&mut connection, statement).await?;
    }
    Ok(connection)
}

fn options(server: &MysqlServer) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .charset("utf8mb4")
        // An instant is written in the zone of the session.
        .timezone(Some("+00:00".to_owned()))
        // A query means what it means elsewhere.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(0)
        .ssl_mode(match server.tls.mode {
            TlsRule::Disabled => MySqlSslMode::Disabled,
            TlsRule::Preferred => MySqlSslMode::Preferred,
            TlsRule::Required => MySqlSslMode::Required,
            TlsRule::VerifyCa => MySqlSslMode::VerifyCa,
            TlsRule::VerifyIdentity => MySqlSslMode::VerifyIdentity,
        })
        // Values of keys stand in statements.
        .disable_statement_logging();
    if let Some(socket) = &server.socket {
        options = options.socket(socket);
    }
    if let Some(password) = &server.password {
        options = options.password(password.reveal());
    }
    if let Some(database) = &server.database {
        options = options.database(database);
    }
    if let Some(authority) = &server.tls.authority {
        options = options.ssl_ca(authority);
    }
    if let (Some(certificate), Some(key)) = (&server.tls.certificate, &server.tls.key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
}

/// The rows of a statement of our own, as texts.
pub(super) async fn ask(
    connection: &mut MySqlConnection,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>, MysqlError> {
    let text = |row: MySqlRow| {
        (0..row.len())
            .map(|place| {
                let value: Option<&[u8]> = row.try_get_unchecked(place)?;
                Ok(value.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            })
            .collect::<Result<Vec<_>, sqlx::Error>>()
    };
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch(connection);
    Ok(rows.and_then(|row| std::future::ready(text(row))).try_collect().await?)
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as SQL has it, whatever the server takes for an escape.
pub(super) fn text_literal(text: &str) -> String {
    let mut digits = Vec::with_capacity(2 * text.len());
    push_digits(&mut digits, text.as_bytes());
    format!("_utf8mb4 X'{}'", String::from_utf8_lossy(&digits))
}
