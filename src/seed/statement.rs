//! The statements that put planned rows into their tables.
//!
//! Rows of a table that have values for the same columns go together. A key that is stored is made what the
//! file says, if it is not; a row without a key is inserted unless one with all of its values is there.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::fixtures::{Base, Fixtures, Given, Moment, PlannedRow, parents_first};
use crate::schema::{Ident, Identity, LinkedTable, literal, quote_literal};

/// Rows of one statement at most, where nothing needs them together: an error is then found sooner.
const ROWS_MAX: usize = 1000;

/// From so many rows on their values are sent as arrays: a row of VALUES is read as so many expressions,
/// which takes three times as long.
const ARRAYS_FROM: usize = 50;

/// Begins a moment in an array that has some; behind it is its number.
const MOMENT: char = 'm';
/// Begins a text there.
const TEXT: char = 't';

/// What rows are made of, and what the catalog says.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeedPlan<'a> {
    pub(super) fixtures: &'a Fixtures,
    pub(super) tables: &'a [LinkedTable],
    pub(super) rows: &'a [PlannedRow],
    /// `--now`, as PostgreSQL reads it.
    pub(super) now: Option<&'a str>,
}

/// Rows of a table with values for the same columns.
#[derive(Debug, Clone)]
pub(super) struct Insert {
    pub(super) table: usize,
    pub(super) columns: Vec<usize>,
    /// Of [`SeedPlan::rows`].
    pub(super) rows: Vec<usize>,
}

/// A statement, and the rows that it stores.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) inserts: Vec<Insert>,
}

/// Where the values of an insert come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After<'a> {
    /// Nothing has to have been done.
    Nothing,
    /// This condition is asked first.
    Condition(&'a str),
}

