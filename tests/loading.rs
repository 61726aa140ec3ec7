//! What a load promises (docs/how-it-works.md), one by one.
//!
//! Triggers and policies that keep rows away, deferred constraints, loads with overlapping keys, numbers and
//! keys (CASES.md, rows 38 and 43). Same key twice in a batch, parallel batches with the same keys, field
//! missing in a record, ids beyond 2^53, JSON null and SQL NULL, re-sent unchanged rows, row-level security,
//! a patch file, more than 65,535 bind parameters, pandas writes integers as 1.0.

use crate::{
    rows,
    support::{Database, Rng, Rows, Scene, generate},
};
use dbload::internals::local::{Options, TempServer};
use std::{collections::BTreeMap, fmt::Write};

const PEOPLE: &str = "CREATE TABLE people (id int PRIMARY KEY, name text DEFAULT 'nobody', age int)";

#[test]
fn a_file_is_loaded_and_read_back_digest_equal() {
    let scene = Scene::with(generate::EVENTS_TABLE);
    scene.file("events.jsonl", generate::events(1..=20_000, 1));
    let outcome = scene.load("events.jsonl");
    let report = outcome.report();
    assert_eq!(report.rows, rows!(read: 20_000, inserted: 20_000));
    assert_eq!(scene.db.digest("events"), scene.db.digest(&generate::event_rows(1, 20_000, 1)));
    assert_eq!(
        (report.table.as_str(), report.mode.as_str(), report.attempts),
        ("public.events", "upsert", 1)
    );
    assert!(report.complete && report.guarantee == "exactly-once" && report.rejects.file.is_none());
    assert_eq!(report.sources.len(), 1);
    assert_eq!(
        (report.sources[0].name.as_str(), report.sources[0].state.as_str()),
        ("events.jsonl", "complete")
    );
    assert!(report.database.ends_with(&format!("/{}", scene.db.name())), "{}", report.database);
}

#[test]
fn the_same_file_again_leaves_every_row_where_it_is() {
    let scene = Scene::with(generate::EVENTS_TABLE);
    scene.file("events.jsonl", generate::events(1..=5_000, 1));
    scene.load("events.jsonl");
    // Neither a new version of a row nor a lock on it.
    let physical = "(SELECT ctid, xmin, xmax, * FROM events) y";
    let before = scene.db.digest(physical);
    let again = scene.load("events.jsonl");
    assert_eq!(again.rows(), rows!(read: 5_000, unchanged: 5_000));
    assert_eq!(scene.db.digest(physical), before);
    let careful = scene.load("events.jsonl --batch-rows 7 --pool-size 3");
    assert_eq!(careful.rows(), rows!(read: 5_000, unchanged: 5_000));
    assert_eq!(scene.db.digest(physical), before);
}

#[test]
fn unchanged_rows_write_no_wal_and_leave_no_dead_tuples() {
    // The WAL is the server's, so this server is ours alone.
    let server = TempServer::start(Options::default().conf("autovacuum = off")).unwrap();
    let scene = Scene { db: Database::connect(&server.url()), folder: crate::support::Folder::new() };
    scene.sql(generate::EVENTS_TABLE);
    scene.file("events.jsonl", generate::events(1..=20_000, 1));
    let start = scene.db.wal();
    scene.load("events.jsonl");
    let fresh = scene.db.wal() - start;
    scene.sql("VACUUM events");
    scene.sql("CHECKPOINT");
    let start = scene.db.wal();
    assert_eq!(scene.load("events.jsonl").rows(), rows!(read: 20_000, unchanged: 20_000));
    let again = scene.db.wal() - start;
    assert!(again < 200_000 && again * 10 < fresh, "WAL: {fresh} bytes fresh, {again} bytes unchanged");
    // Backends report to the statistics when they end.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let statistics = scene.db.lines("SELECT n_tup_ins, n_tup_upd, n_tup_del, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'events'");
    assert_eq!(statistics, ["20000|0|0|0"]);
}

