//! Tables that grow with their records: columns that are added before the first row and in mid-load, columns
//! and schemas of a table that is made. The oracle is the table.

use crate::{
    rows,
    support::{Scene, until},
};
use rustix::process::Signal;
use std::fmt::Write;

/// The rows of `t`, with the names and types of its columns before them.
fn table(scene: &Scene, name: &str) -> Vec<String> {
    let mut lines = vec![columns(scene, name)];
    lines.extend(scene.db.lines(&format!("SET TIME ZONE 'UTC'; SELECT * FROM {name} ORDER BY 1")));
    lines
}

fn columns(scene: &Scene, name: &str) -> String {
    scene.db.one(&format!(
        "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute \
         WHERE attrelid = '{name}'::regclass AND attnum > 0 AND NOT attisdropped"
    ))
}

#[test]
fn fields_of_the_sample_get_columns_by_a_visible_line() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)");
    scene.file(
        "a.jsonl",
        "{\"id\":1,\"n\":1,\"day\":\"2024-01-31\",\"tags\":[1],\"never\":null,\"Full Name\":\"x\"}\n\
         {\"id\":2,\"n\":2.5}\n",
    );
    scene.file("b.jsonl", "{\"id\":3,\"full name\":\"y\",\"ok\":true}\n");
    let plan = scene.plain("a.jsonl b.jsonl --table t --extra add --dry-run").run().exits(0);
    assert!(plan.stdout.contains("to be added: column \"n\" numeric"), "{plan}");
    assert!(plan.stdout.contains("\"never\" -> no column, until it has a value"), "{plan}");
    assert_eq!(columns(&scene, "t"), "id integer", "a plan adds nothing");
    let outcome = scene.load("a.jsonl b.jsonl --table t --extra add");
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    assert_eq!(
        table(&scene, "t"),
        [
            "id integer, n numeric, day date, tags jsonb, Full Name text, ok boolean",
            "1|1|2024-01-31|[1]|x|NULL",
            "2|2.5|NULL|NULL|NULL|NULL",
            "3|NULL|NULL|NULL|y|t",
            "7|NULL|NULL|NULL|NULL|NULL"
        ]
    );
    let said = outcome.stderr.matches("ADD COLUMN IF NOT EXISTS").count();
    assert_eq!(said, 5, "{outcome}");
    // Once they are there, nothing is said and nothing is changed.
    let again = scene.load("a.jsonl b.jsonl --table t --extra add");
    assert!(!again.stderr.contains("ADD COLUMN"), "{again}");
    assert_eq!(again.rows(), rows!(read: 3, unchanged: 3));
    scene.plain("verify a.jsonl b.jsonl --table t --extra add").run().exits(0);
}

/// Records of which a few have what no column has: far behind the sample, in several files, under a killing.
fn late(records: u32) -> String {
    let mut text = String::new();
    for id in 0..records {
        let extra = match id {
            9_000 => ",\"a\":null,\"b\":null",
            12_345 => ",\"a\":1",
            12_346 => ",\"a\":2.50,\"b\":\"x\"",
            20_000 => ",\"b\":7,\"c\":{\"d\":1}",
            20_001 => ",\"a\":null,\"c\":3",
            _ => "",
        };
        // The sample ends before the first of them.
        let _ = writeln!(text, "{{\"id\":{id},{:150}\"v\":{}{extra}}}", "", id * 7);
    }
    text
}

const LATE: [&str; 4] =
    ["12345|1|NULL|NULL", "12346|2.50|x|NULL", "20000|NULL|7|{\"d\": 1}", "20001|NULL|NULL|3"];

fn late_rows(scene: &Scene) -> Vec<String> {
    scene
        .db
        .lines("SELECT id, a, b, c FROM t WHERE a IS NOT NULL OR b IS NOT NULL OR c IS NOT NULL ORDER BY 1")
}

