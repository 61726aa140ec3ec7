//! Fixtures into a database: a folder is read, the catalog asked, and all rows go in by one transaction,
//! parents first.
//!
//! No right beyond those to write the tables is needed, and triggers fire. Tables that refer to each other in
//! a circle are filled by one statement, at whose end the server judges their keys. What was there stays: a
//! row whose key is stored is made what the file says, and written only if it is not.

mod blame;
mod error;
mod export;
mod folder;
mod guard;
mod load;
mod removal;
mod statement;

pub use error::SeedError;
pub use export::{ExportCondition, ExportMask, ExportOptions, ExportedTable, export};
pub use folder::{RawFixture, read_folder, read_raw, understood, write_folder};
pub use guard::{is_for_tests, refuse_others};
pub use load::{Chosen, SeedOptions, SeedReport, SeededTable, check, seed};
