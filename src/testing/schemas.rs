//! A schema a test, in a database that many tests use: cheaper than a database where the schema is small, and
//! not for every one: what names its schema, or makes what a database has once, would meet that of others.

use super::database::{Owned, TestDatabase};
use super::error::TestingCause;
use super::keeper::Keeper;
use super::names::{OF_SCHEMAS, SCHEMA, of_whom};
use super::recipe::Recipe;
use super::sweep::lives;
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
    keeper: &Keeper,
    recipe: &Recipe,
    migrate: Option<NamedMigrations>,
) -> Result<TestDatabase, TestingCause> {
    let schema = format!("{SCHEMA}{}_{}_{}", keeper.suite, keeper.owner, keeper.number());
    ensure_database(keeper).await?;
    let database =
        TestDatabase::new(keeper.server.clone(), OF_SCHEMAS.to_owned(), Owned::Schema(schema.clone()));
    let session = connect(database.url()).await?;
    let create = format!("CREATE SCHEMA {}", quote(&schema));
    session.run(&create).await.map_err(TestingCause::server("make a schema"))?;
    for script in &recipe.scripts {
        session.run(&script.sql).await.map_err(TestingCause::server(format!("run {}", script.name)))?;
    }
    session.close().await;
    if let Some(NamedMigrations { name, run }) = migrate {
        run(database.url().to_owned()).await.map_err(|source| TestingCause::Migrations { name, source })?;
    }
    load(database.url(), recipe, Chosen::All).await?;
    Ok(database)
}

/// Once a process: the database is made where it is not there, and schemas of dead processes are removed.
async fn ensure_database(keeper: &Keeper) -> Result<(), TestingCause> {
    static ONCE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    ONCE.get_or_try_init(|| async {
        let administrator = connect(keeper.server.url()).await?;
        let create = format!("CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log", quote(OF_SCHEMAS));
        // Another process may have made it, or does just now: then it is there in a moment.
        let made = administrator.run(&create).await;
        administrator.close().await;
        let shared = match (connect(&keeper.server.database(OF_SCHEMAS)).await, made) {
            (Ok(shared), _) => shared,
            (Err(_), Err(source)) => return Err(TestingCause::server("make a database for schemas")(source)),
            (Err(cause), Ok(_)) => return Err(cause),
        };
        let found = format!(
            "SELECT nspname FROM pg_catalog.pg_namespace WHERE pg_catalog.starts_with(nspname, {})",
            literal(SCHEMA)
        );
        let found = shared.run(&found).await.map_err(TestingCause::server("list the schemas"))?;
        let owners = connect(keeper.server.url()).await?;
        for row in found.into_iter().next().unwrap_or_default().rows {
            let Some(name) = row.into_iter().next().flatten() else { continue };
            let Some((_, owner)) = of_whom(&name, SCHEMA) else { continue };
            // The locks are those of the administrators' database.
            if owner != keeper.owner && !lives(&owners, owner).await {
                let _ = shared.run(&format!("DROP SCHEMA IF EXISTS {} CASCADE", quote(&name))).await;
            }
        }
        owners.close().await;
        shared.close().await;
        Ok(())
    })
    .await
    .copied()
}

async fn connect(url: &str) -> Result<Administrator, TestingCause> {
    Administrator::connect(url).await.map_err(TestingCause::server("connect to the test server"))
}