#[test]
fn unchanged_rows_fire_no_row_trigger() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, v text); \
         CREATE TABLE fired (op text); \
         CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (TG_OP || ' ' || TG_WHEN); RETURN NEW; END $$; \
         CREATE TRIGGER b BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION fire(); \
         CREATE TRIGGER a AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION fire()",
    );
    let lines = |v: &str| {
        (1..=100).fold(String::new(), |text, id| text + &format!("{{\"id\":{id},\"v\":\"{v}\"}}\n"))
    };
    scene.file("t.jsonl", lines("a"));
    let fired = || scene.db.lines("SELECT op, count(*) FROM fired GROUP BY 1 ORDER BY 1");
    scene.load("t.jsonl");
    // BEFORE INSERT must not fire for rows that exist, so UPDATE comes first.
    assert_eq!(fired(), ["INSERT AFTER|100", "INSERT BEFORE|100"]);
    assert_eq!(scene.load("t.jsonl").rows(), rows!(read: 100, unchanged: 100));
    assert_eq!(fired(), ["INSERT AFTER|100", "INSERT BEFORE|100"]);
    scene.file("t.jsonl", lines("b"));
    assert_eq!(scene.load("t.jsonl").rows(), rows!(read: 100, updated: 100));
    assert_eq!(fired(), ["INSERT AFTER|100", "INSERT BEFORE|100", "UPDATE AFTER|100", "UPDATE BEFORE|100"]);
}

#[test]
fn absent_is_not_null() {
    let scene = Scene::with(PEOPLE);
    scene.sql("INSERT INTO people VALUES (1, 'ann', 30), (2, 'bob', 40)");
    scene.file(
        "people.jsonl",
        "{\"id\":1,\"age\":31}\n{\"id\":2,\"name\":null}\n{\"id\":3}\n{\"id\":4,\"name\":null,\"age\":null}\n{\"id\":5,\"age\":null}\n",
    );
    let rows = scene.load("people.jsonl").rows();
    assert_eq!(rows, rows!(read: 5, inserted: 3, updated: 2));
    assert_eq!(
        scene.db.lines("SELECT * FROM people ORDER BY id"),
        ["1|ann|31", "2|NULL|40", "3|nobody|NULL", "4|NULL|NULL", "5|nobody|NULL"]
    );
}

#[test]
fn fields_of_a_folded_record_are_kept() {
    let scene = Scene::with(PEOPLE);
    scene.sql("INSERT INTO people VALUES (1, 'ann', 30)");
    scene.file("people.jsonl", "{\"id\":1,\"age\":31}\n{\"id\":1,\"name\":\"anna\"}\n{\"id\":2,\"age\":7}\n{\"id\":2,\"name\":null}\n");
    let rows = scene.load("people.jsonl").rows();
    assert_eq!((rows.read, rows.inserted, rows.stored_before()), (4, 1, 3));
    assert_eq!(scene.db.lines("SELECT * FROM people ORDER BY id"), ["1|anna|31", "2|NULL|7"]);
}

#[test]
fn the_last_record_of_a_key_wins_across_batches_connections_and_files() {
    for (pool, batch) in [(1, 1), (4, 2), (8, 10_000), (3, 7)] {
        let scene = Scene::with("CREATE TABLE t (k int PRIMARY KEY, v int)");
        let mut total = 0;
        for file in ["b.jsonl", "a.csv", "c.jsonl"] {
            let mut text = if file.ends_with("csv") { "k,v\n".to_owned() } else { String::new() };
            for _ in 0..500 {
                total += 1;
                let k = total * 7 % 50;
                let _ = if file.ends_with("csv") {
                    writeln!(text, "{k},{total}")
                } else {
                    writeln!(text, "{{\"v\":{total},\"k\":{k}}}")
                };
            }
            scene.file(file, text);
        }
        let rows =
            scene.load(&format!("b.jsonl a.csv c.jsonl -t t --pool-size {pool} --batch-rows {batch}")).rows();
        assert_eq!((rows.read, rows.inserted, rows.stored_before()), (1_500, 50, 1_450));
        assert_eq!(
            scene.db.one("SELECT min(v) > 1450 AND max(v) = 1500 AND count(DISTINCT v) = 50 FROM t"),
            "t"
        );
    }
}

