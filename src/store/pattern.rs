//! A word about objects, and which keys it means. Pure: what is asked of the store next, and what of an
//! answer is wanted.
//!
//! A store lists what begins with a text, so the part of a pattern before its first sign is asked for, and
//! no more. Where the rest is one level, deeper keys are never listed: the store is asked level by level, as
//! with folders. `**` (or a `/` inside of `{}`) lists all below.

use globset::{GlobBuilder, GlobMatcher};

use super::error::StoreError;
use crate::format::detect;

/// What begins a part that matches.
const SIGNS: [char; 4] = ['*', '?', '[', '{'];

/// A word, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BucketWord {
    /// In lower case.
    pub(super) scheme: String,
    pub(super) bucket: String,
    /// A key, or a pattern of keys; nothing is all of the bucket, as of a folder.
    pub(super) key: String,
}

impl BucketWord {
    pub(super) fn parse(word: &str) -> Result<Self, StoreError> {
        let bad = |reason: &str| StoreError::Word { word: word.to_owned(), reason: reason.to_owned() };
        let (scheme, rest) = word.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(bad("it names no bucket"));
        }
        let scheme = scheme.to_ascii_lowercase();
        // Of Azure it may be CONTAINER@ACCOUNT.dfs.core.windows.net, and $web is a container.
        let more: &[u8] = if matches!(scheme.as_str(), "s3" | "gs") { b"" } else { b"@$" };
        let is_named =
            |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte) || more.contains(&byte);
        if !bucket.bytes().all(is_named) {
            return Err(bad("a bucket's name has letters, digits, dots and hyphens"));
        }
        Ok(Self { scheme, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Scheme and bucket.
    pub(super) fn root(&self) -> String {
        format!("{}://{}", self.scheme, self.bucket)
    }

    /// The word of one of its keys.
    pub(super) fn word_of(&self, key: &str) -> String {
        format!("{}/{key}", self.root())
    }

    pub(super) fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/') && !self.is_pattern()
    }

    pub(super) fn is_pattern(&self) -> bool {
        self.key.contains(SIGNS)
    }
}

/// What the store is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// What the keys begin with.
    pub(super) prefix: String,
    /// Not below the next slash: what is deeper comes as the beginnings of keys.
    pub(super) one_level: bool,
}

/// A pattern on its way down the levels.
#[derive(Debug)]
pub(super) struct Walk {
    word: String,
    /// The parts of the pattern between slashes.
    parts: Vec<String>,
    /// All of it, where it does not go by levels.
    all: GlobMatcher,
    by_levels: bool,
    /// It says itself that it wants them.
    wants_rejects: bool,
    /// Beginnings of keys that are still to be looked into, and the part that is to be matched there.
    open: Vec<(String, usize)>,
}

impl Walk {
    /// From the top of a pattern.
    pub(super) fn new(word: &str, pattern: &str) -> Result<Self, StoreError> {
        let all = matcher(word, pattern)?;
        let inside_braces =
            pattern.split('{').skip(1).any(|part| part.split('}').next().unwrap_or_default().contains('/'));
        let parts: Vec<String> = pattern.split('/').map(str::to_owned).collect();
        let by_levels = !inside_braces && !parts.iter().any(|part| part == "**");
        Ok(Self {
            word: word.to_owned(),
            parts,
            all,
            by_levels,
            wants_rejects: pattern.contains("rejects"),
            open: vec![(String::new(), 0)],
        })
    }

