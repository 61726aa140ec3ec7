//! What the sample shows of values that their columns would hold as others, before a run is begun.

use crate::map::{Clocks, Foreseen, Mapping};
use crate::plan::Plan;
use crate::prepared::Act;

use super::made::TableOrigin;
use super::settings::is_utc;
use super::start::Start;

impl Start<'_> {
    /// The mapping of a plan, with the judges of its columns.
    pub(super) fn mapping(&self, plan: &Plan, made: &TableOrigin) -> Mapping {
        let clocks = Clocks { are_utc: is_utc(&self.job.time_zone) };
        let is_of_this_run = *made != TableOrigin::Before;
        let mut mapping = plan.mapping().judged(&self.job.narrowing, clocks, is_of_this_run);
        mapping.limits = self.job.reading.decode;
        // What was read is read again from the checkpoints, if it can be.
        mapping.adds_late = self.act.keeps_ledger(self.job) && !self.has_pipe();
        mapping
    }

    /// A comparison counts what is rejected, and that is all.
    pub(super) fn foresee(&self, plan: &Plan, made: &TableOrigin) -> Foreseen {
        let mut foreseen = Foreseen::default();
        // Nor is it known here which records are left out.
        if self.act == Act::Verify || plan.asked.as_ref().is_some_and(|asked| asked.has_condition()) {
            return foreseen;
        }
        let mapping = self.mapping(plan, made);
        for seen in &self.begun.sampled.beginnings {
            mapping.foresee(&seen.name, &seen.layout, &seen.block, &mut foreseen);
        }
        foreseen
    }
}
