//! The target's version: one text that is another one once anything has changed that a load was planned by.
//!
//! The query is the ledger's own (`_dbload.target_version`, planned once a session), taken from its
//! migration, so that a start and a load without a ledger ask exactly the same. It is asked behind a batch's
//! statements: their locks then keep what it saw until the batch has committed.

use std::sync::LazyLock;

use crate::schema::{Member, TableName, Tree, literal};

use super::answer::{AnswerRow, CatalogError};
use super::outcome::StatementResult;
use super::session::TARGET;

const MIGRATION: &str = include_str!("../../migrations/0006_target.sql");

/// The version query, up to its WHERE: `n` is the schema, `c` the table.
static VERSION: LazyLock<&str> = LazyLock::new(|| {
    let body = MIGRATION.split_once("-- version: begin\n").map_or("", |(_, rest)| rest);
    body.split_once("-- version: end").map_or("", |(query, _)| query)
});

/// When the server has last begun to count anew: it does after a crash.
const COUNTING_SINCE: &str =
    "EXTRACT(epoch FROM pg_catalog.pg_stat_get_bgwriter_stat_reset_time())::pg_catalog.text";

/// Two statements: the version, and since when the server counts. Asked before anything else of the table:
/// what changes behind it changes the version too.
pub(super) fn version_queries() -> String {
    format!(
        "{} WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.current_setting('{TARGET}')::pg_catalog.oid;\nSELECT {COUNTING_SINCE}",
        *VERSION
    )
}

/// The table with all below it.
pub(super) fn members_query() -> String {
    format!(
        "WITH RECURSIVE tree(oid) AS (SELECT pg_catalog.current_setting('{TARGET}')::pg_catalog.oid \
           UNION SELECT h.inhrelid FROM tree JOIN pg_catalog.pg_inherits h ON h.inhparent OPERATOR(pg_catalog.=) tree.oid) \
         SELECT m.oid, {}, m.relfilenode, m.relpersistence OPERATOR(pg_catalog.=) 'u' \
         FROM tree JOIN pg_catalog.pg_class m ON m.oid OPERATOR(pg_catalog.=) tree.oid \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) m.relnamespace ORDER BY m.oid",
        qualified_name("m")
    )
}

/// Schema and name of a relation, quoted where they have to be.
pub(super) fn qualified_name(relation: &str) -> String {
    format!(
        "pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident({relation}.relname))"
    )
}

/// Reads the answer to [`members_query`].
pub(super) fn read_members(members: &StatementResult) -> Result<Vec<Member>, CatalogError> {
    let member = |row: &Vec<Option<String>>| {
        let mut row = AnswerRow::of(row);
        Ok(Member { oid: row.number()?, name: row.text()?, file: row.number()?, unlogged: row.flag() })
    };
    members.rows.iter().map(member).collect()
}

/// A statement that raises unless the table is what it was, without a ledger, whose function says the same.
#[must_use]
pub fn check_target(name: &TableName, tree: &Tree) -> String {
    let schema = literal(name.schema.as_ref().map_or("", |schema| schema.raw()));
    let table = literal(name.name.raw());
    let found = format!(
        "({} WHERE n.nspname OPERATOR(pg_catalog.=) {schema} AND c.relname OPERATOR(pg_catalog.=) {table})",
        *VERSION
    );
    let counted = if tree.unlogged().is_some() {
        format!(" AND {COUNTING_SINCE} OPERATOR(pg_catalog.=) {}", literal(&tree.counting_since))
    } else {
        String::new()
    };
    format!(
        "SELECT 1 OPERATOR(pg_catalog./) CASE WHEN {found} OPERATOR(pg_catalog.=) {}{counted} THEN 1 ELSE 0 END",
        literal(&tree.version)
    )
}

#[cfg(test)]
mod tests {
    use super::super::sqlstate::CHANGED;
    use super::*;
    use crate::schema::Ident;

    #[test]
    fn the_version_is_asked_in_the_ledgers_words() {
        assert!(VERSION.starts_with("SELECT pg_catalog.format("), "{}", *VERSION);
        assert!(VERSION.trim_end().ends_with("n.oid"), "{}", *VERSION);
        assert!(MIGRATION.contains(&format!("ERRCODE = '{CHANGED}'")));
    }

    #[test]
    fn names_are_literals_in_the_check() {
        let name = TableName { schema: Some(Ident::new("a'b").unwrap()), name: Ident::new("T x").unwrap() };
        let tree = Tree { version: "7".to_owned(), ..Tree::default() };
        let check = check_target(&name, &tree);
        assert!(check.contains("n.nspname OPERATOR(pg_catalog.=) 'a''b'"), "{check}");
        assert!(check.contains("c.relname OPERATOR(pg_catalog.=) 'T x'"), "{check}");
    }
}
