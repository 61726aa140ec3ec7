//! The SQL of a batch, as text: what is staged, converted, folded, set aside and merged, and the settings of
//! a writer's session. Pure: it is made from the plan and the batch, and never sent here.

pub(in crate::write) mod convert;
pub(in crate::write) mod dedup;
pub(in crate::write) mod deletions;
pub(in crate::write) mod merge;
pub(in crate::write) mod names;
pub(in crate::write) mod quarantine;
pub(in crate::write) mod range;
pub(in crate::write) mod row_by_row;
pub(in crate::write) mod settings;
pub(in crate::write) mod unique_constraints;
