//! The reference program: what a load promises (docs/how-it-works.md) as a plain loop, with nothing of dbload
//! in it.
//!
//! For each record in source order, in a savepoint of its own: UPDATE the columns that the record has where
//! that changes the stored row; if no row has the key, INSERT only the columns that it has; an error rejects
//! that record alone. Values are string constants without a type, so that the server's input functions and
//! assignment rules judge them, and never an explicit cast (`'too long'::varchar(3)` cuts). What they are as
//! the column's type is asked of a temporary table with the record's columns, before any trigger may have
//! seen them. That table has domains' base types: what a domain says of its values is judged where the record
//! is applied, like a CHECK, so that `ignore` and `update` may skip such a record.

use crate::support::{
    Database,
    database::{describe, ident, literal},
};
use std::collections::BTreeMap;

/// What the modes do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Upsert,
    Update,
    Ignore,
    Append,
}

impl Mode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Update => "update",
            Self::Ignore => "ignore",
            Self::Append => "append",
        }
    }
}

/// What becomes of a column of a stored row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    InsertOnly,
    Keep,
    Fill,
    Greatest,
    Least,
    Add,
    Append,
    Union,
}

impl Policy {
    /// What the stored row `t` should have where the record `p` meets it.
    fn value(self, column: &str) -> String {
        let (t, p) = (format!("t.{column}"), format!("p.{column}"));
        let both =
            |sql: String| format!("CASE WHEN {t} IS NULL THEN {p} WHEN {p} IS NULL THEN {t} ELSE {sql} END");
        match self {
            Self::InsertOnly => t,
            Self::Keep => format!("CASE WHEN {t} IS NULL THEN {p} ELSE {t} END"),
            Self::Fill => format!("CASE WHEN {p} IS NULL THEN {t} ELSE {p} END"),
            Self::Greatest => format!("CASE WHEN {t} IS NULL OR {p} > {t} THEN {p} ELSE {t} END"),
            Self::Least => format!("CASE WHEN {t} IS NULL OR {p} < {t} THEN {p} ELSE {t} END"),
            Self::Add => both(format!("{t} + {p}")),
            Self::Append => both(format!("{t} || {p}")),
            Self::Union => both(format!(
                "{t} || coalesce((SELECT array_agg(v ORDER BY o) FROM (SELECT v, min(o) AS o FROM unnest({p}) WITH ORDINALITY q(v, o) \
                 WHERE NOT EXISTS (SELECT FROM unnest({t}) s(w) WHERE w IS NOT DISTINCT FROM v) GROUP BY v) d), '{{}}')"
            )),
        }
    }
}

/// A record as its author meant it.
#[derive(Debug, Clone)]
pub struct Record {
    /// Source file, by its last name, and the line on which the record begins.
    pub place: (String, u64),
    /// Column and value (nothing is NULL) of the fields that it has; `Err` is what no decoder can read.
    pub fields: Result<Vec<(String, Option<String>)>, ()>,
    /// Whether the reason of a refusal is certain: no more than one thing is wrong, and the server is who
    /// finds it.
    pub certain: bool,
    /// A condition leaves it out.
    pub is_left_out: bool,
    /// It deletes the row of its key.
    pub deletes: bool,
}

/// Where and how records are applied.
#[derive(Debug, Clone)]
pub struct ConnectTarget {
    /// Qualified and quoted as needed.
    pub table: String,
    /// Columns of the key; none for `Append`.
    pub key: Vec<String>,
    pub mode: Mode,
    /// Columns that are left out wherever they come from: GENERATED .. STORED.
    pub generated: Vec<String>,
    /// When the stored row `t` has the key of the record `p`, where not all of its columns are compared as
    /// the table declares them.
    pub same_key: Option<String>,
    /// Columns that are not simply overwritten.
    pub policies: BTreeMap<String, Policy>,
    /// The column by which rows are marked in place of deleted.
    pub mark: Option<String>,
}

/// A refused record: place, and SQLSTATE where it is certain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    pub place: (String, u64),
    pub sqlstate: Option<String>,
}

/// The books of a sequential program: it folds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub deleted: u64,
    pub skipped: u64,
    pub refused: Vec<Refused>,
}

enum Applied {
    Inserted,
    Updated,
    Unchanged,
    Deleted,
    Skipped,
}

