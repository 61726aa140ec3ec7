//! One throwaway server for a whole test process, and a fresh database on it for each test.
//!
//! The server is in a static, which Rust never drops: it goes when the process ends, by the watchdog of
//! [`super::temp`]. A process that runs one test only (cargo nextest) pays for a server of its own, about 0.4
//! s.

use super::{Options, Result, TempServer};
use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

static SERVER: OnceLock<SharedServer> = OnceLock::new();
/// Held while the server is made, so that tests that start together make one.
static MAKING: Mutex<()> = Mutex::new(());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The server that all tests of this process share. Whoever wants to kill one takes a [`TempServer`].
#[derive(Debug)]
pub struct SharedServer {
    server: TempServer,
}

impl SharedServer {
    /// The shared server, started by whoever asks first.
    ///
    /// # Errors
    /// It cannot be started; the next to ask tries again.
    pub fn get() -> Result<&'static Self> {
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if SERVER.get().is_none() {
            // Tests run side by side, each with a pool.
            let server = TempServer::start(Options::default().in_memory().conf("max_connections = 200"))?;
            let _ = SERVER.set(Self { server });
        }
        Ok(SERVER.get_or_init(|| unreachable!("set above, under the lock")))
    }

    /// An empty database of its own, dropped with the value.
    ///
    /// # Errors
    /// The server refuses.
    pub fn fresh_database(&'static self) -> Result<FreshDatabase> {
        let name = format!("fresh_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.server.create_database(&name)?;
        Ok(FreshDatabase { server: &self.server, name })
    }

    /// The shared server that the database is on.
    #[must_use]
    pub fn server(&self) -> &TempServer {
        &self.server
    }
}

/// A database of one test, dropped with the value.
#[derive(Debug)]
pub struct FreshDatabase {
    server: &'static TempServer,
    name: String,
}

impl FreshDatabase {
    /// The URL that clients connect with.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.dsn(&self.name)
    }

    /// Name of the database on the shared server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server it is on.
    #[must_use]
    pub fn server(&self) -> &'static TempServer {
        self.server
    }

    /// Runs statements in it, one by one.
    ///
    /// # Errors
    /// One of them fails: those before it have taken effect.
    pub fn execute(&self, statements: &[&str]) -> Result<()> {
        self.server.execute(&self.name, statements)
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        // A server that is gone took the database with it.
        let _ = self.server.drop_database(&self.name);
    }
}
