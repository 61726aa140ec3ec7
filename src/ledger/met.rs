//! What a run has met: the keys of its records, kept with each batch until the rows that none of them is
//! about are removed.

use crate::pg::literal;

use super::fence::LedgerRef;

impl LedgerRef {
    /// The statement that keeps the keys of staged rows: these columns of this table. `unread`: records of
    /// the batch that are not among them.
    #[must_use]
    pub fn keep_met(&self, partition: u32, staged: &str, columns: &[String], unread: u64) -> String {
        let keys = columns
            .iter()
            .map(|column| format!("pg_catalog.array_agg(s.{column}::pg_catalog.text)"))
            .reduce(|all, more| format!("pg_catalog.array_cat({all}, {more})"))
            .unwrap_or_default();
        format!(
            "INSERT INTO _dbload.met (run, partition, unread, keys) \
             SELECT {}, {partition}, {unread}, coalesce({keys}, '{{}}') FROM {staged} s",
            literal(&self.run)
        )
    }

    /// The keys that the run has met, as a query: values of these types, under these names.
    #[must_use]
    pub fn met_query(&self, columns: &[(String, String)]) -> String {
        let width = columns.len();
        let number = |at: usize| format!("c{at}");
        let names: Vec<String> = (0..width).map(number).collect();
        let values: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, (name, of_type))| format!("u.{}::{of_type} AS {name}", number(at)))
            .collect();
        // Of each row so many keys: first all values of the first column, then those of the second.
        let slices: Vec<String> = (0..width)
            .map(|at| {
                format!("m.keys[{at} OPERATOR(pg_catalog.*) m.n OPERATOR(pg_catalog.+) 1 : ({at} OPERATOR(pg_catalog.+) 1) OPERATOR(pg_catalog.*) m.n]")
            })
            .collect();
        format!(
            "SELECT {} FROM (SELECT e.keys, pg_catalog.cardinality(e.keys) OPERATOR(pg_catalog./) {width} AS n \
               FROM _dbload.met e WHERE e.run OPERATOR(pg_catalog.=) {}) m, \
             LATERAL ROWS FROM ({}) AS u({})",
            values.join(", "),
            literal(&self.run),
            slices.iter().map(|slice| format!("pg_catalog.unnest({slice})")).collect::<Vec<_>>().join(", "),
            names.join(", "),
        )
    }

    /// How many records the run has read whose key nobody knows.
    #[must_use]
    pub fn unread_query(&self) -> String {
        format!(
            "SELECT coalesce(pg_catalog.sum(m.unread), 0) FROM _dbload.met m WHERE m.run OPERATOR(pg_catalog.=) {}",
            literal(&self.run)
        )
    }

    /// The statement that forgets what the run has met.
    #[must_use]
    pub fn forget_met(&self) -> String {
        format!("DELETE FROM _dbload.met m WHERE m.run OPERATOR(pg_catalog.=) {};\n", literal(&self.run))
    }
}

/// The statement that forgets what runs have met that are over.
pub const FORGET_OVER: &str = "DELETE FROM _dbload.met m WHERE NOT EXISTS ( \
     SELECT FROM _dbload.run r WHERE r.run OPERATOR(pg_catalog.=) m.run AND r.state OPERATOR(pg_catalog.=) 'running')";
