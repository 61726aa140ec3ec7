//! The ledger's schema: applied by sqlx, inside one transaction under a transaction lock.
//!
//! sqlx's own lock belongs to a session and its own table to the application; so the lock is ours and the
//! table is `_dbload.migration`. A start looks with a SELECT and migrates only if the ledger is behind.

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{Acquire as _, Row as _};

use crate::pg::DbError;
use crate::pg::sqlstate::is_missing_right;

use super::error::LedgerError;
use super::question::simple;
use super::trust::{LACKS_RIGHTS, UNTRUSTED};

/// Advisory lock of the migration (`dbload` as a number): concurrent first starts wait for each other.
const MIGRATION_LOCK: i64 = 0x6462_6c6f_6164;

/// Whether there is a ledger.
const IS_THERE: &str = "\
EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
         WHERE n.nspname OPERATOR(pg_catalog.=) '_dbload' AND c.relname OPERATOR(pg_catalog.=) 'migration')";

/// The migrations, compiled in.
fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name("_dbload.migration");
    migrator.set_locking(false);
    migrator
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Whether the ledger is as new as this program, nobody's who is not trusted, and the role has its rights. In
/// two messages, for the server may be far away.
pub(super) async fn is_current(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let usable = format!("SELECT {IS_THERE} AND NOT EXISTS ({UNTRUSTED}) AND NOT ({LACKS_RIGHTS})");
    let usable: bool = simple(usable).fetch_one(&mut *connection).await?.try_get(0)?;
    Ok(usable && stored_version(connection).await? == newest(&migrator()))
}

async fn lacks_rights(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    simple(LACKS_RIGHTS.to_owned()).fetch_one(connection).await?.try_get(0)
}

/// Refuses a ledger in which somebody who is not trusted has a hand.
async fn refuse_untrusted(connection: &mut PgConnection) -> Result<(), LedgerError> {
    let failed = LedgerError::server("look whose the ledger is");
    let Some(row) = simple(UNTRUSTED.to_owned()).fetch_optional(connection).await.map_err(&failed)? else {
        return Ok(());
    };
    Err(LedgerError::Untrusted {
        what: row.try_get(0).map_err(&failed)?,
        owner: row.try_get(1).map_err(&failed)?,
    })
}

/// Brings the ledger up to date, if it is not.
pub async fn ensure(connection: &mut PgConnection, role: &str) -> Result<(), LedgerError> {
    let migrator = migrator();
    let known = newest(&migrator);
    refuse_untrusted(connection).await?;
    let found = version(connection).await.map_err(|e| refused(e, role, "use"))?;
    if found > known {
        return Err(LedgerError::TooNew { found, known });
    }
    if found == known {
        let lacks = lacks_rights(connection).await.map_err(|e| refused(e, role, "use"))?;
        let missing = LedgerError::NoRights { role: role.to_owned(), what: "use" };
        return if lacks { Err(missing) } else { Ok(()) };
    }
    let create = |error: sqlx::Error| refused(error, role, "create");
    let mut transaction = connection.begin().await.map_err(create)?;
    // A process that is stopped in here does not hold up the others for ever; and the names in the migrations
    // are those of `pg_catalog`, whatever others have put in schemas that this role looks into first.
    sqlx::raw_sql(
        "SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL search_path = pg_catalog, pg_temp",
    )
    .execute(&mut *transaction)
    .await
    .map_err(create)?;
    sqlx::query("SELECT pg_catalog.pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .persistent(false)
        .execute(&mut *transaction)
        .await
        .map_err(create)?;
    if version(&mut transaction).await.map_err(create)? < known {
        sqlx::raw_sql("SET LOCAL client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS _dbload")
            .execute(&mut *transaction)
            .await
            .map_err(create)?;
        // It may be there since we looked.
        refuse_untrusted(&mut transaction).await?;
        migrator.run_direct(None, &mut *transaction, false).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => create(error),
            other => LedgerError::Server { doing: "migrate the ledger", source: DbError::other(other) },
        })?;
    }
    transaction.commit().await.map_err(create)
}

