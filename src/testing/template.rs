//! Templates: a database that has schema, migrations and fixtures, known by their content. It is built under
//! another name and renamed when it is whole, so that nobody ever clones a half one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as Known, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::copies::{NAME, settings_query, template_name};
use super::error::{BoxError, TestingCause};
use super::hands::first_fields;
use super::keeper::{Keeper, OnDatabase};
use super::names::BUILDING;
use super::recipe::Recipe;
use crate::local::quote;
use crate::pg::{Administrator, ConnInfo, PgError, Session, connect_pool};
use crate::schema::literal;
use crate::seed::{Chosen, SeedOptions, seed};

/// The caller's own migrations, over the URL of a database.
pub(super) type Migrate = Box<dyn FnOnce(String) -> BoxFuture<'static, Result<(), BoxError>> + Send>;

/// Another process may build the template: how often it is asked whether it is there.
const POLL: Duration = Duration::from_millis(10);
/// Longer than any migrations take.
const PATIENCE: Duration = Duration::from_secs(600);

/// One template at a time is built by a process.
static BUILDS: Mutex<()> = Mutex::const_new(());
/// Those that this process has seen, by the hash of their recipe.
static SEEN: Known<BTreeMap<u64, Arc<KnownTemplate>>> = Known::new(BTreeMap::new());

/// A template that is there.
#[derive(Debug)]
pub(super) struct KnownTemplate {
    /// What it is known by.
    pub(super) key: u64,
    /// Statements that say again what the server leaves behind when it clones, with [`NAME`] for the clone.
    pub(super) settings: Vec<String>,
}

impl KnownTemplate {
    /// The statements for a clone of this name.
    pub(super) fn settings_of(&self, name: &str) -> String {
        self.settings.join(";\n").replace(NAME, &quote(name))
    }
}

/// Makes the template, where it is not there yet.
pub(super) async fn ensure(
    keeper: &Keeper,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
) -> Result<Arc<KnownTemplate>, TestingCause> {
    if let Some(template) = seen(recipe) {
        return Ok(template);
    }
    let key = recipe.key(&keeper.facts.version);
    let _one = BUILDS.lock().await;
    if let Some(template) = seen(recipe) {
        return Ok(template);
    }
    if !is_there(keeper, key).await? {
        let administrator = Administrator::connect(keeper.server.url()).await;
        let administrator = administrator.map_err(TestingCause::server("connect to the test server"))?;
        let made = make(&administrator, keeper, recipe, migrate, key).await;
        // The lock goes with it.
        administrator.close().await;
        made?;
    }
    note_use(keeper, key).await?;
    let settings = keeper
        .run(OnDatabase::Administration, "ask what the template sets", settings_query(&template_name(key)))
        .await?;
    let template = Arc::new(KnownTemplate { key, settings: first_fields(settings) });
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.insert(recipe.hash, Arc::clone(&template));
    Ok(template)
}

/// The caller's own migrations, with the name that they are known by.
pub(super) struct NamedMigrations {
    pub(super) name: String,
    pub(super) run: Migrate,
}

fn seen(recipe: &Recipe) -> Option<Arc<KnownTemplate>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).get(&recipe.hash).map(Arc::clone)
}

async fn is_there(keeper: &Keeper, key: u64) -> Result<bool, TestingCause> {
    let question =
        format!("SELECT FROM pg_catalog.pg_database WHERE datname = {}", literal(&template_name(key)));
    let found = keeper.run(OnDatabase::Administration, "look for the template", question).await?;
    Ok(found.first().is_some_and(|outcome| !outcome.rows.is_empty()))
}

/// Its comment says when it was used, to the hour.
async fn note_use(keeper: &Keeper, key: u64) -> Result<(), TestingCause> {
    let name = template_name(key);
    let question = format!(
        "SELECT used.now FROM pg_catalog.pg_database d, \
           (SELECT EXTRACT(epoch FROM pg_catalog.now())::bigint AS now) used \
         WHERE d.datname = {} AND used.now - 3600 > \
           coalesce(NULLIF(pg_catalog.shobj_description(d.oid, 'pg_database'), '')::bigint, 0)",
        literal(&name)
    );
    let due = first_fields(
        keeper.run(OnDatabase::Administration, "ask when the template was used", question).await?,
    );
    let Some(now) = due.first() else { return Ok(()) };
    let comment = format!("COMMENT ON DATABASE {} IS {}", quote(&name), literal(now));
    keeper.run(OnDatabase::Administration, "note that the template is used", comment).await?;
    Ok(())
}

