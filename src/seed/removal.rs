//! What `--clean` removes: rows of the fixtures' tables that are not in the files.
//!
//! Where there are any, all is done by one statement, removing first: a row that is gone may have the unique
//! value that a new one has, and rows that stay may refer to it until they are made what the files say.

use std::fmt::Write as _;

use super::statement::{After, Insert, SeedPlan, Statement};

/// What has to be true, and is asked behind all removals.
const REMOVED: &str = "(SELECT pg_catalog.sum(n) FROM gone) >= 0";

impl SeedPlan<'_> {
    /// One question a table: how many rows are to be removed.
    pub(super) fn removals(&self) -> String {
        let inserts = self.inserts();
        let count = |(i, table): (usize, &crate::schema::LinkedTable)| {
            format!("SELECT pg_catalog.count(*) FROM {} t_ WHERE {}", table.name, self.not_given(i, &inserts))
        };
        self.tables.iter().enumerate().map(count).collect::<Vec<_>>().join(";\n")
    }

    /// Removes and stores.
    pub(super) fn replacement(&self) -> Statement {
        let inserts = self.inserts();
        let mut sql = String::from("WITH ");
        for (i, table) in self.tables.iter().enumerate() {
            let given = self.not_given(i, &inserts);
            let _ = write!(sql, "d{i} AS (DELETE FROM {} t_ WHERE {given} RETURNING 1), ", table.name);
        }
        let counts = (0..self.tables.len()).map(|i| format!("SELECT pg_catalog.count(*) AS n FROM d{i}"));
        let _ = write!(sql, "gone AS ({})", counts.collect::<Vec<_>>().join(" UNION ALL "));
        let ordered = self.groups().into_iter().flatten();
        let ordered: Vec<Insert> = ordered
            .flat_map(|table| inserts.iter().filter(move |insert| insert.table == table))
            .cloned()
            .collect();
        for (i, insert) in ordered.iter().enumerate() {
            let _ = write!(sql, ", i{i} AS ({})", self.insert(insert, After::Condition(REMOVED)));
        }
        sql.push_str(" SELECT pg_catalog.sum(n) FROM gone");
        Statement { sql, inserts: ordered }
    }

    /// A stored row `t_` is none of the files'.
    fn not_given(&self, table: usize, inserts: &[Insert]) -> String {
        let described = &self.tables[table];
        let mut sql = String::from("true");
        for insert in inserts.iter().filter(|insert| insert.table == table) {
            let is_keyed = !described.key.is_empty()
                && described.key.iter().all(|column| insert.columns.contains(column));
            let columns = if is_keyed { &described.key } else { &insert.columns };
            let names: Vec<String> = insert
                .columns
                .iter()
                .map(|&column| super::statement::name(described, column).to_string())
                .collect();
            sql.push_str(" AND NOT EXISTS (SELECT FROM (VALUES ");
            self.push_rows(&mut sql, insert, true);
            let _ = write!(sql, ") v_({}) WHERE {})", names.join(", "), self.same(described, columns));
        }
        sql
    }
}
