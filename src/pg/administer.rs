//! Statements of an administrator on a server of our own: each outside a transaction, on one connection
//! without TLS.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

use super::db_error::DbError;
use super::outcome::{StatementResult, outcomes};

/// A connection of an administrator.
pub struct Administrator {
    client: Client,
    driver: JoinHandle<()>,
}

impl Administrator {
    /// Opens one.
    ///
    /// # Errors
    /// The URL cannot be read, or its server does not let us in.
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        let config: Config = url.parse()?;
        let (client, connection) = config.connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer gets the error too.
            let _ = connection.await;
        });
        Ok(Self { client, driver })
    }

    /// Runs statements; one outcome each, up to the first that fails.
    ///
    /// # Errors
    /// The server refuses one, or is gone.
    pub async fn run(&self, sql: &str) -> Result<Vec<StatementResult>, DbError> {
        Ok(outcomes(self.client.simple_query(sql).await?))
    }

    /// Waits until the server has closed its side too: no connection is left in the way of a DROP DATABASE.
    pub async fn close(self) {
        drop(self.client);
        let _ = self.driver.await;
    }
}

/// Runs statements one by one, and waits until the server has closed its side too.
///
/// # Errors
/// The server refuses one, or is not there.
pub async fn administer(url: &str, statements: &[String]) -> Result<(), DbError> {
    let administrator = Administrator::connect(url).await?;
    for statement in statements {
        administrator.run(statement).await?;
    }
    administrator.close().await;
    Ok(())
}