#[test]
fn a_field_that_comes_up_late_has_the_type_of_its_first_value_in_source_order() {
    for (mode, pool, batch) in [("upsert", 4, 700), ("append", 4, 20_000), ("append", 1, 3_000)] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
        scene.file("a.jsonl", late(25_000));
        let flags = format!("--mode {mode} --pool-size {pool} --batch-rows {batch} --max-memory 32MiB");
        let outcome = scene.load(&format!("a.jsonl --table t --extra add {flags}"));
        assert_eq!(outcome.rows(), rows!(read: 25_000, inserted: 25_000));
        assert_eq!(columns(&scene, "t"), "id integer, v integer, a numeric, b text, c jsonb");
        assert_eq!(late_rows(&scene), LATE, "{outcome}");
        assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE v = id * 7"), "25000");
        assert!(outcome.report().attempts > 1, "{outcome}");
    }
}

#[test]
fn a_load_that_is_killed_between_goes_on_with_the_columns_that_are_there() {
    for point in ["recording:1", "recorded:1", "taken-over:1", "taken-over:2", "committed:9", "completing:1"]
    {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
        scene.file("a.jsonl", late(25_000).replace("{\"id\":0,", "{\"id\":0,\"early\":true,"));
        let load =
            || scene.dbload("a.jsonl --table t --mode append --extra add --pool-size 3 --batch-rows 900");
        let killed = load().env("DBLOAD_CRASH_AT", point).run();
        assert!(killed.was_killed(), "{point}: {killed}");
        scene.db.until_alone();
        let outcome = load().run().exits(0);
        assert_eq!(outcome.report().rows.read, 25_000, "{point}: {outcome}");
        assert_eq!(columns(&scene, "t"), "id integer, v integer, early boolean, a numeric, b text, c jsonb");
        assert_eq!(late_rows(&scene), LATE, "{point}");
        assert_eq!(scene.db.one("SELECT count(*), count(early) FROM t WHERE v = id * 7"), "25000|1");
    }
}

#[test]
fn a_column_that_was_added_and_is_dropped_between_two_starts_is_noticed() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
    scene.file("a.jsonl", late(25_000));
    let load = || scene.dbload("a.jsonl --table t --extra add --pool-size 1 --batch-rows 500");
    // Behind the first value of `a`, and before the end.
    load().env("DBLOAD_CRASH_AT", "committed:38").run();
    scene.db.until_alone();
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE a IS NOT NULL"), "2");
    scene.sql("ALTER TABLE t DROP COLUMN a");
    load().run().exits(8).says("column \"a\" is gone").says("--restart");
    assert_eq!(columns(&scene, "t"), "id integer, v integer, b text", "a refusal adds nothing");
    scene.sql("ALTER TABLE t ADD COLUMN a numeric");
    load().run().exits(8).says("column \"a\" was dropped, and is another one now");
}

#[test]
fn two_loads_that_want_one_column_share_it() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
    scene.file("a.jsonl", late(25_000));
    scene.file("b.jsonl", late(25_000).replace("{\"id\":", "{\"id\":-"));
    let load = |file: &str| {
        scene.dbload(&format!("{file} --table t --extra add --pool-size 2 --batch-rows 1000")).spawn()
    };
    let (one, other) = (load("a.jsonl"), load("b.jsonl"));
    one.wait().exits(0);
    other.wait().exits(0);
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE v = abs(id) * 7"), "49999");
    let mut found: Vec<&str> = columns(&scene, "t").leak().split(", ").collect();
    found.sort_unstable();
    assert_eq!(found, ["a numeric", "b text", "c jsonb", "id integer", "v integer"]);
    assert_eq!(scene.db.one("SELECT count(a) || ' ' || count(b) || ' ' || count(c) FROM t"), "4 4 4");
}

#[test]
fn what_cannot_begin_again_rejects_late_fields_and_their_own_load_adds_the_column() {
    for flags in ["--no-ledger", ""] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
        let text = late(25_000);
        let outcome = if flags.is_empty() {
            scene.dbload("- --format jsonl --table t --extra add").stdin(text).run().exits(3)
        } else {
            scene.file("a.jsonl", text);
            scene.run(&format!("a.jsonl --table t --extra add {flags}")).exits(3)
        };
        assert_eq!(outcome.rows(), rows!(read: 25_000, inserted: 24_996, rejected: 4));
        let report = outcome.report();
        let rejects = report.rejected(scene.cwd());
        assert!(rejects[0].reason.contains("the load of this reject adds it"), "{}", rejects[0].reason);
        let file = report.rejects.file.unwrap();
        scene.load(&format!("{} --table t --extra add", file.display()));
        assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE v = id * 7"), "25000");
        assert_eq!(scene.db.one("SELECT count(a) || ' ' || count(b) || ' ' || count(c) FROM t"), "2 2 2");
    }
}

