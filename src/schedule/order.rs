//! Which load waits for which.

use std::collections::{BTreeMap, BTreeSet};

use super::state::LoadState;

/// Loads that wait for others: the name of each, and the names that it comes after.
pub type Edges<'n> = BTreeMap<&'n str, Vec<&'n str>>;

/// A circle in it, from one of its loads back to the same; names that are not there wait for nobody.
#[must_use]
pub fn circle<'n>(waits: &Edges<'n>) -> Option<Vec<&'n str>> {
    let mut done = BTreeSet::new();
    waits.keys().find_map(|&name| walk(name, waits, &mut Vec::new(), &mut done))
}

fn walk<'n>(
    name: &'n str,
    waits: &Edges<'n>,
    way: &mut Vec<&'n str>,
    done: &mut BTreeSet<&'n str>,
) -> Option<Vec<&'n str>> {
    if let Some(at) = way.iter().position(|&before| before == name) {
        return Some(way[at..].iter().copied().chain([name]).collect());
    }
    if done.contains(name) {
        return None;
    }
    way.push(name);
    let found = waits.get(name).into_iter().flatten().find_map(|&next| walk(next, waits, way, done));
    way.pop();
    done.insert(name);
    found
}

/// What keeps a load from beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing.
    Ready,
    /// A load that it comes after is not at its end.
    Waits,
    /// This load, that it comes after, did not come to a good end.
    InVain(String),
}

impl Readiness {
    /// Whether a load that comes after these may begin. Those that were not chosen are not waited for.
    #[must_use]
    pub fn of(after: &[String], chosen: impl Fn(&str) -> bool, ended: &BTreeMap<String, LoadState>) -> Self {
        let mut readiness = Self::Ready;
        for name in after.iter().filter(|name| chosen(name)) {
            match ended.get(name) {
                Some(state) if state.is_good() => {}
                Some(_) => return Self::InVain(name.clone()),
                None => readiness = Self::Waits,
            }
        }
        readiness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_and_named() {
        let waits = |edges: &[(&'static str, &[&'static str])]| -> Edges<'static> {
            edges.iter().map(|(name, after)| (*name, after.to_vec())).collect()
        };
        assert_eq!(circle(&waits(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["not there"])])), None);
        assert_eq!(circle(&waits(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])])), Some(vec!["b", "c", "b"]));
        assert_eq!(circle(&waits(&[("a", &["a"])])), Some(vec!["a", "a"]));
    }

    #[test]
    fn a_load_begins_behind_those_that_it_comes_after_and_not_behind_a_bad_end() {
        let after = ["a".to_owned(), "b".to_owned()];
        let mut ended = BTreeMap::from([("a".to_owned(), LoadState::NothingNew)]);
        assert_eq!(Readiness::of(&after, |_| true, &ended), Readiness::Waits);
        assert_eq!(Readiness::of(&after, |name| name != "b", &ended), Readiness::Ready);
        ended.insert("b".to_owned(), LoadState::Failed);
        assert_eq!(Readiness::of(&after, |_| true, &ended), Readiness::InVain("b".to_owned()));
        ended.insert("b".to_owned(), LoadState::Rejected);
        assert_eq!(Readiness::of(&after, |_| true, &ended), Readiness::Ready);
    }
}