/// Applies the records in turn, in one transaction.
pub fn apply(db: &Database, target: &ConnectTarget, records: &[Record]) -> Books {
    // One savepoint, moved on from record to record.
    db.sql(
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET client_min_messages = error; \
         BEGIN; SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT record",
    );
    let mut probes = Probes::default();
    let mut books = Books::default();
    for record in records {
        books.read += 1;
        if record.is_left_out {
            books.skipped += 1;
            continue;
        }
        let refused = |sqlstate| Refused { place: record.place.clone(), sqlstate };
        let Ok(fields) = &record.fields else {
            books.refused.push(refused(None));
            continue;
        };
        // Of one that deletes nothing is looked at but the key.
        let is_needed = |name: &String| !record.deletes || target.key.contains(name);
        let fields: Vec<_> = fields
            .iter()
            .filter(|(name, _)| !target.generated.contains(name) && is_needed(name))
            .cloned()
            .collect();
        let has_key =
            target.key.iter().all(|k| fields.iter().any(|(name, value)| name == k && value.is_some()));
        if !has_key {
            books.refused.push(refused(None));
            continue;
        }
        probes.make(db, target, &fields);
        let applied = match (record.deletes, &target.mark) {
            (false, None) => one(db, target, &probes, &fields),
            (false, Some(mark)) => {
                let alive = [&fields[..], &[(mark.clone(), Some("false".to_owned()))]].concat();
                probes.make(db, target, &alive);
                one(db, target, &probes, &alive)
            }
            (true, _) => delete(db, target, &probes, &fields),
        };
        match applied {
            Ok(applied) => match applied {
                Applied::Inserted => books.inserted += 1,
                Applied::Updated => books.updated += 1,
                Applied::Unchanged => books.unchanged += 1,
                Applied::Deleted => books.deleted += 1,
                Applied::Skipped => books.skipped += 1,
            },
            Err(error) => {
                let Some(state) = error.code() else { panic!("the server is gone: {}", describe(&error)) };
                let state = state.code().to_owned();
                let ours = state.starts_with("42") && state != "42501";
                assert!(!ours, "a mistake of the reference: {}", describe(&error));
                db.sql("ROLLBACK TO SAVEPOINT record");
                books.refused.push(refused(record.certain.then_some(state)));
            }
        }
    }
    probes.drop_all(db);
    db.sql("COMMIT");
    books.refused.sort();
    books
}

/// Temporary tables with the columns of a record, one for each set of columns that was met.
#[derive(Default)]
struct Probes {
    types: BTreeMap<String, String>,
    made: BTreeMap<Vec<String>, String>,
}

/// The types of a table's columns, as SQL, with what domains stand on in their place.
fn types(db: &Database, table: &str) -> BTreeMap<String, String> {
    let rows = db.rows(&format!(
        "WITH RECURSIVE d AS ( \
           SELECT attname, atttypid, atttypmod FROM pg_attribute \
           WHERE attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped \
           UNION ALL SELECT attname, typbasetype, typtypmod FROM d JOIN pg_type ON oid = atttypid WHERE typtype = 'd') \
         SELECT attname, format_type(atttypid, atttypmod) FROM d JOIN pg_type ON oid = atttypid WHERE typtype <> 'd'",
        literal(table)
    ));
    rows.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap())).collect()
}

impl Probes {
    fn names(fields: &[(String, Option<String>)]) -> Vec<String> {
        fields.iter().map(|(name, _)| name.clone()).collect()
    }

    fn make(&mut self, db: &Database, target: &ConnectTarget, fields: &[(String, Option<String>)]) {
        let names = Self::names(fields);
        if !self.made.contains_key(&names) {
            let probe = format!("pg_temp.probe_{}", self.made.len());
            if self.types.is_empty() {
                self.types = types(db, &target.table);
            }
            let columns: Vec<String> =
                names.iter().map(|n| format!("{} {}", ident(n), self.types[n])).collect();
            db.sql(&format!("CREATE TEMP TABLE {probe} ({}); {NEXT}", columns.join(", ")));
            self.made.insert(names, probe);
        }
    }

    fn of(&self, fields: &[(String, Option<String>)]) -> &str {
        &self.made[&Self::names(fields)]
    }

    fn drop_all(&self, db: &Database) {
        for probe in self.made.values() {
            db.sql(&format!("DROP TABLE {probe}"));
        }
    }
}

const NEXT: &str = "RELEASE SAVEPOINT record; SAVEPOINT record";

