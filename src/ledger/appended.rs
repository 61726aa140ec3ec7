//! What earlier appends have put into a table: the sources of completed runs, and of those that left rows
//! behind.

use crate::pg::literal;

use super::run::StoredMember;

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
    /// What its table is to the one that is loaded now.
    pub relation: AppendedTo,
    /// Its table, as SQL has it.
    pub target: String,
    /// The files of its table and of all below it when the run began.
    pub files: Vec<StoredMember>,
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

/// What the table of an earlier append is to the one that is loaded now. A number of the catalog alone proves
/// nothing: a dump that is restored, or a copy that takes the name, has the same rows under another one, and
/// in another cluster the same number is that of another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendedTo {
    /// The same, by number and name.
    Itself,
    /// One of the same number, which had another name.
    Renamed,
    /// One of the same name, which had another number.
    Namesake,
    /// A partition or a child of it.
    Part,
    /// A table that it is, or was, a partition or a child of.
    Whole,
}

/// Digests that one statement keeps.
const DIGESTS_A_STATEMENT: usize = 1_000;

/// Statements that keep what is known of sources that were read whole, each with its end, as members of its
/// fingerprint: a later append wants to know whether a file is the same.
#[must_use]
pub fn keep_digests(run: &str, digests: &[(u32, serde_json::Value)]) -> String {
    let mut sql = String::new();
    for digests in digests.chunks(DIGESTS_A_STATEMENT) {
        let row = |(source, known): &(u32, serde_json::Value)| {
            format!("({source}, {}::pg_catalog.jsonb)", literal(&known.to_string()))
        };
        let rows: Vec<String> = digests.iter().map(row).collect();
        sql.push_str(&format!(
            "UPDATE _dbload.source s SET description = pg_catalog.jsonb_set(s.description, '{{fingerprint}}', \
             (s.description -> 'fingerprint') || d.known) FROM (VALUES {}) d (source, known) \
             WHERE s.run = {} AND s.source = d.source;\n",
            rows.join(", "),
            literal(run)
        ));
    }
    sql
}
