//! Rows out of a database as fixtures: what a test found to be needed, with all that it refers to.
//!
//! A row is a line of JSON, columns in the order of the table, rows in that of the key; what the table would
//! give by itself (NULL, a constant default, generated columns) is left out: a diff of two exports is small.
//! Reads only, all of it as of one moment.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

use super::error::SeedError;
use crate::fixtures::{Problem, Problems, no_table};
use crate::format::json::unescape;
use crate::pg::{Session, name_of_table, names_of_tables, read_linked};
use crate::schema::{LinkedTable, PgType, TableName, literal};

/// What is to be exported.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// The tables.
    pub tables: Vec<TableName>,
    /// Which rows of a table, as SQL; of the others all.
    pub conditions: Vec<ExportCondition>,
    /// Also the rows that they refer to, and those that these refer to.
    pub follow: bool,
    /// Columns whose values do not leave the database.
    pub masks: Vec<ExportMask>,
}

/// Which rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportCondition {
    /// The table.
    pub table: TableName,
    /// What is true of them, as SQL.
    pub sql: String,
}

/// A column whose values do not leave the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportMask {
    /// Its table.
    pub table: TableName,
    /// Its name.
    pub column: String,
}

/// The fixtures of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedTable {
    /// The name of its file.
    pub file: String,
    /// How many rows it has.
    pub rows: usize,
    /// The file.
    pub content: String,
}

/// A table, and what was found of it. A row has the JSON text of each column, `None` for NULL.
struct Gathered {
    table: LinkedTable,
    /// As the user would say it.
    said: String,
    rows: Vec<Vec<Option<String>>>,
    keys: HashSet<Vec<Option<String>>>,
    masked: Vec<usize>,
}

/// Reads fixtures.
///
/// # Errors
/// A table or column is not there, or the server refuses a question.
pub async fn export(session: &Session, options: &ExportOptions) -> Result<Vec<ExportedTable>, SeedError> {
    session
        .begin("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;\nSET LOCAL TimeZone = 'UTC'")
        .await
        .map_err(|source| SeedError::server("begin a transaction", source))?;
    let exported = within(session, options).await;
    session.roll_back().await;
    exported
}

async fn within(session: &Session, options: &ExportOptions) -> Result<Vec<ExportedTable>, SeedError> {
    let mut all = tables(session, options).await?;
    for gathered in &mut all {
        let of_table = options.conditions.iter().filter(|condition| condition.table.plain() == gathered.said);
        let conditions: Vec<String> = of_table.map(|condition| format!("({})", condition.sql)).collect();
        let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        let rows = fetch(session, &gathered.table, &condition).await?;
        gathered.add(rows);
    }
    if options.follow {
        follow(session, &mut all, options).await?;
    }
    let mut exported = Vec::with_capacity(all.len());
    for mut found in all {
        found.sort();
        let defaults = defaults(session, &found.table).await?;
        exported.push(found.written(&defaults));
    }
    Ok(exported)
}

