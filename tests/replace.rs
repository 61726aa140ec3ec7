//! `--mode replace`: the sources become all that is in a table, at once and complete, or the old content
//! stays. The oracle is a plain loop over the records; what is around the table is asked of the catalog.

use crate::rows;
use crate::support::{Database, Dbload, Outcome, Rng, Scene};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a record says of a key: a value, or none, which is the column's default.
type Record = (u64, Option<u64>);

/// Records with repeated keys, some of them without a value.
fn records(rng: &mut Rng, count: u64, keys: u64) -> Vec<Record> {
    (0..count).map(|_| (rng.below(keys), (!rng.one_in(5)).then(|| rng.below(1_000)))).collect()
}

fn jsonl(records: &[Record]) -> String {
    records
        .iter()
        .map(|(id, value)| match value {
            Some(value) => format!("{{\"id\":{id},\"v\":{value}}}\n"),
            None => format!("{{\"id\":{id}}}\n"),
        })
        .collect()
}

/// The careful program on an empty table: `id|v`, where 7 is the default of `v`.
fn expected(records: &[Record]) -> Vec<String> {
    let mut rows: BTreeMap<u64, u64> = BTreeMap::new();
    for (id, value) in records {
        match (rows.get_mut(id), value) {
            (Some(stored), Some(value)) => *stored = *value,
            (Some(_), None) => {}
            (None, value) => _ = rows.insert(*id, value.unwrap_or(7)),
        }
    }
    rows.iter().map(|(id, value)| format!("{id}|{value}")).collect()
}

#[track_caller]
fn is(db: &Database, table: &str, expected: &[String]) {
    assert_eq!(db.lines(&format!("SELECT id, v FROM {table} ORDER BY id")), expected, "{table}");
}

/// Nothing of dbload's is beside the table.
#[track_caller]
fn is_alone(db: &Database) {
    let left = db.lines("SELECT relname FROM pg_class WHERE relname LIKE '\\_dbload\\_%'");
    assert!(left.is_empty(), "left over: {left:?}");
}

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int DEFAULT 7);
     INSERT INTO t SELECT i, -1 FROM generate_series(1000, 1999) i";

/// Tables of all makes whose content goes and comes as a whole; with what is around them.
const AROUND: &[(&str, &str)] = &[
    ("plain", ""),
    (
        "views, rules and grants",
        "CREATE VIEW seen AS SELECT count(*) AS n FROM t; CREATE MATERIALIZED VIEW kept AS SELECT * FROM t; \
         COMMENT ON TABLE t IS 'ours'; GRANT SELECT ON t TO PUBLIC; ALTER TABLE t SET (fillfactor = 70)",
    ),
    (
        "policies that do not concern us",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON t USING (false)",
    ),
    (
        "another unique index, and a CHECK",
        "ALTER TABLE t ADD u int GENERATED ALWAYS AS (id * 2) STORED; CREATE UNIQUE INDEX ON t (u); \
         ALTER TABLE t ADD CHECK (v < 5000)",
    ),
    (
        "a key to another table, and one to itself",
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (3); ALTER TABLE t ADD r int DEFAULT 3 REFERENCES p; \
         ALTER TABLE t ADD own int REFERENCES t (id)",
    ),
    (
        "an audit",
        "CREATE TABLE log (what text, n int); \
         CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (TG_OP, \
           CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END); RETURN NULL; END $$; \
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION audit()",
    ),
    (
        "who refers to it",
        "CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t); CREATE TABLE d (t int REFERENCES t ON DELETE CASCADE)",
    ),
    ("a publication of all tables", "CREATE PUBLICATION all_of_it FOR ALL TABLES"),
];

/// What of the catalog must be the same before and after.
fn around(db: &Database) -> Vec<String> {
    db.lines(
        "SELECT c.oid, c.relacl, c.reloptions, c.relrowsecurity, obj_description(c.oid, 'pg_class') FROM pg_class c WHERE c.oid = 't'::regclass \
         UNION ALL SELECT i.indexrelid, NULL, NULL, i.indisunique, pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = 't'::regclass \
         UNION ALL SELECT k.oid, NULL, NULL, k.convalidated, pg_get_constraintdef(k.oid) FROM pg_constraint k \
           WHERE 't'::regclass IN (k.conrelid, k.confrelid) \
         UNION ALL SELECT p.oid, NULL, NULL, p.polpermissive, p.polname FROM pg_policy p WHERE p.polrelid = 't'::regclass \
         UNION ALL SELECT g.oid, NULL, NULL, g.tgisinternal, g.tgname FROM pg_trigger g WHERE g.tgrelid = 't'::regclass ORDER BY 1",
    )
}

