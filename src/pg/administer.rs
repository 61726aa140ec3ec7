//! Statements of an administrator on a server of our own: each outside a transaction, on one connection
//! without TLS.

use tokio_postgres::{Config, NoTls};

use super::db_error::DbError;

/// Runs statements one by one, and waits until the server has closed its side too: no connection is left in
/// the way of a DROP DATABASE.
pub async fn administer(url: &str, statements: &[String]) -> Result<(), DbError> {
    let config: Config = url.parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    let connection = tokio::spawn(connection);
    for statement in statements {
        client.batch_execute(statement).await?;
    }
    drop(client);
    let _ = connection.await;
    Ok(())
}
