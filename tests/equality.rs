//! What is equal is for the index to say, what ties records together for the whole tree of tables, and what
//! was unchanged is found.
//!
//! Each catalog here is one that was read wrongly once. The oracle is the reference program, over the same
//! records; random catalogs of these kinds are drawn by `equivalence`.

use crate::reference::{self, ConnectTarget, Mode, Record, Refused};
use crate::rows;
use crate::support::{Outcome, Scene};
use std::fmt::Write as _;

/// A collation under which letter case does not count.
pub const CI: &str =
    "CREATE COLLATION {s}.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ";

/// An operator class for integers that calls equal what leaves the same rest by 10.
pub const MOD: &str = "CREATE FUNCTION {s}.mlt(int, int) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1 % 10 < $2 % 10'; \
     CREATE FUNCTION {s}.mle(int, int) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1 % 10 <= $2 % 10'; \
     CREATE FUNCTION {s}.meq(int, int) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1 % 10 = $2 % 10'; \
     CREATE FUNCTION {s}.mge(int, int) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1 % 10 >= $2 % 10'; \
     CREATE FUNCTION {s}.mgt(int, int) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT $1 % 10 > $2 % 10'; \
     CREATE FUNCTION {s}.mcmp(int, int) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT sign($1 % 10 - $2 % 10)::int'; \
     CREATE OPERATOR {s}.<# (LEFTARG = int, RIGHTARG = int, FUNCTION = {s}.mlt); CREATE OPERATOR {s}.<=# (LEFTARG = int, RIGHTARG = int, FUNCTION = {s}.mle); \
     CREATE OPERATOR {s}.=# (LEFTARG = int, RIGHTARG = int, FUNCTION = {s}.meq); CREATE OPERATOR {s}.>=# (LEFTARG = int, RIGHTARG = int, FUNCTION = {s}.mge); \
     CREATE OPERATOR {s}.># (LEFTARG = int, RIGHTARG = int, FUNCTION = {s}.mgt); \
     CREATE OPERATOR CLASS {s}.mod_ops FOR TYPE int USING btree AS OPERATOR 1 {s}.<#, OPERATOR 2 {s}.<=#, OPERATOR 3 {s}.=#, \
       OPERATOR 4 {s}.>=#, OPERATOR 5 {s}.>#, FUNCTION 1 {s}.mcmp(int, int); ";

/// Keys that lie close together share a partition, and so have one writer anyway.
const APART: u64 = 1_000;

/// A catalog, and records for it.
struct Case {
    /// With `{s}` for the schema.
    ddl: String,
    key: &'static [&'static str],
    /// When the stored row `t` has the key of the record `p`, with `{s}` for the schema: by default where all
    /// columns are equal.
    same_key: Option<&'static str>,
    mode: Mode,
    /// JSON lines, as often as there are loads.
    loads: Vec<String>,
}