#[test]
fn ten_thousand_records_of_one_key_are_one_row() {
    let scene = Scene::with(PEOPLE);
    let text = (1..=10_000).fold(String::new(), |mut text, age| {
        let _ = writeln!(text, "{{\"id\":1,\"age\":{age}}}");
        text
    });
    scene.file("people.jsonl", text);
    let rows = scene.load("people.jsonl").rows();
    assert_eq!((rows.read, rows.inserted, rows.stored_before()), (10_000, 1, 9_999));
    assert_eq!(scene.db.lines("SELECT * FROM people"), ["1|nobody|10000"]);
}

#[test]
fn numbers_arrive_digit_by_digit() {
    let digits = "1234567890".repeat(40);
    for ddl in ["CREATE TABLE n (id bigint PRIMARY KEY, x numeric, j jsonb, d json)", "SELECT 1"] {
        let scene = Scene::with(ddl);
        scene.file(
            "n.jsonl",
            format!(
                "{{\"id\":9007199254740993,\"x\":{digits},\"j\":{{\"n\":[{digits}]}},\"d\":{{\"n\":1.10}}}}\n\
                 {{\"id\":-9223372036854775808,\"x\":0.10000000000000000000000000001,\"j\":{{\"n\":9007199254740993}},\"d\":{{}}}}\n\
                 {{\"id\":9223372036854775807,\"x\":1e400,\"j\":{{\"n\":1.50}},\"d\":{{}}}}\n"
            ),
        );
        scene.load("n.jsonl --key id");
        assert_eq!(
            scene.db.lines("SELECT id FROM n ORDER BY id"),
            ["-9223372036854775808", "9007199254740993", "9223372036854775807"],
            "{ddl}"
        );
        assert_eq!(
            scene.db.lines("SELECT x FROM n ORDER BY id"),
            ["0.10000000000000000000000000001".to_owned(), digits.clone(), format!("1{}", "0".repeat(400))],
            "{ddl}"
        );
        assert_eq!(
            scene.db.lines("SELECT j->>'n' FROM n ORDER BY id"),
            ["9007199254740993".to_owned(), format!("[{digits}]"), "1.50".to_owned()],
            "{ddl}"
        );
    }
}

#[test]
fn a_number_that_does_not_fit_is_rejected_and_never_rounded() {
    let scene = Scene::with("CREATE TABLE n (id int PRIMARY KEY, i int, b bigint, f float8, m numeric(5,2))");
    scene.file(
        "n.jsonl",
        "{\"id\":1,\"i\":2147483648}\n{\"id\":2,\"b\":9223372036854775808}\n{\"id\":3,\"f\":1e400}\n{\"id\":4,\"m\":1234.5}\n\
         {\"id\":5,\"i\":1.5}\n{\"id\":6,\"i\":7.0,\"b\":-0,\"f\":-0,\"m\":1.01}\n{\"id\":7,\"m\":1.005}\n",
    );
    let outcome = scene.run("n.jsonl").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 7, inserted: 1, rejected: 6));
    assert_eq!(scene.db.lines("SELECT * FROM n"), ["6|7|0|-0|1.01"]);
    let lines: Vec<_> =
        outcome.report().rejected(scene.cwd()).iter().map(|r| (r.line, r.column.clone().unwrap())).collect();
    let expected = [(1, "i"), (2, "b"), (3, "f"), (4, "m"), (5, "i"), (7, "m")];
    assert_eq!(lines, expected.map(|(line, column)| (line, column.to_owned())));
}

#[test]
fn integers_that_pandas_wrote_as_floats_are_integers() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n bigint)");
    scene.file("t.csv", "id,n\n1.0,5.0\n2.00,\n1,6\n");
    let rows = scene.load("t.csv").rows();
    assert_eq!((rows.read, rows.inserted, rows.stored_before()), (3, 2, 1));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|6", "2|NULL"]);
}

