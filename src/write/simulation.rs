//! The writers, simulated: the real committer, protocol, retry and batcher against a server in memory.
//!
//! [`scene`] plays one load: processes that are killed, restarted and taken over, a server with transactions,
//! a ledger and faults (`database`, `server`), and a clock of its own. Everything is drawn from one seed, and
//! nothing runs at the same time, so a seed always plays the same. `load` has the records and the reference;
//! `scene` compares at the end, and after each step what must hold then. There is no runtime and no socket:
//! the futures of the writers are polled by hand.

mod chance;
mod client;
mod database;
mod load;
mod scene;
mod server;
mod tests;
