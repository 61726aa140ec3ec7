//! The record of a load: a line of JSON for each event, in a file that later starts append to.
//!
//! Listens only. The lines are a contract (docs/events.md): no value of a record, no secret, no words of a
//! server.

mod file;
mod line;
mod process;
mod recorder;

pub(crate) use file::EventsFile;
pub(crate) use line::{
    BatchLine, BlockLine, EndLine, EventLine, PlanLine, RejectedLine, SampleLine, WayName, What,
};
pub(crate) use process::{cpu, most_resident_bytes};
pub(crate) use recorder::{Recorder, sqlstate_of};
