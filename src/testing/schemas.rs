//! A schema a test, in a database that many tests use. Not for every schema: what names its own, or makes
//! what a database has once, would meet that of others.
//!
//! A schema is made by its text, and filled. One that comes back gets the rows of its *base* again, which is
//! filled once, and a new name ([`recycle.sql`](recycle.sql)): that takes a tenth of the time. Where this role
//! may not do so, or the test has changed definitions, it is dropped.

use xxhash_rust::xxh3::xxh3_64;

use super::back::dropping;
use super::database::{Owned, TestDatabase};
use super::error::TestingCause;
use super::keeper::{Keeper, OnDatabase};
use super::names::{OF_SCHEMAS, SCHEMA, of_whom};
use super::recipe::Recipe;
use super::sweep::{Left, living, living_query};
use super::template::{NamedMigrations, load};
use crate::local::quote;
use crate::pg::Administrator;
use crate::schema::literal;
use crate::seed::Chosen;

/// What a schema of its own cannot hold, in the words of the text that asks for it.
const OF_THE_DATABASE: [(&str, &str); 4] = [
    ("public.", "it names the schema public"),
    ("create extension", "it makes an extension, which a database has once"),
    ("create schema", "it makes a schema"),
    ("alter database", "it changes the database"),
];

/// The functions behind schemas that come back.
const RECYCLE: &str = include_str!("recycle.sql");
/// Held while they are made.
const SUPPORT: i32 = 0x6462_6c72;

/// Refuses what would not stay in one schema.
pub(super) fn refuse(recipe: &Recipe) -> Result<(), TestingCause> {
    for script in &recipe.scripts {
        let text = script.sql.to_lowercase();
        let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((_, why)) = OF_THE_DATABASE.iter().find(|(sign, _)| words.contains(sign)) {
            return Err(TestingCause::Refused(format!(
                "{}: {why}: a schema a test cannot hold it, a database a test can (leave out `by_schema`)",
                script.name
            )));
        }
    }
    Ok(())
}

/// A schema of its own for a test, filled.
pub(super) async fn make(
    keeper: &'static Keeper,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
) -> Result<TestDatabase, TestingCause> {
    let recycles = ensure_database(keeper).await?;
    let back = keeper.schemas().next(recipe.hash);
    let schema = match back {
        Some(schema) => schema,
        None => made(keeper, recipe, migrate, recycles).await?,
    };
    let database = of_test(keeper, schema, recipe);
    if recycles && recipe.has_moments() {
        load(database.url(), recipe, Chosen::WithMoments).await?;
    }
    Ok(database)
}

fn of_test(keeper: &'static Keeper, schema: String, recipe: &Recipe) -> TestDatabase {
    TestDatabase::new(
        keeper,
        keeper.facts.schemas.clone(),
        Owned::Schema { name: schema, recipe: recipe.hash },
    )
}

/// Makes a schema by its text, and fills it: with the rows of its base where there is one.
async fn made(
    keeper: &'static Keeper,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
    recycles: bool,
) -> Result<String, TestingCause> {
    let schema = keeper.schema_name();
    let run = |doing: &'static str, sql: String| keeper.run(OnDatabase::Schemas, doing, sql);
    run("make a schema", format!("CREATE SCHEMA {}", quote(&schema))).await?;
    // From here on it goes with the value.
    let database = of_test(keeper, schema.clone(), recipe);
    let session = connect(database.url()).await?;
    for script in &recipe.scripts {
        session.run(&script.sql).await.map_err(TestingCause::server(format!("run {}", script.name)))?;
    }
    session.close().await;
    if let Some(NamedMigrations { name, run }) = migrate {
        run(database.url().to_owned()).await.map_err(|source| TestingCause::Migrations { name, source })?;
    }
    if !recycles {
        load(database.url(), recipe, Chosen::All).await?;
        database.forget();
        return Ok(schema);
    }
    let base = format!("dbload_base_{:016x}", recipe.key(&keeper.facts.version));
    let next = keeper.schema_name();
    let (old, quoted) = (literal(&schema), literal(&base));
    let ready = format!("SELECT dbload.note_ready({old}, {quoted})");
    let copy = format!(
        "{ready}; SELECT pg_catalog.to_regnamespace({quoted}) IS NOT NULL AND dbload.recycle({old}, {}, true)",
        literal(&next)
    );
    // What cannot be copied is loaded.
    let copied = run("copy the rows of the base", copy).await.unwrap_or_default();
    if copied.get(1).and_then(|answer| answer.value()) == Some("t") {
        database.forget();
        return Ok(next);
    }
    load(database.url(), recipe, Chosen::OfTemplate).await?;
    run("note the rows of the base", format!("SELECT dbload.note_base({quoted}, {old}); {ready}")).await?;
    database.forget();
    Ok(schema)
}

