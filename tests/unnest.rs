//! Records within records (`--unnest`): what is counted, handed down and numbered, that a resume goes on in
//! the middle of one, and that rejects are the elements. The oracle is the table.

use crate::{
    rows,
    support::{
        Outcome, Scene,
        api::{Api, Reply},
    },
};
use std::fmt::Write;

/// Orders of 0 to 4 lines; the number of lines of all.
fn orders(many: u64) -> (String, u64) {
    let (mut text, mut lines) = (String::new(), 0);
    for id in 0..many {
        let of_this = id % 5;
        let elements: Vec<String> = (1..=of_this)
            .map(|line| format!("{{\"sku\":\"s{}\",\"qty\":{}}}", id * 10 + line, line))
            .collect();
        lines += of_this;
        let _ = writeln!(
            text,
            "{{\"id\":{id},\"order\":{{\"lines\":[{}]}},\"pad\":\"{}\"}}",
            elements.join(","),
            "x".repeat(40)
        );
    }
    (text, lines)
}

const FLAGS: &str = "--unnest order.lines --parent id=order_id --ordinal line_no";
const TABLE: &str =
    "CREATE TABLE lines (order_id int, line_no int, sku text, qty int, PRIMARY KEY (order_id, line_no))";

/// All lines of so many orders are there, each once, and nothing else.
#[track_caller]
fn are_whole(scene: &Scene, many: u64, outcome: &Outcome) {
    let expected = format!(
        "(SELECT o::int AS order_id, l::int AS line_no, 's' || (o * 10 + l) AS sku, l::int AS qty \
         FROM generate_series(0, {many} - 1) o, generate_series(1, 4) l WHERE l <= o % 5) x"
    );
    let found = "(SELECT order_id, line_no, sku, qty FROM lines) x";
    assert_eq!(scene.db.digest(found), scene.db.digest(&expected), "{outcome}");
}

#[test]
fn each_element_is_a_record_however_the_batches_are_cut() {
    let (text, lines) = orders(3_000);
    for (mode, batch) in [("upsert", 7), ("append", 1_000), ("append", 50_000)] {
        let scene = Scene::with(TABLE);
        scene.file("orders.jsonl", &text);
        // As a document, whose orders --records finds.
        let document = format!("{{\"orders\":[{}]}}", text.trim_end().replace('\n', ","));
        scene.file("orders.json", document);
        let source = if batch == 7 { "orders.json --records orders" } else { "orders.jsonl" };
        let line =
            format!("{source} --table lines --mode {mode} {FLAGS} --only sku,qty --batch-rows {batch}");
        let outcome = scene.load(&line);
        assert_eq!(outcome.rows(), rows!(read: lines, inserted: lines));
        are_whole(&scene, 3_000, &outcome);
        if mode == "upsert" {
            scene.plain(&format!("verify {line}")).run().exits(0);
            assert_eq!(scene.load(&line).rows(), rows!(read: lines, unchanged: lines));
        }
    }
}

#[test]
fn a_killed_load_goes_on_in_the_middle_of_a_record() {
    let (text, lines) = orders(2_000);
    for nth in [1, 5, 23, 40] {
        let scene = Scene::with(&TABLE.replace(", PRIMARY KEY (order_id, line_no)", ""));
        scene.file("orders.jsonl", &text);
        // Batches of 33 lines, which end within orders.
        let load =
            || scene.dbload(&format!("orders.jsonl --table lines {FLAGS} --only sku,qty --batch-rows 33"));
        let killed = load().env("DBLOAD_CRASH_AT", format!("committed:{nth}")).run();
        assert!(killed.was_killed(), "{killed}");
        scene.db.until_alone();
        let outcome = load().run().exits(0);
        assert_eq!(outcome.report().rows.read, lines, "{nth}: {outcome}");
        are_whole(&scene, 2_000, &outcome);
    }
}

