//! Columns that add up what records bring (`--merge COLUMN=add|append|union|patch`): right whatever way a
//! batch takes and whenever the process dies, and not done twice. The oracle is arithmetic, and RFC 7396's
//! own list.

use crate::{
    rows,
    support::{
        Outcome, Scene,
        api::{Api, Reply},
    },
};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n numeric, log text, tags int[], seen int[])";
const FLAGS: &str = "--merge n=add --merge log=append --merge tags=append --merge seen=union";

/// So many records of 10 keys.
fn records(many: u32) -> String {
    let record = |n: u32| {
        let null = |at: u32, value: String| if n.is_multiple_of(at) { "null".to_owned() } else { value };
        format!(
            "{{\"id\":{},\"n\":{},\"log\":{},\"tags\":[{n}],\"seen\":[{},{},{}]}}\n",
            n % 10,
            null(7, format!("{n}.50")),
            null(9, format!("\"<{n}>\"")),
            n % 3,
            n % 5,
            n % 3
        )
    };
    (0..many).map(record).collect()
}

/// The rows that these records come to, each applied once and in order.
#[track_caller]
fn are_right(scene: &Scene, many: u32, outcome: &Outcome) {
    let mut expected = vec![];
    for id in 0..10_u32 {
        let all = || (0..many).filter(move |n| n % 10 == id);
        let sum: u32 = all().filter(|n| !n.is_multiple_of(7)).sum();
        let parts = u32::try_from(all().filter(|n| !n.is_multiple_of(7)).count()).unwrap();
        let halves = parts * 5;
        let log: String = all().filter(|n| !n.is_multiple_of(9)).map(|n| format!("<{n}>")).collect();
        let tags: Vec<String> = all().map(|n| n.to_string()).collect();
        let mut seen: Vec<u32> = vec![];
        for (nth, n) in all().enumerate() {
            for value in [n % 3, n % 5, n % 3] {
                // What a row is inserted with is what its record has.
                if nth == 0 || !seen.contains(&value) {
                    seen.push(value);
                }
            }
        }
        let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
        expected.push(format!(
            "{id}|{}.{}0|{log}|{{{}}}|{{{}}}",
            sum + halves / 10,
            halves % 10,
            tags.join(","),
            seen.join(",")
        ));
    }
    let found = scene.db.lines("SELECT id, n, log, tags, seen FROM t ORDER BY 1");
    assert_eq!(found, expected, "{outcome}");
}

#[test]
fn each_record_counts_once_whatever_way_a_batch_takes() {
    for (batch, pool) in [(10_000, 3), (1, 1), (7, 4), (50, 2)] {
        let scene = Scene::with(TABLE);
        scene.file("a.jsonl", records(300));
        let outcome =
            scene.load(&format!("a.jsonl --table t {FLAGS} --batch-rows {batch} --pool-size {pool}"));
        assert_eq!(outcome.rows().read, 300);
        assert_eq!(outcome.report().guarantee, "exactly-once");
        are_right(&scene, 300, &outcome);
        let verify = scene.plain(&format!("verify a.jsonl --table t {FLAGS}")).run().exits(0);
        assert!(
            verify.stdout.contains("not compared, for their merge policy: log, n, seen, tags"),
            "{verify}"
        );
    }
}

