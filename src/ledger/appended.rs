//! What earlier appends have put into a table: the sources of completed runs, and of those that left rows
//! behind.

use crate::pg::literal;

/// A source of an earlier append.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The id of the run.
    pub run: String,
    /// How that append has ended.
    pub state: AppendedState,
    /// Ordinal in the run.
    pub source: u32,
    /// The source's name for people, without secrets.
    pub name: String,
    /// As the wiring has stored it.
    pub description: serde_json::Value,
    /// Path to the records in a JSON text that was asked for.
    pub records: Option<String>,
    /// relfilenode of the table when the run began.
    pub target_file: u32,
    /// Records of it that are accounted for.
    pub read: u64,
}

/// How a run stands that has appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendedState {
    /// The append ended with all its records.
    Complete,
    /// Begun, and not at its end.
    Unfinished,
    /// Given up: what it had appended stayed.
    GivenUp,
}

/// Digests that one statement keeps.
const DIGESTS_A_STATEMENT: usize = 1_000;

/// Statements that keep the digests of sources that were read whole, each with its end: a later append wants
/// to know whether a file is the same.
#[must_use]
pub fn keep_digests(run: &str, digests: &[(u32, String)]) -> String {
    let mut sql = String::new();
    for digests in digests.chunks(DIGESTS_A_STATEMENT) {
        let rows: Vec<String> =
            digests.iter().map(|(source, digest)| format!("({source}, {})", literal(digest))).collect();
        sql.push_str(&format!(
            "UPDATE _dbload.source s SET description = pg_catalog.jsonb_set(s.description, '{{fingerprint,whole}}', \
             pg_catalog.to_jsonb(d.digest)) FROM (VALUES {}) d (source, digest) \
             WHERE s.run = {} AND s.source = d.source;\n",
            rows.join(", "),
            literal(run)
        ));
    }
    sql
}
