//! What only the server can say of merge policies and deletions: whether values have an order, elements an
//! equality, and the role the right.

use crate::pg::Session;
use crate::pg::probe::{greater_operator, has_equal_elements, may_delete};
use crate::plan::{Plan, no_comparison, no_delete, no_equal, no_greater, no_patches};
use crate::prepared::{Act, LoadError};
use crate::schema::MergePolicy;

use super::start::Start;

impl Start<'_> {
    /// Refuses policies that cannot be done.
    pub(super) async fn refuse_policies(&self, session: &Session, plan: &Plan) -> Result<(), LoadError> {
        let is_patched = |policy: MergePolicy| policy == MergePolicy::Patch && self.act != Act::Verify;
        // The server is asked once a column is there.
        let asked = plan.policies.iter().map(|&(column, policy)| (&plan.table.columns[column], policy));
        for (column, policy) in asked.filter(|(column, _)| !column.is_yet_to_be()) {
            let name = column.name.raw();
            if policy.compares() && greater_operator(session, plan.table.oid, name).await?.is_none() {
                return Err(no_greater(name, policy).into());
            }
            if policy == MergePolicy::Union && !has_equal_elements(session, &column.staged_type()).await? {
                return Err(no_equal(name).into());
            }
            if is_patched(policy) && !Act::Load.keeps_ledger(self.job) {
                return Err(no_patches(name).into());
            }
        }
        Ok(())
    }

    /// Refuses deletions that cannot be done.
    pub(super) async fn refuse_deletions(&self, session: &Session, plan: &Plan) -> Result<(), LoadError> {
        let Some(deletions) = &plan.deletions else { return Ok(()) };
        if self.act == Act::Verify {
            return Err(no_comparison().into());
        }
        // Where rows are marked none is deleted.
        if deletions.mark.is_none() && !may_delete(session, plan.table.oid).await? {
            return Err(no_delete(&self.facts.role, &plan.table).into());
        }
        Ok(())
    }
}
