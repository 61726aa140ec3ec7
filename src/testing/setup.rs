//! What a test says of the database that it wants.

use std::future::{Future, IntoFuture};
use std::path::PathBuf;

use futures::future::BoxFuture;

use super::clone::take;
use super::database::{Owned, TestDatabase};
use super::error::{BoxError, TestingCause, TestingError};
use super::keeper::Keeper;
use super::names::Wish;
use super::recipe::{Recipe, Sources};
use super::schemas;
use super::template::{NamedMigrations, ensure, load};
use crate::local::test_threads;
use crate::seed::Chosen;

/// A database that a test wants. Nothing happens before it is awaited, or [`wait`](DatabaseSetup::wait) is
/// called.
///
/// What is said more than once is done in that order: schema, migrations of a folder, migrations by name,
/// fixtures.
#[must_use = "nothing happens before it is awaited"]
pub struct DatabaseSetup {
    sources: Sources,
    migrate: Option<NamedMigrations>,
    ahead: Option<usize>,
    is_by_schema: bool,
}

impl DatabaseSetup {
    pub(super) fn new() -> Self {
        Self { sources: Sources::default(), migrate: None, ahead: None, is_by_schema: false }
    }

    /// A file of SQL, such as `pg_dump --schema-only` writes.
    pub fn schema(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.schema.push(path.into());
        self
    }

    /// A folder of migrations of sqlx (`1_a.sql`), refinery (`V1__a.sql`) or diesel (`1_a/up.sql`). Their
    /// texts are run; no table of done ones is kept.
    pub fn migrations_in(mut self, dir: impl Into<PathBuf>) -> Self {
        self.sources.migrations = Some(dir.into());
        self
    }

    /// Migrations of any kind, over the URL of a new database. They are known by the name alone: another name
    /// is another template.
    pub fn migrations<F, E>(mut self, name: &str, run: impl FnOnce(String) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.sources.named = Some(name.to_owned());
        let run = move |url| -> BoxFuture<'static, Result<(), BoxError>> {
            let migrated = run(url);
            Box::pin(async { migrated.await.map_err(Into::into) })
        };
        self.migrate = Some(NamedMigrations { name: name.to_owned(), run: Box::new(run) });
        self
    }

    /// A folder of fixtures. A row with a moment (`$now-3d`) gets it when the test does.
    pub fn fixtures(mut self, dir: impl Into<PathBuf>) -> Self {
        self.sources.fixtures.push(dir.into());
        self
    }

    /// Clones that are kept ready for the tests that come; by default as many as tests run at the same time.
    pub fn ahead(mut self, clones: usize) -> Self {
        self.ahead = Some(clones);
        self
    }

    /// A schema of its own in place of a database, told by `search_path` in the URL: for schemas that are
    /// small, and name none.
    pub fn by_schema(mut self) -> Self {
        self.is_by_schema = true;
        self
    }

    /// As awaiting it, where nothing can be awaited. Blocks.
    ///
    /// # Errors
    /// As awaiting it.
    pub fn wait(self) -> Result<TestDatabase, TestingError> {
        // A thread of its own: this one may be in a runtime, which refuses to be blocked.
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| TestingCause::Thread(error.to_string()))?;
            runtime.block_on(self.make())
        };
        std::thread::scope(|scope| match scope.spawn(work).join() {
            Ok(made) => Ok(made?),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    async fn make(self) -> Result<TestDatabase, TestingCause> {
        let Self { sources, migrate, ahead, is_by_schema } = self;
        let (keeper, recipe) = blocking(move || Ok((Keeper::get()?, Recipe::read(&sources)?))).await?;
        if is_by_schema {
            schemas::refuse(&recipe)?;
            return schemas::make(keeper, &recipe, migrate).await;
        }
        let template = ensure(keeper, &recipe, migrate).await?;
        let name = take(keeper, &template).await?;
        // From here on it goes with the value.
        let database = TestDatabase::new(keeper, name, Owned::Database);
        keeper.wish(Wish { template: template.key, count: ahead, at_least: test_threads() });
        if recipe.has_moments() {
            load(database.url(), &recipe, Chosen::WithMoments).await?;
        }
        Ok(database)
    }
}

impl IntoFuture for DatabaseSetup {
    type Output = Result<TestDatabase, TestingError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Ok(self.make().await?) })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TestingCause> + Send + 'static,
) -> Result<T, TestingCause> {
    tokio::task::spawn_blocking(work).await.map_err(|error| TestingCause::Thread(error.to_string()))?
}