#[test]
fn the_sources_become_all_that_is_in_the_table_and_what_is_around_it_stays() {
    let mut rng = Rng::new();
    for (what, sql) in AROUND {
        let scene = Scene::with(TABLE);
        scene.sql(sql);
        let before = around(&scene.db);
        let records = records(&mut rng, 2_000, 700);
        scene.file("a.jsonl", jsonl(&records[..900]));
        scene.file("b.jsonl", jsonl(&records[900..]));
        let flags = "--table t --mode replace --pool-size 2 --batch-rows 150 --allow-cascade";
        let report = scene.load(&format!("a.jsonl b.jsonl {flags}")).report();
        let expected = expected(&records);
        is(&scene.db, "t", &expected);
        assert_eq!((report.mode.as_str(), report.removed), ("replace", Some(1_000)), "{what}");
        assert_eq!(report.rows.inserted, expected.len() as u64, "{what}");
        assert_eq!(around(&scene.db), before, "{what}");
        is_alone(&scene.db);
        // Once more, with another content: a run of its own.
        scene.file("b.jsonl", "{\"id\":1,\"v\":1}\n");
        scene.load(&format!("b.jsonl {flags}"));
        is(&scene.db, "t", &["1|1".to_owned()]);
        is_alone(&scene.db);
    }
}

#[test]
fn without_a_key_every_record_is_a_row_and_ids_are_those_of_the_table() {
    let scene = Scene::with(
        "CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int); INSERT INTO log (v) SELECT 1 FROM generate_series(1, 50)",
    );
    scene.file("log.csv", "v\n5\n5\n6\n");
    for _ in 0..2 {
        assert_eq!(scene.load("log.csv --table log --mode replace").rows(), rows!(read: 3, inserted: 3));
        assert_eq!(scene.db.lines("SELECT v, count(*) FROM log GROUP BY 1 ORDER BY 1"), ["5|2", "6|1"]);
    }
    // What the table draws next was drawn by no row before it.
    scene.sql("INSERT INTO log (v) VALUES (9)");
    assert_eq!(scene.db.count("log"), 4);
}

#[test]
fn partitions_take_their_rows_and_a_record_without_one_is_a_reject() {
    let scene = Scene::with(
        "CREATE TABLE t (id int, v int DEFAULT 7, PRIMARY KEY (id)) PARTITION BY RANGE (id); \
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100); \
         CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200); INSERT INTO t SELECT i, 0 FROM generate_series(50, 150) i",
    );
    let all: Vec<Record> = (0..250).map(|id| (id, Some(id))).collect();
    scene.file("t.jsonl", jsonl(&all));
    let outcome = scene.run("t.jsonl --mode replace --batch-rows 40").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 250, inserted: 200, rejected: 50));
    is(&scene.db, "t", &expected(&all[..200]));
    // A partition by itself.
    scene.file("t2.jsonl", "{\"id\":5}\n{\"id\":105,\"v\":3}\n");
    assert_eq!(
        scene.run("t2.jsonl --mode replace").exits(3).rows(),
        rows!(read: 2, inserted: 1, rejected: 1)
    );
    is(&scene.db, "t2", &["105|3".to_owned()]);
    assert_eq!(scene.db.count("t1"), 100);
}

#[test]
fn what_the_table_refuses_is_a_reject_of_its_own_and_is_loaded_later_by_its_key() {
    let scene = Scene::with(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); \
         CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL CHECK (v > 0) REFERENCES p, n text UNIQUE); INSERT INTO t VALUES (9, 1)",
    );
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"v\":1,\"n\":\"a\"}\n{\"id\":2,\"v\":5,\"n\":\"b\"}\n{\"id\":3,\"v\":-1,\"n\":\"c\"}\n\
         {\"id\":4,\"n\":\"d\"}\n{\"id\":5,\"v\":2,\"n\":\"a\"}\n{\"id\":6,\"v\":2}\n",
    );
    let outcome = scene.run("t.jsonl --mode replace").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 6, inserted: 2, rejected: 4));
    is(&scene.db, "t", &["1|1".to_owned(), "6|2".to_owned()]);
    let mut codes: Vec<_> =
        outcome.report().rejected(scene.cwd()).into_iter().filter_map(|reject| reject.sqlstate).collect();
    codes.sort();
    assert_eq!(codes, ["23502", "23503", "23505", "23514"]);
    // The command that loads them again does not replace the table by them.
    let plain = scene.plain("t.jsonl --mode replace").env("DBLOAD_MODE", "replace").run().exits(3);
    let command = plain.stderr.lines().find(|line| line.contains("rejects.jsonl")).unwrap();
    assert!(!command.contains("--mode replace"), "{plain}");
}

