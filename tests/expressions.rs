//! Expressions over records (`--where`, `--set`): what they see, what becomes of a record for which one is
//! not true or fails, and that all of it is the same however a load is cut, killed and resumed. The oracle is
//! the table, and what the server itself says of the same expressions.

use crate::{
    rows,
    support::{Database, Dbload, Outcome, Scene},
};
use std::fmt::Write;

/// A load with these flags, each of which may have blanks in it.
fn load(scene: &Scene, line: &str, flags: &[&str]) -> Dbload {
    flags.iter().fold(scene.dbload(line), |load, flag| load.arg(flag))
}

#[test]
fn names_are_fields_as_text_whatever_becomes_of_them_else() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, who text, n numeric, day date, v text)");
    let records = "{\"id\":1,\"User\":\"a\",\"amount\":\"1.234,50\",\"meta\":{\"a\":[1, \"x\"]},\"on\":true,\"v\":1.50}\n\
                   {\"id\":2,\"User\":null,\"amount\":7,\"meta\":null,\"on\":false,\"v\":\"\\\\\\\"'{,}\\n\"}\n\
                   {\"id\":3,\"User\":\"NULL\",\"amount\":\"0\",\"meta\":[],\"on\":false}\n";
    scene.file("a.jsonl", records);
    let flags = [
        "--set=who=record.user || '/' || coalesce(meta, '-') || '/' || \"on\"",
        "--set=n=replace(replace(Amount, '.', ''), ',', '.')::numeric",
        "--set=day=date '2024-01-01' + id::int",
        "--set=v=v || '!'",
    ];
    let outcome = load(&scene, "a.jsonl --table t", &flags).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    let stored = scene.db.lines("SELECT * FROM t ORDER BY id");
    assert_eq!(
        stored,
        [
            "1|a/{\"a\":[1, \"x\"]}/true|1234.50|2024-01-02|1.50!",
            "2|NULL|7|2024-01-03|\\\"'{,}\n!",
            "3|NULL/[]/false|0|2024-01-04|NULL",
        ]
    );
    assert_eq!(load(&scene, "a.jsonl --table t", &flags).run().exits(0).rows(), rows!(read: 3, unchanged: 3));
    let verified = flags.iter().fold(scene.plain("verify a.jsonl --table t"), |load, flag| load.arg(flag));
    verified.run().exits(0);
    // In CSV an empty field is NULL, and fields that are dropped or taken are seen too.
    scene.file("b.csv", "id,who,junk,extra\n4,x,,\"\"\n5,,y,z\n");
    let flags = ["--set=who=coalesce(who, junk, extra)", "--set=v=coalesce(junk, 'none')", "--drop=junk"];
    load(&scene, "b.csv --table t", &flags).run().exits(0);
    assert_eq!(scene.db.lines("SELECT id, who, v FROM t WHERE id > 3 ORDER BY id"), ["4|x|none", "5|y|y"]);
}

/// Who asks and who writes share one connection: neither keeps it while it waits for the other.
#[test]
fn one_connection_is_enough_for_asking_and_writing() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let mut words = String::new();
    for file in 0..8 {
        let records: String = (0..60).fold(String::new(), |mut text, i| {
            let _ = writeln!(text, "{{\"id\":{}}}", file * 60 + i);
            text
        });
        scene.file(&format!("{file}.jsonl"), records);
        let _ = write!(words, "{file}.jsonl ");
    }
    let line = format!("{words} --table t --pool-size 1 --batch-rows 2");
    let outcome = load(&scene, &line, &["--where=id::int % 2 = 0"]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 480, inserted: 240, skipped: 240));
    assert_eq!(scene.db.count("t"), 240);
}

#[test]
fn absent_is_not_null_here_either() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'd', b text DEFAULT 'd', c text DEFAULT 'd', e text DEFAULT 'd'); \
         INSERT INTO t VALUES (1, 's', 's', 's', 's'), (2, 's', 's', 's', 's')",
    );
    scene.file(
        "a.jsonl",
        "{\"id\":1,\"x\":null}\n{\"id\":2,\"y\":\"2\"}\n{\"id\":3,\"x\":\"3\"}\n{\"id\":4,\"a\":\"own\"}\n",
    );
    let flags = [
        "--set=a=x",
        "--set=b=x || coalesce(y, '')",
        "--set=c=present(x)::text || present(record.\"y\")::text",
        "--set=e='always'",
    ];
    load(&scene, "a.jsonl --table t", &flags).run().exits(0);
    assert_eq!(
        scene.db.lines("SELECT * FROM t ORDER BY id"),
        [
            "1|NULL|NULL|truefalse|always",
            "2|s|NULL|falsetrue|always",
            "3|3|3|truefalse|always",
            "4|d|d|falsefalse|always",
        ]
    );
}