async fn tables(session: &Session, options: &ExportOptions) -> Result<Vec<Gathered>, SeedError> {
    let known = names_of_tables(session).await?;
    let read = read_linked(session, &options.tables).await?;
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for (name, table) in options.tables.iter().zip(read) {
        let said = name.plain();
        match table {
            // Said twice.
            Some(table) if all.iter().any(|other: &Gathered| other.table.oid == table.oid) => {}
            Some(table) => all.push(Gathered::new(table, said, options, &mut problems)),
            None => {
                problems.push(no_table("--tables", &said, &known));
            }
        }
    }
    let conditions = options.conditions.iter().map(|condition| ("--where", &condition.table));
    let masks = options.masks.iter().map(|mask| ("--mask", &mask.table));
    for (flag, table) in conditions.chain(masks) {
        let may_be_found = options.follow && flag == "--mask";
        if !may_be_found && !options.tables.contains(table) {
            problems.push(Problem::at(flag, format!("{} is none of --tables", table.plain())));
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(Problems(problems).into()) }
}

/// Adds the rows that rows refer to, until there are no more.
async fn follow(
    session: &Session,
    all: &mut Vec<Gathered>,
    options: &ExportOptions,
) -> Result<(), SeedError> {
    let mut seen: Vec<usize> = vec![0; all.len()];
    while let Some(at) = (0..all.len()).find(|&at| seen.get(at).copied().unwrap_or(0) < all[at].rows.len()) {
        seen.resize(all.len(), 0);
        let from = std::mem::replace(&mut seen[at], all[at].rows.len());
        for link in all[at].table.links.clone() {
            let parent = match all.iter().position(|found| found.table.oid == link.parent) {
                Some(parent) => parent,
                None => {
                    all.push(parent_table(session, link.parent, options).await?);
                    all.len() - 1
                }
            };
            let wanted: BTreeSet<Vec<String>> =
                all[at].rows[from..].iter().filter_map(|row| referred(row, &link.columns)).collect();
            if wanted.is_empty() {
                continue;
            }
            let condition = among(&all[parent].table, &link.parent_columns, &wanted);
            let rows = fetch(session, &all[parent].table, &condition).await?;
            all[parent].add(rows);
        }
    }
    Ok(())
}

async fn parent_table(session: &Session, oid: u32, options: &ExportOptions) -> Result<Gathered, SeedError> {
    let (name, said) = name_of_table(session, oid).await?;
    let table = read_linked(session, std::slice::from_ref(&name)).await?.into_iter().next().flatten();
    let mut problems = Vec::new();
    let table =
        table.ok_or_else(|| Problems(vec![Problem::at(&said, "it is referred to, and is no table")]))?;
    let found = Gathered::new(table, said, options, &mut problems);
    if problems.is_empty() { Ok(found) } else { Err(Problems(problems).into()) }
}

/// The values of a foreign key; `None`: one of them is NULL.
fn referred(row: &[Option<String>], columns: &[usize]) -> Option<Vec<String>> {
    columns.iter().map(|&column| row[column].as_deref().map(text_of)).collect()
}

/// The text of a value that came as JSON.
fn text_of(json: &str) -> String {
    let mut text = String::new();
    if json.starts_with('"') && unescape(json, &mut text).is_ok() { text } else { json.to_owned() }
}

fn among(table: &LinkedTable, names: &[String], wanted: &BTreeSet<Vec<String>>) -> String {
    let columns: Vec<usize> = names.iter().filter_map(|name| table.column(name)).collect();
    let left: Vec<String> = columns.iter().map(|&c| format!("t.{}", table.columns[c].column.name)).collect();
    let rows = wanted.iter().map(|values| {
        let values =
            values.iter().zip(&columns).map(|(v, &c)| format!("{}::{}", literal(v), table.columns[c].cast));
        format!("({})", values.collect::<Vec<_>>().join(", "))
    });
    format!("({}) IN ({})", left.join(", "), rows.collect::<Vec<_>>().join(", "))
}

/// Rows of a table, each column as JSON.
async fn fetch(
    session: &Session,
    table: &LinkedTable,
    condition: &str,
) -> Result<Vec<Vec<Option<String>>>, SeedError> {
    let columns = table.columns.iter().map(|linked| format!("pg_catalog.to_json(t.{})", linked.column.name));
    let sql =
        format!("SELECT {} FROM {} t WHERE {condition}", columns.collect::<Vec<_>>().join(", "), table.name);
    let answer = session.run(&sql).await;
    let answer =
        answer.map_err(|source| SeedError::server(&format!("read {}", table.name.plain()), source))?;
    Ok(answer.into_iter().next().unwrap_or_default().rows)
}

/// The defaults that are constants, as JSON: what a row that says nothing gets.
async fn defaults(session: &Session, table: &LinkedTable) -> Result<Vec<Option<String>>, SeedError> {
    let constant = |default: &str| {
        let is_quoted = default.starts_with('\'') && !default.contains('(');
        is_quoted || ["true", "false"].contains(&default) || default.parse::<f64>().is_ok()
    };
    let values = table.columns.iter().map(|linked| match &linked.column.default {
        Some(default) if constant(default) => {
            format!("pg_catalog.to_json(({default})::{})", linked.column.type_name)
        }
        _ => "NULL".to_owned(),
    });
    let sql = format!("SELECT {}", values.collect::<Vec<_>>().join(", "));
    let answer = session
        .run(&sql)
        .await
        .map_err(|source| SeedError::server("read the defaults of a table", source))?;
    Ok(answer.into_iter().next().unwrap_or_default().rows.into_iter().next().unwrap_or_default())
}

impl Gathered {
    fn new(table: LinkedTable, said: String, options: &ExportOptions, problems: &mut Vec<Problem>) -> Self {
        let mut masked = Vec::new();
        for mask in options.masks.iter().filter(|mask| mask.table.plain() == said) {
            let place = format!("--mask {said}.{}", mask.column);
            let Some(column) = table.column(&mask.column) else {
                problems.push(Problem::at(place, "there is no such column"));
                continue;
            };
            let described = &table.columns[column].column;
            let is_text = matches!(described.ty, PgType::Text | PgType::Padded);
            let is_of_key = table.key.contains(&column)
                && (table.primary == table.key || table.key.len() == 1)
                && !is_text;
            if is_of_key || table.links.iter().any(|link| link.columns.contains(&column)) {
                problems.push(Problem::at(place, "rows are told by it, or refer to others by it"));
            } else if !is_text && described.not_null {
                problems.push(Problem::at(place, "it is NOT NULL, and no text that another could stand for"));
            }
            masked.push(column);
        }
        Self { table, said, rows: Vec::new(), keys: HashSet::new(), masked }
    }

    /// The columns that tell rows apart.
    fn key(&self) -> Vec<usize> {
        let key = if self.table.primary.is_empty() { &self.table.key } else { &self.table.primary };
        if key.is_empty() { (0..self.table.columns.len()).collect() } else { key.clone() }
    }

    fn add(&mut self, rows: Vec<Vec<Option<String>>>) {
        let key = self.key();
        let is_keyed = key.len() < self.table.columns.len() || !self.table.primary.is_empty();
        for row in rows {
            let told_by: Vec<Option<String>> = key.iter().map(|&column| row[column].clone()).collect();
            if self.keys.insert(told_by) || !is_keyed {
                self.rows.push(row);
            }
        }
    }

    fn sort(&mut self) {
        let key = self.key();
        self.rows.sort_by(|a, b| {
            let by_column = key.iter().map(|&column| compared(a[column].as_deref(), b[column].as_deref()));
            by_column.fold(Ordering::Equal, Ordering::then)
        });
    }

    fn written(&self, defaults: &[Option<String>]) -> ExportedTable {
        let mut content = String::new();
        for (number, row) in (1..).zip(&self.rows) {
            let members = row.iter().enumerate().filter_map(|(column, value)| {
                let described = &self.table.columns[column].column;
                let is_masked = self.masked.contains(&column);
                let value = match value {
                    _ if described.generated => return None,
                    Some(_) if is_masked && matches!(described.ty, PgType::Text | PgType::Padded) => {
                        format!("\"masked-{number}\"")
                    }
                    Some(_) if is_masked => "null".to_owned(),
                    Some(value) if defaults.get(column).is_some_and(|d| d.as_ref() == Some(value)) => {
                        return None;
                    }
                    Some(value) => meant(value, &described.ty),
                    None if described.default.is_none() => return None,
                    None => "null".to_owned(),
                };
                Some(format!("{}: {value}", serde_json::Value::from(described.name.raw())))
            });
            content.push_str(&format!("{{{}}}\n", members.collect::<Vec<_>>().join(", ")));
        }
        ExportedTable { file: format!("{}.jsonl", self.as_file()), rows: self.rows.len(), content }
    }

    /// The table as the name of a file says it: as the catalog has it, with the schema where that is needed.
    fn as_file(&self) -> String {
        let full = &self.table.name;
        let bare = full.name.raw();
        let is_bare =
            TableName::parse(&self.said).is_ok_and(|said| said.schema.is_none()) && !bare.contains('.');
        match &full.schema {
            Some(schema) if !is_bare => format!("{}.{bare}", schema.raw()),
            _ => bare.to_owned(),
        }
    }
}

/// On one line, and with a `$` that is meant as one.
fn meant(json: &str, ty: &PgType) -> String {
    if *ty == PgType::Json {
        // Between values a line feed is white space, and within a text it is written otherwise.
        return json.replace(['\n', '\r'], " ");
    }
    json.strip_prefix("\"$").map_or_else(|| json.to_owned(), |rest| format!("\"$${rest}"))
}

/// Numbers as numbers, all else by its text.
fn compared(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a.and_then(|a| a.parse::<i128>().ok()), b.and_then(|b| b.parse::<i128>().ok())) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(&b),
    }
}
