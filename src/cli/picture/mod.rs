//! The picture of a load: where its time went, drawn from its record of events, or from the ledger.
//!
//! Pure but for reading the record. Whatever stands in a record is hostile: a name of a file is shown, and
//! never acted upon.

mod advice;
mod chart;
mod escape;
mod figures;
mod html;
mod lanes;
mod page;
mod read;
mod text;
mod trace;

pub(crate) use html::html;
pub(crate) use page::LoadPage;
pub(crate) use read::{EventRecord, read};
pub(crate) use text::text;
pub(crate) use trace::trace;