fn one(
    db: &Database,
    target: &ConnectTarget,
    probes: &Probes,
    fields: &[(String, Option<String>)],
) -> Result<Applied, tokio_postgres::Error> {
    let table = &target.table;
    let values: Vec<String> =
        fields.iter().map(|(_, value)| value.as_deref().map_or("NULL".to_owned(), literal)).collect();
    let (columns, values) = (list(&Probes::names(fields)), values.join(", "));
    let insert = format!("INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values}); {NEXT}");
    let inserted = |touched| if touched == 1 { Applied::Inserted } else { Applied::Skipped };
    if fields.is_empty() {
        return db
            .try_rows(&format!("INSERT INTO {table} DEFAULT VALUES; {NEXT}"))
            .map(|(_, touched)| inserted(touched));
    }
    if target.mode == Mode::Append {
        return db.try_rows(&insert).map(|(_, touched)| inserted(touched));
    }
    let probe = probes.of(fields);
    let rest: Vec<String> =
        fields.iter().map(|(n, _)| n.clone()).filter(|n| !target.key.contains(n)).collect();
    let row = |side: &str| {
        // Records of a domain and of its base type cannot be compared.
        let columns: Vec<String> =
            rest.iter().map(|c| format!("{side}.{}::{}", ident(c), probes.types[c])).collect();
        format!("ROW({})::record", columns.join(", "))
    };
    let same_key: Vec<String> = target.key.iter().map(|k| format!("t.{0} = p.{0}", ident(k))).collect();
    let same_key = target.same_key.clone().unwrap_or_else(|| same_key.join(" AND "));
    let becomes = |c: &String| match target.policies.get(c) {
        Some(policy) => policy.value(&ident(c)),
        None => format!("p.{}", ident(c)),
    };
    let new: Vec<String> = rest.iter().map(|c| format!("({})::{}", becomes(c), probes.types[c])).collect();
    let new = format!("ROW({})::record", new.join(", "));
    let differs = if rest.is_empty() { "false".to_owned() } else { format!("{} *<> {new}", row("t")) };
    let (stored, _) = db.try_rows(&format!(
        "DELETE FROM {probe}; INSERT INTO {probe} ({columns}) VALUES ({values}); \
         SELECT {differs} FROM {table} t, {probe} p WHERE {same_key}; {NEXT}"
    ))?;
    assert!(stored.len() <= 1, "the key is unique");
    match (stored.first().map(|row| row[0].as_deref() == Some("t")), target.mode) {
        (Some(_), Mode::Ignore) | (None, Mode::Update) => Ok(Applied::Skipped),
        (Some(false), _) => Ok(Applied::Unchanged),
        (Some(true), _) => {
            let set: Vec<String> = rest.iter().map(|c| format!("{} = {}", ident(c), becomes(c))).collect();
            let update =
                format!("UPDATE {table} t SET {} FROM {probe} p WHERE {same_key}; {NEXT}", set.join(", "));
            let (_, touched) = db.try_rows(&update)?;
            Ok(if touched == 1 { Applied::Updated } else { Applied::Skipped })
        }
        (None, _) => db.try_rows(&insert).map(|(_, touched)| inserted(touched)),
    }
}

/// A record that deletes, or marks: by a statement that asks for nothing but the key.
fn delete(
    db: &Database,
    target: &ConnectTarget,
    probes: &Probes,
    fields: &[(String, Option<String>)],
) -> Result<Applied, tokio_postgres::Error> {
    let (table, probe) = (&target.table, probes.of(fields));
    let values: Vec<String> =
        fields.iter().map(|(_, value)| value.as_deref().map_or("NULL".to_owned(), literal)).collect();
    let (columns, values) = (list(&Probes::names(fields)), values.join(", "));
    let same_key: Vec<String> = target.key.iter().map(|k| format!("t.{0} = p.{0}", ident(k))).collect();
    let mut met = target.same_key.clone().unwrap_or_else(|| same_key.join(" AND "));
    if let Some(mark) = &target.mark {
        met = format!("({met}) AND t.{} IS NOT TRUE", ident(mark));
    }
    let (stored, _) = db.try_rows(&format!(
        "DELETE FROM {probe}; INSERT INTO {probe} ({columns}) VALUES ({values}); \
         SELECT 1 FROM {table} t, {probe} p WHERE {met}; {NEXT}"
    ))?;
    if stored.is_empty() {
        return Ok(Applied::Unchanged);
    }
    let gone = match &target.mark {
        None => format!("DELETE FROM {table} t USING {probe} p WHERE {met}; {NEXT}"),
        Some(mark) => {
            format!("UPDATE {table} t SET {} = true FROM {probe} p WHERE {met}; {NEXT}", ident(mark))
        }
    };
    let (_, touched) = db.try_rows(&gone)?;
    Ok(if touched == 1 { Applied::Deleted } else { Applied::Skipped })
}

