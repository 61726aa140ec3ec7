//! `dbload run`: the loads of a job file.
//!
//! What such a file may say is in `keys`; `toml_table` turns a table of it into the arguments of a command
//! that only the file speaks, so that a flag of a load is a key without being written twice. The rest is
//! procedure: `file` reads, `choose` picks, `open` makes jobs, `turn` runs one load and `run` all of them.

mod args;
mod asked_from;
mod check;
mod choose;
mod file;
mod init;
mod keys;
mod line;
mod list;
mod morning;
mod open;
mod parts;
mod place;
mod run;
mod schema;
mod toml_table;
mod turn;
mod variables;
mod watermark;
mod window;
mod wishes;

pub(crate) use args::{
    CheckJobArgs, HistoryArgs, InitJobArgs, ListJobArgs, RunJobArgs, StatusArgs, WatermarkArgs,
};
pub(crate) use check::check;
pub(crate) use init::init;
pub(crate) use list::list;
pub(crate) use morning::{history, status};
pub(crate) use run::run;
pub(crate) use schema::schema;
pub(crate) use watermark::watermark;
