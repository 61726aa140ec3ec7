//! What the ledger can tell of the target: whether it is the version that a run expects, and whether rows of
//! the run are still in it.

use crate::pg::literal;
use crate::schema::{TableName, Tree};

/// A statement that raises unless the table is what it was.
#[must_use]
pub fn check_target(name: &TableName, tree: &Tree, run: &str) -> String {
    let schema = literal(name.schema.as_ref().map_or("", |schema| schema.raw()));
    let table = literal(name.name.raw());
    let alive = if tree.unlogged().is_some() { literal(run) } else { "NULL".to_owned() };
    format!("SELECT _dbload.target_version({schema}, {table}, {alive}, {})", literal(&tree.version))
}

/// Whether a table holds a row that a run has put there, by the transactions that its counts were last moved
/// by, or by the subtransactions that have left a witness: then it was not emptied since, though it may have
/// been rewritten (VACUUM FULL, CLUSTER), which keeps a row's transaction.
#[must_use]
pub fn witness_query(member: &str, run: &str) -> String {
    let run = literal(run);
    format!(
        "SELECT EXISTS (SELECT FROM ONLY {member} t WHERE t.xmin OPERATOR(pg_catalog.=) ANY (ARRAY( \
           SELECT s.xmin FROM _dbload.source_count s WHERE s.run OPERATOR(pg_catalog.=) {run} \
           UNION ALL SELECT w.xmin FROM _dbload.witness w WHERE w.run OPERATOR(pg_catalog.=) {run})))"
    )
}

/// A jsonb with another applied to it as a merge patch (RFC 7396), as an expression.
#[must_use]
pub fn merge_patch(target: &str, patch: &str) -> String {
    format!("_dbload.merge_patch({target}, {patch})")
}

/// Whether a run of an unlogged target has outlived no crash of the server.
#[must_use]
pub fn alive_query(run: &str) -> String {
    format!("SELECT EXISTS (SELECT FROM _dbload.alive l WHERE l.run OPERATOR(pg_catalog.=) {})", literal(run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Ident;

    #[test]
    fn names_are_literals_in_the_check() {
        let name = TableName { schema: Some(Ident::new("a'b").unwrap()), name: Ident::new("T x").unwrap() };
        let tree = Tree { version: "7".to_owned(), ..Tree::default() };
        let check = check_target(&name, &tree, "run");
        assert_eq!(check, "SELECT _dbload.target_version('a''b', 'T x', NULL, '7')");
    }
}
