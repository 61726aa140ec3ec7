//! The command line: parsing, words for people, exit codes. Never decodes a record, never writes SQL.

pub(crate) mod allocator;
pub(crate) mod args;
mod choices;
pub(crate) mod commands;
pub(crate) mod events;
pub(crate) mod exit;
#[cfg(debug_assertions)]
pub(crate) mod faults;
pub(crate) mod fixtures;
pub(crate) mod jobs;
mod lineage;
pub(crate) mod load;
pub(crate) mod local;
mod otel;
mod outbox;
mod pace;
mod parse;
mod picture;
pub(crate) mod pipes;
mod progress;
mod reload;
mod removal_args;
mod render;
mod shape_args;
pub(crate) mod stdout;
mod stores;
pub(crate) mod target;
pub(crate) mod terminal;
pub(crate) mod testing;
pub(crate) mod tracing;
pub(crate) mod verify;
mod watch;
mod web;

use std::io::Write as _;

/// A line on stderr. Nobody reads it any more: nothing to be done.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{}", terminal::words(words));
}