impl Case {
    fn new(ddl: impl Into<String>, key: &'static [&'static str], lines: String) -> Self {
        Self { ddl: ddl.into(), key, same_key: None, mode: Mode::Upsert, loads: vec![lines] }
    }

    fn told_by(self, same_key: &'static str) -> Self {
        Self { same_key: Some(same_key), ..self }
    }

    fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    fn then(mut self, lines: String) -> Self {
        self.loads.push(lines);
        self
    }

    /// The table, the books and the rejects are those of the reference, however many connections there are,
    /// and however large a batch is.
    #[track_caller]
    fn agrees(&self) {
        for (pool, batch_rows) in [(1, 1_000), (4, 11)] {
            self.agrees_by(pool, batch_rows);
        }
    }

    #[track_caller]
    fn agrees_by(&self, pool: u32, batch_rows: u32) {
        let scene = Scene::new();
        for schema in ["a", "b"] {
            scene.sql(&format!("CREATE SCHEMA {schema}; {}", self.ddl.replace("{s}", schema)));
        }
        for (load, lines) in self.loads.iter().enumerate() {
            let file = format!("{load}.jsonl");
            scene.file(&file, lines);
            let target = ConnectTarget {
                mark: None,
                table: "b.t".to_owned(),
                key: self.key.iter().map(ToString::to_string).collect(),
                mode: self.mode,
                generated: scene.db.lines(
                    "SELECT attname FROM pg_attribute WHERE attrelid = 'b.t'::regclass AND attgenerated <> ''",
                ),
                same_key: self.same_key.map(|sql| sql.replace("{s}", "b")),
                policies: std::collections::BTreeMap::new(),
            };
            let books = reference::apply(&scene.db, &target, &records(&file, lines));
            let key = match self.key {
                [] => String::new(),
                key => format!("--key {}", key.join(",")),
            };
            let words =
                format!("--mode {} --pool-size {pool} --batch-rows {batch_rows} {key}", self.mode.word());
            let outcome = scene.run(&format!("{file} -t a.t {words}"));
            let table = |schema: &str| scene.db.lines(&format!("SELECT t::text FROM {schema}.t ORDER BY 1"));
            assert_eq!(table("a"), table("b"), "{words}\n{}\n{outcome}", self.ddl);
            let rows = outcome.rows();
            assert_eq!(
                [rows.inserted, rows.stored_before(), rows.skipped, rows.rejected],
                [books.inserted, books.updated + books.unchanged, books.skipped, books.refused.len() as u64],
                "{words}\n{}\n{outcome}",
                self.ddl
            );
            assert_eq!(refused(&scene, &outcome), books.refused, "{words}\n{}", self.ddl);
            if self.mode == Mode::Upsert && books.refused.is_empty() && books.skipped == 0 {
                let verified = scene.dbload(&format!("verify {file} -t a.t {key}")).run();
                let is_refused = verified.code() == 6 && verified.stderr.contains("equality of its own");
                assert!(is_refused || verified.code() == 0, "{}\n{verified}", self.ddl);
            }
        }
    }
}

fn records(file: &str, lines: &str) -> Vec<Record> {
    let record = |(number, line): (usize, &str)| {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let text = |value: serde_json::Value| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let fields = object.into_iter().map(|(name, value)| (name, text(value))).collect();
        Record {
            place: (file.to_owned(), number as u64 + 1),
            fields: Ok(fields),
            certain: true,
            is_left_out: false,
            deletes: false,
        }
    };
    lines.lines().enumerate().map(record).collect()
}

fn refused(scene: &Scene, outcome: &Outcome) -> Vec<Refused> {
    let rejects = outcome.report().rejected(scene.cwd());
    let place = |source: &str, line| (source.rsplit('/').next().unwrap().to_owned(), line);
    let mut refused: Vec<Refused> = rejects
        .into_iter()
        .map(|r| Refused { place: place(&r.source, r.line), sqlstate: r.sqlstate })
        .collect();
    refused.sort();
    refused
}

/// Lines by their number.
fn lines(many: u64, line: impl Fn(u64) -> String) -> String {
    (0..many).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{}", line(n));
        text
    })
}

