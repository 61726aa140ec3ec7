//! Records of one block or sample as they are shaped for the columns of a mapping.

use crate::format::{Fields, Layout};
use crate::shape::{ShapeRefusal, ShapedRecord, Shaper};

use super::mapping::Mapping;

/// Shapes the records of a layout.
pub(super) struct RecordShaper<'m> {
    names: Vec<String>,
    shaper: Shaper<'m>,
}

impl Mapping {
    /// `None`: records of this layout go on as they come.
    pub(super) fn shaper(&self, layout: &Layout) -> Option<RecordShaper<'_>> {
        let is_text = layout.format.has_header();
        self.shaping.looks_at_values(is_text).then(|| RecordShaper {
            names: layout.names(),
            shaper: Shaper::new(&self.shaping, self, self.limits)
                .of_rejects(layout.format.has_refused_records()),
        })
    }
}

impl RecordShaper<'_> {
    pub(super) fn shape<'f>(
        &'f mut self,
        fields: &'f Fields<'f, 'f>,
    ) -> Result<ShapedRecord<'f>, ShapeRefusal> {
        self.shaper.shape(&self.names, fields)
    }

    /// A record as a reject keeps it, without values that are masked.
    pub(super) fn without_masked(&mut self, record: &str, are_texts: bool) -> Option<String> {
        self.shaper.without_masked(record, are_texts)
    }
}
