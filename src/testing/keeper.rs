//! What a test process keeps as long as it lives: its lock, which says to others that it does, connections to
//! the test server, and clones that are made ahead of those who will ask for them.
//!
//! It is a thread with a runtime of its own, for the runtime of a test ends with the test.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::ahead::Maker;
use super::error::TestingCause;
use super::facts::Facts;
use super::hands::{HandAnswers, Hands};
use super::names::{SCHEMA, Tag, USED, Wish};
use super::stock::Stock;
use super::sweep::sweep;
use crate::local::{TestServer, test_suite};
use crate::pg::StatementResult;

/// This process, as test servers know it.
pub(super) struct Keeper {
    pub(super) server: TestServer,
    pub(super) suite: Tag,
    pub(super) owner: Tag,
    pub(super) facts: Facts,
    next: AtomicU64,
    stock: Arc<Mutex<Stock>>,
    schemas: Mutex<Stock>,
    errands: UnboundedSender<Errand>,
}

/// Where statements are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDatabase {
    /// The database that administrators connect to.
    Administration,
    /// The one whose schemas tests have.
    Schemas,
}

/// What its thread is asked for.
enum Errand {
    Run(OnDatabase, String, Box<dyn FnOnce(HandAnswers) + Send>),
    Make(Wish),
}

static KEEPER: OnceLock<Keeper> = OnceLock::new();
/// Held while it is made, so that tests that start together make one.
static MAKING: Mutex<()> = Mutex::new(());

impl Keeper {
    /// The keeper of this process; the first to ask starts the server where there is none, and removes what
    /// dead processes have left. Blocks.
    pub(super) fn get() -> Result<&'static Self, TestingCause> {
        if let Some(keeper) = KEEPER.get() {
            return Ok(keeper);
        }
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = KEEPER.get() {
            return Ok(keeper);
        }
        let server = TestServer::get()?;
        let (owner, suite) = (Tag::drawn(), Tag::of(&test_suite()));
        let (errands, heard) = unbounded_channel();
        let (tell, told) = mpsc::channel();
        let stock = Arc::<Mutex<Stock>>::default();
        let (of_thread, of_maker) = (server.clone(), Arc::clone(&stock));
        let thread = std::thread::Builder::new().name("dbload-keeper".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(keep(
                    &of_thread,
                    OfProcess { owner, suite, stock: of_maker },
                    &tell,
                    heard,
                )),
                Err(error) => drop(tell.send(Err(TestingCause::Thread(error.to_string())))),
            }
        });
        thread.map_err(|error| TestingCause::Thread(error.to_string()))?;
        let facts = told.recv().map_err(|_| TestingCause::Thread("it said nothing".to_owned()))??;
        let (next, schemas) = (AtomicU64::new(1), Mutex::default());
        Ok(KEEPER.get_or_init(|| Self { server, suite, owner, facts, next, stock, schemas, errands }))
    }

    /// A number that no other of this process has.
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A name for a database that a test of this process uses.
    pub(super) fn name(&self) -> String {
        format!("{USED}{}_{}_{}", self.suite, self.owner, self.number())
    }

    /// A name for a schema that a test of this process uses.
    pub(super) fn schema_name(&self) -> String {
        format!("{SCHEMA}{}_{}_{}", self.suite, self.owner, self.number())
    }

    pub(super) fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Schemas that came back, by the hash of their recipe.
    pub(super) fn schemas(&self) -> MutexGuard<'_, Stock> {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs statements on the server.
    pub(super) async fn run(
        &self,
        place: OnDatabase,
        doing: &str,
        sql: String,
    ) -> Result<Vec<StatementResult>, TestingCause> {
        let (tell, told) = oneshot::channel();
        self.ask(place, sql, move |answers| drop(tell.send(answers)));
        let answers = told.await.map_err(|_| gone())?;
        answers.map_err(TestingCause::server(doing))
    }

    /// As `run`, from anywhere. Blocks.
    pub(super) fn run_here(
        &self,
        place: OnDatabase,
        doing: &str,
        sql: String,
    ) -> Result<Vec<StatementResult>, TestingCause> {
        let (tell, told) = mpsc::channel();
        self.ask(place, sql, move |answers| drop(tell.send(answers)));
        let answers = told.recv().map_err(|_| gone())?;
        answers.map_err(TestingCause::server(doing))
    }

    fn ask(&self, place: OnDatabase, sql: String, tell: impl FnOnce(HandAnswers) + Send + 'static) {
        let _ = self.errands.send(Errand::Run(place, sql, Box::new(tell)));
    }

    /// Has clones made ahead; nobody waits for them.
    pub(super) fn wish(&self, wish: Wish) {
        let _ = self.errands.send(Errand::Make(wish));
    }
}

fn gone() -> TestingCause {
    TestingCause::Thread("nobody does what it is asked for".to_owned())
}

/// What the thread knows of its process.
struct OfProcess {
    owner: Tag,
    suite: Tag,
    stock: Arc<Mutex<Stock>>,
}

/// Takes the lock, removes what others have left, tells that it is ready, and does what it is asked for until
/// the process ends.
async fn keep(
    server: &TestServer,
    known: OfProcess,
    tell: &mpsc::Sender<Result<Facts, TestingCause>>,
    heard: UnboundedReceiver<Errand>,
) {
    let begun = async {
        let hands = Hands::open(server.url(), known.owner).await;
        let hands = hands.map_err(TestingCause::server("connect to the test server"))?;
        sweep(&hands, known.suite).await?;
        let facts = Facts::ask(&hands).await?;
        Ok((hands, facts))
    };
    match begun.await {
        Err(cause) => drop(tell.send(Err(cause))),
        Ok((hands, facts)) => {
            let maker = Maker { owner: known.owner, strategy: facts.strategy, stock: known.stock, made: 0 };
            let schemas = Hands::new(&facts.schemas_url(server), known.owner);
            let _ = tell.send(Ok(facts));
            let serving = serve(Rc::new(hands), Rc::new(schemas), maker, heard);
            tokio::task::LocalSet::new().run_until(serving).await;
        }
    }
}

async fn serve(hands: Rc<Hands>, schemas: Rc<Hands>, mut maker: Maker, mut heard: UnboundedReceiver<Errand>) {
    let (wish, mut wished) = unbounded_channel::<Wish>();
    let of_maker = Rc::clone(&hands);
    tokio::task::spawn_local(async move {
        while let Some(mut wish) = wished.recv().await {
            // The last one counts.
            while let Ok(later) = wished.try_recv() {
                wish = later;
            }
            // Whoever finds none ready makes one, and says why that cannot be done.
            if let Err(error) = maker.make(&of_maker, wish).await {
                tracing::debug!(%error, "no clone was made ahead");
            }
        }
    });
    while let Some(errand) = heard.recv().await {
        match errand {
            Errand::Make(made) => drop(wish.send(made)),
            Errand::Run(place, sql, tell) => {
                let hands = Rc::clone(match place {
                    OnDatabase::Administration => &hands,
                    OnDatabase::Schemas => &schemas,
                });
                tokio::task::spawn_local(async move { tell(hands.run(&sql).await) });
            }
        }
    }
}
