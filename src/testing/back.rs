//! A schema of a test comes back.

use super::error::TestingCause;
use super::keeper::{Keeper, OnDatabase};
use crate::local::quote;
use crate::schema::literal;

/// Takes back a schema from a test: for the next one, or to be dropped. From anywhere; blocks.
pub(super) fn take_back(keeper: &Keeper, schema: &str, recipe: u64) -> Result<(), TestingCause> {
    let run = |doing: &str, sql: String| keeper.run_here(OnDatabase::Schemas, doing, sql);
    let next = keeper.schema_name();
    let again = format!(
        "SELECT dbload.free({}); SELECT dbload.recycle({}, {}, false)",
        literal(schema),
        literal(schema),
        literal(&next)
    );
    if let Ok(answers) = run("take back a schema", again)
        && answers.get(1).and_then(|answer| answer.value()) == Some("t")
    {
        keeper.schemas().add(recipe, [next]);
        return Ok(());
    }
    run("drop a schema", dropping(schema))?;
    let _ = run("forget a schema", format!("SELECT dbload.forget({})", literal(schema)));
    Ok(())
}

/// Whoever holds locks in it is ended, as far as this role may.
pub(super) fn dropping(schema: &str) -> String {
    format!(
        "DO $$ BEGIN PERFORM pg_catalog.pg_terminate_backend(held.pid, 5000) FROM ( \
           SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation \
           JOIN pg_catalog.pg_database d ON d.oid = l.database \
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
           WHERE d.datname = pg_catalog.current_database() AND n.nspname = {} \
             AND l.pid <> pg_catalog.pg_backend_pid()) held; \
         EXCEPTION WHEN insufficient_privilege THEN NULL; END $$; \
         DROP SCHEMA IF EXISTS {} CASCADE",
        literal(schema),
        quote(schema)
    )
}
