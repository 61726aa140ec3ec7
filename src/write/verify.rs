//! Verifying: what the table should hold by the sources, gathered in a temporary table and compared, without
//! writing.
//!
//! One transaction a partition, rolled back at the end. Batches are staged and folded as for a load; then
//! each key's fields go over those of its earlier records, so that the last value that a record had is what
//! is expected.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::batch::{Batch, Keys};
use crate::map::{PRESENCE_WORD_BITS, Slot};
use crate::pg::{DbError, Lease, Session, StatementResult, number};
use crate::schema::{MergePolicy, Mode};

use super::event::{EXAMPLES, Verdict, WriteError, WriterEvent};
use super::plan::WritePlan;
use super::sql::names::{STAGE, key_equals, key_grouped, presence, same_key};
use super::sql::{dedup, names};
use super::stage::stage;
use super::strategy::WritePath;

const EXPECTED: &str = "pg_temp.dbload_expected";

/// Compares the records of one partition with the table.
pub struct Verifier {
    /// How they are staged.
    pub plan: Arc<WritePlan>,
    /// The pool that connections are leased from.
    pub pool: Lease,
    /// The channel that events go to.
    pub events: mpsc::Sender<WriterEvent>,
}

impl Verifier {
    /// Takes all batches, then compares.
    pub async fn run(self, mut batches: mpsc::Receiver<Batch>) -> Result<(), WriteError> {
        // However long the comparison takes.
        let session = Session::open_within(&self.pool, None).await.map_err(WriteError::Database)?;
        let mut verdict = Verdict::default();
        let mut begun = false;
        let mut present = Vec::new();
        while let Some(batch) = batches.recv().await {
            if !begun {
                self.begin(&session, &batch).await.map_err(WriteError::Database)?;
                begun = true;
            }
            self.take(&session, &batch, &mut verdict).await.map_err(WriteError::Database)?;
            note_present(&mut present, &batch);
        }
        if begun {
            self.compare(&session, &present, &mut verdict).await.map_err(WriteError::Database)?;
            session.roll_back().await;
        }
        let event = WriterEvent::Verified { verdict: Box::new(verdict) };
        self.events.send(event).await.map_err(|_| WriteError::Stopped)
    }

    async fn begin(&self, session: &Session, batch: &Batch) -> Result<(), DbError> {
        let begin = format!(
            "{};\n{};\n{}",
            names::begin(&self.plan, batch.partition, None),
            names::CLEAR,
            names::staging(&self.plan)
        );
        session.begin(&begin).await?;
        let index = if self.plan.mapping.key.is_empty() {
            String::new()
        } else {
            format!(";\nCREATE INDEX ON {EXPECTED} ({})", key_grouped(&self.plan, ""))
        };
        // The reader may be slow, and nothing is locked but our own tables.
        session
            .run(&format!(
                "SET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL idle_in_transaction_session_timeout = 0;\nSET LOCAL statement_timeout = 0;\n{};\n{};\n\
                 CREATE TEMPORARY TABLE dbload_expected ON COMMIT DROP AS SELECT * FROM {STAGE} WITH NO DATA{index}",
                names::text_staging(&self.plan),
                names::refused_table(&self.plan)
            ))
            .await
            .map(|_| ())
    }

    /// Stages a batch and lays it over what is expected so far.
    async fn take(&self, session: &Session, batch: &Batch, verdict: &mut Verdict) -> Result<(), DbError> {
        verdict.read += batch.read();
        verdict.rejected += batch.rejects().count() as u64;
        verdict.skipped += batch.left_out();
        if batch.rows == 0 {
            return Ok(());
        }
        let clear = format!("TRUNCATE {STAGE}, {}, {}", names::TEXT, names::REFUSED);
        session.run(&format!("{clear};\nSAVEPOINT dbload_staged")).await?;
        let staged = match stage(&self.plan, session, batch, WritePath::SetBased).await {
            Ok(staged) => staged,
            Err(error) if error.is_lost() => return Err(error),
            Err(_) => {
                session.run("ROLLBACK TO SAVEPOINT dbload_staged").await?;
                stage(&self.plan, session, batch, WritePath::Converting).await?
            }
        };
        verdict.rejected += batch.rows - staged;
        if self.plan.mapping.key.is_empty() {
            return session.run(&format!("INSERT INTO {EXPECTED} SELECT * FROM {STAGE}")).await.map(|_| ());
        }
        if let Some(drop_older) = self.drop_older() {
            let outcomes = session.run(&drop_older).await?;
            verdict.superseded += outcomes.iter().map(|outcome| outcome.affected).sum::<u64>();
        }
        if batch.keys == Keys::MayRepeat {
            let probe = session.run(&dedup::probe(&self.plan)).await?;
            let repeated = number(probe.first(), 0)?;
            if repeated > 0 {
                session.run(&dedup::fold(&self.plan, batch)).await?;
                verdict.superseded += repeated;
            }
        }
        let outcomes = session.run(&self.overlay()).await?;
        verdict.superseded += outcomes.first().map_or(0, |outcome| outcome.affected);
        Ok(())
    }

