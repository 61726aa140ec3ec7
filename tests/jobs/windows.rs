//! Windows of time: each is loaded once, those that were missed are caught up, and any can be loaded again.

use super::{Said, run, scene};
use crate::support::Scene;
use crate::support::api::{Api, Reply};

/// An API with a record an hour, that answers with those of a day.
fn hours() -> Api {
    Api::serve(|ask| {
        let day = &ask.query["day"];
        let hours: Vec<String> =
            (0..24).map(|hour| format!("{{\"at\":\"{day}T{hour:02}:00:00Z\",\"n\":{hour}}}")).collect();
        Reply::json(format!("[{}]", hours.join(",")))
    })
}

fn file(api: &Api, window: &str, more: &str) -> String {
    format!(
        "name = \"x\"\n[load.hours]\nsource = \"{}?day={{window.start:%Y-%m-%d}}\"\nkey = [\"at\"]\nwindow = {{ {window} }}\n{more}\n",
        api.url("/hours")
    )
}

const TABLE: &str = "CREATE TABLE hours (at timestamptz PRIMARY KEY, n int)";

/// The windows that a run has loaded, and how many it left.
#[track_caller]
fn loaded(scene: &Scene, line: &str, code: i32) -> (Vec<String>, u64) {
    let outcome = run(scene, line).run().exits(code);
    let said = Said::by(&outcome);
    let line = &said.loads["hours"];
    let windows = line["windows"].as_array().cloned().unwrap_or_default();
    let name = |window: &serde_json::Value| {
        format!("{} {}", &window["window"].as_str().unwrap()[..10], window["state"].as_str().unwrap())
    };
    (windows.iter().map(name).collect(), line["windows_left"].as_u64().unwrap_or(0))
}

fn complete(days: &[&str]) -> Vec<String> {
    days.iter().map(|day| format!("{day} complete")).collect()
}

#[test]
fn missed_nights_are_caught_up_the_oldest_first_and_none_is_loaded_twice() {
    let api = hours();
    let scene = scene(&file(&api, "every = \"1d\", begin = \"2026-01-01\", delay = \"3h\"", ""));
    scene.sql(TABLE);
    assert_eq!(loaded(&scene, "--now 2026-01-02T02:00:00Z", 0), (vec![], 0));
    assert_eq!(loaded(&scene, "--now 2026-01-02T03:00:00Z", 0), (complete(&["2026-01-01"]), 0));
    assert_eq!(loaded(&scene, "--now 2026-01-02T12:00:00Z", 0), (vec![], 0));
    // Four dark nights.
    let now = "--now 2026-01-06T03:00:00Z";
    assert_eq!(
        loaded(&scene, &format!("{now} --catch-up 2"), 0),
        (complete(&["2026-01-02", "2026-01-03"]), 2)
    );
    assert_eq!(loaded(&scene, now, 0), (complete(&["2026-01-04", "2026-01-05"]), 0));
    assert_eq!(scene.db.count("hours"), 5 * 24);
    let days = api.asked().iter().map(|ask| ask.query["day"].clone()).collect::<Vec<_>>();
    assert_eq!(days, ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]);
    // Another step: what is covered by instants is complete.
    scene.file("dbload.toml", file(&api, "every = \"12h\", begin = \"2026-01-05\"", ""));
    assert_eq!(loaded(&scene, "--now 2026-01-06T12:00:00Z", 0).0, complete(&["2026-01-06"]));
}

#[test]
fn a_window_that_fails_ends_the_turn_and_stays_due() {
    let api = hours();
    let scene = scene(&file(&api, "every = \"1d\", begin = \"2026-01-01\"", "http_tries = 1"));
    scene.sql(TABLE);
    let broken = |ask: &crate::support::api::Ask| match ask.query["day"].as_str() {
        "2026-01-02" => Reply::new(500, "text/plain", "no"),
        day => Reply::json(format!("[{{\"at\":\"{day}T00:00:00Z\",\"n\":1}}]")),
    };
    api.answer_with(broken);
    let now = "--now 2026-01-04T00:00:00Z";
    let failed = vec!["2026-01-01 complete".to_owned(), "2026-01-02 failed".to_owned()];
    assert_eq!(loaded(&scene, now, 4), (failed.clone(), 2));
    // With a column that says what is newer the others go on, and the gap stays.
    scene.file(
        "dbload.toml",
        file(&api, "every = \"1d\", begin = \"2026-01-01\"", "http_tries = 1\nnewer_by = \"n\""),
    );
    assert_eq!(
        loaded(&scene, now, 4),
        (vec!["2026-01-02 failed".to_owned(), "2026-01-03 complete".to_owned()], 1)
    );
    api.answer_with(|ask| Reply::json(format!("[{{\"at\":\"{}T00:00:00Z\",\"n\":1}}]", ask.query["day"])));
    assert_eq!(loaded(&scene, now, 0), (complete(&["2026-01-02"]), 0));
    assert_eq!(scene.db.count("hours"), 3);
}