#[test]
fn text_is_never_trimmed_or_reinterpreted() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text)");
    let texts = [
        "  a  ",
        "007",
        "1.50",
        "\\N",
        "\\.",
        "NULL",
        "true",
        "a\tb\nc\r\nd",
        "\\",
        "'\"`",
        "e\u{301}",
        "\u{feff}x",
        "\u{1}",
    ];
    let mut jsonl = String::new();
    for (id, text) in texts.iter().enumerate() {
        let _ = writeln!(jsonl, "{}", serde_json::json!({"id": id, "s": text}));
    }
    scene.file("t.jsonl", jsonl);
    scene.load("t.jsonl");
    let stored = scene.db.rows("SELECT s FROM t ORDER BY id");
    assert_eq!(stored.into_iter().map(|r| r[0].clone().unwrap()).collect::<Vec<_>>(), texts);
    let mut csv = "id,s\n".to_owned();
    for (id, text) in texts.iter().enumerate() {
        let _ = writeln!(csv, "{id},\"{}\"", text.replace('"', "\"\""));
    }
    scene.file("t.csv", csv);
    assert_eq!(scene.load("t.csv").rows(), rows!(read: 13, unchanged: 13));
}

#[test]
fn unchanged_means_that_the_image_would_not_change() {
    let scene = Scene::with(
        "CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY, c citext, n numeric, i interval, j jsonb, d json, f float8); \
         INSERT INTO t VALUES (1, 'abc', 1.5, '1 mon', '{\"a\":1.0}', '{\"a\":1}', 0)",
    );
    let changed = |field: &str, updated: u64| {
        scene.file("t.jsonl", format!("{{\"id\":1,{field}}}\n"));
        let rows: Rows = scene.load("t.jsonl").rows();
        assert_eq!(rows.updated, updated, "{field}");
        assert_eq!(scene.load("t.jsonl").rows().unchanged, 1, "{field} again");
    };
    changed("\"c\":\"abc\",\"n\":1.5,\"i\":\"1 mon\",\"j\":{\"a\":1.0},\"d\":{\"a\":1},\"f\":0", 0);
    changed("\"c\":\"ABC\"", 1);
    changed("\"n\":1.50", 1);
    changed("\"i\":\"30 days\"", 1);
    changed("\"j\":{\"a\":1.00}", 1);
    changed("\"d\":{\"a\":1.0}", 1);
    changed("\"f\":-0", 1);
    assert_eq!(scene.db.lines("SELECT c, n, i, j, f FROM t"), ["ABC|1.50|30 days|{\"a\": 1.00}|-0"]);
}

#[test]
fn unchanged_is_told_column_by_column_where_equal_values_are_alike_and_nulls_count() {
    let scene = Scene::with(
        "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
         CREATE TYPE mood AS ENUM ('ok', 'bad'); \
         CREATE TABLE t (id int PRIMARY KEY, flag bool, n bigint NOT NULL, p numeric(9,2), q numeric(9,2) NOT NULL, s text, \
           v varchar(9), ch char(5), loose bpchar, nc text COLLATE nocase, day date, at timestamptz, u uuid, b bytea, m mood)",
    );
    let full = "\"id\":1,\"flag\":true,\"n\":7,\"p\":1.5,\"q\":2,\"s\":\"a\",\"v\":\"b\",\"ch\":\"c\",\"loose\":\"d\",\"nc\":\"e\",\
        \"day\":\"2024-02-29\",\"at\":\"2024-02-29T01:00:00+01:00\",\"u\":\"00000000-0000-0000-0000-00000000000a\",\"b\":\"\\\\x00ff\",\"m\":\"ok\"";
    let load = |fields: &str| {
        scene.file("t.jsonl", format!("{{{fields}}}\n"));
        let rows: Rows = scene.load("t.jsonl").rows();
        assert_eq!(rows.read, rows.inserted + rows.updated + rows.unchanged, "{fields}");
        (rows.inserted, rows.updated)
    };
    assert_eq!(load(full), (1, 0));
    assert_eq!(load(full), (0, 0));
    // Other spellings of the same values, and values absent.
    for same in [
        "\"p\":1.500,\"q\":2.0",
        "\"ch\":\"c  \"",
        "\"at\":\"2024-02-29T00:00:00Z\"",
        "\"u\":\"0000000000000000000000000000000A\"",
    ] {
        assert_eq!(load(&format!("\"id\":1,{same}")), (0, 0), "{same}");
    }
    let fields = ["flag", "p", "s", "v", "ch", "loose", "nc", "day", "at", "u", "b", "m"];
    for field in fields {
        assert_eq!(load(&format!("\"id\":1,\"{field}\":null")), (0, 1), "{field} to null");
        assert_eq!(load(&format!("\"id\":1,\"{field}\":null")), (0, 0), "{field} null again");
    }
    assert_eq!(load(full), (0, 1));
    for changed in [
        "\"s\":\"A\"",
        "\"s\":\"A \"",
        "\"loose\":\"d \"",
        "\"nc\":\"E\"",
        "\"q\":2.01",
        "\"n\":8",
        "\"b\":\"\\\\x00\"",
        "\"m\":\"bad\"",
    ] {
        assert_eq!(load(&format!("\"id\":1,{changed}")), (0, 1), "{changed}");
        assert_eq!(load(&format!("\"id\":1,{changed}")), (0, 0), "{changed} again");
    }
    // NULL where none may be is the record's fault, not a value like the stored one.
    scene.file("t.jsonl", "{\"id\":1,\"n\":null}\n");
    assert_eq!(scene.run("t.jsonl").exits(3).rows().rejected, 1);
}