/// Once a process: the database is made where it is not there, and schemas of dead processes are removed.
/// Whether schemas can be used again.
async fn ensure_database(keeper: &Keeper) -> Result<bool, TestingCause> {
    static ONCE: tokio::sync::OnceCell<bool> = tokio::sync::OnceCell::const_new();
    let made = ONCE.get_or_try_init(|| async {
        let strategy = keeper.facts.strategy.sql();
        let create = format!("CREATE DATABASE {} TEMPLATE template0 STRATEGY {strategy}", quote(OF_SCHEMAS));
        // Another process may have made it, or does just now: then it is there in a moment. Where this role
        // may make none, the one that was named is there.
        let made = keeper.run(OnDatabase::Administration, "make a database for schemas", create).await;
        let found = format!(
            "SELECT nspname, pg_catalog.obj_description(oid, 'pg_namespace'), \
               EXTRACT(epoch FROM pg_catalog.now())::bigint \
             FROM pg_catalog.pg_namespace WHERE pg_catalog.starts_with(nspname, {})",
            literal(SCHEMA)
        );
        let found = match (keeper.run(OnDatabase::Schemas, "list the schemas", found).await, made) {
            (Ok(found), _) => found,
            (Err(_), Err(cause)) | (Err(cause), Ok(_)) => return Err(cause),
        };
        let owners = keeper.run(OnDatabase::Administration, "ask who lives", living_query()).await?;
        let living = living(owners.first());
        for row in found.first().map(|found| found.rows.as_slice()).unwrap_or_default() {
            let left = Left::of(row);
            let Some((suite, owner)) = of_whom(left.name, SCHEMA) else { continue };
            if !living.contains(&owner) && !left.is_looked_at(suite == keeper.suite) {
                let _ = keeper.run(OnDatabase::Schemas, "drop a schema", dropping(left.name)).await;
            }
        }
        // A role that is no superuser has no event triggers.
        Ok(keeper.run(OnDatabase::Schemas, "make what schemas are used again by", support()).await.is_ok())
    });
    made.await.copied()
}

/// Makes the functions where they are not there yet, and removes bases that nobody uses any more.
fn support() -> String {
    let version = format!("{:016x}", xxh3_64(RECYCLE.as_bytes()));
    format!(
        "SELECT pg_catalog.pg_advisory_xact_lock({SUPPORT}); \
         DO $outer$ BEGIN \
           IF pg_catalog.obj_description(pg_catalog.to_regnamespace('dbload'), 'pg_namespace') \
              IS DISTINCT FROM {version} THEN EXECUTE {text}; COMMENT ON SCHEMA dbload IS {version}; END IF; \
         END $outer$; \
         SELECT dbload.sweep()",
        version = literal(&version),
        text = literal(RECYCLE),
    )
}

async fn connect(url: &str) -> Result<Administrator, TestingCause> {
    Administrator::connect(url).await.map_err(TestingCause::server("connect to the test server"))
}