#[test]
fn shaped_fields_get_the_columns_that_they_go_to() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, geo jsonb)");
    scene.file(
        "a.jsonl",
        "{\"id\":1,\"user\":{\"id\":7,\"x\":{\"y\":1}},\"geo\":{\"lat\":1},\"junk\":5,\"at\":\"31.12.2024\",\"amount\":\"1\"}\n",
    );
    let flags = "--map user.id=user_id --drop junk --flatten --parse at=date:%d.%m.%Y --column 'amount numeric(12,2)'";
    let words: Vec<String> = flags.split('\'').enumerate().fold(vec![], |mut words, (i, part)| {
        match i {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
        words
    });
    scene.dbload("a.jsonl --table t --extra add").args(&words).run().exits(0);
    let mut found: Vec<&str> = columns(&scene, "t").leak().split(", ").collect();
    found.sort_unstable();
    let expected =
        ["amount numeric(12,2)", "at date", "geo jsonb", "id integer", "user_id bigint", "user_x_y bigint"];
    assert_eq!(found, expected);
    assert_eq!(
        scene.db.lines("SELECT id, geo, user_id, user_x_y, at, amount FROM t"),
        ["1|{\"lat\": 1}|7|1|2024-12-31|1.00"]
    );
}

/// A type of an extension is wherever its owner has put it.
#[test]
fn types_that_are_not_the_catalogs_own_are_found_as_this_role_finds_them() {
    let scene = Scene::with(
        "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE t (id int PRIMARY KEY)",
    );
    scene.sql(&format!("ALTER DATABASE {} SET search_path = public, ext", scene.db.name()));
    scene.sql("SET search_path = public, ext; CREATE TYPE mood AS ENUM ('ok', 'sad')");
    scene.file("a.jsonl", "{\"id\":1,\"who\":\"Ann\",\"m\":\"sad\",\"late\":null}\n");
    let mut text = (2..20_000).fold(String::new(), |mut text, id| {
        let _ = writeln!(text, "{{\"id\":{id}}}");
        text
    });
    text.push_str("{\"id\":20000,\"late\":\"Bob\"}\n");
    scene.file("b.jsonl", text);
    let outcome = scene
        .dbload("a.jsonl b.jsonl --table t --extra add")
        .args(["--column", "who citext", "--column", "m mood", "--column", "late citext"])
        .run()
        .exits(0);
    assert_eq!(outcome.rows(), rows!(read: 20_000, inserted: 20_000));
    assert_eq!(columns(&scene, "t"), "id integer, who citext, m mood, late citext");
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE who = 'ANN' AND m = 'sad' OR late = 'BOB'"), "2");
    let own = ["--column", "who citext", "--column", "m mood", "--column", "late citext DEFAULT lower('X')"];
    scene.dbload("a.jsonl --table made --key id --dry-run").args(own).run().exits(0);
    scene.dbload("a.jsonl --table made --key id").args(own).run().exits(0);
    assert_eq!(columns(&scene, "made"), "id bigint, who citext, m mood, late citext");
}

#[test]
fn what_cannot_be_added_is_refused_with_what_to_do() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("system.jsonl", "{\"id\":1,\"ctid\":2}\n");
    scene.file("long.jsonl", format!("{{\"id\":1,\"{}\":2}}\n", "x".repeat(70)));
    for file in ["system.jsonl", "long.jsonl"] {
        let line = format!("{file} --table t --extra add");
        scene.run(&line).exits(6).says("--drop leaves it out, --map gives it a column of another name");
    }
    scene.load("system.jsonl --table t --extra add --map ctid=place");
    scene.sql(&format!(
        "CREATE ROLE {0} LOGIN; GRANT CREATE ON DATABASE {0} TO {0}; GRANT SELECT, INSERT, UPDATE ON t TO {0}",
        scene.db.name()
    ));
    scene.file("b.jsonl", "{\"id\":1,\"new\":2}\n");
    scene
        .run("b.jsonl --table t --extra add --mode replace")
        .exits(6)
        .says("--mode replace with --extra add")
        .says("add the columns first, or use another rule");
    let as_role = || scene.db.url().replace("user=postgres", &format!("user={}", scene.db.name()));
    let load = || {
        crate::support::Dbload::new(scene.cwd())
            .line("b.jsonl --table t --extra add --no-ledger --json --dsn")
            .arg(as_role())
    };
    let refused = load().run().exits(6).says("does not own table public.t");
    let (_, hint) = refused.stderr.split_once("its owner can: ").unwrap();
    scene.sql(hint.split_once(';').unwrap().0);
    load().run().exits(0);
    assert_eq!(scene.db.lines("SELECT id, new FROM t"), ["1|2"]);
}