#[test]
fn keys_that_only_the_database_knows_to_be_equal_are_one_key_and_keep_their_spelling() {
    let scene = Scene::with(
        "CREATE EXTENSION citext; CREATE TABLE c (k citext PRIMARY KEY, v int); CREATE TABLE u (k uuid PRIMARY KEY, v int); \
         CREATE TABLE i (k int PRIMARY KEY, v int); CREATE TABLE n (k numeric PRIMARY KEY, v int)",
    );
    let one_key = |table: &str, spellings: &[&str], stored: &str| {
        for (pool, batch) in [(1, 1_000), (4, 1)] {
            scene.sql(&format!("TRUNCATE {table}"));
            let file = format!("{table}-{pool}.jsonl");
            let text = spellings
                .iter()
                .enumerate()
                .fold(String::new(), |t, (v, k)| t + &format!("{{\"k\":{k},\"v\":{v}}}\n"));
            scene.file(&file, text);
            let rows =
                scene.load(&format!("{file} -t {table} --pool-size {pool} --batch-rows {batch}")).rows();
            let many = spellings.len() as u64;
            assert_eq!((rows.read, rows.inserted, rows.stored_before()), (many, 1, many - 1), "{table}");
            assert_eq!(scene.db.lines(&format!("SELECT * FROM {table}")), [format!("{stored}|{}", many - 1)]);
        }
    };
    one_key("c", &["\"Ann\"", "\"ANN\"", "\"ann\""], "Ann");
    let uuid = "0a0b0c0d-0000-4000-8000-00000000abcd";
    one_key(
        "u",
        &[
            &format!("\"{}\"", uuid.to_uppercase()),
            &format!("\"{uuid}\""),
            &format!("\"{}\"", uuid.replace('-', "")),
            &format!("\"{{{uuid}}}\""),
        ],
        uuid,
    );
    one_key("i", &["1", "1.0", "\"1\"", "\"01\"", "\" 1 \"", "\"+1\""], "1");
    one_key("n", &["1.0", "1", "\"1.00\"", "10e-1"], "1.0");
}

#[test]
fn a_null_or_missing_key_is_rejected_unless_the_index_says_nulls_not_distinct() {
    let scene = Scene::with("CREATE TABLE t (a int, b int, v int); CREATE UNIQUE INDEX ON t (a, b)");
    scene.file("t.jsonl", "{\"a\":1,\"b\":null,\"v\":1}\n{\"a\":1,\"v\":2}\n{\"a\":1,\"b\":2,\"v\":3}\n{\"a\":1,\"b\":null,\"v\":4}\n");
    assert_eq!(scene.run("t.jsonl --key a,b").exits(3).rows(), rows!(read: 4, inserted: 1, rejected: 3));
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|2|3"]);

    let scene = Scene::with(
        "CREATE TABLE t (a int, b int, v int); CREATE UNIQUE INDEX ON t (a, b) NULLS NOT DISTINCT",
    );
    scene.file(
        "t.jsonl",
        "{\"a\":1,\"b\":null,\"v\":1}\n{\"a\":1,\"b\":2,\"v\":3}\n{\"a\":1,\"b\":null,\"v\":4}\n",
    );
    let rows = scene.load("t.jsonl --key a,b").rows();
    assert_eq!((rows.read, rows.inserted, rows.stored_before()), (3, 2, 1));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY v"), ["1|2|3", "1|NULL|4"]);
}

