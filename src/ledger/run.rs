//! What the ledger knows of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::account::Books;
use crate::record::Position;

/// Settings that a resume must share: parser and mapping, by name. Everything else may change.
pub type Settings = BTreeMap<String, serde_json::Value>;

/// A run to be recorded.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Identity: the same command is the same run.
    pub identity: String,
    /// `schema.table`, for people.
    pub target: String,
    /// Mode by name.
    pub mode: String,
    /// Key columns.
    pub key: Vec<String>,
    /// Number of partitions, for the run's whole life.
    pub partitions: u32,
    /// Settings that a resume must share.
    pub settings: Settings,
    /// `exactly-once`, ..
    pub guarantee: String,
    /// Sources in order.
    pub sources: Vec<StoredSource>,
}

/// A source of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredSource {
    /// Name for people.
    pub name: String,
    /// Everything that a resume needs to read it again; the wiring's to write and read.
    pub description: serde_json::Value,
    /// Where this entry begins, if not at its start: the rest of a source that was set aside.
    pub begin_at: Option<(u64, u64, u64)>,
    /// Where it failed for good.
    pub set_aside: Option<(u64, u64, u64)>,
    /// The entry that fetches the rest.
    pub moved_to: Option<u32>,
}

/// A checkpoint, as stored.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint {
    /// Everything of the partition before it is dealt with.
    pub at: Position,
    /// What was committed up to it.
    pub books: Books,
    /// The partition is at its end.
    pub done: bool,
}

/// An unfinished run, as stored.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// Its id.
    pub run: String,
    /// The epoch that is ours now.
    pub epoch: u64,
    /// Starts so far, this one included.
    pub attempts: u32,
    /// Number of partitions.
    pub partitions: u32,
    /// Settings that it was started with.
    pub settings: Settings,
    /// Guarantee that it was started with.
    pub guarantee: String,
    /// Sources in order.
    pub sources: Vec<StoredSource>,
    /// One a partition.
    pub checkpoints: Vec<Checkpoint>,
}

impl StoredRun {
    /// Settings that differ, each with both values.
    #[must_use]
    pub fn differences(&self, now: &Settings) -> Vec<String> {
        let mut names: Vec<&String> = self.settings.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        let show = |value: Option<&serde_json::Value>| value.map_or("unset".to_owned(), ToString::to_string);
        names
            .into_iter()
            .filter(|name| self.settings.get(*name) != now.get(*name))
            .map(|name| format!("{name} was {}, now {}", show(self.settings.get(name)), show(now.get(name))))
            .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

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