    /// What is to be asked next; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<(Question, Level)>, StoreError> {
        let Some((mut done, mut at)) = self.open.pop() else { return Ok(None) };
        if !self.by_levels {
            let pattern = self.parts.join("/");
            let prefix = pattern[..pattern.find(SIGNS).unwrap_or(pattern.len())].to_owned();
            return Ok(Some((Question { prefix, one_level: false }, Level::All)));
        }
        while at + 1 < self.parts.len() && !self.parts[at].contains(SIGNS) {
            done = format!("{done}{}/", self.parts[at]);
            at += 1;
        }
        let part = &self.parts[at];
        let head = &part[..part.find(SIGNS).unwrap_or(part.len())];
        let question = Question { prefix: format!("{done}{head}"), one_level: true };
        let level = Level::Part { done, matcher: matcher(&self.word, part)?, at };
        Ok(Some((question, level)))
    }

    /// Whether a key that was listed is meant.
    pub(super) fn takes(&self, key: &str, level: &Level) -> bool {
        // Zero bytes that stand for a folder are no data.
        if key.ends_with('/') {
            return false;
        }
        let name = key.rsplit('/').next().unwrap_or_default();
        if !self.wants_rejects && detect::is_reject_file(name) {
            return false;
        }
        match level {
            Level::All => self.all.is_match(key) && !self.hides(key),
            Level::Part { done, matcher, at } => {
                let rest = key.strip_prefix(done.as_str());
                *at + 1 == self.parts.len() && rest.is_some_and(|rest| self.is_match(matcher, rest, *at))
            }
        }
    }

    /// A beginning of keys was listed: it is looked into, if it matches.
    pub(super) fn descend(&mut self, prefix: &str, level: &Level) {
        let Level::Part { done, matcher, at } = level else { return };
        let Some(name) = prefix.strip_prefix(done.as_str()).and_then(|rest| rest.strip_suffix('/')) else {
            return;
        };
        if *at + 1 < self.parts.len() && self.is_match(matcher, name, *at) {
            self.open.push((prefix.to_owned(), at + 1));
        }
    }

    fn is_match(&self, matcher: &GlobMatcher, name: &str, at: usize) -> bool {
        matcher.is_match(name) && (!name.starts_with('.') || self.parts[at].starts_with('.'))
    }

    /// A part of the key is hidden that the pattern does not name.
    fn hides(&self, key: &str) -> bool {
        let named = self.parts.iter().any(|part| part.starts_with('.'));
        !named && key.split('/').any(|part| part.starts_with('.'))
    }
}

/// Which part of a pattern an answer is held against.
#[derive(Debug)]
pub(super) enum Level {
    /// All of it.
    All,
    /// One, behind what is known.
    Part { done: String, matcher: GlobMatcher, at: usize },
}

/// Whether a key in a folder is data, by its name: hidden ones, and what Spark leaves beside its files, are
/// none.
pub(super) fn is_data_in_folder(name: &str) -> bool {
    !name.is_empty()
        && !name.contains('/')
        && !name.starts_with(['.', '_'])
        && !detect::is_reject_file(name)
        && detect::by_name(name).is_some()
}

