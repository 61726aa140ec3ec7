//! The procedure: ask, resolve, store, all or nothing.

use std::collections::BTreeMap;

use super::blame::{Failure, blame};
use super::error::SeedError;
use super::statement::{SeedPlan, Statement};
use crate::fixtures::{Fixtures, Given, PlannedRow, Problems, no_table, resolve};
use crate::pg::{DbError, Session, names_of_tables, read_linked};
use crate::schema::LinkedTable;

/// Moments are of one clock, and their days are those of UTC.
const CLOCK: &str = "SET LOCAL TimeZone = 'UTC'";
/// What was to be judged at the end is judged, and the error is that of the rows.
const JUDGE: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// Which rows are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chosen {
    /// All of them.
    #[default]
    All,
    /// Those that a template may have: rows with a moment, if they can be told again by their key.
    OfTemplate,
    /// Those with a moment.
    WithMoments,
}

/// How fixtures are to be loaded.
#[derive(Debug, Clone, Default)]
pub struct SeedOptions {
    /// What `$now` is, as PostgreSQL reads it; else the moment of the load.
    pub now: Option<String>,
    /// Rows of these tables that are not in the files are removed.
    pub clean: bool,
    /// Which rows are loaded.
    pub chosen: Chosen,
}

impl Chosen {
    fn has(self, row: &PlannedRow, table: &LinkedTable) -> bool {
        let has_moment = row.values.iter().any(|(_, given)| matches!(given, Given::Moment(_)));
        let has = |key: &usize| row.values.iter().any(|(column, _)| column == key);
        match self {
            Self::All => true,
            Self::OfTemplate => !has_moment || !table.key.is_empty() && table.key.iter().all(has),
            Self::WithMoments => has_moment,
        }
    }
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedReport {
    /// What became of the rows of each table, by its name.
    pub tables: Vec<SeededTable>,
    /// Rows that were removed.
    pub removed: u64,
}

/// A table with fixtures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededTable {
    /// Schema and name.
    pub table: String,
    /// Rows of it in the files.
    pub rows: usize,
}

/// Loads fixtures, all or nothing.
///
/// # Errors
/// The files do not fit the tables, or the server refuses a row.
pub async fn seed(
    session: &Session,
    fixtures: &Fixtures,
    options: &SeedOptions,
) -> Result<SeedReport, SeedError> {
    let (tables, mut rows) = resolved(session, fixtures).await?;
    rows.retain(|row| options.chosen.has(row, &tables[fixtures.rows[row.row].table]));
    let plan = SeedPlan { fixtures, tables: &tables, rows: &rows, now: options.now.as_deref() };
    session.begin("BEGIN").await.map_err(|source| SeedError::server("begin a transaction", source))?;
    let removed = if options.clean { to_remove(session, &plan).await } else { Ok(0) };
    let removed = match removed {
        Ok(removed) => removed,
        Err(source) => {
            session.roll_back().await;
            return Err(SeedError::server("look for rows that are not in the files", source));
        }
    };
    let statements = if removed > 0 { vec![plan.replacement()] } else { plan.statements() };
    store(session, &plan, &statements).await?;
    Ok(SeedReport { tables: counts(fixtures, &tables), removed })
}

/// Says what is wrong with fixtures, as far as that can be told without storing a row.
///
/// # Errors
/// What is wrong; or the server does not answer.
pub async fn check(session: &Session, fixtures: &Fixtures) -> Result<SeedReport, SeedError> {
    let (tables, _) = resolved(session, fixtures).await?;
    Ok(SeedReport { tables: counts(fixtures, &tables), removed: 0 })
}

async fn resolved(
    session: &Session,
    fixtures: &Fixtures,
) -> Result<(Vec<LinkedTable>, Vec<PlannedRow>), SeedError> {
    let found = read_linked(session, &fixtures.tables).await?;
    if found.iter().any(Option::is_none) {
        let known = names_of_tables(session).await?;
        let missing = found.iter().zip(fixtures.tables.iter().zip(&fixtures.files));
        let problems = missing
            .filter(|(found, _)| found.is_none())
            .map(|(_, (name, file))| no_table(file, &name.plain(), &known));
        return Err(Problems(problems.collect()).into());
    }
    let tables: Vec<LinkedTable> = found.into_iter().flatten().collect();
    let rows = resolve(fixtures, &tables).map_err(Problems)?;
    Ok((tables, rows))
}

async fn to_remove(session: &Session, plan: &SeedPlan<'_>) -> Result<u64, DbError> {
    let counts = session.run(&plan.removals()).await?;
    Ok(counts.iter().filter_map(|count| count.value()?.parse::<u64>().ok()).sum())
}

/// All in one message: a round trip, however many tables there are.
async fn store(session: &Session, plan: &SeedPlan<'_>, statements: &[Statement]) -> Result<(), SeedError> {
    let mut sql: Vec<&str> = vec![CLOCK];
    sql.extend(statements.iter().map(|statement| statement.sql.as_str()));
    let sequences = plan.sequences();
    sql.extend(sequences.iter().map(String::as_str));
    sql.extend([JUDGE, "COMMIT"]);
    match session.run_counting(&sql.join(";\n")).await {
        Ok(()) => {
            session.transaction_ended();
            Ok(())
        }
        Err((done, source)) => {
            session.roll_back().await;
            let at = done.checked_sub(1);
            let failure = Failure { clock: CLOCK, judge: JUDGE, statements, at, source };
            Err(blame(session, plan, failure).await)
        }
    }
}

fn counts(fixtures: &Fixtures, tables: &[LinkedTable]) -> Vec<SeededTable> {
    let mut rows: BTreeMap<String, usize> = tables.iter().map(|table| (table.name.plain(), 0)).collect();
    for row in &fixtures.rows {
        *rows.entry(tables[row.table].name.plain()).or_default() += 1;
    }
    rows.into_iter().map(|(table, rows)| SeededTable { table, rows }).collect()
}
