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

/// Which loads stand behind others because of references between their tables. What is written beats them:
/// where both together make a circle, the load that is said to come first waits for no table of it. A circle
/// of references alone is left.
#[must_use]
pub fn behind<'n>(written: &Edges<'n>, references: &Edges<'n>) -> Edges<'n> {
    let mut behind = references.clone();
    behind.iter_mut().for_each(|(name, others)| others.retain(|other| other != name));
    loop {
        let mut all = written.clone();
        behind.iter().for_each(|(name, others)| all.entry(name).or_default().extend(others));
        let Some(way) = circle(&all) else { return behind };
        let steps: Vec<(&str, &str)> = way.iter().copied().zip(way.iter().copied().skip(1)).collect();
        let is_written =
            |(from, to): &(&str, &str)| written.get(from).is_some_and(|after| after.contains(to));
        let Some(said) = steps.iter().position(is_written) else { return behind };
        let next = steps.iter().cycle().skip(said).take(steps.len()).find(|step| !is_written(step));
        let Some((from, to)) = next else { return behind };
        if let Some(others) = behind.get_mut(from) {
            others.retain(|other| other != to);
        }
    }
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
    /// Whether a load that comes after these, and stands behind those, may begin. Those that were not chosen
    /// are not waited for; of what it stands behind the end does not matter.
    #[must_use]
    pub fn of(
        after: &[String],
        behind: &[String],
        chosen: impl Fn(&str) -> bool,
        ended: &BTreeMap<String, LoadState>,
    ) -> Self {
        let mut readiness = Self::Ready;
        if behind.iter().any(|name| chosen(name) && !ended.contains_key(name)) {
            readiness = Self::Waits;
        }
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
        assert_eq!(Readiness::of(&after, &[], |_| true, &ended), Readiness::Waits);
        assert_eq!(Readiness::of(&after, &[], |name| name != "b", &ended), Readiness::Ready);
        ended.insert("b".to_owned(), LoadState::Failed);
        assert_eq!(Readiness::of(&after, &[], |_| true, &ended), Readiness::InVain("b".to_owned()));
        ended.insert("b".to_owned(), LoadState::Rejected);
        assert_eq!(Readiness::of(&after, &[], |_| true, &ended), Readiness::Ready);
        let behind = ["c".to_owned()];
        assert_eq!(Readiness::of(&after, &behind, |_| true, &ended), Readiness::Waits);
        assert_eq!(Readiness::of(&after, &behind, |name| name != "c", &ended), Readiness::Ready);
        ended.insert("c".to_owned(), LoadState::Failed);
        assert_eq!(Readiness::of(&after, &behind, |_| true, &ended), Readiness::Ready, "it skips nobody");
    }

    #[test]
    fn what_is_written_beats_what_tables_say() {
        let references = Edges::from([("items", vec!["orders", "items"]), ("orders", vec!["customers"])]);
        let written = Edges::from([("customers", vec!["x"]), ("x", vec!["orders"])]);
        let behind = behind(&written, &references);
        assert_eq!((behind["items"].as_slice(), behind["orders"].as_slice()), (&["orders"][..], &[][..]));
        // A circle of tables is cut where the file says who comes first.
        let references = Edges::from([("a", vec!["b"]), ("b", vec!["c"]), ("c", vec!["a"])]);
        assert_eq!(super::behind(&Edges::new(), &references), references);
        let behind = super::behind(&Edges::from([("a", vec!["b"])]), &references);
        assert_eq!(behind, Edges::from([("a", vec!["b"]), ("b", vec![]), ("c", vec!["a"])]));
    }
}
