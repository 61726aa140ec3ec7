//! Templates: a database that has schema, migrations and fixtures, known by their content. It is built under
//! another name and renamed when it is whole, so that nobody ever clones a half one.

use std::collections::HashMap;
use std::sync::{Mutex as Known, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::clone::template_name;
use super::error::{BoxError, TestingCause};
use super::keeper::Keeper;
use super::names::BUILDING;
use super::recipe::Recipe;
use crate::local::quote;
use crate::pg::{Administrator, Dsn, PgError, Session, connect_pool};
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
static SEEN: Known<Option<HashMap<u64, u64>>> = Known::new(None);

/// Makes the template, where it is not there yet; its key.
pub(super) async fn ensure(
    administrator: &Administrator,
    keeper: &Keeper,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
) -> Result<u64, TestingCause> {
    if let Some(key) = seen(recipe) {
        return Ok(key);
    }
    let version = administrator.run("SHOW server_version_num").await;
    let version = version.map_err(TestingCause::server("ask for the version"))?;
    let key = recipe.key(version.first().and_then(|outcome| outcome.value()).unwrap_or_default());
    let _one = BUILDS.lock().await;
    let began = Instant::now();
    while !is_there(administrator, key).await? {
        let lock = format!("SELECT pg_catalog.pg_try_advisory_lock({})", key.cast_signed());
        let locked = administrator.run(&lock).await.map_err(TestingCause::server("lock the template"))?;
        if locked.first().and_then(|outcome| outcome.value()) != Some("t") {
            if began.elapsed() > PATIENCE {
                return Err(TestingCause::Refused(
                    "another process has been building the template for 10 minutes".to_owned(),
                ));
            }
            tokio::time::sleep(POLL).await;
            continue;
        }
        // It may have become whole before the lock was free.
        let built = match is_there(administrator, key).await? {
            true => Ok(()),
            false => build(administrator, keeper, recipe, migrate, key).await,
        };
        let _ =
            administrator.run(&format!("SELECT pg_catalog.pg_advisory_unlock({})", key.cast_signed())).await;
        built?;
        break;
    }
    let used = "SELECT EXTRACT(epoch FROM pg_catalog.now())::bigint";
    let used = administrator.run(used).await.map_err(TestingCause::server("ask for the time"))?;
    let used = used.first().and_then(|outcome| outcome.value()).unwrap_or_default().to_owned();
    let comment = format!("COMMENT ON DATABASE {} IS {}", quote(&template_name(key)), literal(&used));
    administrator.run(&comment).await.map_err(TestingCause::server("note that the template is used"))?;
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(recipe.hash, key);
    Ok(key)
}

/// The caller's own migrations, with the name that they are known by.
pub(super) struct NamedMigrations {
    pub(super) name: String,
    pub(super) run: Migrate,
}

fn seen(recipe: &Recipe) -> Option<u64> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(&recipe.hash).copied()
}

async fn is_there(administrator: &Administrator, key: u64) -> Result<bool, TestingCause> {
    let question =
        format!("SELECT FROM pg_catalog.pg_database WHERE datname = {}", literal(&template_name(key)));
    let found = administrator.run(&question).await.map_err(TestingCause::server("look for the template"))?;
    Ok(found.first().is_some_and(|outcome| !outcome.rows.is_empty()))
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
        .run(&format!("CREATE DATABASE {half} TEMPLATE template0 STRATEGY wal_log"))
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
    let dsn = Dsn::parse(url).map_err(|error| TestingCause::Connect(PgError::from(error)))?;
    let pool = connect_pool(&dsn, 1).await.map_err(TestingCause::Connect)?;
    let session = Session::open(&pool).await.map_err(TestingCause::server("connect to the new database"))?;
    for of_folder in &fixtures {
        let options = SeedOptions { chosen, ..SeedOptions::default() };
        seed(&session, of_folder, &options).await?;
    }
    Ok(())
}
