//! Which members of an archive are meant. They are offered one by one, and those that are not meant are not
//! kept, however many there are.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobMatcher};

use crate::input::member::{ArchiveKind, MemberError, MemberNames, MemberPlace, label};
use crate::input::spec::MAX_SOURCES;

/// MemberNames that an error shows.
const NAMES_SHOWN: usize = 10;

/// A file in an archive.
pub(super) struct ArchiveEntry {
    pub(super) name: String,
    pub(super) place: MemberPlace,
    /// Why it cannot be read, should it be meant.
    pub(super) refused: Option<MemberError>,
}

/// A choice on its way through an archive.
pub(super) struct Choice {
    /// Name or pattern; none: the only one.
    wanted: Option<String>,
    matcher: Option<GlobMatcher>,
    /// The one of that very name.
    exact: Option<ArchiveEntry>,
    /// Those of the pattern; without any, the first two.
    chosen: Vec<ArchiveEntry>,
    places: HashMap<String, usize>,
    names: MemberNames,
    /// Members that a later one of the same name replaces.
    replaced: u64,
}

/// What was chosen.
pub(super) struct ChosenMembers {
    pub(super) entries: Vec<ArchiveEntry>,
    /// Members that a later one of the same name replaces.
    pub(super) replaced: u64,
}

impl Choice {
    pub(super) fn new(wanted: Option<&str>) -> Result<Self, MemberError> {
        let is_pattern = |wanted: &&str| wanted.contains(['*', '?', '[', '{']);
        let matcher = match wanted.filter(is_pattern) {
            // As the archivers' own tools have it, a star goes through folders.
            Some(wanted) => {
                let glob = GlobBuilder::new(wanted).literal_separator(false).build();
                let bad = |source| MemberError::BadPattern { wanted: wanted.to_owned(), source };
                Some(glob.map_err(bad)?.compile_matcher())
            }
            None => None,
        };
        Ok(Self { wanted: wanted.map(ToOwned::to_owned), matcher, ..Self::named("") })
    }

    /// The one of this very name.
    pub(super) fn named(name: &str) -> Self {
        Self {
            wanted: Some(name.to_owned()),
            matcher: None,
            exact: None,
            chosen: Vec::new(),
            places: HashMap::new(),
            names: MemberNames::default(),
            replaced: 0,
        }
    }

    /// Takes the next file of the archive, or leaves it.
    pub(super) fn offer(&mut self, entry: ArchiveEntry) -> Result<(), MemberError> {
        let is_data = !is_beside(&entry.name);
        if is_data {
            self.names.count += 1;
            if self.names.first.len() < NAMES_SHOWN {
                self.names.first.push(label(&entry.name));
            }
        }
        if self.wanted.as_ref() == Some(&entry.name) {
            self.replaced += u64::from(self.exact.is_some());
            self.exact = Some(entry);
            return Ok(());
        }
        let is_meant = match (&self.wanted, &self.matcher) {
            (None, _) => true,
            (Some(_), Some(matcher)) => matcher.is_match(&entry.name),
            (Some(_), None) => false,
        };
        if !(is_meant && is_data) {
            return Ok(());
        }
        match self.places.get(&entry.name) {
            Some(place) => {
                self.replaced += 1;
                self.names.count -= 1;
                self.chosen[*place] = entry;
            }
            // Two are too many already.
            None if self.wanted.is_none() && self.chosen.len() > 1 => {}
            None => {
                if self.chosen.len() == MAX_SOURCES {
                    return Err(MemberError::TooMany(MAX_SOURCES));
                }
                self.places.insert(entry.name.clone(), self.chosen.len());
                self.chosen.push(entry);
            }
        }
        Ok(())
    }

    /// What was chosen, once all were offered.
    pub(super) fn end(self) -> Result<ChosenMembers, MemberError> {
        let entries = match (self.exact, self.wanted) {
            (Some(exact), _) => vec![exact],
            (None, Some(wanted)) if self.chosen.is_empty() => {
                return Err(MemberError::NoMember { wanted, names: self.names });
            }
            (None, None) if self.chosen.is_empty() => return Err(MemberError::Empty),
            (None, None) if self.chosen.len() > 1 => {
                return Err(MemberError::Several { names: self.names });
            }
            (None, _) => self.chosen,
        };
        let mut checked = Vec::with_capacity(entries.len());
        for mut entry in entries {
            if let Some(refused) = entry.refused.take() {
                return Err(refused);
            }
            if ArchiveKind::by_name(&entry.name).is_some() {
                return Err(MemberError::Nested(label(&entry.name)));
            }
            checked.push(entry);
        }
        Ok(ChosenMembers { entries: checked, replaced: self.replaced })
    }
}

/// What systems put beside the files.
fn is_beside(name: &str) -> bool {
    name.starts_with("__MACOSX/") || name.rsplit('/').next().is_some_and(|last| last.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::member::Packing;

    fn chosen(wanted: Option<&str>, names: &[&str]) -> String {
        let mut choice = match Choice::new(wanted) {
            Ok(choice) => choice,
            Err(error) => return error.to_string(),
        };
        for (i, name) in (0_u64..).zip(names) {
            let place = MemberPlace { offset: i, packed: 0, size: 0, crc: 0, packing: Packing::Stored };
            let refused = name.contains("secret").then(|| MemberError::Encrypted((*name).to_owned()));
            choice.offer(ArchiveEntry { name: (*name).to_owned(), place, refused }).unwrap();
        }
        match choice.end() {
            Ok(chosen) => {
                let names = chosen.entries.iter().map(|e| format!("{}@{}", e.name, e.place.offset));
                format!("{} -{}", names.collect::<Vec<_>>().join(" "), chosen.replaced)
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn one_is_meant_by_itself_and_several_must_be_named() {
        for (wanted, names, expected) in [
            (None, &["a.csv"][..], "a.csv@0 -0"),
            (None, &["__MACOSX/._a.csv", ".DS_Store", "x/a.csv"], "x/a.csv@2 -0"),
            (None, &["a.csv", "a.csv"], "a.csv@1 -1"),
            (None, &[], "the archive has no files in it"),
            (None, &["a.csv", "b.csv", "c.csv"], "the archive has 3 files: a.csv, b.csv, c.csv"),
            (Some("b.csv"), &["a.csv", "b.csv"], "b.csv@1 -0"),
            (Some("*"), &["a.csv", "x/b.csv", ".c"], "a.csv@0 x/b.csv@1 -0"),
            (Some("x/*.csv"), &["a.csv", "x/b.csv", "x/y/c.csv", "x/d.txt"], "x/b.csv@1 x/y/c.csv@2 -0"),
            (Some("[a]"), &["a", "[a]"], "[a]@1 -0"),
            (Some(".c"), &["a", ".c"], ".c@1 -0"),
            (Some("../../etc/passwd"), &["../../etc/passwd"], "../../etc/passwd@0 -0"),
            (Some("z"), &["a", "b"], "nothing in the archive is called \"z\"; it has 2 files: a, b"),
            (Some("*"), &["a", "secret"], "\"secret\" is encrypted"),
            (Some("a"), &["a", "secret"], "a@0 -0"),
            (None, &["a.zip"], "\"a.zip\" is an archive within the archive"),
            (Some("[a"), &["a"], "\"[a\" is no pattern"),
            (
                Some("a\nb"),
                &["c\u{1b}[2J"],
                "nothing in the archive is called \"a\\nb\"; it has 1 file: c\\u{1b}[2J",
            ),
        ] {
            assert_eq!(chosen(wanted, names), expected, "{wanted:?} {names:?}");
        }
    }
}
