//! All that is wanted of nested values, as one tree: a value is walked once, whatever is wanted of it.

use super::shaping::Shaping;

/// What is wanted of a value: it itself as a field of this name, and parts of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WantedParts {
    pub(super) field: Option<String>,
    pub(super) parts: Vec<(String, WantedParts)>,
}

impl WantedParts {
    /// What the paths of a shaping want of records.
    pub(super) fn of(shaping: &Shaping) -> Self {
        let mut root = Self::default();
        for (map, path) in shaping.paths() {
            let mut at = root.part_mut(&path.first);
            for step in &path.steps {
                at = at.part_mut(step);
            }
            at.field.get_or_insert_with(|| map.field.clone());
        }
        root
    }

    fn part_mut(&mut self, step: &str) -> &mut Self {
        let found = self.parts.iter().position(|(name, _)| name == step);
        let at = found.unwrap_or_else(|| {
            self.parts.push((step.to_owned(), Self::default()));
            self.parts.len() - 1
        });
        &mut self.parts[at].1
    }

    pub(super) fn part(&self, step: &str) -> Option<&Self> {
        self.parts.iter().find(|(name, _)| name == step).map(|(_, part)| part)
    }
}