    /// `--newer-by`: staged rows that are not newer than all before them of their key count for nothing.
    fn drop_older(&self) -> Option<String> {
        let plan = &self.plan;
        let slot = plan.newer_by?;
        let (equal, greater) = (same_key(plan, "e", "s"), plan.newer_operator());
        let key = key_grouped(plan, "");
        Some(format!(
            "DELETE FROM {STAGE} s USING {EXPECTED} e WHERE {equal} AND e.c{slot} IS NOT NULL AND (s.c{slot} {greater} e.c{slot}) IS NOT TRUE;\n\
             DELETE FROM {STAGE} s USING (SELECT s0, max(c{slot}) OVER (PARTITION BY {key} ORDER BY s0 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newest \
             FROM {STAGE}) b WHERE b.s0 = s.s0 AND b.newest IS NOT NULL AND (s.c{slot} {greater} b.newest) IS NOT TRUE"
        ))
    }

    /// The staged rows over the expected ones: fields that a record has replace those of earlier records.
    fn overlay(&self) -> String {
        let plan = &self.plan;
        let equal = same_key(plan, "e", "s");
        let words = plan.mapping.slots.len().div_ceil(PRESENCE_WORD_BITS);
        let mut sets = vec!["s0 = s.s0".to_owned()];
        for word in 0..words {
            sets.push(format!("h{word} = coalesce(e.h{word}, 0) | coalesce(s.h{word}, 0)"));
        }
        for slot in (0..plan.mapping.slots.len()).filter(|slot| !plan.mapping.key.contains(slot)) {
            sets.push(format!(
                "c{slot} = CASE WHEN {} THEN s.c{slot} ELSE e.c{slot} END",
                presence(plan, "s", slot)
            ));
        }
        let update = if plan.mode == Mode::Ignore {
            // The first record of a key wins: later ones only count.
            format!("UPDATE {EXPECTED} e SET s0 = e.s0 FROM {STAGE} s WHERE {equal}")
        } else {
            format!("UPDATE {EXPECTED} e SET {} FROM {STAGE} s WHERE {equal}", sets.join(", "))
        };
        format!(
            "{update};\nINSERT INTO {EXPECTED} SELECT s.* FROM {STAGE} s WHERE NOT EXISTS (SELECT FROM {EXPECTED} e WHERE {equal})"
        )
    }

    async fn compare(
        &self,
        session: &Session,
        present: &[u64],
        verdict: &mut Verdict,
    ) -> Result<(), DbError> {
        session.run(&format!("ANALYZE {EXPECTED};\nRESET enable_hashjoin;\nRESET enable_mergejoin")).await?;
        if self.plan.mapping.key.is_empty() {
            return self.compare_bags(session, present, verdict).await;
        }
        let plan = &self.plan;
        let table = &plan.table().name;
        let differing: Vec<String> = (0..plan.mapping.slots.len())
            .filter(|slot| !plan.mapping.key.contains(slot))
            // What is stored in the others, their sources do not say.
            .filter(|&slot| plan.policy(slot) == MergePolicy::Overwrite)
            .map(|slot| {
                let column = &plan.table().columns[plan.mapping.slots[slot]];
                let cast = column.domain_base.as_ref().map_or(String::new(), |_| format!("::{}", column.staged_type()));
                format!(
                    "CASE WHEN {} AND ROW(e.c{slot})::record OPERATOR(pg_catalog.*<>) ROW(t.{}{cast})::record THEN {} END",
                    presence(plan, "e", slot),
                    column.name,
                    crate::pg::literal(column.name.raw())
                )
            })
            .collect();
        let differing = if plan.mode == Mode::Ignore || differing.is_empty() {
            "''".to_owned()
        } else {
            format!("pg_catalog.concat_ws(', ', {})", differing.join(", "))
        };
        // A stored row that is newer than all records is what a load would leave alone.
        let found = plan.newer_by.map_or("t.found".to_owned(), |slot| {
            let (name, greater) = (&plan.table().columns[plan.mapping.slots[slot]].name, plan.newer_operator());
            format!(
                "t.found AND (t.{name} {greater} e.c{slot}) IS NOT TRUE AND (t.{name} IS NULL OR e.c{slot} IS NOT NULL)"
            )
        });
        let compared = format!(
            "SELECT e.s0, t.found IS NULL AS missing, CASE WHEN {found} THEN {differing} ELSE '' END AS columns \
             FROM {EXPECTED} e LEFT JOIN (SELECT true AS found, * FROM {table}) t ON {}",
            key_equals(plan, "t", "e")
        );
        // A key may be stored in several child tables: as one, which is what it should be if all of them are.
        let compared = if plan.table().has_children {
            format!(
                "SELECT s0, pg_catalog.bool_or(missing) AS missing, pg_catalog.max(columns) AS columns FROM ({compared}) r GROUP BY s0"
            )
        } else {
            compared
        };
        let outcomes = session
            .run(&format!(
                "SELECT count(*) FILTER (WHERE NOT missing AND columns = ''), \
                 count(*) FILTER (WHERE NOT missing AND columns <> ''), count(*) FILTER (WHERE missing) FROM ({compared}) x;\n\
                 SELECT s0, CASE WHEN missing THEN 'missing' ELSE columns END FROM ({compared}) x \
                 WHERE missing OR columns <> '' ORDER BY s0 LIMIT {EXAMPLES}"
            ))
            .await?;
        verdict.equal = number(outcomes.first(), 0)?;
        verdict.different = number(outcomes.first(), 1)?;
        verdict.missing = number(outcomes.first(), 2)?;
        verdict.examples = examples(outcomes.get(1));
        Ok(())
    }