#[test]
fn mode_update_never_inserts_and_mode_ignore_never_updates() {
    let scene = Scene::with(PEOPLE);
    scene.sql("INSERT INTO people VALUES (1, 'ann', 30)");
    scene.file("people.jsonl", "{\"id\":1,\"age\":31}\n{\"id\":2,\"age\":7}\n{\"id\":2,\"age\":8}\n");
    assert_eq!(scene.load("people.jsonl --mode update").rows(), rows!(read: 3, updated: 1, skipped: 2));
    assert_eq!(scene.db.lines("SELECT * FROM people"), ["1|ann|31"]);
    scene.file("people.jsonl", "{\"id\":1,\"age\":99}\n{\"id\":2,\"age\":7}\n{\"id\":2,\"age\":8}\n");
    for batch in [1, 100] {
        scene.sql("DELETE FROM people WHERE id = 2");
        let rows = scene.load(&format!("people.jsonl --mode ignore --batch-rows {batch}")).rows();
        assert_eq!(rows, rows!(read: 3, inserted: 1, skipped: 2));
        assert_eq!(scene.db.lines("SELECT * FROM people ORDER BY id"), ["1|ann|31", "2|nobody|7"]);
    }
}

#[test]
fn without_a_key_records_are_appended() {
    let scene = Scene::with("CREATE TABLE log (at date, line text)");
    scene.file("log.csv", "at,line\n2024-01-01,a\n2024-01-01,a\n2024-01-02,b\n");
    let report = scene.load("log.csv").report();
    assert_eq!((report.rows, report.mode.as_str()), (rows!(read: 3, inserted: 3), "append"));
    assert_eq!(
        scene.db.lines("SELECT * FROM log ORDER BY 1, 2"),
        ["2024-01-01|a", "2024-01-01|a", "2024-01-02|b"]
    );
}

#[test]
fn rows_that_a_trigger_swallows_are_skipped() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2); \
         CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 13 THEN RETURN NULL; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER s BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION swallow()",
    );
    scene.file("t.jsonl", "{\"id\":1,\"v\":13}\n{\"id\":2,\"v\":3}\n{\"id\":3,\"v\":13}\n{\"id\":4,\"v\":4}\n{\"id\":2,\"v\":3}\n");
    assert_eq!(
        scene.load("t.jsonl").rows(),
        rows!(read: 5, inserted: 1, updated: 1, unchanged: 1, skipped: 2)
    );
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|1", "2|3", "4|4"]);
}

#[test]
fn row_level_security_hides_or_refuses_and_the_books_say_so() {
    let scene = Scene::new();
    let role = format!("tenant_{}", scene.db.name());
    scene.sql(&format!(
        "CREATE ROLE {role} LOGIN; CREATE TABLE t (id int PRIMARY KEY, tenant text, v int); \
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tenant = 'mine') WITH CHECK (tenant = 'mine'); \
         GRANT ALL ON t TO {role}; GRANT CREATE ON DATABASE {} TO {role}; INSERT INTO t VALUES (1, 'mine', 1), (2, 'other', 1)",
        scene.db.name()
    ));
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"tenant\":\"mine\",\"v\":2}\n{\"id\":3,\"tenant\":\"mine\",\"v\":3}\n{\"id\":4,\"tenant\":\"other\",\"v\":4}\n",
    );
    let url = scene
        .db
        .url()
        .replace("postgres@", &format!("{role}@"))
        .replace("user=postgres", &format!("user={role}"));
    let dbload = crate::support::Dbload::new(scene.cwd()).line("t.jsonl --json --dsn").arg(url);
    let outcome = dbload.run().exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, updated: 1, rejected: 1));
    let rejects = outcome.report().rejected(scene.cwd());
    assert_eq!((rejects[0].line, rejects[0].sqlstate.as_deref()), (3, Some("42501")));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|mine|2", "2|other|1", "3|mine|3"]);
    scene.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn deferred_constraints_and_constraint_triggers_reject_the_record_alone() {
    let scene = Scene::with(
        "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1); \
         CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parent DEFERRABLE INITIALLY DEFERRED, v int); \
         CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 13 THEN RAISE 'unlucky' USING ERRCODE = 'P0013'; END IF; RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER judge AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION judge()",
    );
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"p\":1}\n{\"id\":2,\"p\":2}\n{\"id\":3,\"v\":13}\n{\"id\":4,\"p\":null,\"v\":4}\n",
    );
    let outcome = scene.run("t.jsonl").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 4, inserted: 2, rejected: 2));
    let rejects = outcome.report().rejected(scene.cwd());
    let states: Vec<_> = rejects.iter().map(|r| (r.line, r.sqlstate.as_deref().unwrap())).collect();
    assert_eq!(states, [(2, "23503"), (3, "P0013")]);
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "4"]);
}

