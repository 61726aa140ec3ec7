//! What tells rows of a sheet from those of other columns.

/// In the metadata of a schema: its batches are rows of the sheet of this name, whose texts may be words on
/// why their row is refused.
pub(crate) const SHEET: &str = "sheet";