#[test]
fn stored_rows_without_repeats_are_added_to_by_sets() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, n bigint, v varchar(6), gap interval); \
         INSERT INTO t SELECT i, i, 'a', '1 h' FROM generate_series(0, 4999) i; INSERT INTO t VALUES (9999, NULL, NULL, NULL)",
    );
    let lines: String = (0..5_000).map(|i| format!("{i},1,bc,30 min\n")).collect();
    scene.file("a.csv", format!("id,n,v,gap\n{lines}9999,3,x,1 h\n5000,4,y,2 h\n1,,,\n"));
    let outcome = scene.load("a.csv --table t --merge n=add --merge v=append --merge gap=add");
    assert_eq!(outcome.rows(), rows!(read: 5_003, inserted: 1, updated: 5_001, unchanged: 1));
    assert_eq!(
        scene.db.one("SELECT count(*) FROM t WHERE n = id + 1 AND v = 'abc' AND gap = '90 min'"),
        "5000"
    );
    assert_eq!(
        scene.db.lines("SELECT * FROM t WHERE id >= 5000 ORDER BY 1"),
        ["5000|4|y|02:00:00", "9999|3|x|01:00:00"]
    );
    // Too long for the column is refused, not cut; what is too large too.
    scene.file("b.csv", "id,n,v,gap\n1,1,defg,\n2,9223372036854775807,,\n3,1,d,\n");
    let outcome = scene.run("b.csv --table t --merge n=add --merge v=append --merge gap=add").exits(3);
    let rejects = outcome.report().rejected(scene.cwd());
    let told: Vec<_> = rejects.iter().map(|r| (r.line, r.sqlstate.as_deref())).collect();
    assert_eq!(told, [(2, Some("22001")), (3, Some("22003"))]);
    assert_eq!(
        scene.db.lines("SELECT n, v FROM t WHERE id IN (1, 2, 3) ORDER BY id"),
        ["2|abc", "3|abc", "5|abcd"]
    );
}

#[test]
fn a_killed_load_adds_nothing_twice() {
    for point in ["merged:3", "committed:1", "committed:4", "rejects-stored:6", "completing:1"] {
        let scene = Scene::with(TABLE);
        scene.file("a.jsonl", records(400));
        let load = || scene.dbload(&format!("a.jsonl --table t {FLAGS} --batch-rows 17 --pool-size 2"));
        let killed = load().env("DBLOAD_CRASH_AT", point).run();
        assert!(killed.was_killed(), "{point}: {killed}");
        scene.db.until_alone();
        let outcome = load().run().exits(0);
        are_right(&scene, 400, &outcome);
    }
}

#[test]
fn a_load_that_is_complete_is_not_done_again() {
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", records(100));
    let line = format!("a.jsonl --table t {FLAGS}");
    are_right(&scene, 100, &scene.load(&line));
    let refused = scene.run(&line).exits(8).says("--again");
    are_right(&scene, 100, &refused);
    // By other words, or beside another file, it is the same file.
    scene.file("b.jsonl", "{\"id\":11,\"n\":1}\n");
    let beside = scene.load(&format!("./a.jsonl b.jsonl --table t {FLAGS}"));
    assert_eq!(beside.rows().read, 1, "{beside}");
    scene.load(&format!("{line} --again"));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE cardinality(tags) = 20"), "10");
    // With other policies nothing is added up, and it is a load like any other.
    scene.load("a.jsonl --table t --merge seen=union");
    scene.load("a.jsonl --table t --merge seen=union");
}

#[test]
fn an_unfinished_load_is_begun_anew_only_by_a_second_word() {
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", records(400));
    let load = |flags: &str| {
        scene.dbload(&format!("a.jsonl --table t {FLAGS} --batch-rows 17 --pool-size 1 {flags}"))
    };
    assert!(load("").env("DBLOAD_CRASH_AT", "committed:5").run().was_killed());
    scene.db.until_alone();
    let refused = load("--restart").run().exits(8).says("that it has inserted or changed");
    assert!(refused.stderr.contains("then add --restart --again"), "{refused}");
    scene.sql("TRUNCATE t");
    let outcome = load("--restart --again").run().exits(0);
    are_right(&scene, 400, &outcome);
}

#[test]
fn without_a_ledger_the_report_says_what_is_not_promised() {
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", records(60));
    let outcome = scene.load(&format!("a.jsonl --table t {FLAGS} --no-ledger"));
    assert_eq!(outcome.report().guarantee, "at-least-once");
    are_right(&scene, 60, &outcome);
    let scene = Scene::with(TABLE);
    let outcome =
        scene.dbload(&format!("- --format jsonl --table t {FLAGS}")).stdin(records(60)).run().exits(0);
    assert_eq!(outcome.report().guarantee, "at-least-once");
    are_right(&scene, 60, &outcome);
}

