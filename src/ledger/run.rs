//! What the ledger knows of a run.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3;

use crate::account::Books;
use crate::record::{PageToken, Place, Position};

/// Settings that a resume must share: parser and mapping, by name. Everything else may change.
pub type RunSettings = BTreeMap<String, serde_json::Value>;

/// The setting that says the number of each column that a run may write to; of the run, and no flag.
pub const TARGET_COLUMNS: &str = "target-columns";

/// The setting that says what the columns of a run's key are hashed as, and their types.
pub const KEY_TYPES: &str = "key-types";

/// The setting of a run whose records count as often as they are applied, though it has a key: what says so
/// is another setting.
pub const ACCUMULATES: &str = "accumulates";

/// The mode of such a run, as somebody must know it who would begin it anew.
pub const ACCUMULATING: &str = "accumulating";

/// A condition on a run `r`: what it has loaded is not to be loaded once more.
pub(super) const LOADS_ONCE: &str =
    "(r.mode OPERATOR(pg_catalog.=) 'append' OR pg_catalog.jsonb_exists(r.settings, 'accumulates'))";

/// A run to be recorded.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Identity: the same command is the same run.
    pub identity: String,
    /// The target, as `schema.table` for people.
    pub target: String,
    /// The mode, by the name that users write.
    pub mode: String,
    /// The key columns, in the order given.
    pub key: Vec<String>,
    /// Number of partitions, for the run's whole life.
    pub partitions: u32,
    /// Settings that a resume must share.
    pub settings: RunSettings,
    /// The guarantee by name, such as `exactly-once`.
    pub guarantee: String,
    /// The sources, in the order given.
    pub sources: Vec<StoredSource>,
}

/// The target of a run: the table, and the files of it and of all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredTarget {
    /// Its number in the catalog, `pg_class.oid`.
    pub oid: u32,
    /// Its file on the server, `pg_class.relfilenode`.
    pub file: u32,
    /// The table and all below it; `None`: a run of before they were stored.
    pub members: Option<Vec<StoredMember>>,
}

/// A table of a target: oid, relfilenode, and in letters what it is: `u` if a crash of the server empties it,
/// else `p`; then [`MOVES_ROWS`], if that is so.
pub type StoredMember = (u32, u32, String);

/// The letter of a table of which a trigger may have put rows of the run elsewhere.
pub const MOVES_ROWS: char = 't';

impl StoredTarget {
    /// Its files as stored.
    #[must_use]
    pub fn files(&self) -> String {
        serde_json::to_string(&self.members).unwrap_or_default()
    }

    /// Adds what was so at an earlier start, and has left its traces whether it is so now or not.
    pub fn add_moves_of(&mut self, before: &[StoredMember]) {
        for (oid, _, letters) in self.members.iter_mut().flatten() {
            let moved = before.iter().any(|(other, _, letters)| other == oid && letters.contains(MOVES_ROWS));
            if moved && !letters.contains(MOVES_ROWS) {
                letters.push(MOVES_ROWS);
            }
        }
    }

    /// A crash of the server empties it, or a part of it.
    #[must_use]
    pub fn is_unlogged(&self) -> bool {
        self.members.iter().flatten().any(|(_, _, letters)| letters.starts_with('u'))
    }
}

/// A source of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSource {
    /// The source's name for people, without secrets.
    pub name: String,
    /// Everything that a resume needs to read it again; the wiring's to write and read.
    pub description: serde_json::Value,
    /// Where this entry begins, if not at its start: the rest of a source that was set aside.
    pub begin_at: Option<Place>,
    /// Where it failed for good.
    pub set_aside: Option<Place>,
    /// The entry that fetches the rest.
    pub moved_to: Option<u32>,
}

/// A checkpoint, as stored.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Everything of the partition before it is dealt with.
    pub at: Position,
    /// How it is found again in a source from the network.
    pub page: Option<PageToken>,
    /// What was committed up to it.
    pub books: Books,
    /// The partition is at its end.
    pub done: bool,
}

impl Checkpoint {
    /// What those say that are still to be gone on from, and where they are.
    #[must_use]
    pub fn tokens(checkpoints: &[Self]) -> Vec<(Position, PageToken)> {
        let open = checkpoints.iter().filter(|checkpoint| !checkpoint.done);
        open.filter_map(|checkpoint| Some((checkpoint.at, checkpoint.page.clone()?))).collect()
    }
}

/// An unfinished run, as stored.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// The id of the run.
    pub run: String,
    /// The epoch that is ours now.
    pub epoch: u64,
    /// Starts so far, this one included.
    pub attempts: u32,
    /// The number of partitions of the run.
    pub partitions: u32,
    /// Settings that it was started with.
    pub settings: RunSettings,
    /// Guarantee that it was started with.
    pub guarantee: String,
    /// Its target and all below it, as the last start found them.
    pub members: Vec<StoredMember>,
    /// The sources, in the order given.
    pub sources: Vec<StoredSource>,
    /// The checkpoints, one for each partition.
    pub checkpoints: Vec<Checkpoint>,
}