#[test]
fn windows_are_loaded_again_by_lookback_and_by_name_and_never_appended_twice() {
    let api = hours();
    let scene = scene(&file(&api, "every = \"1d\", begin = \"2026-01-01\", lookback = 1", ""));
    scene.sql(TABLE);
    run(&scene, "--now 2026-01-03T00:00:00Z").run().exits(0);
    assert_eq!(loaded(&scene, "--now 2026-01-04T00:00:00Z", 0), (complete(&["2026-01-02", "2026-01-03"]), 0));
    let again = run(&scene, "--from 2026-01-01 --to 2026-01-03").run().exits(2);
    again.says("old values may return").says("--yes");
    assert_eq!(
        loaded(&scene, "--from 2026-01-01 --to 2026-01-03 --yes", 0).0,
        complete(&["2026-01-01", "2026-01-02"])
    );
    assert_eq!(scene.db.count("hours"), 3 * 24);
    // An append is not done again.
    scene.sql("CREATE TABLE log (at timestamptz, n int)");
    let append = file(&api, "every = \"1d\", begin = \"2026-01-01\"", "table = \"log\"\nmode = \"append\"");
    scene.file("dbload.toml", append.replace("key = [\"at\"]\n", "").replace("name = \"x\"", "name = \"y\""));
    run(&scene, "--now 2026-01-02T00:00:00Z").run().exits(0);
    run(&scene, "--from 2026-01-01 --to 2026-01-02")
        .run()
        .exits(6)
        .says("this window, or a part of it, is complete")
        .says("no lookback, and loads no window twice: give the table a key");
    assert_eq!(scene.db.count("log"), 24);
}

#[test]
fn windows_are_of_one_table_and_days_are_those_of_a_zone() {
    let api = hours();
    let text = file(&api, "every = \"1d\", begin = \"2026-03-28\", timezone = \"Europe/Berlin\"", "");
    let scene =
        scene(&text.replace("{window.start:%Y-%m-%d}", "{window.start:%Y-%m-%d}&to={window.end:unix}"));
    scene.sql(TABLE);
    run(&scene, "--now 2026-03-29T22:00:00Z").run().exits(0);
    let ends: Vec<String> = api.asked().iter().map(|ask| ask.query["to"].clone()).collect();
    let hours = ends[1].parse::<u64>().unwrap() - ends[0].parse::<u64>().unwrap();
    assert_eq!(hours, 23 * 3_600, "the clocks change");
    scene.sql("TRUNCATE hours");
    run(&scene, "--now 2026-03-30T22:00:00Z").run().exits(8).says("but the table is empty").says("--from");
    run(&scene, "--from 2026-03-28 --to 2026-03-30 --yes").run().exits(0);
    assert_eq!(loaded(&scene, "--now 2026-03-30T22:00:00Z", 0).0, complete(&["2026-03-30"]));
}

#[test]
fn what_is_wrong_with_windows_is_said_before_anything_is_asked() {
    let api = hours();
    let scene = scene("");
    for (window, more, words) in [
        ("every = \"1 day\"", "", "dbload.toml:5:20: hours.window.every: `1 day`: must be a step"),
        ("every = \"1d\", timezone = \"Berlin\"", "", "hours.window.timezone: `Berlin`: must be a time zone"),
        ("every = \"1d\"", "watermark = { field = \"at\" }", "has windows or a watermark"),
        ("begin = \"2026-01-01\"", "", "window.every is missing"),
    ] {
        scene.file("dbload.toml", file(&api, window, more));
        run(&scene, "").run().exits(2).says(words);
    }
    scene.file("dbload.toml", "name = \"x\"\n[load.a]\nsource = \"a.jsonl\"\nwindow = { every = \"1d\" }\n");
    run(&scene, "").run().exits(2).says("stands nowhere");
    scene.file("dbload.toml", "name = \"x\"\n[load.a]\nsource = \"a-{window.start}.jsonl\"\n");
    run(&scene, "").run().exits(2).says("stands for nothing");
    assert_eq!(api.requests(), 0);
}
