//! Clones that are ready, as far as this process knows: each is told to one test of it, so that they do not
//! reach for the same one. Other processes may be faster. Pure.

use std::collections::HashMap;

/// What is there, and how many tests of this process have a database.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// Names of databases, by the key of their template.
    ready: HashMap<u64, Vec<String>>,
    in_use: usize,
    most_in_use: usize,
}

impl Stock {
    pub(super) fn add(&mut self, template: u64, names: impl IntoIterator<Item = String>) {
        let ready = self.ready.entry(template).or_default();
        for name in names {
            if !ready.contains(&name) {
                ready.push(name);
            }
        }
    }

    /// One that is told to nobody else.
    pub(super) fn next(&mut self, template: u64) -> Option<String> {
        self.ready.get_mut(&template)?.pop()
    }

    /// A test has a database from here on.
    pub(super) fn begin(&mut self) {
        self.in_use += 1;
        self.most_in_use = self.most_in_use.max(self.in_use);
    }

    /// And from here on it has none.
    pub(super) fn end(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
    }

    /// How many tests of this process had a database at the same time.
    pub(super) fn most_in_use(&self) -> usize {
        self.most_in_use
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_by_its_template() {
        let mut stock = Stock::default();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        stock.add(1, names(&["a", "b"]));
        stock.add(1, names(&["b"]));
        assert_eq!(stock.next(2), None);
        assert_eq!(
            [stock.next(1), stock.next(1), stock.next(1)],
            [Some("b".to_owned()), Some("a".to_owned()), None]
        );
    }

    #[test]
    fn the_most_at_once_are_remembered() {
        let mut stock = Stock::default();
        for _ in 0..3 {
            stock.begin();
        }
        for _ in 0..5 {
            stock.end();
        }
        stock.begin();
        assert_eq!(stock.most_in_use(), 3);
    }
}