#[test]
fn nothing_of_a_record_that_is_left_out_is_converted_or_stored() {
    for table in [
        "CREATE TABLE t (id int PRIMARY KEY, n int)",
        "CREATE TABLE t (id int, n int)",
        // Record by record.
        "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 0), EXCLUDE USING btree (n WITH =))",
    ] {
        let scene = Scene::with(table);
        let text: String = (1..=1_000).fold(String::from("id,n,keep\n"), |mut text, n| {
            let keep = if n % 3 == 0 { "yes" } else { "" };
            let id = if n % 3 == 1 { "none".to_owned() } else { n.to_string() };
            let _ = writeln!(text, "{id},{},{keep}", if n % 3 == 0 { n.to_string() } else { "x".to_owned() });
            text
        });
        scene.file("a.csv", text);
        let outcome =
            load(&scene, "a.csv --table t --batch-rows 17", &["--where=keep = 'yes'"]).run().exits(0);
        assert_eq!(outcome.rows(), rows!(read: 1_000, inserted: 333, skipped: 667), "{table}");
        assert_eq!(scene.db.one("SELECT count(*), sum(n) FROM t WHERE n = id"), "333|166833");
        let verified = scene.plain("verify a.csv --table t").arg("--where=keep = 'yes'").run().exits(0);
        assert!(verified.stdout.contains("skipped"), "{verified}");
    }
}

#[test]
fn where_an_expression_fails_that_record_is_rejected_with_it_and_loads_again_when_mended() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n numeric, m text)");
    let text: String = (0..500).fold(String::new(), |mut text, id| {
        let n = if id % 10 == 3 { "\"x\"".to_owned() } else { format!("\"{id},5\"") };
        let d = if id % 10 == 4 { 0 } else { 1 };
        let _ = writeln!(text, "{{\"id\":{id},\"n\":{n},\"d\":{d},\"m\":\"it's {id}\"}}");
        text
    });
    scene.file("a.jsonl", text);
    let flags =
        ["--where=1 / d::int > 0", "--set=n=replace(n, ',', '.')::numeric", "--set=m=upper(m) || '''\"\\'"];
    let outcome = load(&scene, "a.jsonl --table t --batch-rows 50", &flags).run().exits(3);
    assert_eq!(outcome.rows(), rows!(read: 500, inserted: 400, rejected: 100));
    let rejects = outcome.report().rejected(scene.cwd());
    let told = |line: u64| rejects.iter().find(|reject| reject.line == line).expect("a reject");
    let (of_set, of_where) = (told(4), told(5));
    assert_eq!((of_set.sqlstate.as_deref(), of_set.column.as_deref()), (Some("22P02"), Some("n")));
    assert!(of_set.reason.contains("--set n=replace(n, ',', '.')::numeric: "), "{of_set:?}");
    assert_eq!((of_where.sqlstate.as_deref(), of_where.column.as_deref()), (Some("22012"), None));
    assert!(of_where.reason.contains("--where 1 / d::int > 0: "), "{of_where:?}");
    // The file has the fields as they were read, and the command has the flags.
    let file = scene.cwd().join(outcome.report().rejects.file.unwrap());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"n\":\"x\"") && text.contains("\"d\":0"), "{text}");
    std::fs::write(&file, text.replace("\"n\":\"x\"", "\"n\":\"7,5\"").replace("\"d\":0", "\"d\":1"))
        .unwrap();
    let (_, command) = outcome.stderr.split_once("and run: ").expect("a command");
    let command = command.lines().next().unwrap();
    let program = env!("CARGO_BIN_EXE_dbload");
    let command = command.replacen("dbload ", &format!("'{program}' --no-progress "), 1);
    let done = std::process::Command::new("sh")
        .args(["-c", &command])
        .current_dir(scene.cwd())
        .env("DBLOAD_DSN", scene.db.url())
        .output()
        .unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(scene.db.count("t"), 500);
    assert_eq!(
        scene.db.one("SELECT count(*) FROM t WHERE m = 'IT''S ' || id || '''\"\\' AND n = CASE id % 10 WHEN 3 THEN 7.5 ELSE id + 0.5 END"),
        "500"
    );
}