/// Builds it, or waits for whoever does.
async fn make(
    administrator: &Administrator,
    keeper: &Keeper,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
    key: u64,
) -> Result<(), TestingCause> {
    let began = Instant::now();
    let lock = format!("SELECT pg_catalog.pg_try_advisory_lock({})", key.cast_signed());
    loop {
        let locked = administrator.run(&lock).await.map_err(TestingCause::server("lock the template"))?;
        let is_ours = locked.first().and_then(|outcome| outcome.value()) == Some("t");
        // It may have become whole before the lock was free.
        if is_there(keeper, key).await? {
            return Ok(());
        }
        if is_ours {
            return build(administrator, keeper, recipe, migrate, key).await;
        }
        if began.elapsed() > PATIENCE {
            return Err(TestingCause::Refused(
                "another process has been building the template for 10 minutes".to_owned(),
            ));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn build(
    administrator: &Administrator,
    keeper: &Keeper,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
    key: u64,
) -> Result<(), TestingCause> {
    let name = format!("{BUILDING}{}_{}_{key:016x}", keeper.suite, keeper.owner);
    let half = quote(&name);
    let doing = TestingCause::server;
    administrator
        .run(&format!("CREATE DATABASE {half} TEMPLATE template0 STRATEGY {}", keeper.facts.strategy.sql()))
        .await
        .map_err(doing("make a database for the template"))?;
    let filled = fill(&keeper.server.database(&name), recipe, migrate).await;
    if let Err(cause) = filled {
        let _ = administrator.run(&format!("DROP DATABASE IF EXISTS {half} WITH (FORCE)")).await;
        return Err(cause);
    }
    // Whoever has migrated may still be connected, and a database that is in use can be neither renamed nor
    // cloned.
    let template = quote(&template_name(key));
    administrator
        .run(&format!("ALTER DATABASE {half} ALLOW_CONNECTIONS false"))
        .await
        .map_err(doing("close the template"))?;
    let began = Instant::now();
    loop {
        administrator
            .run(&format!(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = {}",
                literal(&name)
            ))
            .await
            .map_err(doing("end the sessions in the template"))?;
        match administrator.run(&format!("ALTER DATABASE {half} RENAME TO {template}")).await {
            Ok(_) => break,
            Err(source) if began.elapsed() > PATIENCE => return Err(doing("name the template")(source)),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
    administrator
        .run(&format!("ALTER DATABASE {template} IS_TEMPLATE true"))
        .await
        .map_err(doing("make it a template"))?;
    Ok(())
}

/// Schema, migrations, fixtures.
pub(super) async fn fill(
    url: &str,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
) -> Result<(), TestingCause> {
    run_scripts(url, recipe).await?;
    if let Some(NamedMigrations { name, run }) = migrate {
        run(url.to_owned()).await.map_err(|source| TestingCause::Migrations { name, source })?;
    }
    load(url, recipe, Chosen::OfTemplate).await?;
    Ok(())
}

async fn run_scripts(url: &str, recipe: &Recipe) -> Result<(), TestingCause> {
    for script in &recipe.scripts {
        // Each in a session of its own: a dump sets what holds for the rest of it.
        let session =
            Administrator::connect(url).await.map_err(TestingCause::server("connect to the new database"))?;
        session.run(&script.sql).await.map_err(TestingCause::server(format!("run {}", script.name)))?;
        session.close().await;
    }
    Ok(())
}

/// Loads rows of fixtures.
pub(super) async fn load(url: &str, recipe: &Recipe, chosen: Chosen) -> Result<(), TestingCause> {
    let fixtures = recipe.fixtures()?;
    if fixtures.is_empty() {
        return Ok(());
    }
    let dsn = ConnInfo::parse(url).map_err(|error| TestingCause::Connect(PgError::from(error)))?;
    let pool = connect_pool(&dsn, 1).await.map_err(TestingCause::Connect)?;
    let session = Session::open(&pool).await.map_err(TestingCause::server("connect to the new database"))?;
    for of_folder in &fixtures {
        let options = SeedOptions { chosen, ..SeedOptions::default() };
        seed(&session, of_folder, &options).await?;
    }
    Ok(())
}