#[test]
fn a_wide_table_has_no_parameter_limit() {
    let columns: Vec<String> = (0..200).map(|i| format!("c{i} int")).collect();
    let scene = Scene::with(&format!("CREATE TABLE wide (id int PRIMARY KEY, {})", columns.join(", ")));
    let mut text = format!("id,{}\n", (0..200).map(|i| format!("c{i}")).collect::<Vec<_>>().join(","));
    for id in 0..1_000 {
        let _ =
            writeln!(text, "{id},{}", (0..200).map(|i| (id + i).to_string()).collect::<Vec<_>>().join(","));
    }
    scene.file("wide.csv", text);
    assert_eq!(
        scene.load("wide.csv --batch-rows 1000 --pool-size 1").rows(),
        rows!(read: 1_000, inserted: 1_000)
    );
    assert_eq!(scene.db.one("SELECT sum(c199 - c0) FROM wide"), "199000");
}

#[test]
fn two_loads_with_overlapping_keys_at_once_lose_nothing() {
    let scene = Scene::with("CREATE TABLE t (k int PRIMARY KEY, a int, b int)");
    for (file, field) in [("a.jsonl", "a"), ("b.jsonl", "b")] {
        let text = (0..3_000)
            .fold(String::new(), |t, n| t + &format!("{{\"k\":{},\"{field}\":{n}}}\n", n * 7 % 1_000));
        scene.file(file, text);
    }
    let start = |file: &str| scene.dbload(&format!("{file} -t t --pool-size 3 --batch-rows 50")).spawn();
    let (a, b) = (start("a.jsonl"), start("b.jsonl"));
    let (a, b) = (a.wait().exits(0).rows(), b.wait().exits(0).rows());
    assert_eq!((a.read, b.read, a.inserted + b.inserted), (3_000, 3_000, 1_000));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE a >= 2000 AND a = b AND a * 7 % 1000 = k"), "1000");
}

