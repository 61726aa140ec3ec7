//! A batch and its fate: what a writer does next (`protocol`, pure), who does it against the server
//! (`committer`, `server`), how long it is tried again (`retry`), and the task that owns them (`writer`).
//! What a transaction says is never decided here.

pub(in crate::write) mod committer;
pub(in crate::write) mod protocol;
pub(in crate::write) mod retry;
pub(in crate::write) mod server;
pub(in crate::write) mod writer;