#[test]
fn what_is_refused_is_the_element_and_is_loaded_again_as_one() {
    let scene = Scene::with(TABLE);
    scene.file(
        "a.jsonl",
        "{\"id\":1,\"order\":{\"lines\":[{\"sku\":\"a\",\"qty\":1},{\"sku\":\"b\",\"qty\":\"two\"},7]}}\n\
         {\"id\":2,\"order\":{}}\n\
         {\"id\":3,\"order\":{\"lines\":[]}}\n\
         {\"id\":4,\"order\":{\"lines\":[{\"order_id\":9,\"sku\":\"x\"}]}}\n\
         {\"id\":5,\"order\":{\"lines\":\n",
    );
    let line = format!("a.jsonl --table lines --format jsonl {FLAGS} --extra ignore");
    let outcome = scene.run(&line).exits(3);
    assert_eq!(outcome.rows(), rows!(read: 6, inserted: 2, rejected: 4));
    assert_eq!(scene.db.lines("SELECT * FROM lines ORDER BY 1, 2"), ["1|1|a|1", "1|3|NULL|NULL"]);
    let rejects = outcome.report().rejected(scene.cwd());
    let told: Vec<_> = rejects.iter().map(|r| (r.line, r.reason.as_str())).collect();
    assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 4, 5], "{told:?}");
    assert!(told[1].1.contains("--unnest says"), "{told:?}");
    assert!(told[2].1.contains("\"order_id\" occurs twice"), "{told:?}");
    let file = outcome.report().rejects.file.unwrap();
    let path = scene.cwd().join(&file);
    let text = std::fs::read_to_string(&path).unwrap();
    let mended: Vec<String> =
        text.lines().filter(|line| line.contains("two")).map(|line| line.replace("\"two\"", "2")).collect();
    assert!(mended[0].contains("\"order_id\":1") && mended[0].contains("\"line_no\":2"), "{mended:?}");
    std::fs::write(&path, mended.join("\n")).unwrap();
    let (_, command) = outcome.stderr.split_once("and run: dbload ").expect("a command");
    assert!(command.contains(FLAGS), "{command}");
    scene.load(&format!("{} --table lines {FLAGS} --extra ignore", file.display()));
    assert_eq!(scene.db.one("SELECT sku || qty FROM lines WHERE (order_id, line_no) = (1, 2)"), "b2");
}

#[test]
fn pages_are_counted_by_what_they_list() {
    let scene = Scene::with(TABLE);
    let server = Api::serve(|ask| {
        let page: u64 = ask.number("page").unwrap_or(1);
        let orders: Vec<String> = (0..2)
            .map(|n| (page - 1) * 2 + n)
            .filter(|id| *id < 5)
            .map(|id| {
                let lines: Vec<String> =
                    (1..=id % 5).map(|l| format!("{{\"sku\":\"s{}\",\"qty\":{l}}}", id * 10 + l)).collect();
                format!("{{\"id\":{id},\"order\":{{\"lines\":[{}]}}}}", lines.join(","))
            })
            .collect();
        Reply::json(format!("{{\"data\":[{}]}}", orders.join(",")))
    });
    let outcome = scene
        .dbload(&format!("--table lines {FLAGS} --records data --paginate page:page;size=2"))
        .arg(server.url("/orders"))
        .run()
        .exits(0);
    assert_eq!(outcome.rows(), rows!(read: 10, inserted: 10));
    // Orders 0 to 4; the page of one order is the last.
    assert_eq!(server.requests(), 3, "{outcome}");
    are_whole(&scene, 5, &outcome);
}

#[test]
fn what_cannot_be_meant_is_refused_before_the_first_row() {
    let scene = Scene::with(TABLE);
    scene.file("a.csv", "order_id,line_no\n1,1\n");
    scene.file("a.jsonl", "{\"id\":1,\"lines\":[{\"sku\":\"a\"}]}\n");
    let refused = |line: &str, code: i32, says: &str| {
        let outcome = scene.run(&format!("{line} --table lines"));
        assert!(outcome.code() == code && outcome.stderr.contains(says), "{line}: {outcome}");
        assert_eq!(scene.db.count("lines"), 0);
    };
    refused("a.csv --unnest lines", 4, "leave --unnest out, or load it by a command of its own");
    refused("a.jsonl --parent id=order_id", 2, "--parent is of records that --unnest finds");
    refused("a.jsonl --ordinal n", 2, "--ordinal is of records that --unnest finds");
    refused("a.jsonl --unnest a..b", 2, "is no path");
    refused("a.jsonl --unnest lines --parent id", 2, "is not FIELD=COLUMN");
    refused("a.jsonl --unnest lines --parent id=n --ordinal n", 2, "two fields of the name");
    refused("a.jsonl --unnest lines --parent id=n --drop n", 2, "is dropped, and asked for");
    refused("a.jsonl --unnest lines", 6, "no field for key column order_id, line_no");
}

#[test]
fn a_resume_says_the_same_way_to_the_records() {
    let (text, _) = orders(2_000);
    let scene = Scene::with(TABLE);
    scene.file("orders.jsonl", &text);
    let load = |flags: &str| {
        scene.dbload(&format!(
            "orders.jsonl --table lines --only sku,qty --batch-rows 33 --unnest order.lines {flags}"
        ))
    };
    let killed = load("--parent id=order_id --ordinal line_no").env("DBLOAD_CRASH_AT", "committed:9").run();
    assert!(killed.was_killed(), "{killed}");
    scene.db.until_alone();
    load("--parent id=order_id --parent pad=sku --ordinal line_no").run().exits(8).says("--parent");
    let outcome = load("--parent id=order_id --ordinal line_no").run().exits(0);
    are_whole(&scene, 2_000, &outcome);
}
