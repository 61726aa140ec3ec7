//! What only the server can say of merge policies: whether values have an order, and elements an equality.

use crate::pg::Session;
use crate::pg::probe::{greater_operator, has_equal_elements};
use crate::plan::{Plan, no_equal, no_greater, no_patches};
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
}