const TABLE: &str = "CREATE TABLE t (k text PRIMARY KEY, n numeric, at timestamptz, note text)";
const FLAGS: [&str; 4] = [
    "--where=kind is distinct from 'junk'",
    "--set=k=lower(a) || '-' || b",
    "--set=n=replace(n, ',', '.')::numeric",
    "--set=at=to_timestamp(ts::bigint)",
];

/// Records of keys that come again, some junk.
fn records(many: u32) -> String {
    (0..many).fold(String::new(), |mut text, i| {
        let kind = if i % 4 == 1 { "junk" } else { "good" };
        let (key, ts) = (i * 7 % 997, 1_700_000_000 + i);
        let _ = writeln!(
            text,
            "{{\"a\":\"K{}\",\"b\":{key},\"n\":\"{i},25\",\"ts\":{ts},\"kind\":\"{kind}\",\"note\":\"{}\"}}",
            key % 5,
            "x".repeat(60)
        );
        text
    })
}

/// Each key has the values of its last record that is no junk.
#[track_caller]
fn are_right(scene: &Scene, many: u32, outcome: &Outcome) {
    let expected = format!(
        "(SELECT DISTINCT ON (k) k, n, at, note FROM (SELECT i, 'k' || (i * 7 % 997) % 5 || '-' || (i * 7 % 997) AS k, i + 0.25 AS n, \
         to_timestamp(1700000000 + i) AS at, repeat('x', 60) AS note FROM generate_series(0, {many} - 1) i WHERE i % 4 <> 1) r \
         ORDER BY k, i DESC) x"
    );
    assert_eq!(scene.db.digest("(SELECT k, n, at, note FROM t) x"), scene.db.digest(&expected), "{outcome}");
}

#[test]
fn a_key_that_is_set_finds_its_partition_and_a_killed_load_goes_on() {
    let many = 6_000;
    for (nth, pool, pooler) in [(1, 1, ""), (4, 3, ""), (9, 2, "--pooler transaction")] {
        let scene = Scene::with(TABLE);
        scene.file("a.jsonl", records(many));
        let line = format!(
            "a.jsonl --table t --only note --batch-rows 300 --pool-size {pool} --max-memory 8MiB {pooler}"
        );
        let run = |crash: Option<String>| {
            let load = load(&scene, &line, &FLAGS);
            match crash {
                Some(at) => load.env("DBLOAD_CRASH_AT", at).run(),
                None => load.run(),
            }
        };
        assert!(run(Some(format!("committed:{nth}"))).was_killed());
        scene.db.until_alone();
        // Other expressions would make other rows of the rest.
        let other = load(&scene, &line, &FLAGS[1..]).run().exits(8).says("where");
        assert!(!other.stderr.contains("panicked"), "{other}");
        let other = [FLAGS[0], FLAGS[1], FLAGS[2], "--set=at=to_timestamp(ts::bigint + 1)"];
        load(&scene, &line, &other).run().exits(8).says("set");
        let outcome = run(None).exits(0);
        let books = outcome.rows();
        assert_eq!((books.read, books.skipped), (u64::from(many), u64::from(many) / 4), "{outcome}");
        are_right(&scene, many, &outcome);
        let verified = FLAGS
            .iter()
            .fold(scene.plain("verify a.jsonl --table t --only note"), |load, flag| load.arg(flag));
        verified.run().exits(0);
    }
}

#[test]
fn a_connection_that_is_lost_while_records_are_asked_about_is_no_loss() {
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", records(20_000));
    let killer = scene.db.url().to_owned();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            let db = Database::connect(&killer);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                db.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%dbload kept%'",
                );
                std::thread::sleep(std::time::Duration::from_millis(150));
            }
        });
        let outcome = load(&scene, "a.jsonl --table t --only note --batch-rows 2000", &FLAGS).run();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        outcome
    });
    let outcome = outcome.exits(0);
    assert_eq!(outcome.rows().read, 20_000);
    are_right(&scene, 20_000, &outcome);
}

