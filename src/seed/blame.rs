//! Which row it was: the server judges many rows at once, and a person mends one.
//!
//! What was stored before the statement that failed is stored again, then the rows of that statement one by
//! one, until one fails alike. All of it is rolled back.

use std::collections::HashSet;

use super::error::SeedError;
use super::statement::{Insert, SeedPlan, Statement};
use crate::fixtures::{FixtureRow, Given, PlannedRow};
use crate::pg::sqlstate::is_missing_reference;
use crate::pg::{DbError, Session, name_of_table};
use crate::schema::Link;

/// A load that was rolled back.
pub(super) struct Failure<'a> {
    pub(super) clock: &'a str,
    pub(super) judge: &'a str,
    pub(super) statements: &'a [Statement],
    /// How many of them went well; `None`: not even the first was tried.
    pub(super) at: Option<usize>,
    pub(super) source: DbError,
}

/// The error, with the place of its row as far as one is found.
pub(super) async fn blame(session: &Session, plan: &SeedPlan<'_>, failure: Failure<'_>) -> SeedError {
    let found = if failure.source.server().is_some() { find(session, plan, &failure).await } else { None };
    session.roll_back().await;
    let Some((insert, row)) = found else {
        return SeedError::Server { doing: place_of(plan, &failure), source: failure.source };
    };
    let planned = &plan.rows[row];
    let place = plan.fixtures.rows[planned.row].to_string();
    let parent = parent_of(session, plan, insert.table, &failure.source).await;
    let words = match missing_row(plan, insert.table, planned, &failure.source) {
        Some(missing) => missing.words(parent.as_deref()),
        None => said(&failure.source),
    };
    SeedError::Row { place, words }
}

/// The table that a violated foreign key refers to, whether it has fixtures or not.
async fn parent_of(session: &Session, plan: &SeedPlan<'_>, table: usize, error: &DbError) -> Option<String> {
    let constraint = error.constraint()?;
    let link = plan.tables[table].links.iter().find(|link| link.constraint == constraint)?;
    name_of_table(session, link.parent).await.ok().map(|(name, _)| name.plain())
}

/// What the server says, with its detail: the rows are those of a test.
fn said(error: &DbError) -> String {
    let Some(said) = error.server() else { return "the server refuses it".to_owned() };
    match &said.detail {
        Some(detail) => format!("{}: {detail}", said.message),
        None => said.message.clone(),
    }
}

fn place_of(plan: &SeedPlan<'_>, failure: &Failure<'_>) -> String {
    let inserts = failure.at.and_then(|at| failure.statements.get(at)).map(|statement| &statement.inserts);
    let table =
        inserts.and_then(|inserts| inserts.first()).map(|insert| plan.tables[insert.table].name.plain());
    table.map_or_else(|| "store the fixtures".to_owned(), |table| format!("store the rows of {table}"))
}

async fn find<'a>(
    session: &Session,
    plan: &SeedPlan<'_>,
    failure: &'a Failure<'_>,
) -> Option<(&'a Insert, usize)> {
    let at = failure.at?;
    let before = failure.statements.iter().take(at).map(|statement| statement.sql.as_str());
    let begin: Vec<&str> = ["BEGIN", failure.clock].into_iter().chain(before).collect();
    session.begin(&begin.join(";\n")).await.ok()?;
    let suspects: Vec<&Insert> = match failure.statements.get(at) {
        Some(statement) => statement.inserts.iter().collect(),
        // All were stored, and judged at the end.
        None => failure.statements.iter().flat_map(|statement| &statement.inserts).collect(),
    };
    let is_missing = is_missing_reference(&failure.source);
    for insert in suspects {
        for &row in &insert.rows {
            if is_missing && missing_row(plan, insert.table, &plan.rows[row], &failure.source).is_none() {
                continue;
            }
            let one = plan.alone(Insert { rows: vec![row], ..insert.clone() });
            let tried = session.run(&format!("SAVEPOINT one;\n{};\n{}", one.sql, failure.judge)).await;
            let end = match tried {
                Ok(_) => "RELEASE one",
                Err(error) if error.sqlstate() == failure.source.sqlstate() => return Some((insert, row)),
                Err(_) => "ROLLBACK TO one",
            };
            session.run(end).await.ok()?;
        }
    }
    None
}

/// A row that a row refers to, and that is not there.
struct MissingRow {
    columns: String,
    values: String,
    constraint: String,
}

impl MissingRow {
    fn words(&self, parent: Option<&str>) -> String {
        let Self { columns, values, constraint } = self;
        let parent = parent.unwrap_or("the table it refers to");
        format!("{columns} is {values}, and {parent} has no such row ({constraint})")
    }
}

/// The row that a row refers to, by the foreign key that the server names, is not among the fixtures.
fn missing_row(plan: &SeedPlan<'_>, table: usize, row: &PlannedRow, error: &DbError) -> Option<MissingRow> {
    if !is_missing_reference(error) {
        return None;
    }
    let constraint = error.constraint()?;
    let described = &plan.tables[table];
    let link = described.links.iter().find(|link| link.constraint == constraint)?;
    let wanted = texts(row, &link.columns)?;
    if stored(plan, link).contains(&wanted) {
        return None;
    }
    let columns: Vec<&str> = link.columns.iter().map(|&column| described.column_name(column)).collect();
    Some(MissingRow {
        columns: columns.join(", "),
        values: wanted.join(", "),
        constraint: constraint.to_owned(),
    })
}

/// The keys of the fixtures that a foreign key may refer to.
fn stored<'p>(plan: &SeedPlan<'p>, link: &Link) -> HashSet<Vec<&'p str>> {
    let Some(parent) = plan.tables.iter().position(|table| table.oid == link.parent) else {
        return HashSet::new();
    };
    let columns = link.parent_columns.iter().map(|name| plan.tables[parent].column(name));
    let Some(columns) = columns.collect::<Option<Vec<usize>>>() else { return HashSet::new() };
    let of_parent = |row: &&PlannedRow| {
        let row: &FixtureRow = &plan.fixtures.rows[row.row];
        row.table == parent
    };
    plan.rows.iter().filter(of_parent).filter_map(|row| texts(row, &columns)).collect()
}

/// The values of these columns, if they all are texts.
fn texts<'p>(row: &'p PlannedRow, columns: &[usize]) -> Option<Vec<&'p str>> {
    let text = |column: &usize| {
        row.values.iter().find_map(|(other, given)| match given {
            Given::Text(text) if other == column => Some(text.as_str()),
            _ => None,
        })
    };
    columns.iter().map(text).collect()
}
