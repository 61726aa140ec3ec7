//! Columns for fields that the table has none for (`--extra add`): before the first row for those of the
//! sample, in mid-load for the others.
//!
//! In mid-load the blocks before the first such value are committed, the column is added, and the load goes
//! on from its checkpoints, as a new start of the same command would. So the type is that of the first
//! value in the order of the sources, however many connections there are. What cannot be begun again, a
//! pipe or a load without ledger, rejects such a record: its own command loads it again, with the column.

use std::time::{Duration, Instant};

use crate::event::{Event, Listener, Totals};
use crate::job::Job;
use crate::map::{Extra, Mapping, Partitioner, Partitioning, Target, WantedColumn};
use crate::pg::catalog::read_table;
use crate::pg::probe::has_schema;
use crate::pg::sqlstate::{is_lock_timeout, is_missing_right, is_taken_name};
use crate::pg::{Lease, Session, TableName, add_columns, alter_table};
use crate::plan::{NewColumn, Plan, columns_to_add, refuse_adding};
use crate::prepared::{Act, LoadError, Prepared};
use crate::schema::Table;

use super::made::TableOrigin;
use super::settings::refuse_wide;
use super::slots::open;
use super::start::{Start, ToCreate, missing};

/// The pause before a lock is asked for again: those that waited behind us have their turn.
const LOCK_PAUSE: Duration = Duration::from_secs(1);

impl Start<'_> {
    /// Columns for the fields of the sample that the table has none for, and the table with them.
    pub(super) fn lacking(&self, table: Table) -> Result<(Table, Vec<NewColumn>), LoadError> {
        if self.job.extra != Extra::Add || self.act == Act::Verify {
            return Ok((table, Vec::new()));
        }
        let shaping = &self.job.reading.shaping;
        let partitioner = Partitioner { by: Partitioning::One, count: 1 };
        let found = std::sync::Arc::new(table.clone());
        let mapping = Mapping::new(found, &[], false, Extra::Add, partitioner).shaped(shaping.clone());
        let lacks = |wanted: &WantedColumn| {
            let field = &wanted.field;
            // A member of an object whose column holds it whole is no field of its own.
            mapping.target(field).0 == Target::Extra
                && mapping.rejoined(std::slice::from_ref(field)) == [field.as_str()]
                && !mapping.is_taken_apart(field)
        };
        let mut wanted = self.begun.sampled.inference.wanted(shaping);
        wanted.retain(lacks);
        Ok(columns_to_add(&table, &wanted, shaping, &self.job.column_definitions)?)
    }

    /// The plan for a table that is there, with the columns that are to be added to it, and those.
    pub(super) async fn planned_with(
        &self,
        session: &Session,
        table: Table,
        made: &TableOrigin,
    ) -> Result<(Plan, Vec<NewColumn>), LoadError> {
        let (table, lacking) = self.lacking(table)?;
        let mut plan = Box::pin(self.planned(session, table, made)).await?;
        if self.act == Act::Plan {
            plan.notes.extend(lacking.iter().map(|column| format!("to be added: column {}", column.words())));
        }
        Ok((plan, lacking))
    }

    /// Adds them, and plans anew with the table as it is then.
    pub(super) async fn with_added(
        &self,
        pool: &Lease,
        plan: Plan,
        columns: &[NewColumn],
        made: &TableOrigin,
    ) -> Result<Plan, LoadError> {
        if columns.is_empty() || self.act != Act::Load {
            return Ok(plan);
        }
        let session = open(pool).await?;
        let name = &plan.table.name;
        let adding = Adding { job: self.job, role: &self.facts.role, listener: self.listener };
        adding.add(&session, name, columns).await?;
        let table = read_table(&session, name).await?.ok_or_else(|| missing(name))?;
        let plan = Box::pin(self.planned(&session, table, made)).await?;
        refuse_wide(&plan)?;
        Ok(plan)
    }
}

/// The schema of a table that is to be made is made too, where it is missing.
pub(super) async fn with_schema(session: &Session, new: &mut ToCreate) -> Result<(), LoadError> {
    if let Some(schema) = new.name.schema.as_ref()
        && !has_schema(session, schema).await?
    {
        new.ddl = format!("CREATE SCHEMA IF NOT EXISTS {schema};\n{}", new.ddl);
    }
    Ok(())
}

/// Adds columns for fields that have come up in mid-load.
pub(super) async fn add_late(
    job: &Job,
    prepared: &Prepared,
    wanted: &[WantedColumn],
    listener: Listener<'_>,
) -> Result<(), LoadError> {
    let session = open(&prepared.pool).await?;
    let name = &prepared.plan.table.name;
    let table = read_table(&session, name).await?.ok_or_else(|| missing(name))?;
    let shaping = &job.reading.shaping;
    let (_, columns) = columns_to_add(&table, wanted, shaping, &job.column_definitions)?;
    if columns.is_empty() {
        // Another load has added them.
        return Ok(());
    }
    let adding = Adding { job, role: &prepared.facts.role, listener };
    adding.add(&session, name, &columns).await
}

struct Adding<'a> {
    job: &'a Job,
    role: &'a str,
    listener: Listener<'a>,
}

impl Adding<'_> {
    async fn add(
        &self,
        session: &Session,
        table: &TableName,
        columns: &[NewColumn],
    ) -> Result<(), LoadError> {
        let words: Vec<String> = columns.iter().map(NewColumn::words).collect();
        let ddl = add_columns(table, &words);
        let limit = self.job.resources.lock_limit().as_millis();
        let patience = Instant::now() + self.job.resources.retry_for;
        let mut has_said = false;
        loop {
            let error = match alter_table(session, &ddl, limit).await {
                Ok(()) => break,
                Err(error) => error,
            };
            if is_missing_right(&error) {
                return Err(refuse_adding(self.role, table, &ddl).into());
            }
            let passes = is_lock_timeout(&error) || is_taken_name(&error);
            if !passes || Instant::now() >= patience {
                return Err(LoadError::Prepare { doing: "add columns to the table", source: error });
            }
            if !std::mem::replace(&mut has_said, true) {
                let text = format!("waiting for a lock on table {}, to add columns", table.plain());
                self.tell(&Event::Note { text });
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        self.tell(&Event::ColumnsAdded { ddl });
        Ok(())
    }

    fn tell(&self, event: &Event) {
        (self.listener)(event, &Totals::default());
    }
}
