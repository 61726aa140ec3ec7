//! The kit: the program as a process, the database as seen by somebody else, folders, and random numbers that can be replayed.
//!
//! Nothing in here uses dbload's own code for what it checks: only `dbload::local` for throwaway servers.

pub mod compress;
pub mod database;
pub mod dbload;
pub mod folder;
pub mod generate;
pub mod scene;

pub use database::Database;
pub use dbload::{Dbload, Outcome, Rows};
pub use folder::Folder;
pub use generate::Rng;
pub use scene::Scene;
