//! A clone for a test: taken from those that are ready, else made.
//!
//! Settings of the database, and of roles in it, the server leaves behind when it clones: they are said again
//! to whoever takes one.

use super::copies::{creation, ready_query};
use super::error::TestingCause;
use super::hands::first_fields;
use super::keeper::{Keeper, OnDatabase};
use super::template::KnownTemplate;
use crate::local::quote;

/// Clones that other processes have taken meanwhile: so many are tried before one is made.
const TRIED: usize = 16;

/// A clone for a test of this process; its name.
pub(super) async fn take(keeper: &Keeper, template: &KnownTemplate) -> Result<String, TestingCause> {
    let name = keeper.name();
    let mut next = keeper.stock().next(template.key);
    if next.is_none() {
        let ready = keeper
            .run(OnDatabase::Administration, "look for a database that is ready", ready_query(template.key))
            .await?;
        let mut stock = keeper.stock();
        stock.add(template.key, first_fields(ready));
        next = stock.next(template.key);
    }
    for _ in 0..TRIED {
        let Some(clone) = next else { break };
        // Another process may be faster.
        if keeper
            .run(OnDatabase::Administration, "take a database", renaming(&clone, &name, template))
            .await
            .is_ok()
        {
            return Ok(name);
        }
        next = keeper.stock().next(template.key);
    }
    keeper
        .run(
            OnDatabase::Administration,
            "clone the template",
            creation(template.key, &name, keeper.facts.strategy),
        )
        .await?;
    if !template.settings.is_empty() {
        keeper
            .run(OnDatabase::Administration, "set what the template sets", template.settings_of(&name))
            .await?;
    }
    Ok(name)
}

fn renaming(clone: &str, name: &str, template: &KnownTemplate) -> String {
    let settings = template.settings_of(name);
    format!("ALTER DATABASE {} RENAME TO {};\n{settings}", quote(clone), quote(name))
}