/// Names that differ in case alone, each a few times.
fn names(many: u64) -> String {
    lines(many, |n| {
        let name = format!("name {}", n * 7 % (many / 3 + 1));
        let name = if n % 2 == 0 { name } else { name.to_uppercase() };
        format!(r#"{{"name":"{name}","v":{n},"w":{}}}"#, n % 5)
    })
}

#[test]
fn keys_are_equal_as_their_index_has_it() {
    let same = "t.name = p.name COLLATE {s}.ci";
    for (ddl, same) in [
        (
            "CREATE TABLE {s}.t (name text NOT NULL, v int, w int); CREATE UNIQUE INDEX ON {s}.t (name COLLATE {s}.ci)",
            same,
        ),
        // With rows of before, and another index on the same column that has another notion.
        (
            "CREATE TABLE {s}.t (name text NOT NULL, v int, w int); CREATE UNIQUE INDEX ON {s}.t (name COLLATE {s}.ci); \
             CREATE UNIQUE INDEX ON {s}.t (name COLLATE {s}.ci, w); INSERT INTO {s}.t VALUES ('Name 3', -1, 0), ('NAME 4', -1, 0)",
            same,
        ),
        // The column is indifferent to case, its index is not.
        (
            "CREATE TABLE {s}.t (name text COLLATE {s}.ci NOT NULL, v int, w int); CREATE UNIQUE INDEX ON {s}.t (name COLLATE \"C\")",
            "t.name = p.name COLLATE \"C\"",
        ),
        ("CREATE TABLE {s}.t (name text COLLATE {s}.ci PRIMARY KEY, v int, w int)", same),
        (
            "CREATE DOMAIN {s}.word AS text COLLATE {s}.ci; CREATE TABLE {s}.t (name {s}.word PRIMARY KEY, v int, w int)",
            same,
        ),
        (
            "CREATE TABLE {s}.t (name text NOT NULL, v int, w int); CREATE UNIQUE INDEX ON {s}.t (name COLLATE \"en-x-icu\" text_pattern_ops)",
            "t.name = p.name",
        ),
        // citext under the class of text: the index tells apart what the type does not.
        (
            "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE {s}.t (name citext NOT NULL, v int, w int); CREATE UNIQUE INDEX ON {s}.t (name text_ops)",
            "t.name::text = p.name::text",
        ),
    ] {
        let case = Case::new(format!("{CI}{ddl}"), &["name"], names(120)).told_by(same).then(names(60));
        case.agrees();
    }
    for mode in [Mode::Ignore, Mode::Update] {
        let ddl = format!(
            "{CI}CREATE TABLE {{s}}.t (name text NOT NULL, v int, w int); CREATE UNIQUE INDEX ON {{s}}.t (name COLLATE {{s}}.ci); \
             INSERT INTO {{s}}.t VALUES ('Name 3', -1, 0), ('NAME 4', -1, 0)"
        );
        Case::new(ddl, &["name"], names(80)).told_by(same).mode(mode).agrees();
    }
}

#[test]
fn one_value_in_several_spellings_is_one_key() {
    let spellings: [(&str, &[&str]); 8] = [
        ("numeric", &["{n}", "{n}.0", "{n}0e-1", "{n}.00"]),
        ("date", &["2024-05-{nn}", "202405{nn}", "May {n} 2024", "2024-05-{n}"]),
        (
            "timestamptz",
            &[
                "2024-05-01 10:{nn}:00Z",
                "2024-05-01T12:{nn}+02:00",
                "2024-05-01 10:{nn}",
                "May 1 10:{nn} 2024",
            ],
        ),
        ("interval", &["{n} mons", "{n} month", "P{n}M", "{n} mon 00:00:00"]),
        ("inet", &["10.0.0.{n}", "10.0.0.{n}/32", "010.0.0.{nn}"]),
        ("bytea", &["\\\\x{nn}{nn}", "\\\\x{nn} {nn}"]),
        ("macaddr", &["08:00:2b:00:00:{nn}", "08002b0000{nn}", "8:0:2b:0:0:{n}"]),
        ("citext", &["Name{n}", "NAME{n}", "name{n}"]),
    ];
    for (ty, spellings) in spellings {
        let text = |many: u64, step: u64| {
            lines(many, |n| {
                let (key, form) =
                    (n * step % 40 + 10, spellings[usize::try_from(n % 7).unwrap() % spellings.len()]);
                let key = form
                    .replace("{nn}", &format!("{:02}", key % 28 + 1))
                    .replace("{n}", &(key % 28 + 1).to_string());
                format!(r#"{{"k":"{key}","v":{n},"w":{}}}"#, n % 3)
            })
        };
        let ddl = format!(
            "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE {{s}}.t (k {ty} PRIMARY KEY, v int, w int)"
        );
        Case::new(ddl, &["k"], text(90, 7)).then(text(30, 3)).agrees_by(4, 11);
    }
    // Beside a column that has a text for each of its values.
    let ddl = "CREATE TABLE {s}.t (k date, w int, v int, PRIMARY KEY (w, k))";
    let text = lines(90, |n| {
        let day = n * 7 % 28 + 1;
        let key = if n.is_multiple_of(5) { format!("May {day} 2024") } else { format!("2024-05-{day:02}") };
        format!(r#"{{"k":"{key}","v":{n},"w":{}}}"#, n % 3)
    });
    Case::new(ddl, &["w", "k"], text).agrees_by(4, 11);
}

#[test]
fn an_operator_class_may_have_an_equality_of_its_own() {
    let numbers = |many| lines(many, |n| format!(r#"{{"id":{},"v":{n}}}"#, n * 13 % 40));
    let ddl = |rest: &str| format!("{MOD}CREATE TABLE {{s}}.t (id int NOT NULL, v int); {rest}");
    let key = ddl("CREATE UNIQUE INDEX ON {s}.t (id {s}.mod_ops)");
    for mode in [Mode::Upsert, Mode::Ignore] {
        Case::new(&*key, &["id"], numbers(60))
            .told_by("t.id % 10 = p.id % 10")
            .mode(mode)
            .then(numbers(20))
            .agrees();
    }
    // Besides the key.
    let other = ddl("ALTER TABLE {s}.t ADD PRIMARY KEY (id); CREATE UNIQUE INDEX ON {s}.t (v {s}.mod_ops)");
    Case::new(other, &["id"], numbers(60)).agrees();
}

#[test]
fn an_index_besides_the_key_ties_records_by_its_own_equality() {
    for other in [
        "CREATE UNIQUE INDEX ON {s}.t (name COLLATE {s}.ci)",
        "ALTER TABLE {s}.t ALTER name TYPE text COLLATE {s}.ci; CREATE UNIQUE INDEX ON {s}.t (name COLLATE \"C\")",
    ] {
        let ddl = format!("{CI}CREATE TABLE {{s}}.t (id int PRIMARY KEY, name text, v int); {other}");
        let text = lines(150, |n| {
            let name = format!("n{}", n * 7 % 40);
            let name = if n % 3 == 0 { name.to_uppercase() } else { name };
            format!(r#"{{"id":{},"name":"{name}","v":{n}}}"#, n * 11 % 60 * APART)
        });
        Case::new(ddl, &["id"], text).agrees();
    }
    // On the key's own column: a key that is not stored meets the other index.
    let ddl = format!(
        "{CI}CREATE TABLE {{s}}.t (name text PRIMARY KEY, v int, w int); CREATE UNIQUE INDEX ON {{s}}.t (name COLLATE {{s}}.ci)"
    );
    Case::new(ddl, &["name"], names(90)).then(names(45)).agrees();
}

#[test]
fn a_deferrable_constraint_on_the_columns_of_the_key_is_not_taken_for_it() {
    let text = |many| lines(many, |n| format!(r#"{{"id":{},"v":{n}}}"#, n * 7 % 50));
    let ddl = "CREATE TABLE {s}.t (id int PRIMARY KEY, v int); ALTER TABLE {s}.t ADD UNIQUE (id) DEFERRABLE INITIALLY DEFERRED";
    Case::new(ddl, &["id"], text(120)).then(text(30)).agrees();
    Case::new(ddl, &["id"], text(120)).mode(Mode::Ignore).agrees();
    let scene = Scene::with(
        "CREATE TABLE t (id int NOT NULL, v int, UNIQUE (id) DEFERRABLE); CREATE UNIQUE INDEX i ON t (id)",
    );
    scene.file("t.jsonl", text(3));
    scene.run("t.jsonl --key id").exits(6).says("deferrable");
    scene.sql("ALTER TABLE t ADD CONSTRAINT named UNIQUE USING INDEX i");
    scene.load("t.jsonl --key id");
}

#[test]
fn what_a_single_partition_has_for_itself_ties_records_too() {
    let partitioned = "CREATE TABLE {s}.t (id int PRIMARY KEY, name text, v int, boss int) PARTITION BY RANGE (id); \
         CREATE TABLE {s}.low PARTITION OF {s}.t FOR VALUES FROM (0) TO (50000); CREATE TABLE {s}.high PARTITION OF {s}.t FOR VALUES FROM (50000) TO (200000); ";
    for own in [
        "CREATE UNIQUE INDEX ON {s}.low (name)",
        "CREATE UNIQUE INDEX ON {s}.high (name COLLATE {s}.ci)",
        "CREATE UNIQUE INDEX ON {s}.high (name) WHERE v % 2 = 0",
        "CREATE UNIQUE INDEX ON {s}.low (lower(name))",
        "ALTER TABLE {s}.low ADD EXCLUDE USING btree (name WITH =)",
        "ALTER TABLE {s}.low ALTER v SET NOT NULL",
        "ALTER TABLE {s}.low ADD CHECK (v % 3 <> 0)",
        "ALTER TABLE {s}.low ADD FOREIGN KEY (boss) REFERENCES {s}.t",
        "CREATE FUNCTION {s}.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.v % 4 > 0 THEN NEW END; END $$; \
         CREATE TRIGGER no BEFORE INSERT OR UPDATE ON {s}.low FOR EACH ROW EXECUTE FUNCTION {s}.no()",
    ] {
        let text = lines(200, |n| {
            let name = format!("n{}", n * 7 % 45);
            let name = if n % 3 == 0 { name.to_uppercase() } else { name };
            let v = if n % 6 == 0 { "null".to_owned() } else { (n % 110 * APART + n % 7).to_string() };
            format!(
                r#"{{"id":{},"name":"{name}","v":{v},"boss":{}}}"#,
                n * 11 % 110 * APART,
                n * 7 % 110 * APART
            )
        });
        Case::new(format!("{CI}{partitioned}{own}"), &["id"], text).agrees();
    }
}

#[test]
fn a_default_that_is_the_same_each_time_ties_the_records_that_lack_the_column() {
    for column in [
        "code text DEFAULT 'none' UNIQUE",
        "code int UNIQUE DEFAULT (7 + 1)",
        "made int GENERATED ALWAYS AS (v % 90) STORED UNIQUE",
    ] {
        let ddl = format!("CREATE TABLE {{s}}.t (id int PRIMARY KEY, v int, {column})");
        let text = lines(120, |n| format!(r#"{{"id":{},"v":{n}}}"#, n * 7 % 100 * APART));
        Case::new(&*ddl, &["id"], text.clone()).agrees();
        Case::new(ddl, &[], lines(120, |n| format!(r#"{{"id":{n},"v":{n}}}"#))).mode(Mode::Append).agrees();
    }
    // Drawn from a sequence, they are no reason for one partition.
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, v int, s serial UNIQUE, i int GENERATED BY DEFAULT AS IDENTITY UNIQUE, u uuid DEFAULT gen_random_uuid() UNIQUE)",
    );
    scene.file("t.jsonl", lines(120, |n| format!(r#"{{"id":{n},"v":{n}}}"#)));
    let plan = scene.plain("t.jsonl --dry-run --pool-size 4").run().exits(0);
    assert!(!plan.to_string().contains("ties records"), "{plan}");
}

#[test]
fn rows_of_child_tables_are_rows_of_the_table() {
    let text = |many, add| lines(many, |n| format!(r#"{{"id":{},"v":{}}}"#, n * 7 % many, n + add));
    let ddl = "CREATE TABLE {s}.t (id int PRIMARY KEY, v int); CREATE TABLE {s}.child (x int) INHERITS ({s}.t); \
         INSERT INTO {s}.child SELECT n, -1, 0 FROM generate_series(0, 49) n";
    Case::new(ddl, &["id"], text(100, 0)).then(text(100, 0)).then(text(150, 5)).agrees();
    for mode in [Mode::Update, Mode::Ignore] {
        Case::new(ddl, &["id"], text(100, 0)).mode(mode).agrees();
    }
    for own in [
        "CREATE UNIQUE INDEX ON {s}.child (v)",
        "ALTER TABLE {s}.child ADD CHECK (v % 3 <> 0) NOT VALID",
        "CREATE FUNCTION {s}.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.v % 4 > 0 THEN NEW END; END $$; \
         CREATE TRIGGER no BEFORE UPDATE ON {s}.child FOR EACH ROW EXECUTE FUNCTION {s}.no()",
    ] {
        let ddl = "CREATE TABLE {s}.t (id int PRIMARY KEY, v int); CREATE TABLE {s}.child (x int) INHERITS ({s}.t); \
             INSERT INTO {s}.child SELECT n, -n, 0 FROM generate_series(1, 50) n; ";
        let text = lines(150, |n| format!(r#"{{"id":{},"v":{}}}"#, n * 7 % 80, n * 13 % 60));
        Case::new(format!("{ddl}{own}"), &["id"], text).agrees();
    }
    // The parent has no rows of its own: nothing is straight, and nothing is twice.
    let scene = Scene::with(&ddl.replace("{s}.", ""));
    scene.file("t.jsonl", text(100, 0));
    assert_eq!(scene.load("t.jsonl").rows(), rows!(read: 100, inserted: 50, updated: 50));
    assert_eq!(scene.db.one("SELECT count(DISTINCT id) FROM t"), "100");
    // A key that two tables have: both rows are what the record says, and it is counted once.
    scene.sql("INSERT INTO child SELECT id, 0, 0 FROM t WHERE id >= 90");
    scene.file("t.jsonl", text(100, 1_000));
    assert_eq!(scene.load("t.jsonl").rows(), rows!(read: 100, updated: 100));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE v < 1000"), "0");
    let verified = scene.dbload("verify t.jsonl -t t").run().exits(0);
    assert!(verified.stdout.contains("\"equal\":100"), "{verified}");
}

/// Partitioned as before there were partitions: the books say what is there.
#[test]
fn rows_that_a_trigger_puts_into_child_tables_are_inserted() {
    let ddl = "CREATE TABLE {s}.t (id int PRIMARY KEY, v int); CREATE TABLE {s}.odd () INHERITS ({s}.t); CREATE TABLE {s}.even () INHERITS ({s}.t); \
         CREATE FUNCTION {s}.route() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 13 THEN RETURN NULL; END IF; \
           IF NEW.id % 2 = 1 THEN INSERT INTO {s}.odd VALUES (NEW.*); ELSE INSERT INTO {s}.even VALUES (NEW.*); END IF; RETURN NULL; END $$; \
         CREATE TRIGGER route BEFORE INSERT ON {s}.t FOR EACH ROW EXECUTE FUNCTION {s}.route()";
    for pool in [1, 4] {
        let scene = Scene::with(&ddl.replace("{s}.", "public."));
        let load = |add: u64, flags: &str| {
            scene.file("t.jsonl", lines(100, |n| format!(r#"{{"id":{n},"v":{}}}"#, n + add)));
            scene.load(&format!("t.jsonl -t t --pool-size {pool} --batch-rows 30 {flags}")).rows()
        };
        assert_eq!(load(0, ""), rows!(read: 100, inserted: 99, skipped: 1));
        assert_eq!(load(0, ""), rows!(read: 100, unchanged: 99, skipped: 1));
        assert_eq!(load(100, ""), rows!(read: 100, inserted: 1, updated: 99));
        assert_eq!(
            scene.db.lines("SELECT tableoid::regclass, count(*) FROM t GROUP BY 1 ORDER BY 1"),
            ["odd|50", "even|50"]
        );
        assert_eq!(load(0, "--mode append"), rows!(read: 100, inserted: 99, skipped: 1));
        assert_eq!(scene.db.count("t"), 199);
    }
}

#[test]
fn triggers_count_in_every_role_that_fires_them() {
    let trigger = "CREATE TABLE t (id int PRIMARY KEY, v int); \
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.v % 4 > 0 THEN NEW END; END $$; \
         CREATE TRIGGER no BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no(); ";
    for (enabled, role, fires) in [
        ("REPLICA", "replica", true),
        ("ALWAYS", "replica", true),
        ("ALWAYS", "origin", true),
        ("REPLICA", "origin", false),
        ("TRIGGER no; ALTER TABLE t ENABLE", "replica", false),
    ] {
        let enable = if enabled.starts_with("TRIGGER") {
            "ALTER TABLE t ENABLE TRIGGER no".to_owned()
        } else {
            format!("ALTER TABLE t ENABLE {enabled} TRIGGER no")
        };
        let scene = Scene::with(&format!("{trigger}{enable}"));
        let name = scene.db.name();
        scene.sql(&format!("ALTER DATABASE \"{name}\" SET session_replication_role = {role}"));
        scene.file("t.jsonl", lines(80, |n| format!(r#"{{"id":{n},"v":{n}}}"#)));
        for pool in [1, 4] {
            let rows = scene.load(&format!("t.jsonl --pool-size {pool} --batch-rows 9")).rows();
            let expected = match (fires, pool) {
                (true, 1) => rows!(read: 80, inserted: 60, skipped: 20),
                (true, _) => rows!(read: 80, unchanged: 60, skipped: 20),
                (false, 1) => rows!(read: 80, inserted: 80),
                (false, _) => rows!(read: 80, unchanged: 80),
            };
            assert_eq!(rows, expected, "{enabled} {role}");
        }
    }
}

/// A trigger that only counts how often it is asked.
#[test]
fn a_trigger_that_swallows_a_row_is_asked_once_for_it() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v <> 5)); CREATE TABLE asked (id int); \
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO asked VALUES (NEW.id); RETURN NULL; END $$; \
         CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.v <> 5) EXECUTE FUNCTION no()",
    );
    scene.file("t.jsonl", lines(20, |n| format!(r#"{{"id":{n},"v":{n}}}"#)));
    assert_eq!(scene.run("t.jsonl").exits(3).rows(), rows!(read: 20, skipped: 19, rejected: 1));
    assert_eq!(scene.db.count("asked"), 19);
}

#[test]
fn a_foreign_key_is_asked_for_under_the_collation_of_the_parent() {
    let ddl = format!(
        "{CI}CREATE TABLE {{s}}.parent (name text COLLATE \"C\" PRIMARY KEY); INSERT INTO {{s}}.parent SELECT 'n' || n FROM generate_series(0, 9) n; \
         CREATE TABLE {{s}}.t (id int PRIMARY KEY, name text COLLATE \"en-x-icu\" REFERENCES {{s}}.parent, v int)"
    );
    let text = lines(80, |n| format!(r#"{{"id":{},"name":"n{}","v":{n}}}"#, n * 7 % 50, n % 13));
    Case::new(ddl, &["id"], text).agrees();
}

#[test]
fn a_partition_that_refers_to_the_whole_ties_its_rows() {
    let ddl = "CREATE TABLE {s}.whole (id int PRIMARY KEY, boss int REFERENCES {s}.whole, v int) PARTITION BY RANGE (id); \
         CREATE TABLE {s}.t PARTITION OF {s}.whole FOR VALUES FROM (0) TO (1000)";
    let text = lines(100, |n| format!(r#"{{"id":{n},"boss":{},"v":{n}}}"#, n * 7 % 100));
    Case::new(ddl, &["id"], text).agrees();
}

#[test]
fn targets_whose_rows_do_not_commit_with_the_load_are_refused_before_the_first_row() {
    let scene = Scene::with(
        "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; \
         CREATE FOREIGN TABLE far (id int, v int) SERVER away; \
         CREATE TABLE parted (id int, v int) PARTITION BY RANGE (id); \
         CREATE FOREIGN TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9) SERVER away; \
         CREATE TABLE near (id int, v int); CREATE FOREIGN TABLE below () INHERITS (near) SERVER away",
    );
    scene.file("t.jsonl", "{\"id\":1,\"v\":1}\n");
    for (table, said) in [
        ("far", "foreign table"),
        ("parted", "foreign table"),
        ("near", "foreign table"),
        ("pg_temp.t", "temporary"),
    ] {
        for flags in ["", "--dry-run", "--no-ledger"] {
            scene.run(&format!("t.jsonl -t {table} {flags}")).exits(6).says(said);
        }
    }
}