#[test]
fn a_new_table_has_the_types_of_its_expressions() {
    let scene = Scene::new();
    scene.file("a.csv", "id,amount,ts\n1,\"1,5\",0\n");
    let flags = [
        "--set=amount=replace(amount, ',', '.')::numeric(8,2)",
        "--set=at=to_timestamp(ts::bigint)",
        "--set=tag='x'",
        "--drop=ts",
    ];
    load(&scene, "a.csv --table made", &flags).run().exits(0);
    let types = scene.db.lines(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum > 0 ORDER BY attnum",
    );
    assert_eq!(types, ["id|bigint", "amount|numeric(8,2)", "at|timestamp with time zone", "tag|text"]);
    assert_eq!(scene.db.one("SELECT amount, extract(epoch FROM at), tag FROM made"), "1.50|0.000000|x");
}

#[test]
fn what_is_no_expression_over_a_record_is_refused_before_the_first_row_with_what_helps() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, n numeric, g int GENERATED ALWAYS AS (1) STORED); \
         CREATE FUNCTION peek(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT max(id)::text FROM public.t'; \
         CREATE FUNCTION twice(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $1'",
    );
    scene.file("a.csv", "id,n,user\n1,2,me\n");
    let refused = |flag: &str, code: i32, says: &str, hint: &str| {
        let outcome = load(&scene, "a.csv --table t --extra ignore", &[flag]).run();
        assert!(outcome.code() == code && outcome.stderr.contains(says), "{flag}: {outcome}");
        assert!(outcome.stderr.contains(hint), "{flag}: {outcome}");
        assert_eq!(scene.db.count("t"), 0);
    };
    let one = "an expression is about one record";
    refused("--where=sum(n::int) > 1", 6, "--where sum(n::int) > 1: ", one);
    refused("--set=n=row_number() over ()", 6, "--set n=row_number() over (): ", one);
    refused("--set=n=generate_series(1, 2)", 6, "", one);
    refused("--where=id in (select 1)", 6, "", one);
    refused("--where=exists (select from public.t)", 6, "", one);
    let table = "leave it to the table";
    refused("--set=n=random()", 6, "random() has another value each time", table);
    refused("--set=n=extract(epoch from now())", 6, "now() has another value", table);
    refused("--where=age(n::timestamp) > interval '1 day'", 6, "age() has another value", table);
    refused("--where=n::date < current_date", 6, "what SQL knows by itself", table);
    refused("--where=user = 'me'", 6, "what SQL knows by itself", "record.NAME");
    refused("--set=n=public.peek(n)::int", 6, "peek() has another value", table);
    refused("--set=n=n * 2", 6, "--set n=n * 2: ", "cast them, as in amount::numeric");
    refused("--set=n=twice(n)::int", 6, "twice", "are named with their schema");
    refused("--where=n", 6, "--where n: ", "compare something");
    refused("--where=t.n = '1'", 6, "", "names are fields of the record");
    refused("--set=n=1 +", 6, "", "as behind SELECT");
    refused("--set=n='x'::int", 6, "", "it would fail for every record");
    refused("--set=n=1 / 0", 6, "", "it would fail for every record");
    refused("--set=g=1", 6, "the column is generated", "leave it out");
    refused("--set=nothing=1", 6, "has no column of this name", "name the column as the table has it");
    refused("--set=n", 2, "is not COLUMN=SQL", "");
    refused("--where=true) or (true", 2, "closes nothing", "");
    refused("--where=true; drop table t", 2, "no semicolon", "");
    refused("--where=true --", 2, "no comments", "");
    let two = |flags: &[&str], says: &str| {
        load(&scene, "a.csv --table t --extra ignore", flags).run().exits(2).says(says);
    };
    two(&["--set=n=1", "--set=n=2"], "set twice");
    two(&["--set=n=1", "--map=user=n"], "name the field in the expression");
    two(&["--set=n=1", "--mask=n=null"], "the column is masked");
    // And what is right beside each of them.
    let flags = ["--where=record.user = 'me'", "--set=n=public.twice(n)::int"];
    load(&scene, "a.csv --table t", &flags).run().exits(0);
    assert_eq!(scene.db.one("SELECT id, n FROM t"), "1|22");
}