/// RFC 7396, appendix A: target, patch, result. (A patch that is null is a null of SQL here.)
const PATCHES: [(&str, &str, &str); 14] = [
    (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a": "c"}"#),
    (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a": "b", "b": "c"}"#),
    (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
    (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b": "c"}"#),
    (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a": "c"}"#),
    (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a": ["b"]}"#),
    (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a": {"b": "d"}}"#),
    (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a": [1]}"#),
    (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c", "d"]"#),
    (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
    (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a": 1, "e": null}"#),
    (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a": "b"}"#),
    ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a": {"bb": {}}}"#),
    (r#"{"a":"foo"}"#, "null", "NULL"),
];

#[test]
fn patches_are_those_of_the_standard_and_one_builds_on_the_other() {
    for batch in [1, 100] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, doc jsonb)");
        let mut text = String::new();
        for (id, (target, patch, _)) in PATCHES.iter().enumerate() {
            scene.sql(&format!("INSERT INTO t VALUES ({id}, '{target}')"));
            text.push_str(&format!("{{\"id\":{id},\"doc\":{patch}}}\n"));
        }
        // Applied to nothing, then one behind the other.
        text.push_str("{\"id\":90,\"doc\":{\"a\":{\"b\":null,\"c\":1},\"d\":null}}\n");
        text.push_str("{\"id\":90,\"doc\":{\"a\":{\"b\":2}}}\n{\"id\":90,\"doc\":{\"a\":{\"c\":null}}}\n");
        scene.file("a.jsonl", text);
        scene.load(&format!("a.jsonl --table t --merge doc=patch --batch-rows {batch}"));
        let mut expected: Vec<String> =
            PATCHES.iter().enumerate().map(|(id, (.., result))| format!("{id}|{result}")).collect();
        expected.push("90|{\"a\": {\"b\": 2}}".to_owned());
        assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY 1"), expected);
    }
}

#[test]
fn what_cannot_be_added_up_is_refused_before_the_first_row() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int, s text, d date, c char(3), a int[], j jsonb, js json[])",
    );
    scene.file("a.jsonl", "{\"id\":1,\"n\":1}\n");
    let refused = |flags: &str, words: &str| {
        let outcome = scene.run(&format!("a.jsonl --table t {flags}")).exits(6);
        assert!(outcome.stderr.contains(words), "{flags}: {outcome}");
        assert_eq!(scene.db.count("t"), 0);
    };
    refused("--merge s=add", "add is of numbers, interval and money");
    refused("--merge d=add", "add is of numbers, interval and money");
    refused("--merge a=add", "add is of numbers, interval and money");
    refused("--merge n=append", "append is of text, varchar and arrays");
    refused("--merge c=append", "append is of text, varchar and arrays");
    refused("--merge s=union", "union is of arrays");
    refused("--merge a=patch", "patch is of jsonb");
    refused("--merge js=union", "append puts them behind each other");
    refused("--merge j=patch --no-ledger", "leave --no-ledger out");
    refused("--merge n=add --newer-by n", "always brings its own value of it");
    refused("--merge n=add --mode ignore", "a policy is of --mode upsert or update");
    refused("--merge id=add", "give a policy to columns besides the key");
    let api = Api::serve(|_| Reply::json("[{\"id\":1,\"n\":1,\"s\":\"x\"}]"));
    let source = api.url("/a?since={watermark}");
    scene.file(
        "dbload.toml",
        format!(
            "name = \"x\"\n[load.t]\nsource = \"{source}\"\nmerge = [\"s=append\"]\n\
             watermark = {{ field = \"n\", initial = \"0\" }}\n"
        ),
    );
    let outcome = scene.dbload("run").run();
    assert!(
        outcome.stdout.contains("use another policy") || outcome.stderr.contains("use another policy"),
        "{outcome}"
    );
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn a_changed_file_of_an_unfinished_load_is_not_read_again() {
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", records(400));
    let load = || scene.dbload(&format!("a.jsonl --table t {FLAGS} --batch-rows 17 --pool-size 3"));
    assert!(load().env("DBLOAD_CRASH_AT", "committed:6").run().was_killed());
    scene.db.until_alone();
    scene.file("a.jsonl", records(400).replace("<1>", "<!>"));
    load().run().exits(8);
    scene.file("a.jsonl", records(400));
    let outcome = load().run().exits(0);
    are_right(&scene, 400, &outcome);
}
