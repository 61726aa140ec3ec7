//! What the pipeline tells whoever keeps a record of the load. Where nobody does, nothing of this is called.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::account::Books;
use crate::batch::Batch;
use crate::event::{
    BatchTimes, BatchWay, BegunPlan, Detail, Event, Gauges, RejectedFor, SOURCES_NAMED, Totals,
};
use crate::input::Input;
use crate::pg::Lease;
use crate::write::{Carried, Committed, Direct};

use super::shared::{PipelineContext, Read};

/// The queues between the loops. Looks at them, and keeps none of them open.
pub(super) struct Queues {
    blocks: mpsc::WeakSender<Read>,
    batches: Vec<mpsc::WeakSender<Batch>>,
}

impl Queues {
    pub(super) fn of(blocks: &mpsc::Sender<Read>, batches: &[mpsc::Sender<Batch>]) -> Self {
        Self { blocks: blocks.downgrade(), batches: batches.iter().map(mpsc::Sender::downgrade).collect() }
    }

    pub(super) fn gauges(&self, pool: &Lease) -> Gauges {
        let (connections, busy) = pool.open_and_used();
        Gauges {
            connections,
            busy,
            blocks_waiting: waiting(&self.blocks),
            batches_waiting: self.batches.iter().map(waiting).sum(),
        }
    }
}

fn waiting<T>(queue: &mpsc::WeakSender<T>) -> usize {
    queue.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity())
}

impl PipelineContext<'_> {
    pub(super) fn tell(&self, detail: Detail, totals: &Totals) {
        (self.listener)(&Event::Detail(Box::new(detail)), totals);
    }

    /// The plan, as the pipeline begins with it.
    pub(super) fn tell_plan(&self) {
        let (prepared, job) = (self.prepared, self.job);
        let plan = &prepared.plan;
        let mut before = Books::default();
        prepared.checkpoints.iter().for_each(|checkpoint| before.add(&checkpoint.books));
        let mut begun = BegunPlan {
            run: prepared.run.as_ref().map(|run| run.ledger.run.clone()),
            ago: Duration::ZERO,
            attempt: prepared.run.as_ref().map_or(1, |run| run.attempts),
            table: plan.target().name.plain(),
            database: prepared.pool.place(),
            server: prepared.facts.version_name.clone(),
            mode: plan.mode_name(),
            key: plan.key_names(),
            partitions: plan.partitioner.count,
            one_partition: plan.one_partition,
            guarantee: prepared.guarantee.name(),
            connections: prepared.pool.max_size(),
            batch_rows: job.resources.batch_rows,
            batch_bytes: self.batch_bytes,
            before,
            sources: prepared.inputs.iter().take(SOURCES_NAMED).map(|input| input.name.clone()).collect(),
            sources_all: prepared.inputs.len(),
            bytes: prepared.inputs.iter().map(Input::size).sum(),
        };
        begun.ago = self.began.elapsed();
        self.tell(Detail::Begun(begun), &Totals::default());
    }

    /// A batch, and why records of it were rejected.
    pub(super) fn tell_batch(
        &self,
        partition: u32,
        committed: &Committed,
        carried: &Carried,
        totals: &Totals,
    ) {
        let at = |instant: Instant| instant.saturating_duration_since(self.began);
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let way = match (committed.row_by_row, committed.direct) {
            (true, _) => BatchWay::Careful,
            (false, Direct::Done) => BatchWay::Direct,
            (false, _) => BatchWay::Merged,
        };
        let [copied, merged, done] = committed.seconds.map(seconds);
        let batch = BatchTimes {
            partition,
            rows: committed.books,
            bytes: carried.bytes as u64,
            began: at(carried.began),
            ended: at(carried.ended),
            copied,
            merged,
            committed: done,
            way,
            refused: committed.direct == Direct::Refused,
            retries: carried.retries,
        };
        self.tell(Detail::Batch(batch), totals);
        for reason in &committed.reasons {
            let why = RejectedFor {
                sqlstate: reason.sqlstate.clone(),
                column: reason.column.clone(),
                constraint: reason.constraint.clone(),
                count: reason.count,
                source: reason.first.source,
                name: self.prepared.source_name(reason.first.source),
                line: reason.first.line,
            };
            self.tell(Detail::Rejected(why), totals);
        }
    }
}
