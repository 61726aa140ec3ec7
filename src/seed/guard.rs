//! Whether a database is one that tests may write into: fixtures that meet production are a disaster.

use super::error::SeedError;
use crate::pg::Session;

/// Words of a name that say so.
const WORDS: [&str; 3] = ["test", "tests", "testing"];

/// The setting of servers of our own, on which all is thrown away.
pub(crate) const THROWAWAY: &str = "dbload.throwaway";

/// Whether a name has `test` as a word of its own: `shop_test` and `test2` have, `latest` and `contest` not.
#[must_use]
pub fn is_for_tests(name: &str) -> bool {
    name.split(|c: char| !c.is_alphabetic()).any(|word| WORDS.contains(&word.to_lowercase().as_str()))
}

/// Refuses a database whose name does not say that it is for tests, unless its server is a throwaway one of
/// ours.
///
/// # Errors
/// The refusal; or the server does not answer.
pub async fn refuse_others(session: &Session) -> Result<(), SeedError> {
    let asked = session
        .run(&format!(
            "SELECT pg_catalog.current_database(), pg_catalog.current_setting('{THROWAWAY}', true)"
        ))
        .await
        .map_err(|source| SeedError::server("ask for the name of the database", source))?;
    let row = asked.first().and_then(|outcome| outcome.rows.first());
    let field = |i: usize| row.and_then(|row| row.get(i)?.as_deref()).unwrap_or_default();
    if is_for_tests(field(0)) || field(1) == "on" {
        return Ok(());
    }
    Err(SeedError::NotForTests(field(0).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_is_a_word_of_its_own() {
        for name in ["test", "shop_test", "test-shop", "Shop Tests", "test2", "my.testing.db"] {
            assert!(is_for_tests(name), "{name}");
        }
        for name in ["latest", "contest", "postgres", "shop", "testament", "attestation", ""] {
            assert!(!is_for_tests(name), "{name}");
        }
    }
}
