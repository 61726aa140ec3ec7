//! `dbload run`: the loads of a job file.
//!
//! What such a file may say is in `keys`; `toml_table` turns a table of it into the arguments of a command
//! that only the file speaks, so that a flag of a load is a key without being written twice. The rest is
//! procedure: `file` reads, `choose` picks, `open` makes jobs, `turn` runs one load and `run` all of them.

mod after;
mod args;
mod asked_from;
mod backfill;
mod check;
mod choose;
mod edges;
mod file;
mod hooks;
mod init;
mod keys;
mod line;
mod list;
mod metrics;
mod morning;
mod open;
mod parts;
mod peaks;
mod place;
mod prune;
mod run;
mod schema;
mod sharing;
mod show;
mod show_file;
mod toml_table;
mod turn;
mod variables;
mod watermark;
mod window;
mod wishes;

pub(crate) use args::{
    CheckJobArgs, HistoryArgs, InitJobArgs, ListJobArgs, PruneArgs, RunJobArgs, ShowArgs, StatusArgs,
    WatermarkArgs,
};
pub(crate) use check::check;
pub(crate) use init::init;
pub(crate) use list::list;
pub(crate) use morning::{history, status};
pub(crate) use prune::prune;
pub(crate) use run::run;
pub(crate) use schema::schema;
pub(crate) use show::show;
pub(crate) use watermark::watermark;
