//! `OpenLineage`: each attempt of a load as a run, with a START and one event of its end, for those who ask
//! for it by its variables. What is sent has no value of a record and no words of a server.

mod attempt;
mod names;
mod run_event;
mod settings;

pub(crate) use attempt::{LineageAttempt, LineageJob};
pub(crate) use settings::{LineageSettings, NominalTime};