#[test]
fn expressions_see_pg_catalog_whatever_others_have_planted() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, n text); CREATE SCHEMA evil; CREATE SEQUENCE evil.hits; \
         CREATE FUNCTION evil.upper(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'planted'$$; \
         CREATE FUNCTION evil.glue(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'planted'$$; \
         CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.glue); \
         CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT false$$; \
         CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)",
    );
    scene.sql(&format!(
        "ALTER DATABASE {0} SET search_path = evil, pg_catalog, public; ALTER DATABASE {0} SET standard_conforming_strings = off",
        scene.db.name()
    ));
    scene.file("a.csv", "id,n\n1,a\\\n2,7\n");
    let flags = ["--where=id = '1' or n::int = 7", "--set=n=upper(n) || '\\'"];
    let outcome = load(&scene, "a.csv --table public.t", &flags).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 2, inserted: 2));
    assert_eq!(scene.db.lines("SELECT n FROM public.t ORDER BY id"), ["A\\\\", "7\\"]);
}

#[test]
fn a_mirror_removes_what_a_condition_leaves_out_and_a_key_of_a_failed_expression_keeps_all() {
    let table =
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, 0 FROM generate_series(1, 6) i";
    let scene = Scene::with(table);
    scene.file("a.csv", "id,n,on\n1,1,y\n2,2,n\n3,3,y\n4,x,n\n");
    let outcome = load(&scene, "a.csv --table t --mode sync", &["--where=\"on\" = 'y'"]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 4, updated: 2, skipped: 2));
    assert_eq!(scene.db.lines("SELECT id, n FROM t ORDER BY id"), ["1|1", "3|3"]);
    let flags = ["--set=id=id::int * 1"];
    scene.file("b.csv", "id,n\n1,5\nx,6\n");
    load(&scene, "b.csv --table t --mode sync", &flags).run().exits(3);
    assert_eq!(scene.db.lines("SELECT id, n FROM t ORDER BY id"), ["1|5", "3|3"], "nobody knows whose x is");
}

#[test]
fn the_order_in_which_a_record_is_judged_is_that_of_the_page() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, day date, o_a int, s text)");
    let record = "{\"p\":[{\"id\":1,\"day\":\" 31.12.2024 \",\"o\":{\"a\":\" 7 \"},\"q\":\" NULL \"},\
                  {\"id\":2,\"day\":\"01.01.2025\",\"o\":{\"a\":\"8\"},\"q\":\"\"}],\"of\":\"me\"}\n";
    scene.file("a.jsonl", record);
    let flags = [
        "--unnest=p",
        "--parent=of=owner",
        "--flatten",
        "--trim",
        "--null-as=NULL",
        "--null-strings",
        "--parse=day=date:%d.%m.%Y",
        "--where=day::date >= date '2024-12-31' and owner = 'me' and o_a in ('7', '8')",
        "--set=s=coalesce(q, 'nothing') || '/' || day || '/' || o_a",
    ];
    let outcome = load(&scene, "a.jsonl --table t", &flags).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 2, inserted: 2));
    assert_eq!(
        scene.db.lines("SELECT * FROM t ORDER BY id"),
        ["1|2024-12-31|7|nothing/2024-12-31/7", "2|2025-01-01|8|/2025-01-01/8"]
    );
}

#[test]
fn they_are_keys_of_the_job_file_and_the_plan_says_them() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n numeric)");
    scene.file("a.csv", "id,n,kind\n1,\"1,5\",a\n2,2,b\n");
    scene.file(
        "dbload.toml",
        "name = \"shop\"\n\n[load.t]\nsource = \"a.csv\"\nwhere = \"kind = 'a'\"\n\
         set = [\"n=replace(n, ',', '.')::numeric\"]\n",
    );
    Dbload::new(scene.cwd()).args(["run", "-d", scene.db.url()]).run().exits(0);
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|1.5"]);
    let flags = ["--where=kind = 'a' and gone is null", "--set=n=replace(n, ',', '.')::numeric", "--dry-run"];
    let plan = flags.iter().fold(scene.plain("a.csv --table t"), |load, flag| load.arg(flag)).run().exits(0);
    for words in [
        "where       kind = 'a' and gone is null",
        "set         n=replace(n, ',', '.')::numeric",
        "\"kind\" -> for expressions alone",
        "no record of the sample has a field \"gone\"",
    ] {
        assert!(plan.stdout.contains(words), "{words}: {plan}");
    }
}
