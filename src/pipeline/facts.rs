//! What is known of an opened source while its records are on their way.

use crate::format::Layout;
use crate::map::Target;

/// Layout and targets of an opened source: what its records are decoded by.
#[derive(Debug)]
pub(super) struct SourceFacts {
    /// Its format and fields.
    pub(super) layout: Layout,
    /// Where each field of the source goes.
    pub(super) targets: Vec<Target>,
}
