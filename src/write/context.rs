//! What every transaction of a writer needs.

use crate::ledger::LedgerRef;

use super::plan::WritePlan;
use super::reject::Originals;

/// What every transaction of a writer needs.
pub(super) struct Context<'a> {
    pub(super) plan: &'a WritePlan,
    pub(super) ledger: Option<&'a LedgerRef>,
    pub(super) originals: &'a Originals,
    /// Reasons of rejects are told.
    pub(super) is_recorded: bool,
    /// Whether another batch is waiting for its turn.
    pub(super) more: &'a (dyn Fn() -> bool + Sync),
}