fn matcher(word: &str, pattern: &str) -> Result<GlobMatcher, StoreError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| StoreError::Word {
        word: word.to_owned(),
        reason: format!("it is no pattern ({})", error.kind()),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Walks over keys as a store would list them: what was asked, and what was found.
    fn walk(pattern: &str, keys: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut walk = Walk::new("s3://b/..", pattern).unwrap();
        let (mut asked, mut found) = (Vec::new(), Vec::new());
        while let Some((question, level)) = walk.next().unwrap() {
            let Question { prefix, one_level } = question;
            let mut prefixes = BTreeSet::new();
            for key in keys.iter().filter(|key| key.starts_with(&prefix)) {
                match key[prefix.len()..].find('/').filter(|_| one_level) {
                    Some(slash) => _ = prefixes.insert(&key[..=prefix.len() + slash]),
                    None if walk.takes(key, &level) => found.push((*key).to_owned()),
                    None => {}
                }
            }
            prefixes.iter().for_each(|prefix| walk.descend(prefix, &level));
            asked.push(prefix + if one_level { "" } else { "..." });
        }
        found.sort();
        (asked, found)
    }

    #[test]
    fn a_pattern_asks_for_what_it_needs_and_finds_what_it_means() {
        let keys = [
            "logs/2025-12.csv",
            "logs/2026-01.csv",
            "logs/2026-02.csv",
            "logs/2026-02.csv/deep.csv",
            "logs/2026-03/a.csv",
            "logs/.hidden.csv",
            "logs/",
            "logs/y=1/m=1/a.csv",
            "logs/y=1/m=2/a.csv",
            "logs/y=2/m=1/b.csv",
            "logs/a.rejects.jsonl",
            "logsfile.csv",
        ];
        for (pattern, asked, found) in [
            ("logs/2026-*.csv", vec!["logs/2026-"], vec!["logs/2026-01.csv", "logs/2026-02.csv"]),
            ("logs/*.csv", vec!["logs/"], vec!["logs/2025-12.csv", "logs/2026-01.csv", "logs/2026-02.csv"]),
            (
                "logs/y=*/m=1/*.csv",
                vec!["logs/y=", "logs/y=2/m=1/", "logs/y=1/m=1/"],
                vec!["logs/y=1/m=1/a.csv", "logs/y=2/m=1/b.csv"],
            ),
            ("logs/y=1/**/*.csv", vec!["logs/y=1/..."], vec!["logs/y=1/m=1/a.csv", "logs/y=1/m=2/a.csv"]),
            (
                "logs/**",
                vec!["logs/..."],
                vec![
                    "logs/2025-12.csv",
                    "logs/2026-01.csv",
                    "logs/2026-02.csv",
                    "logs/2026-02.csv/deep.csv",
                    "logs/2026-03/a.csv",
                    "logs/y=1/m=1/a.csv",
                    "logs/y=1/m=2/a.csv",
                    "logs/y=2/m=1/b.csv",
                ],
            ),
            (
                "logs/{y=1/m=2,y=2/m=1}/?.csv",
                vec!["logs/..."],
                vec!["logs/y=1/m=2/a.csv", "logs/y=2/m=1/b.csv"],
            ),
            ("logs/.h*", vec!["logs/.h"], vec!["logs/.hidden.csv"]),
            ("logs/*rejects*", vec!["logs/"], vec!["logs/a.rejects.jsonl"]),
            ("*.csv", vec![""], vec!["logsfile.csv"]),
            ("no/*.csv", vec!["no/"], vec![]),
        ] {
            assert_eq!(
                walk(pattern, &keys),
                (
                    asked.into_iter().map(str::to_owned).collect(),
                    found.into_iter().map(str::to_owned).collect()
                ),
                "{pattern}"
            );
        }
    }

    #[test]
    fn words_are_taken_apart() {
        let place = |word: &str| {
            BucketWord::parse(word).map(|place| (place.bucket, place.key)).map_err(|error| error.to_string())
        };
        assert_eq!(place("s3://b/a//b c"), Ok(("b".into(), "a//b c".into())));
        assert_eq!(place("S3://b"), Ok(("b".into(), String::new())));
        for wrong in ["s3://", "s3:///key", "s3://b*/key", "s3://user:secret@b/key", "s3://{a,b}/c"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
        assert!(
            BucketWord::parse("s3://b/a/").unwrap().is_folder()
                && BucketWord::parse("s3://b").unwrap().is_folder()
        );
        assert!(!BucketWord::parse("s3://b/a*/").unwrap().is_folder());
    }

    #[test]
    fn what_stands_beside_data_in_a_folder_is_none() {
        for (name, is_data) in [
            ("a.csv", true),
            ("part-0000.json.gz", true),
            ("_SUCCESS", false),
            ("_temporary/x.csv", false),
            (".a.csv.crc", false),
            ("a.csv.crc", false),
            ("a.rejects.jsonl", false),
            ("b/a.csv", false),
            ("", false),
        ] {
            assert_eq!(is_data_in_folder(name), is_data, "{name}");
        }
    }
}