impl StoredRun {
    /// Settings that differ, each as the flags of then and of now.
    #[must_use]
    pub fn differences(&self, now: &RunSettings) -> Vec<String> {
        let mut names: Vec<&String> = self.settings.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        names
            .into_iter()
            .filter(|name| self.settings.get(*name) != now.get(*name))
            .map(|name| {
                let flags = [self.settings.get(name), now.get(name)].map(|value| flag(name, value));
                let [was, is] = flags;
                format!("{was} then, {is} now")
            })
            .collect()
    }
}

/// A setting as the command line has it.
pub(super) fn flag(name: &str, value: Option<&serde_json::Value>) -> String {
    let words = match value {
        None => None,
        Some(value) => words(value),
    };
    let words = match (name, words.as_deref()) {
        // As it was always stored: a character, none, or not said.
        ("quote", Some("None")) => None,
        ("quote", Some("Some(None)")) => Some("none".to_owned()),
        ("quote", Some(quote)) => {
            let quote = quote.strip_prefix("Some(Some(").and_then(|rest| rest.strip_suffix("))"));
            quote.map(str::to_owned).or(words)
        }
        ("format" | "compression", Some("by name and content")) => None,
        ("format" | "compression", Some(named)) => Some(named.to_lowercase()),
        ("partitioning", Some(words)) => return format!("partitions {words}"),
        ("source", Some(words)) => return format!("source {words}"),
        _ => words,
    };
    match words {
        None => format!("without --{name}"),
        Some(words) if words.is_empty() || words.contains([' ', ';', '*', '?', '$', '&', '|']) => {
            format!("--{name} '{words}'")
        }
        Some(words) => format!("--{name} {words}"),
    }
}

/// A value in the words of a flag: lists by commas, `jsonb:COLUMN` for an object of one member.
fn words(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Array(items) if items.is_empty() => None,
        serde_json::Value::Array(items) => Some(items.iter().filter_map(words).collect::<Vec<_>>().join(",")),
        serde_json::Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{name}:{}", words(value).unwrap_or_default()));
            Some(members.collect::<Vec<_>>().join(","))
        }
        other => Some(other.to_string()),
    }
}

/// Identity of a load: `--load-id`, else a digest of what is loaded into what.
#[must_use]
pub fn identity_of(
    load_id: Option<&str>,
    target: &str,
    mode: &str,
    key: &[String],
    sources: &[String],
) -> String {
    if let Some(id) = load_id {
        return format!("id:{id}");
    }
    let mut hash = Xxh3::new();
    let mut part = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(target);
    part(mode);
    part(&key.len().to_string());
    key.iter().for_each(|column| part(column));
    sources.iter().for_each(|source| part(source));
    format!("{:032x}", hash.digest128())
}

/// Identity of a load of a job file, and of the part of it that is loaded in one run. Its names have no
/// slash; nothing else begins in this way.
#[must_use]
pub fn identity_of_named(job: &str, load: &str, part: &str) -> String {
    format!("job:{job}/{load}{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_as_the_flags_that_they_came_from() {
        let shown = |name: &str, value: serde_json::Value| flag(name, Some(&value));
        assert_eq!(shown("null-as", "x".into()), "--null-as x");
        assert_eq!(shown("null-as", "".into()), "--null-as ''");
        assert_eq!(shown("records", serde_json::Value::Null), "without --records");
        assert_eq!(flag("encoding", None), "without --encoding");
        assert_eq!(shown("key", vec!["a", "b"].into()), "--key a,b");
        assert_eq!(shown("quote", "None".into()), "without --quote");
        assert_eq!(shown("quote", "Some(None)".into()), "--quote none");
        assert_eq!(shown("quote", "Some(Some('\\''))".into()), "--quote '\\''");
        assert_eq!(shown("format", "by name and content".into()), "without --format");
        assert_eq!(shown("format", "Jsonl".into()), "--format jsonl");
        assert_eq!(shown("extra", serde_json::json!({"jsonb": "rest"})), "--extra jsonb:rest");
        assert_eq!(shown("skip-records", 7.into()), "--skip-records 7");
        assert_eq!(shown("paginate", "page:p;size=7".into()), "--paginate 'page:p;size=7'");
    }

    #[test]
    fn the_same_command_is_the_same_run_and_no_other_is() {
        let id = |key: &[&str], sources: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
            identity_of(None, "public.t", "upsert", &owned(key), &owned(sources))
        };
        assert_eq!(id(&["a"], &["/x"]), id(&["a"], &["/x"]));
        assert_ne!(id(&["a", "b"], &["/x"]), id(&["a"], &["b", "/x"]));
        assert_ne!(id(&["ab"], &["/x"]), id(&["a"], &["b/x"]));
    }
}
