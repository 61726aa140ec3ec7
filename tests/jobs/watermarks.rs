//! Watermarks: only what is new is fetched, and nothing is ever passed over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;

use super::{Said, run, scene};
use crate::support::Scene;
use crate::support::api::{Api, Reply};
use crate::support::until;

const TABLE: &str = "CREATE TABLE items (id int PRIMARY KEY, n int, at timestamptz)";

/// An API that answers with the records from a moment on, that moment included, two on a page.
struct Shop {
    api: Api,
    records: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Shop {
    fn of(records: &[(u64, &str)]) -> Self {
        let records: Vec<_> = records.iter().map(|(id, at)| (*id, (*at).to_owned())).collect();
        let records = Arc::new(Mutex::new(records));
        let shared = Arc::clone(&records);
        let api = Api::serve(move |ask| {
            let since = ask.query["since"].replace("%2B", "+");
            let page = usize::try_from(ask.number("p").unwrap_or(1)).unwrap() - 1;
            let records = shared.lock().unwrap();
            let new = records.iter().filter(|(_, at)| *at >= since).skip(2 * page).take(2);
            let items: Vec<String> =
                new.map(|(id, at)| format!("{{\"id\":{id},\"n\":{id},\"at\":\"{at}\"}}")).collect();
            Reply::json(format!("[{}]", items.join(",")))
        });
        Self { api, records }
    }

    fn add(&self, id: u64, at: &str) {
        self.records.lock().unwrap().push((id, at.to_owned()));
    }

    /// The job file.
    fn file(&self, watermark: &str) -> String {
        format!(
            "name = \"x\"\n[load.items]\nsource = \"{}?since={{watermark}}\"\npaginate = \"page:p\"\nkey = [\"id\"]\nwatermark = {{ {watermark} }}\n",
            self.api.url("/items")
        )
    }

    /// What was asked since: of the first page of each run.
    fn asked(&self) -> Vec<String> {
        let asked = self.api.asked();
        let first = asked.iter().filter(|ask| ask.number("p").is_none_or(|page| page == 1));
        first.map(|ask| ask.query["since"].replace("%2B", "+")).collect()
    }
}

fn mark(scene: &Scene) -> String {
    scene.db.lines("SELECT value FROM _dbload.watermark").join(",")
}

#[test]
fn the_second_night_asks_from_where_the_first_has_come_and_never_goes_back() {
    let shop = Shop::of(&[
        (1, "2026-01-01T00:00:00.000+02:00"),
        (2, "2026-01-03T10:00:00.500+02:00"),
        (3, "2026-01-02T00:00:00.000+02:00"),
    ]);
    let scene = scene(&shop.file("field = \"at\", lag = \"5m\", initial = \"2025-01-01\""));
    scene.sql(TABLE);
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!((said.state("items"), said.rows("items", "inserted")), ("complete", 3));
    assert_eq!(mark(&scene), "2026-01-03T10:00:00.500+02:00", "as it arrived, and not lowered");
    // A tie, and one that came late.
    shop.add(4, "2026-01-03T10:00:00.500+02:00");
    shop.add(5, "2026-01-03T09:57:00.000+02:00");
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!(shop.asked(), ["2025-01-01", "2026-01-03T09:55:00.500+02:00"]);
    assert_eq!(
        (said.rows("items", "read"), said.rows("items", "unchanged"), said.rows("items", "inserted")),
        (3, 1, 2)
    );
    assert_eq!(mark(&scene), "2026-01-03T10:00:00.500+02:00");
    // Nothing new moves nothing.
    shop.records.lock().unwrap().clear();
    assert_eq!(Said::by(&run(&scene, "").run().exits(0)).state("items"), "nothing_new");
    assert_eq!(mark(&scene), "2026-01-03T10:00:00.500+02:00");
    let shown = scene.plain("watermark show").run().exits(0);
    assert!(shown.stdout.starts_with("items: 2026-01-03T10:00:00.500+02:00 (by run "), "{shown}");
    scene.plain("watermark set items 2026-01-01T00:00:00Z").run().exits(0);
    scene.plain("watermark set items soon").run().exits(6).says("is no integer, instant or date");
    assert!(
        scene.dbload("watermark show").run().exits(0).stdout.contains("\"value\":\"2026-01-01T00:00:00Z\"")
    );
}

#[test]
fn a_run_that_died_keeps_the_greatest_that_it_has_committed() {
    let shop = Shop::of(&[
        (1, "2026-01-09"),
        (2, "2026-01-02"),
        (3, "2026-01-03"),
        (4, "2026-01-04"),
        (5, "2026-01-05"),
    ]);
    let scene = scene(&shop.file("field = \"at\", initial = \"2026-01-01\""));
    scene.sql("CREATE TABLE items (id int PRIMARY KEY, n int, at date)");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    // The first page, and nothing of the second.
    shop.api.answer_with(move |ask| {
        seen.lock().unwrap().push(ask.target());
        match ask.number("p") {
            Some(2..) => Reply::json("").after(Duration::from_secs(600)),
            _ => Reply::json(
                "[{\"id\":1,\"n\":1,\"at\":\"2026-01-09\"},{\"id\":2,\"n\":2,\"at\":\"2026-01-02\"}]",
            ),
        }
    });
    let first = run(&scene, "").spawn();
    until("the first page is committed", || scene.db.count("items") == 2);
    first.signal(Signal::KILL);
    drop(first);
    assert_eq!(mark(&scene), "", "only a complete run moves it");
    assert_eq!(scene.db.one("SELECT max(mark) FROM _dbload.checkpoint"), "2026-01-09");
    shop.api.answer_with(|ask| match ask.number("p") {
        Some(2) => Reply::json("[{\"id\":3,\"n\":3,\"at\":\"2026-01-03\"}]"),
        Some(3..) => Reply::json("[]"),
        // Its records are committed: none of them is read into the new mark.
        _ => {
            Reply::json("[{\"id\":1,\"n\":1,\"at\":\"2026-01-09\"},{\"id\":2,\"n\":2,\"at\":\"2026-01-02\"}]")
        }
    });
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!((said.state("items"), scene.db.count("items")), ("complete", 3));
    assert_eq!((said.rows("items", "read"), &said.loads["items"]["report"]["attempts"]), (3, &2.into()));
    assert_eq!(mark(&scene), "2026-01-09");
}

#[test]
fn what_is_rejected_ahead_of_time_or_without_the_field_moves_nothing() {
    let scene = scene(
        "name = \"x\"\n[load.items]\nsource = \"items.jsonl\"\nkey = [\"id\"]\nheader = [\"X-Since: {watermark}\"]\n\
         watermark = { field = \"at\", initial = \"2026-01-01\" }\n",
    );
    scene.sql("CREATE TABLE items (id int PRIMARY KEY, n int CHECK (n < 100), at timestamptz)");
    scene.file(
        "items.jsonl",
        "{\"id\":1,\"n\":1,\"at\":\"2026-01-02\"}\n{\"id\":2,\"n\":200,\"at\":\"2026-01-05\"}\n{\"id\":3,\"n\":\"x\",\"at\":\"2026-01-06\"}\n\
         {\"id\":4,\"n\":1,\"at\":\"2999-01-01\"}\n{\"id\":5,\"n\":1}\n",
    );
    let outcome = run(&scene, "").run().exits(3);
    let outcome = outcome
        .says("in the future of \"at\", and do not move the watermark: 1")
        .says("have none that can be read of \"at\"");
    assert_eq!(Said::by(&outcome).state("items"), "rejected");
    assert_eq!(mark(&scene), "2026-01-02");
    scene.file("items.jsonl", "{\"id\":6,\"n\":1}\n");
    scene.sql("DELETE FROM _dbload.watermark");
    let lacks = run(&scene, "").run().exits(4).says("not one of 1 records has a \"at\"");
    assert_eq!(Said::by(&lacks).state("items"), "failed");
    assert_eq!(scene.db.one("SELECT count(*) FROM _dbload.run WHERE state = 'running'"), "0");
}

#[test]
fn a_watermark_is_of_one_table_and_full_begins_anew() {
    let shop = Shop::of(&[(1, "2026-01-01"), (2, "2026-01-02"), (3, "2026-01-03")]);
    let scene = scene(&shop.file("field = \"at\", initial = \"2025-01-01\""));
    scene.sql("CREATE TABLE items (id int PRIMARY KEY, n int, at date)");
    run(&scene, "").run().exits(0);
    scene.sql("TRUNCATE items");
    run(&scene, "").run().exits(8).says("but the table is empty").says("--full loads it from the beginning");
    assert_eq!(Said::by(&run(&scene, "--full").run().exits(0)).rows("items", "inserted"), 3);
    assert_eq!(shop.asked().last().unwrap(), "2025-01-01");
    scene.sql("DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY, n int, at date); INSERT INTO items VALUES (9)");
    run(&scene, "").run().exits(8).says("was dropped and created again");
    run(&scene, "--full").run().exits(0);
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!((said.rows("items", "read"), shop.asked().last().unwrap().as_str()), (1, "2026-01-03"));
}

#[test]
fn what_cannot_be_a_watermark_is_said_before_the_first_row() {
    let scene = scene("");
    scene.sql("CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE log (at date)");
    scene.file("items.jsonl", "{\"id\":1,\"name\":\"a\",\"at\":\"2026-01-01\"}\n");
    let refused = |load: &str, code: i32, words: &str| {
        scene.file("dbload.toml", format!("name = \"x\"\n[load.items]\nsource = \"items.jsonl\"\n{load}\n"));
        let outcome = run(&scene, "").run().exits(code);
        words.split('|').fold(outcome, |outcome, words| outcome.says(words));
    };
    let field = |field: &str| {
        format!(
            "extra = \"ignore\"\nheader = [\"X: {{watermark}}\"]\nwatermark = {{ field = \"{field}\", initial = 1 }}"
        )
    };
    refused(&field("name"), 6, "is of type text|a watermark is an integer, an instant or a date");
    refused(&field("at"), 6, "has no column \"at\"|the field needs a column of its own name");
    refused(
        &format!("table = \"log\"\n{}", field("at")),
        6,
        "this one appends|what is asked for again would be appended again: give the table a key",
    );
    refused("header = [\"X: {watermark}\"]", 2, "dbload.toml:2:7: items: {watermark} stands for nothing");
    refused("watermark = { field = \"id\" }", 2, "stands nowhere");
    refused("header = [\"X: {watermark}\"]\nwatermark = { field = \"id\" }", 2, "there is no initial");
    refused(
        "watermark = { field = \"id\", initial = \"soon\" }",
        2,
        "dbload.toml:4:39: items.watermark.initial: `soon`: must be an integer",
    );
    assert_eq!(scene.db.count("items"), 0);
}