/// The version in the database; 0 without a ledger.
async fn version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    // By the simple protocol: outside a transaction a pooler may give each message another session.
    let there: bool = simple(format!("SELECT {IS_THERE}")).fetch_one(&mut *connection).await?.try_get(0)?;
    if there { stored_version(connection).await } else { Ok(0) }
}

async fn stored_version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    // As of this program only if none is missing: one of a lower number may have been added later.
    let migrator = migrator();
    let (known, all) = (newest(&migrator), migrator.iter().count());
    simple(format!(
        "SELECT CASE WHEN max(version) <= {known} AND count(*) < {all} THEN least(max(version), {known} - 1) \
         ELSE coalesce(max(version), 0) END FROM _dbload.migration WHERE success"
    ))
    .fetch_one(connection)
    .await?
    .try_get(0)
}

fn refused(error: sqlx::Error, role: &str, what: &'static str) -> LedgerError {
    let source = DbError::from(error);
    if is_missing_right(&source) {
        return LedgerError::NoRights { role: role.to_owned(), what };
    }
    LedgerError::Server { doing: "prepare the ledger", source }
}

/// What an administrator runs for a role that may not create the ledger itself. It brings a ledger that is
/// there up to date, as a start would, and may be run again.
///
/// # Errors
/// When no role can have that name: nobody is granted anything then.
pub fn administrator_sql(role: &str) -> Result<String, crate::pg::IdentError> {
    let role = match role {
        // SQL's word for all roles; none can have that name.
        role if role.eq_ignore_ascii_case("public") => "PUBLIC".to_owned(),
        role => crate::pg::Ident::new(role)?.to_string(),
    };
    let migrator = migrator();
    let mut sql = format!(
        "-- The ledger of dbload, made or brought up to date, for role {role}. Run as a role that may create schemas in\n\
         -- this database; run again, it changes nothing.\n\
         BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL client_min_messages = warning;\n\
         DO $do$ BEGIN PERFORM pg_advisory_xact_lock({MIGRATION_LOCK}); END $do$;\n\
         CREATE SCHEMA IF NOT EXISTS _dbload;\n\n\
         -- Nothing of somebody else's is used with the rights of whoever runs this.\n\
         DO $do$\nDECLARE\n    found record;\nBEGIN\n    FOR found IN {UNTRUSTED}\n    LOOP\n        \
         RAISE EXCEPTION '%, of the ledger, belongs to %, who is not to be trusted', found.what, found.rolname;\n    \
         END LOOP;\nEND\n$do$;\n\n\
         CREATE TABLE IF NOT EXISTS _dbload.migration (\n    version bigint PRIMARY KEY,\n    description text NOT NULL,\n    \
         installed_on timestamptz NOT NULL DEFAULT now(),\n    success boolean NOT NULL,\n    checksum bytea NOT NULL,\n    \
         execution_time bigint NOT NULL\n);\n\n\
         DO $do$\nBEGIN\n    IF EXISTS (SELECT FROM _dbload.migration WHERE version > {}) THEN\n        \
         RAISE EXCEPTION 'a newer dbload made this ledger: it has the SQL too';\n    END IF;\nEND\n$do$;\n\n",
        newest(&migrator)
    );
    for migration in migrator.iter() {
        let checksum: String = migration.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
        let version = migration.version;
        sql.push_str(&format!(
            "DO $do$\nBEGIN\nIF NOT EXISTS (SELECT FROM _dbload.migration WHERE version = {version}) THEN\nEXECUTE $migration$\n\
             {}\n$migration$;\n\
             INSERT INTO _dbload.migration (version, description, success, checksum, execution_time)\n\
             VALUES ({version}, {}, true, '\\x{checksum}', 0);\nEND IF;\nEND\n$do$;\n\n",
            migration.sql.as_str().trim_end(),
            crate::pg::literal(&migration.description)
        ));
    }
    sql.push_str(&format!(
        "GRANT USAGE ON SCHEMA _dbload TO {role};\n\
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA _dbload TO {role};\n\
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA _dbload TO {role};\nCOMMIT;\n"
    ));
    Ok(sql)
}