#[test]
#[ignore = "takes minutes in a debug build: run with --release"]
fn a_million_records_load_with_flat_memory() {
    let peak = |many: u64| {
        let scene = Scene::with(generate::EVENTS_TABLE);
        scene.file("events.jsonl", generate::events(1..=many, 1));
        let mut running = scene.dbload("events.jsonl").timeout(std::time::Duration::from_secs(600)).spawn();
        let mut peak = 0;
        while running.is_running() {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
            let hwm = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0 kB");
            peak = peak.max(hwm.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let outcome = running.wait().exits(0);
        assert_eq!(outcome.rows(), rows!(read: many, inserted: many));
        assert_eq!(scene.db.digest("events"), scene.db.digest(&generate::event_rows(1, many, 1)));
        println!("{many} records: {peak} kB at most, {:?}", outcome.elapsed);
        peak
    };
    let (some, many) = (peak(200_000), peak(1_200_000));
    assert!(many < some + some / 4 + 20_000, "memory grows with the file: {some} kB, {many} kB");
}

/// Loads with four connections; says how many partitions any record went to.
fn partitions_used(scene: &Scene, line: &str) -> (Rows, String) {
    let report = scene.load(&format!("{line} --pool-size 4")).report();
    let used = format!("SELECT count(*) FROM _dbload.checkpoint WHERE read > 0 AND run = '{}'", report.run);
    (report.rows, scene.db.one(&used))
}

#[test]
fn keys_of_padded_text_are_one_key_where_the_server_says_so_and_use_all_partitions() {
    for (ty, kept) in [("varchar(7)", 7), ("char(7)", 0), ("bpchar", 0)] {
        let scene = Scene::with(&format!("CREATE TABLE t (code {ty} PRIMARY KEY, n int NOT NULL)"));
        let mut rng = Rng::new();
        let mut expected = BTreeMap::new();
        for turn in 0..2 {
            let mut text = String::new();
            for n in turn * 4_000..turn * 4_000 + 4_000 {
                let code = format!("ä{}", rng.below(500));
                let spelled = format!("{code}{}", " ".repeat(rng.pick(&[0, 0, 1, 2, 5, 12])));
                text += &format!("{}\n", serde_json::json!({"code": spelled, "n": n}));
                // Beyond the length of a varchar spaces are dropped, within they are kept.
                let stored: String = spelled.chars().take(kept.max(code.chars().count())).collect();
                expected.insert(stored, n);
            }
            scene.file("t.jsonl", text);
            let (rows, used) = partitions_used(&scene, "t.jsonl --batch-rows 90 --narrowing allow");
            assert_eq!((rows.read, rows.rejected, used.as_str()), (4_000, 0, "4"), "{ty}");
            // As text a char has none.
            let stored = scene.db.rows("SELECT code::text, n::text FROM t");
            let stored: BTreeMap<String, i32> = stored
                .into_iter()
                .map(|row| {
                    let [code, n] = row.try_into().unwrap();
                    (code.unwrap(), n.unwrap().parse().unwrap())
                })
                .collect();
            assert_eq!(stored, expected, "{ty}, load {turn}");
        }
    }
}

#[test]
fn a_few_devices_with_times_use_all_partitions() {
    let scene = Scene::with(
        "CREATE TABLE t (device int, at timestamptz, v int NOT NULL, PRIMARY KEY (device, at)); \
         CREATE TABLE stock (shop int, article int, v int NOT NULL, PRIMARY KEY (shop, article))",
    );
    let minute = |n: u32| format!("2024-01-01T{:02}:{:02}:00Z", n / 60, n % 60);
    for v in [1, 2] {
        let lines = (0..100).flat_map(|n| (1..=40).map(move |device| (n, device)));
        let text = lines.map(|(n, device)| format!("{device},{},{v}\n", minute(n)));
        scene.file("t.csv", format!("device,at,v\n{}", text.collect::<String>()));
        assert_eq!(partitions_used(&scene, "t.csv --batch-rows 300").1, "4");
        let count = "SELECT count(*), count(DISTINCT device), count(DISTINCT at), min(v), max(v) FROM t";
        assert_eq!(scene.db.lines(count), [format!("4000|40|100|{v}|{v}")]);
        let text = (0..4_000).map(|n| format!("{},{},{v}\n", n / 100, n % 100));
        scene.file("stock.csv", format!("shop,article,v\n{}", text.collect::<String>()));
        assert_eq!(partitions_used(&scene, "stock.csv --batch-rows 300").1, "4");
        let count =
            "SELECT count(*), count(DISTINCT shop), count(DISTINCT article), min(v), max(v) FROM stock";
        assert_eq!(scene.db.lines(count), [format!("4000|40|100|{v}|{v}")]);
    }
}

#[test]
fn batches_are_as_large_as_the_flags_say() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
    let text: String =
        (0..2_000).map(|i| format!("{{\"id\":{i},\"v\":\"{}\"}}\n", "x".repeat(100))).collect();
    scene.file("t.jsonl", text);
    // About 210 kB of COPY text in batches of at most 20 kB, and of at most 500 rows.
    let by_bytes = scene.load("t.jsonl --pool-size 1 --batch-bytes 20kB").report().pool.batches;
    assert!((10..40).contains(&by_bytes), "{by_bytes}");
    scene.sql("TRUNCATE t");
    let by_rows = scene.load("t.jsonl --pool-size 1 --batch-rows 500 --load-id rows").report().pool.batches;
    assert!((4..10).contains(&by_rows), "{by_rows}");
}