impl SeedPlan<'_> {
    /// The rows, sorted into inserts.
    pub(super) fn inserts(&self) -> Vec<Insert> {
        let mut at: HashMap<(usize, Vec<usize>), usize> = HashMap::new();
        let mut inserts: Vec<Insert> = Vec::new();
        for (i, row) in self.rows.iter().enumerate() {
            let table = self.fixtures.rows[row.row].table;
            let columns: Vec<usize> = row.values.iter().map(|(column, _)| *column).collect();
            let found = *at.entry((table, columns.clone())).or_insert_with(|| {
                inserts.push(Insert { table, columns, rows: Vec::new() });
                inserts.len() - 1
            });
            inserts[found].rows.push(i);
        }
        inserts
    }

    /// All statements, in their order.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let inserts = self.inserts();
        let mut statements = Vec::new();
        for group in self.groups() {
            let of_group = inserts.iter().filter(|insert| group.contains(&insert.table));
            let of_group: Vec<Insert> = of_group.cloned().collect();
            let is_circle = group.len() > 1 || self.tables[group[0]].refers_to_itself();
            if is_circle && of_group.len() > 1 {
                statements.push(self.together(of_group));
            } else if is_circle {
                statements.extend(of_group.into_iter().map(|insert| self.alone(insert)));
            } else {
                for insert in of_group {
                    let parts = insert
                        .rows
                        .chunks(ROWS_MAX)
                        .map(|rows| Insert { rows: rows.to_vec(), ..insert.clone() });
                    statements.extend(parts.map(|insert| self.alone(insert)));
                }
            }
        }
        statements
    }

    /// Tables that are filled together, in their order.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        let of_oid: HashMap<u32, usize> =
            self.tables.iter().enumerate().map(|(i, table)| (table.oid, i)).collect();
        let parents = |table: &LinkedTable| {
            table.links.iter().filter_map(|link| of_oid.get(&link.parent).copied()).collect::<Vec<_>>()
        };
        parents_first(&self.tables.iter().map(parents).collect::<Vec<_>>())
    }

    pub(super) fn alone(&self, insert: Insert) -> Statement {
        Statement { sql: self.insert(&insert, After::Nothing), inserts: vec![insert] }
    }

    /// Several inserts as one statement: the server judges foreign keys at its end.
    fn together(&self, inserts: Vec<Insert>) -> Statement {
        let mut sql = String::from("WITH ");
        for (i, insert) in inserts.iter().enumerate() {
            let text = self.insert(insert, After::Nothing);
            let _ = if i + 1 < inserts.len() {
                let comma = if i == 0 { "" } else { ", " };
                write!(sql, "{comma}i{i} AS ({text})")
            } else {
                write!(sql, " {text}")
            };
        }
        Statement { sql, inserts }
    }

    /// The key of the table is among the columns.
    fn is_keyed(&self, insert: &Insert) -> bool {
        let key = &self.tables[insert.table].key;
        !key.is_empty() && key.iter().all(|column| insert.columns.contains(column))
    }

    pub(super) fn insert(&self, insert: &Insert, after: After<'_>) -> String {
        let table = &self.tables[insert.table];
        let names = self.names(table, &insert.columns);
        let mut sql = format!("INSERT INTO {} AS t_ ({names}) OVERRIDING SYSTEM VALUE ", table.name);
        let is_keyed = self.is_keyed(insert);
        let are_many = insert.rows.len() >= ARRAYS_FROM;
        match after {
            After::Nothing if is_keyed && are_many => self.push_arrays(&mut sql, insert, &names),
            After::Nothing if is_keyed => {
                sql.push_str("VALUES ");
                self.push_rows(&mut sql, insert, false);
            }
            _ => {
                sql.push_str("SELECT v_.* FROM (");
                if are_many {
                    self.push_arrays(&mut sql, insert, &names);
                } else {
                    sql.push_str("VALUES ");
                    self.push_rows(&mut sql, insert, true);
                }
                let _ = write!(sql, ") v_({names}) WHERE ");
                let condition = match after {
                    After::Nothing => "true",
                    After::Condition(condition) => condition,
                };
                sql.push_str(condition);
                if !is_keyed {
                    let same = self.same(table, &insert.columns);
                    let _ = write!(sql, " AND NOT EXISTS (SELECT FROM {} t_ WHERE {same})", table.name);
                }
            }
        }
        if is_keyed {
            self.push_conflict(&mut sql, insert);
        }
        sql
    }

    fn names(&self, table: &LinkedTable, columns: &[usize]) -> String {
        let names: Vec<String> = columns.iter().map(|&column| name(table, column).to_string()).collect();
        names.join(", ")
    }

    /// A stored row `t_` has these values of `v_`. Types need not be comparable, but have a text.
    pub(super) fn same(&self, table: &LinkedTable, columns: &[usize]) -> String {
        let same = columns.iter().map(|&column| {
            let (name, of) = (name(table, column), &table.columns[column].column.type_name);
            format!("t_.{name}::pg_catalog.text IS NOT DISTINCT FROM v_.{name}::{of}::pg_catalog.text")
        });
        same.collect::<Vec<_>>().join(" AND ")
    }

    /// The values as rows. `is_cast`: each says its type.
    pub(super) fn push_rows(&self, sql: &mut String, insert: &Insert, is_cast: bool) {
        for (i, &row) in insert.rows.iter().enumerate() {
            sql.push_str(if i == 0 { "(" } else { ", (" });
            for (j, (column, given)) in self.rows[row].values.iter().enumerate() {
                if j > 0 {
                    sql.push_str(", ");
                }
                self.push_value(sql, given);
                if is_cast {
                    let _ = write!(sql, "::{}", self.tables[insert.table].columns[*column].cast);
                }
            }
            sql.push(')');
        }
    }

    /// The values as a question: an array for each column, from which the server makes the values of its
    /// type.
    fn push_arrays(&self, sql: &mut String, insert: &Insert, names: &str) {
        let mut arrays = Vec::new();
        sql.push_str("SELECT ");
        for (j, column) in insert.columns.iter().enumerate() {
            let given = insert.rows.iter().map(|&row| &self.rows[row].values[j].1);
            let (array, moments) = self.array(given);
            arrays.push(format!("pg_catalog.unnest({array}::pg_catalog.text[])"));
            let linked = &self.tables[insert.table].columns[*column];
            let (comma, name) = (if j == 0 { "" } else { ", " }, &linked.column.name);
            let value = if moments.is_empty() {
                format!("v_.{name}")
            } else {
                // The subquery is answered once.
                format!(
                    "CASE WHEN pg_catalog.starts_with(v_.{name}, '{MOMENT}') \
                     THEN (SELECT ARRAY[{}])[pg_catalog.substr(v_.{name}, 2)::pg_catalog.int4] \
                     ELSE pg_catalog.substr(v_.{name}, 2) END",
                    moments.join(", ")
                )
            };
            let _ = write!(sql, "{comma}({value})::{}", linked.cast);
        }
        let _ = write!(sql, " FROM ROWS FROM ({}) v_({names})", arrays.join(", "));
    }

    /// Values as the text of an array; where there are moments among them, each begins with a letter that
    /// says what it is, and the moments are these expressions, counted from 1.
    fn array<'g>(&self, given: impl Iterator<Item = &'g Given> + Clone) -> (String, Vec<String>) {
        let has_moments = given.clone().any(|given| matches!(given, Given::Moment(_)));
        let mut moments: Vec<String> = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut array = String::from("{");
        for (i, given) in given.enumerate() {
            if i > 0 {
                array.push(',');
            }
            match given {
                Given::Null => array.push_str("NULL"),
                Given::Text(text) => {
                    array.push('"');
                    if has_moments {
                        array.push(TEXT);
                    }
                    push_element(&mut array, text);
                    array.push('"');
                }
                Given::Moment(moment) => {
                    let moment = format!("{}::pg_catalog.text", self.moment(moment));
                    let number = *numbers.entry(moment).or_insert_with_key(|moment| {
                        moments.push(moment.clone());
                        moments.len()
                    });
                    let _ = write!(array, "{MOMENT}{number}");
                }
            }
        }
        array.push('}');
        // What holds a NUL character was refused where it was read.
        (quote_literal(&array).unwrap_or_else(|_| literal(&array)), moments)
    }

    pub(super) fn push_value(&self, sql: &mut String, given: &Given) {
        match given {
            Given::Null => sql.push_str("NULL"),
            // What holds a NUL character was refused where it was read.
            Given::Text(text) => sql.push_str(&quote_literal(text).unwrap_or_else(|_| literal(text))),
            Given::Moment(moment) => sql.push_str(&self.moment(moment)),
        }
    }

    fn moment(&self, moment: &Moment) -> String {
        let now = match self.now {
            None => "pg_catalog.now()".to_owned(),
            Some(now) => format!("({}::pg_catalog.timestamptz)", literal(now)),
        };
        let base = match moment.base {
            Base::Now => now,
            Base::Today => format!("{now}::pg_catalog.date"),
        };
        if moment.shift.is_empty() {
            return format!("({base})");
        }
        format!("({base} + {}::pg_catalog.interval)", literal(&moment.shift))
    }

    fn push_conflict(&self, sql: &mut String, insert: &Insert) {
        let table = &self.tables[insert.table];
        let _ = write!(sql, " ON CONFLICT ({})", self.names(table, &table.key));
        let is_set = |column: &&usize| {
            !table.key.contains(column) && table.columns[**column].column.identity != Identity::Always
        };
        let set: Vec<&Ident> =
            insert.columns.iter().filter(is_set).map(|&column| name(table, column)).collect();
        if set.is_empty() {
            sql.push_str(" DO NOTHING");
            return;
        }
        let sets: Vec<String> = set.iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        let differs: Vec<String> = set
            .iter()
            .map(|name| {
                format!("t_.{name}::pg_catalog.text IS DISTINCT FROM EXCLUDED.{name}::pg_catalog.text")
            })
            .collect();
        let _ = write!(sql, " DO UPDATE SET {} WHERE {}", sets.join(", "), differs.join(" OR "));
    }

    /// Sequences of columns that got values are moved past them; never back.
    pub(super) fn sequences(&self) -> Vec<String> {
        let mut given: Vec<(usize, usize)> =
            self.inserts().iter().flat_map(|i| i.columns.iter().map(|&column| (i.table, column))).collect();
        given.sort_unstable();
        given.dedup();
        let mut statements = Vec::new();
        for (i, table) in self.tables.iter().enumerate() {
            for sequence in table.sequences.iter().filter(|s| given.contains(&(i, s.column))) {
                let (last, further) = if sequence.ascends { ("max", ">") } else { ("min", "<") };
                statements.push(format!(
                    "SELECT pg_catalog.setval({}::pg_catalog.regclass, t.last, true) \
                     FROM (SELECT pg_catalog.{last}(t.{})::bigint AS last FROM {} t) t, {} s \
                     WHERE t.last {further} s.last_value OR (t.last = s.last_value AND NOT s.is_called)",
                    literal(&sequence.name),
                    name(table, sequence.column),
                    table.name,
                    sequence.name,
                ));
            }
        }
        statements
    }
}

/// The text of an element of an array, without its quotation marks.
fn push_element(array: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\']) {
        array.push_str(&rest[..at]);
        array.push('\\');
        array.push_str(&rest[at..=at]);
        rest = &rest[at + 1..];
    }
    array.push_str(rest);
}

pub(super) fn name(table: &LinkedTable, column: usize) -> &Ident {
    &table.columns[column].column.name
}
