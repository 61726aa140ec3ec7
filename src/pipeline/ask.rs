//! What the server is asked of a block's records before they are mapped.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::{Held, Workers};
use crate::ledger::LedgerRef;
use crate::map::{AskedRow, Mapping, MarkTexts, RecordAnswer, asking};
use crate::prepared::LoadError;
use crate::record::Block;
use crate::write::{Asker, RetryPolicy, WriteError};

use super::facts::SourceFacts;
use super::shared::PipelineContext;

/// Copies of the texts that are sent, at most at the same time: as they are, as an array, as a statement.
const COPIES: usize = 3;

/// Asks about the records of blocks.
pub(super) struct Asks {
    asker: Arc<Asker>,
    mapping: Arc<Mapping>,
    workers: Workers,
    /// How rows are marked in place of deleted, once that was asked for.
    marks: Arc<OnceCell<MarkTexts>>,
    run: Option<LedgerRef>,
}

impl PipelineContext<'_> {
    /// Who asks, where something is asked.
    pub(super) fn asks(&self) -> Option<Arc<Asks>> {
        let asked = self.prepared.mapping.asked.as_ref()?;
        let asker = Arc::new(Asker {
            plan: Arc::clone(&self.prepared.write),
            asked: Arc::clone(asked),
            pool: self.prepared.pool.clone(),
            retry_policy: RetryPolicy { retry_for: self.job.resources.retry_for },
        });
        let mapping = Arc::clone(&self.prepared.mapping);
        let run = self.prepared.run.as_ref().map(|run| run.ledger.clone());
        let marks = Arc::new(OnceCell::new());
        Some(Arc::new(Asks { asker, mapping, workers: self.workers.clone(), marks, run }))
    }
}

impl Asks {
    /// The answers for the records of a block.
    ///
    /// A task of its own asks: whoever waits for an answer may wait for a writer meanwhile, and must not keep
    /// a connection from it that nobody uses.
    pub(super) async fn answers(
        &self,
        block: &Arc<Block>,
        facts: &Arc<SourceFacts>,
        held: &Held,
    ) -> Result<Vec<RecordAnswer>, LoadError> {
        let (mapping, asked) = (Arc::clone(&self.mapping), Arc::clone(&self.asker.asked));
        let (facts, block) = (Arc::clone(facts), Arc::clone(block));
        let work = move || asking(&mapping, &asked, &facts.layout, &block);
        let questions = self.workers.run(work).await.map_err(|error| LoadError::Worker(error.to_string()))?;
        held.grow(COPIES * questions.rows.iter().map(AskedRow::memory_bytes).sum::<usize>());
        let (asker, marks, run) = (Arc::clone(&self.asker), Arc::clone(&self.marks), self.run.clone());
        let mark = self.mapping.deletions.as_ref().and_then(|deletions| deletions.mark);
        let answers = async move {
            let mut answers = asker.answers(questions).await?;
            if let Some(mark) = mark {
                let texts =
                    async || Ok::<_, WriteError>(mark.kind.texts(&asker.begun_at(run.as_ref()).await?));
                let texts = marks.get_or_try_init(texts).await?;
                answers.iter_mut().for_each(|answer| answer.mark(texts));
            }
            Ok::<_, WriteError>(answers)
        };
        let asking = AbortOnDropHandle::new(tokio::spawn(answers));
        Ok(asking.await.map_err(|error| LoadError::Worker(error.to_string()))??)
    }
}