fn list(names: &[String]) -> String {
    names.iter().map(|n| ident(n)).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_reference_applies_records_in_turn_and_rejects_one_alone() {
    let db = Database::fresh();
    db.sql(
        "CREATE TABLE t (id int PRIMARY KEY, qty int CHECK (qty >= 0), note text DEFAULT 'none', name varchar(3) NOT NULL, \
         n numeric, j json, twice int GENERATED ALWAYS AS (qty * 2) STORED); \
         INSERT INTO t (id, qty, name, n) VALUES (1, 5, 'a', 1.5)",
    );
    let record = |line: u64, fields: &[(&str, Option<&str>)]| Record {
        place: ("f".to_owned(), line),
        fields: Ok(fields.iter().map(|(n, v)| ((*n).to_owned(), v.map(str::to_owned))).collect()),
        certain: true,
        is_left_out: false,
        deletes: false,
    };
    let records = [
        record(1, &[("id", Some("1")), ("n", Some("1.50"))]), // the scale is a change
        record(2, &[("id", Some("1")), ("n", Some("1.50")), ("twice", Some("99"))]), // unchanged: generated is left out
        record(3, &[("id", Some("2")), ("qty", Some("-1")), ("name", Some("b")), ("note", Some("x"))]), // CHECK
        record(4, &[("id", Some("2")), ("qty", Some("1")), ("name", Some("b"))]), // inserted, note by default
        record(5, &[("id", Some("3")), ("qty", Some("1"))]),                      // NOT NULL
        record(6, &[("id", Some("2")), ("name", Some("long"))]),                  // too long, never cut
        record(7, &[("id", Some("2")), ("note", None), ("j", Some("{\"a\": 1}"))]), // null is stored
        record(8, &[("id", None), ("qty", Some("1"))]),
        record(9, &[("qty", Some("1"))]),
        record(10, &[("id", Some("x")), ("qty", Some("1"))]),
        Record { fields: Err(()), ..record(11, &[]) },
        record(12, &[("id", Some("1"))]), // nothing but the key
    ];
    let target = ConnectTarget {
        table: "t".to_owned(),
        key: vec!["id".to_owned()],
        mode: Mode::Upsert,
        generated: vec!["twice".to_owned()],
        same_key: None,
        policies: BTreeMap::new(),
        mark: None,
    };
    let books = apply(&db, &target, &records);
    assert_eq!(
        db.lines("SELECT * FROM t ORDER BY id"),
        ["1|5|none|a|1.50|NULL|10", "2|1|NULL|b|NULL|{\"a\": 1}|2"]
    );
    let refused: Vec<_> = books.refused.iter().map(|r| (r.place.1, r.sqlstate.as_deref())).collect();
    let state = Some;
    assert_eq!(
        refused,
        [
            (3, state("23514")),
            (5, state("23502")),
            (6, state("22001")),
            (8, None),
            (9, None),
            (10, state("22P02")),
            (11, None)
        ]
    );
    assert_eq!((books.read, books.inserted, books.updated, books.unchanged, books.skipped), (12, 1, 2, 2, 0));

    let again = |mode, records: &[Record]| {
        let books = apply(&db, &ConnectTarget { mode, ..target.clone() }, records);
        (books.inserted, books.updated, books.unchanged, books.skipped, books.refused.len())
    };
    let two = [
        record(1, &[("id", Some("1")), ("qty", Some("7"))]),
        record(2, &[("id", Some("9")), ("name", Some("n"))]),
    ];
    assert_eq!(again(Mode::Update, &two), (0, 1, 0, 1, 0));
    assert_eq!(again(Mode::Ignore, &two), (1, 0, 0, 1, 0));
    assert_eq!(again(Mode::Append, &two), (0, 0, 0, 0, 2));
}

#[test]
fn the_reference_merges_by_the_policy_of_a_column() {
    let policies = [Policy::InsertOnly, Policy::Keep, Policy::Fill, Policy::Greatest, Policy::Least];
    let expected = [["1", "1", "1"], ["1", "1", "2"], ["2", "1", "2"], ["2", "1", "2"], ["1", "1", "2"]];
    for (policy, expected) in policies.into_iter().zip(expected) {
        let db = Database::fresh();
        db.sql("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1), (2, 1), (3, NULL)");
        let record = |id: &str, n: Option<&str>| Record {
            place: ("f".to_owned(), 1),
            fields: Ok(vec![("id".to_owned(), Some(id.to_owned())), ("n".to_owned(), n.map(str::to_owned))]),
            certain: true,
            is_left_out: false,
            deletes: false,
        };
        let target = ConnectTarget {
            table: "t".to_owned(),
            key: vec!["id".to_owned()],
            mode: Mode::Upsert,
            generated: vec![],
            same_key: None,
            policies: BTreeMap::from([("n".to_owned(), policy)]),
            mark: None,
        };
        apply(&db, &target, &[record("1", Some("2")), record("2", None), record("3", Some("2"))]);
        let mut rows = db.lines("SELECT n FROM t ORDER BY id");
        if policy == Policy::InsertOnly {
            assert_eq!(rows.pop().as_deref(), Some("NULL"));
            rows.push("1".to_owned());
        }
        assert_eq!(rows, expected, "{policy:?}");
    }
}
