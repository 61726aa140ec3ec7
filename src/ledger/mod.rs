//! The ledger: runs, owners, checkpoints and rejects, in schema `_dbload` of the target's database.
//!
//! Opened once before the writers start: migrated if it is behind, an unfinished run of the same identity
//! taken over, or a new one recorded. From then on the writers move its checkpoints themselves (`write`), and
//! `read` sums them up at the end. sqlx does the opening; what runs beside the writers goes through their
//! sessions, since the pool is all the connections there ever are.

mod anew;
mod appended;
mod attempts;
mod beside;
#[cfg(feature = "ledger")]
mod earlier;
mod error;
mod fence;
mod history;
mod marks;
mod met;
#[cfg(feature = "ledger")]
mod migrate;
#[cfg_attr(not(feature = "ledger"), path = "absent.rs")]
mod open;
mod owner;
mod past;
mod prune;
#[cfg(feature = "ledger")]
mod question;
mod read;
mod rebase;
mod reject_rows;
mod rejects;
mod run;
mod target;
#[cfg_attr(not(feature = "ledger"), expect(dead_code, reason = "only migrations ask"))]
mod trust;
mod unfinished;
mod windows;

pub use anew::Anew;
pub use appended::{Appended, AppendedState, AppendedTo, keep_digests};
pub use attempts::AttemptEnd;
pub use beside::{BESIDE, removed, sweep_beside, table_beside, unfinished_run};
pub use error::LedgerError;
pub use fence::{Advance, EPOCH_SETTING, LedgerRef, begun_at};
pub use history::{
    LoadStanding, PastRun, RunChoice, SHARED_FETCH, StoredShare, note_turn, past_runs, shares, standings,
};
pub use marks::{StoredMark, set_watermark, watermarks};
pub use met::FORGET_OVER;
#[cfg(feature = "ledger")]
pub use migrate::{administrator_sql, ensure};
pub use open::Ledger;
pub use owner::{LiveLoad, Owner};
pub use past::{PastAttempt, PastSource, RunDetails, run_details};
pub use prune::{Pruned, prune};
pub use read::Summary;
pub use read::{
    AppendMarks, BEGIN_RECORDING, MADE, Standing, abandon, append_rest, appends_before, complete, has_made,
    heartbeat, note_failure, one_append_at_once, record_columns, record_run, record_target, set_aside,
    source_books, standing, summary, unfinished_sources,
};
pub use rebase::{Rebase, rebase};
pub use reject_rows::{in_ascii, store_rejects};
pub use rejects::{ReasonCount, StoredOriginal, each_reject_after, rejects_query, sample_rejects};
pub use run::{
    ACCUMULATES, ACCUMULATING, Checkpoint, KEY_TYPES, MOVES_ROWS, NewRun, RunSettings, StoredMember,
    StoredRun, StoredSource, StoredTarget, TARGET_COLUMNS, identity_of, identity_of_named,
};
pub use target::{alive_query, check_target, merge_patch, witness_query};
pub use unfinished::{Opened, Unfinished};
pub use windows::{StoredWindow, reopen_window, windows};
