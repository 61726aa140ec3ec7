//! What of a record that deletes is needed: of the rest nobody asks whether it has a column.

use std::collections::HashMap;

use crate::shape::ShapedRecord;

use super::mapping::{Mapping, Target};
use super::questions::NAMES_KEPT;

/// Names of fields, and whether records that delete need them.
#[derive(Debug, Default)]
pub(super) struct NeededFields(HashMap<String, bool>);

impl NeededFields {
    /// Leaves out the others.
    pub(super) fn of<'f>(&mut self, mapping: &Mapping, mut members: ShapedRecord<'f>) -> ShapedRecord<'f> {
        let Some(deletions) = &mapping.deletions else { return members };
        if self.0.len() > NAMES_KEPT {
            self.0.clear();
        }
        members.retain(|(name, _)| match self.0.get(&**name) {
            Some(is_needed) => *is_needed,
            None => {
                let target = mapping.target(name).0;
                let is_needed = matches!(target, Target::Slot(slot) if deletions.needed.contains(&slot));
                self.0.insert(name.clone().into_owned(), is_needed);
                is_needed
            }
        });
        members
    }
}