    /// Without a key: each record must be in the table as often as in the sources, by the fields that all
    /// records have.
    async fn compare_bags(
        &self,
        session: &Session,
        present: &[u64],
        verdict: &mut Verdict,
    ) -> Result<(), DbError> {
        let plan = &self.plan;
        let slots: Vec<Slot> = (0..plan.mapping.slots.len())
            .filter(|slot| {
                present
                    .get(slot / PRESENCE_WORD_BITS)
                    .is_some_and(|w| w >> (slot % PRESENCE_WORD_BITS) & 1 == 1)
            })
            .collect();
        let expected: Vec<String> = slots.iter().map(|slot| format!("c{slot}")).collect();
        let stored: Vec<String> = slots
            .iter()
            .map(|&slot| {
                let column = &plan.table().columns[plan.mapping.slots[slot]];
                let cast = column
                    .domain_base
                    .as_ref()
                    .map_or(String::new(), |_| format!("::{}", column.staged_type()));
                format!("{}{cast}", column.name)
            })
            .collect();
        let (expected, stored) = (expected.join(", "), stored.join(", "));
        let table = &plan.table().name;
        let outcomes = session
            .run(&format!(
                "WITH e AS (SELECT md5(ROW({expected})::text) AS digest, count(*) AS n, min(s0) AS s0 FROM {EXPECTED} GROUP BY 1), \
                 t AS (SELECT md5(ROW({stored})::text) AS digest, count(*) AS n FROM {table} GROUP BY 1), \
                 m AS (SELECT e.s0, e.n, greatest(e.n - coalesce(t.n, 0), 0) AS missing FROM e LEFT JOIN t USING (digest)) \
                 SELECT coalesce(sum(n - missing), 0), coalesce(sum(missing), 0), \
                 (SELECT coalesce(pg_catalog.string_agg(s0::text, ' '), '') FROM \
                   (SELECT s0 FROM m WHERE missing > 0 ORDER BY s0 LIMIT {EXAMPLES}) x) FROM m"
            ))
            .await?;
        verdict.equal = number(outcomes.first(), 0)?;
        verdict.missing = number(outcomes.first(), 1)?;
        let list = outcomes.first().and_then(|o| o.rows.first()?.get(2)?.clone()).unwrap_or_default();
        verdict.examples =
            list.split(' ').filter_map(|n| Some((n.parse().ok()?, "missing".to_owned()))).collect();
        Ok(())
    }
}

fn examples(outcome: Option<&StatementResult>) -> Vec<(u64, String)> {
    let rows = outcome.map(|o| o.rows.as_slice()).unwrap_or_default();
    rows.iter()
        .filter_map(|row| Some((row.first()?.as_deref()?.parse().ok()?, row.get(1)?.clone()?)))
        .collect()
}

/// Presence words common to all rows so far.
fn note_present(present: &mut Vec<u64>, batch: &Batch) {
    if batch.rows == 0 {
        return;
    }
    if present.is_empty() {
        present.clone_from(&batch.present_in_all);
    } else {
        present.iter_mut().zip(&batch.present_in_all).for_each(|(all, word)| *all &= word);
    }
}
