//! What a test process keeps as long as it lives: its lock, which says to others that it does, and a
//! connection that makes clones ahead of those who will ask for them.
//!
//! It is a thread with a runtime of its own, for the runtime of a test ends with the test.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::clone::make_ready;
use super::error::TestingCause;
use super::names::{OWNERS, Tag, Wish};
use super::sweep::sweep;
use crate::local::{TestServer, test_suite};
use crate::pg::Administrator;

/// This process, as test servers know it.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) server: TestServer,
    pub(super) owner: Tag,
    pub(super) suite: Tag,
    next: AtomicU64,
    wishes: UnboundedSender<Wish>,
}

/// Clones are made ahead once no test has asked for one for so long.
const QUIET: Duration = Duration::from_millis(20);

static KEEPER: OnceLock<Keeper> = OnceLock::new();
/// Held while it is made, so that tests that start together make one.
static MAKING: Mutex<()> = Mutex::new(());

impl Keeper {
    /// The keeper of this process; the first to ask starts the server where there is none, and removes what
    /// dead processes have left. Blocks.
    pub(super) fn get() -> Result<&'static Self, TestingCause> {
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = KEEPER.get() {
            return Ok(keeper);
        }
        let server = TestServer::get()?;
        let (owner, suite) = (Tag::drawn(), Tag::of(&test_suite()));
        let (wishes, heard) = unbounded_channel();
        let (tell, told) = mpsc::channel();
        let url = server.url().to_owned();
        let thread = std::thread::Builder::new().name("dbload-keeper".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(keep(&url, owner, suite, &tell, heard)),
                Err(error) => drop(tell.send(Err(TestingCause::Thread(error.to_string())))),
            }
        });
        thread.map_err(|error| TestingCause::Thread(error.to_string()))?;
        told.recv().map_err(|_| TestingCause::Thread("it said nothing".to_owned()))??;
        Ok(KEEPER.get_or_init(|| Self { server, owner, suite, next: AtomicU64::new(1), wishes }))
    }

    /// A number that no other of this process has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Has clones made ahead; nobody waits for them.
    pub(super) fn wish(&self, wish: Wish) {
        let _ = self.wishes.send(wish);
    }
}

/// Takes the lock, tells that it has it, and makes what is wished for until the process ends.
async fn keep(
    url: &str,
    owner: Tag,
    suite: Tag,
    tell: &mpsc::Sender<Result<(), TestingCause>>,
    mut wishes: UnboundedReceiver<Wish>,
) {
    let begun = async {
        let administrator =
            Administrator::connect(url).await.map_err(TestingCause::server("connect to the test server"))?;
        let lock = format!("SELECT pg_catalog.pg_advisory_lock({OWNERS}, {})", owner.lock());
        administrator.run(&lock).await.map_err(TestingCause::server("lock what this process makes"))?;
        sweep(&administrator, suite).await?;
        Ok(administrator)
    };
    let administrator = match begun.await {
        Ok(administrator) => administrator,
        Err(cause) => return drop(tell.send(Err(cause))),
    };
    let _ = tell.send(Ok(()));
    let mut made = 0_u64;
    while let Some(mut wish) = wishes.recv().await {
        // As long as tests ask, all of the machine is theirs.
        while let Ok(Some(later)) = tokio::time::timeout(QUIET, wishes.recv()).await {
            wish = later;
        }
        // Whoever finds none ready makes one, and says why that cannot be done.
        if let Err(error) = make_ready(&administrator, wish, owner, &mut made).await {
            tracing::debug!(%error, "no clone was made ahead");
        }
    }
}