#[test]
fn rows_that_others_refer_to_are_never_gone_and_those_that_are_held_undo_all_of_it() {
    let scene = Scene::with(TABLE);
    scene.sql("CREATE TABLE c (id int PRIMARY KEY, t int NOT NULL REFERENCES t); INSERT INTO c VALUES (1, 1500), (2, 1501)");
    // The second of the two is in no source.
    scene.file("t.jsonl", "{\"id\":1500,\"v\":1}\n{\"id\":4,\"v\":4}\n");
    let before = scene.db.digest("t");
    let outcome = scene.run("t.jsonl --mode replace").exits(5);
    let outcome = outcome.says("was not put in place").says("foreign key \"c_t_fkey\": 1").says("public.c");
    assert!(!outcome.report().complete);
    assert_eq!(scene.db.digest("t"), before);
    // What was loaded is kept: once nobody holds the row, the same command puts it in place.
    scene.sql(
        "DELETE FROM c WHERE id = 2; CREATE TABLE seen AS SELECT xmin::text AS x FROM t WHERE id = 1500",
    );
    let report = scene.load("t.jsonl --mode replace").report();
    assert_eq!((report.attempts, report.rows, report.removed), (2, rows!(read: 2, inserted: 2), Some(999)));
    is(&scene.db, "t", &["4|4".to_owned(), "1500|1".to_owned()]);
    // Rows that are alike are not written.
    scene.sql("TRUNCATE seen; INSERT INTO seen SELECT xmin::text FROM t");
    scene.file("t.jsonl", "{\"id\":1500,\"v\":1}\n{\"id\":4,\"v\":5}\n");
    scene.load("t.jsonl --mode replace");
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE xmin::text IN (SELECT x FROM seen)"), "1");
    is_alone(&scene.db);
}

#[test]
fn foreign_keys_that_reach_into_other_tables_want_a_word_of_their_own() {
    for (rule, left) in [("CASCADE", ""), ("SET NULL", "NULL"), ("SET DEFAULT", "4")] {
        let scene = Scene::with(TABLE);
        scene.sql(&format!(
            "CREATE TABLE c (t int DEFAULT 4 REFERENCES t ON DELETE {rule}); INSERT INTO c VALUES (1500)"
        ));
        scene.file("t.jsonl", "{\"id\":4,\"v\":4}\n");
        let before = scene.db.digest("t");
        let refused = scene.run("t.jsonl --mode replace").exits(6);
        refused.says("--allow-cascade").says(&format!("ON DELETE {rule}"));
        assert_eq!((scene.db.digest("t"), scene.db.count("c")), (before, 1));
        // The default of the column is a row that is there only in the end.
        let outcome = scene.run("t.jsonl --mode replace --allow-cascade");
        if rule == "SET DEFAULT" {
            outcome.exits(5);
            continue;
        }
        outcome.exits(0);
        is(&scene.db, "t", &["4|4".to_owned()]);
        assert_eq!(scene.db.lines("SELECT t FROM c").join(","), left, "{rule}");
    }
}