#[test]
fn a_lock_on_the_table_is_waited_for_and_holds_nobody_up_for_long() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("a.jsonl", "{\"id\":1,\"n\":2}\n");
    let mut other = scene.db.another();
    other.sql("BEGIN; SELECT count(*) FROM t");
    let running = scene.dbload("a.jsonl --table t --extra add --lock-timeout 200ms").spawn();
    scene.db.until_blocked();
    // Whoever comes behind the load has his turn once its wait is over.
    until("a reader gets in", || {
        scene.db.try_rows("SET lock_timeout = '3s'; SELECT count(*) FROM t").is_ok()
    });
    other.sql("COMMIT");
    drop(std::mem::replace(&mut other, scene.db.another()));
    let outcome = running.wait().exits(0);
    assert!(outcome.stderr.contains("waiting for a lock on table public.t, to add columns"), "{outcome}");
    assert_eq!(scene.db.lines("SELECT id, n FROM t"), ["1|2"]);
}

#[test]
fn a_new_table_has_the_columns_that_are_defined_and_a_schema_that_was_missing() {
    let scene = Scene::new();
    scene.file("a.csv", "id,amount,code\n1,1.5,007\n2,NA,8\n");
    let words = [
        "--column",
        "amount numeric(12,2) CHECK (amount > 0)",
        "--column",
        "\"loaded at\" timestamptz NOT NULL DEFAULT '2024-01-01'",
        "--column",
        "code char(3)",
    ];
    let plan = scene.plain("a.csv --table fresh.orders --key id --dry-run").args(words).run().exits(0);
    assert!(plan.stdout.contains("CREATE SCHEMA IF NOT EXISTS \"fresh\""), "{plan}");
    assert!(!scene.db.has_table("fresh.orders"), "a plan makes nothing");
    let outcome = scene.dbload("a.csv --table fresh.orders --key id").args(words).run().exits(3);
    assert!(outcome.stderr.contains("CREATE SCHEMA IF NOT EXISTS \"fresh\""), "{outcome}");
    assert_eq!(
        table(&scene, "fresh.orders"),
        [
            "id bigint, amount numeric(12,2), code character(3), loaded at timestamp with time zone",
            "1|1.50|007|2024-01-01 00:00:00+00"
        ]
    );
    // A command that is run each night goes on saying them.
    let again = scene.dbload("a.csv --table fresh.orders --key id").args(words).run().exits(3);
    assert_eq!(again.rows(), rows!(read: 2, unchanged: 1, rejected: 1));
    let refused = |column: &str, code: i32, says: &str| {
        let outcome = scene.dbload("a.csv --table other").arg(format!("--column={column}")).run().exits(code);
        assert!(outcome.stderr.contains(says), "{column}: {outcome}");
        assert!(!scene.db.has_table("other"));
    };
    refused("amount", 2, "is not 'NAME TYPE'");
    refused("amount int, b int", 2, "--column may be repeated");
    refused("amount int); DROP TABLE fresh.orders", 2, "closing bracket");
    refused("amount nonsense", 6, "nonsense");
}

#[test]
fn a_killed_start_leaves_no_schema_without_its_table() {
    let scene = Scene::new();
    scene.file("a.csv", "id,v\n1,2\n");
    let load = || scene.dbload("a.csv --table fresh.t");
    let running = load().env("DBLOAD_CRASH_AT", "recording:1").run();
    assert!(running.was_killed(), "{running}");
    assert_eq!(scene.db.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'fresh'"), "0");
    load().run().exits(0);
    assert_eq!(scene.db.count("fresh.t"), 1);
    let _ = Signal::KILL;
}