#[test]
fn readers_see_the_old_content_or_the_new_one_and_never_half_of_it() {
    for more in ["", "CREATE TABLE c (t int REFERENCES t)"] {
        let scene = Scene::with(TABLE);
        scene.sql(more);
        let new: Vec<Record> = (0..3_000).map(|id| (id, Some(2))).collect();
        scene.file("t.jsonl", jsonl(&new));
        let over = AtomicBool::new(false);
        let seen = std::thread::scope(|threads| {
            let reader = threads.spawn(|| {
                let db = scene.db.another();
                let mut seen = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let now = db.one("SELECT concat(count(*), ' of ', min(v), ' to ', max(v)) FROM t");
                    if seen.last() != Some(&now) {
                        seen.push(now);
                    }
                }
                seen
            });
            scene.load("t.jsonl --mode replace --batch-rows 100 --pool-size 2");
            std::thread::sleep(std::time::Duration::from_millis(20));
            over.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert_eq!(seen, ["1000 of -1 to -1", "3000 of 2 to 2"]);
    }
}

#[test]
fn nothing_is_taken_for_an_empty_content_unless_that_is_said() {
    let scene = Scene::with(TABLE);
    scene.file("full.jsonl", "{\"id\":1,\"v\":1}\n");
    scene.file("empty.jsonl", "");
    scene.file("bad.jsonl", "{\"id\":1,\"v\":\"x\"}\n");
    let before = scene.db.digest("t");
    for (sources, says) in [
        ("full.jsonl empty.jsonl", "empty.jsonl has no records"),
        ("empty.jsonl", "empty.jsonl has no records"),
        ("bad.jsonl", "none of them could be stored"),
    ] {
        let outcome = scene.run(&format!("{sources} --table t --mode replace")).exits(4);
        outcome.says(says).says("--allow-empty");
        assert_eq!(scene.db.digest("t"), before, "{sources}");
        is_alone(&scene.db);
    }
    scene.load("full.jsonl empty.jsonl --table t --mode replace --allow-empty");
    is(&scene.db, "t", &["1|1".to_owned()]);
    scene.load("empty.jsonl --table t --mode replace --allow-empty");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn a_load_that_fails_or_is_over_its_budget_leaves_the_old_content() {
    let scene = Scene::with(TABLE);
    let before = scene.db.digest("t");
    scene.file("t.jsonl", "{\"id\":1,\"v\":1}\n{\"id\":2,\"v\":\"x\"}\n{\"id\":3,\"v\":\"y\"}\n");
    scene.run("t.jsonl --mode replace --max-rejects 1").exits(9);
    assert_eq!(scene.db.digest("t"), before);
    // Given up, and begun anew: nothing of the first one is left.
    scene.run("t.jsonl --mode replace --restart").exits(3);
    is(&scene.db, "t", &["1|1".to_owned()]);
    is_alone(&scene.db);
    // A pipe that ends too soon.
    let piped =
        scene.dbload("- --table t --mode replace --format jsonl --end-mark DONE").stdin("{\"id\":8}\n").run();
    piped.exits(4);
    is(&scene.db, "t", &["1|1".to_owned()]);
    is_alone(&scene.db);
    let piped = scene.dbload("- --table t --mode replace --format jsonl --end-mark DONE");
    piped.stdin("{\"id\":8}\nDONE\n").run().exits(0);
    is(&scene.db, "t", &["8|7".to_owned()]);
}

#[test]
fn a_table_that_does_not_exist_is_made_first() {
    let scene = Scene::new();
    scene.file("new.csv", "id,v\n1,2\n3,4\n");
    scene.load("new.csv --key id --mode replace");
    is(&scene.db, "new", &["1|2".to_owned(), "3|4".to_owned()]);
    is_alone(&scene.db);
}

#[test]
fn what_cannot_be_right_is_refused_before_the_first_row() {
    let scene = Scene::with(TABLE);
    scene.file("t.jsonl", "{\"id\":1,\"v\":1}\n");
    let before = scene.db.digest("t");
    for (flags, says) in [
        ("--no-ledger", "--no-ledger"),
        ("--newer-by v", "--newer-by"),
        ("--merge v=keep", "--merge"),
        ("--insert-only v", "--merge or --insert-only"),
        ("--skip-records 1", "--skip-records"),
        ("--accept-changed t.jsonl", "--accept-changed"),
        ("--max-removals 5", "leave it out, or use --mode sync"),
    ] {
        scene.run(&format!("t.jsonl --mode replace {flags}")).exits(6).says(says);
    }
    for flag in ["--allow-empty", "--allow-cascade"] {
        scene.run(&format!("t.jsonl {flag}")).exits(6).says("leaves rows that are in no source alone");
    }
    scene.sql("CREATE TABLE child () INHERITS (t)");
    scene.run("t.jsonl --mode replace").exits(6).says("load into a table without children");
    scene.sql("DROP TABLE child; CREATE TABLE s (id int UNIQUE, n int GENERATED ALWAYS AS IDENTITY, v int PRIMARY KEY); \
               CREATE TABLE c (n int REFERENCES s (v))");
    scene.run("t.jsonl --table s --mode replace --key id").exits(6).says("GENERATED ALWAYS AS IDENTITY");
    assert_eq!(scene.db.digest("t"), before);
    // Nothing was recorded, and nothing made.
    is_alone(&scene.db);
}

#[test]
fn a_role_is_told_what_it_lacks_and_hidden_rows_are_never_left_behind() {
    let scene = Scene::with(TABLE);
    scene.file("t.jsonl", "{\"id\":1,\"v\":1}\n");
    // The ledger, for all.
    scene.sql("CREATE TABLE other (id int PRIMARY KEY)");
    scene.file("other.jsonl", "{\"id\":1}\n");
    scene.load("other.jsonl");
    let role = format!("replacer_{}", scene.db.name());
    scene.sql(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE ON t TO {role}; GRANT USAGE ON SCHEMA public TO {role}"));
    let sql = Dbload::new(scene.cwd()).line(&format!("ledger sql --role {role}")).run().exits(0).stdout;
    scene.sql(&sql);
    let as_role = |more: &str| {
        let dsn = format!("{} user={role}", keyword_dsn(&scene));
        Dbload::new(scene.cwd())
            .line(&format!("t.jsonl --mode replace --json {more}"))
            .arg("--dsn")
            .arg(dsn)
            .run()
    };
    as_role("").exits(6).says("has no DELETE on table public.t").says("GRANT DELETE");
    scene.sql(&format!("GRANT DELETE ON t TO {role}"));
    as_role("").exits(6).says("GRANT CREATE ON SCHEMA");
    scene.sql(&format!("GRANT CREATE ON SCHEMA public TO {role}; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id < 1500)"));
    as_role("")
        .exits(6)
        .says("row-level security")
        .says("load as the owner of the table, or as a role with BYPASSRLS");
    scene.sql("ALTER TABLE t DISABLE ROW LEVEL SECURITY; CREATE TABLE parent (id int PRIMARY KEY); ALTER TABLE t ADD p int REFERENCES parent");
    as_role("").exits(6).says("GRANT REFERENCES ON public.parent TO");
    scene.sql(&format!("GRANT REFERENCES ON parent TO {role}"));
    // Whatever default privileges say, the rows beside the table are nobody else's.
    scene.sql(&format!("ALTER DEFAULT PRIVILEGES FOR ROLE {role} GRANT SELECT ON TABLES TO PUBLIC"));
    scene.file("t.jsonl", "{\"id\":1,\"v\":\"x\"}\n");
    as_role("--max-rejects 0").exits(9);
    let acl = scene.db.lines("SELECT (SELECT count(*) FROM aclexplode(relacl) g WHERE g.grantee <> relowner) FROM pg_class WHERE relname LIKE '\\_dbload\\_%' AND relkind = 'r'");
    assert_eq!(acl, ["0"]);
    scene.file("t.jsonl", "{\"id\":1,\"v\":1}\n");
    as_role("--restart").exits(0);
    is(&scene.db, "t", &["1|1".to_owned()]);
    scene.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// The database of a scene without a user.
fn keyword_dsn(scene: &Scene) -> String {
    let facts = scene.db.lines(
        "SELECT current_setting('unix_socket_directories'), current_setting('port'), current_database()",
    );
    let facts: Vec<&str> = facts[0].split('|').collect();
    format!("host={} port={} dbname={}", facts[0], facts[1], facts[2])
}

#[test]
fn a_row_that_a_trigger_keeps_out_undoes_all_of_it() {
    let scene = Scene::with(TABLE);
    scene.sql(
        "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 3 THEN RETURN NULL; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER odd BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION odd()",
    );
    let before = scene.db.digest("t");
    let all: Vec<Record> = (0..10).map(|id| (id, Some(id))).collect();
    scene.file("t.jsonl", jsonl(&all));
    scene.run("t.jsonl --mode replace").exits(5).says("10 rows were loaded, and 9 would be there");
    assert_eq!(scene.db.digest("t"), before);
    scene.sql("DROP TRIGGER odd ON t");
    scene.load("t.jsonl --mode replace");
    is(&scene.db, "t", &expected(&all));
    is_alone(&scene.db);
}

#[test]
fn a_table_that_was_changed_meanwhile_keeps_its_content() {
    let scene = Scene::with(TABLE);
    scene.sql("CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t); INSERT INTO c VALUES (1, 1500)");
    scene.file("t.jsonl", "{\"id\":4,\"v\":4}\n");
    scene.run("t.jsonl --mode replace").exits(5);
    scene.sql("DROP TABLE c; ALTER TABLE t ADD w int");
    let before = scene.db.digest("t");
    scene.run("t.jsonl --mode replace").exits(8).says("--restart");
    assert_eq!(scene.db.digest("t"), before);
    scene.load("t.jsonl --mode replace --restart");
    is(&scene.db, "t", &["4|4".to_owned()]);
    // So does one whose rows beside it are lost.
    scene.file("t.jsonl", "{\"id\":5,\"v\":\"x\"}\n");
    scene.run("t.jsonl --mode replace --max-rejects 0").exits(9);
    let beside =
        scene.db.one("SELECT relname FROM pg_class WHERE relname LIKE '\\_dbload\\_%' AND relkind = 'r'");
    scene.sql(&format!("DROP TABLE {beside}"));
    scene.run("t.jsonl --mode replace").exits(8).says("--restart");
    is(&scene.db, "t", &["4|4".to_owned()]);
}

/// Loads that are killed somewhere, and go on.
struct Killed {
    scene: Scene,
    new: Vec<Record>,
    before: String,
}

impl Killed {
    fn new(more: &str) -> Self {
        let scene = Scene::with(TABLE);
        scene.sql(more);
        let new = records(&mut Rng::from_seed(22), 3_000, 1_700);
        scene.file("t.jsonl", jsonl(&new));
        let before = scene.db.digest("t");
        Self { scene, new, before }
    }

    fn command(&self) -> Dbload {
        self.scene.dbload("t.jsonl --mode replace --pool-size 2 --batch-rows 200")
    }

    /// The old content, or the new one; never anything else.
    #[track_caller]
    fn is_whole(&self) -> bool {
        self.scene.db.until_quiet();
        if self.scene.db.digest("t") == self.before {
            return false;
        }
        is(&self.scene.db, "t", &expected(&self.new));
        true
    }

    #[track_caller]
    fn is_done(&self, outcome: Outcome) {
        let rows = outcome.exits(0).rows();
        assert_eq!((rows.read, rows.inserted), (3_000, expected(&self.new).len() as u64));
        is(&self.scene.db, "t", &expected(&self.new));
        is_alone(&self.scene.db);
        crate::support::audit(&self.scene.db);
    }
}

#[test]
fn killed_at_each_crash_point_it_is_the_old_content_until_it_is_the_new_one() {
    let points = [
        "recording",
        "recorded",
        "begun",
        "copied",
        "merged",
        "rejects-stored",
        "committed",
        "completing",
        "putting",
        "put",
        "completed",
    ];
    for more in ["", "CREATE TABLE c (t int REFERENCES t); INSERT INTO c VALUES (1500)"] {
        for point in points {
            let killed = Killed::new(more);
            let struck = killed.command().env("DBLOAD_CRASH_AT", format!("{point}:1")).run();
            assert!(struck.was_killed(), "{point}: {struck}");
            assert_eq!(killed.is_whole(), point == "completed", "{point}");
            // One that goes on, where there is something to go on with.
            if !["recording", "completed"].contains(&point) {
                let again = killed.command().env("DBLOAD_CRASH_AT", "taken-over:1").run();
                assert!(again.was_killed(), "{point}: {again}");
                assert!(!killed.is_whole());
            }
            if more.is_empty() || killed.new.iter().any(|(id, _)| *id == 1_500) {
                killed.is_done(killed.command().run());
            } else {
                killed.command().run().exits(5);
                assert!(!killed.is_whole());
            }
        }
    }
}

#[test]
fn killed_at_random_again_and_again_it_comes_to_the_same() {
    let mut rng = Rng::new();
    for _ in 0..cycles() {
        let killed = Killed::new("");
        loop {
            let delay = std::time::Duration::from_millis(rng.below(400));
            let outcome = killed.command().spawn().kill9_after(delay);
            let is_new = killed.is_whole();
            if !outcome.was_killed() {
                outcome.exits(0);
                assert!(is_new);
                break;
            }
        }
        killed.is_done(killed.command().run());
    }
}

/// `REPLACE_CYCLES=500` for a long run.
fn cycles() -> u64 {
    std::env::var("REPLACE_CYCLES").ok().and_then(|cycles| cycles.parse().ok()).unwrap_or(5)
}
