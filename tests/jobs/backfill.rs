//! Backfills: windows that are asked for, in steps of their own, planned first and gone on with where they
//! died; and windows that are read again by another grid than they were loaded by.

use std::time::Duration;

use rustix::process::Signal;

use super::{Said, run, scene};
use crate::support::Scene;
use crate::support::api::{Api, Ask, Reply};
use crate::support::until;

/// One record for each window that is asked for; behind the first page there are none.
fn one(ask: &Ask) -> Reply {
    match ask.number("p") {
        Some(2..) => Reply::json("[]"),
        _ => Reply::json(format!("[{{\"at\":{}}}]", ask.query["from"])),
    }
}

/// Likewise, but of the window that starts then not all comes.
fn stuck_at(start: u64) -> impl Fn(&Ask) -> Reply {
    move |ask| match (ask.number("from"), ask.number("p")) {
        (Some(from), Some(2..)) if from == start => Reply::json("[]").after(Duration::from_secs(600)),
        _ => one(ask),
    }
}

fn file(api: &Api, window: &str, more: &str) -> String {
    format!(
        "name = \"x\"\n[load.t]\nsource = \"{}?from={{window.start:unix}}\"\nkey = [\"at\"]\npaginate = \"page:p\"\n\
         window = {{ {window} }}\n{more}\n",
        api.url("/t")
    )
}

const TABLE: &str = "CREATE TABLE t (at bigint PRIMARY KEY)";
const DAY: u64 = 86_400;
/// 2026-01-01.
const BEGIN: u64 = 1_767_225_600;

/// Kills a run when it is at the window that starts then.
fn killed_at(scene: &Scene, start: u64, line: &str) {
    let running = run(scene, line).spawn();
    until("the window has begun", || {
        let sql = "SELECT count(*) FROM _dbload.run WHERE state = 'running' AND identity LIKE '%/' || to_char(to_timestamp($) AT TIME ZONE 'UTC', \
                   'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') || '..%'";
        scene.db.has_table("_dbload.run") && scene.db.one(&sql.replace('$', &start.to_string())) == "1"
    });
    running.signal(Signal::KILL);
    let _ = running.wait();
}

fn asked(api: &Api, from: usize) -> Vec<u64> {
    let asked = api.asked().split_off(from);
    asked
        .iter()
        .filter(|ask| ask.number("p") != Some(2))
        .map(|ask| (ask.number("from").unwrap() - BEGIN) / DAY)
        .collect()
}

#[test]
fn a_backfill_is_planned_first_and_gone_on_with_where_it_died() {
    let api = Api::serve(stuck_at(BEGIN + 4 * DAY));
    let scene = scene(&file(&api, "every = \"1d\", begin = \"2026-01-01\"", ""));
    scene.sql(TABLE);
    let line = "--from 2026-01-01 --to 2026-01-09 --step 2d";
    killed_at(&scene, BEGIN + 4 * DAY, line);
    assert_eq!(scene.db.count("_dbload.job_window"), 2);
    api.answer_with(one);
    let before = api.requests();
    let again = run(&scene, line).run().exits(0);
    let again = again.says("t: backfill: 2 windows, 2026-01-05..2026-01-07 to 2026-01-07..2026-01-09");
    let again = again.says("2 were loaded before this start, and are left out");
    assert_eq!(Said::by(&again).loads["t"]["windows"].as_array().unwrap().len(), 2);
    assert!(asked(&api, before).iter().all(|day| *day >= 4), "{:?}", asked(&api, before));
    assert_eq!(scene.db.count("t"), 4);
    // All of it is done: the same words are another one.
    let before = api.requests();
    run(&scene, &format!("{line} --yes"))
        .run()
        .exits(0)
        .says("t: backfill: 4 windows")
        .says("of which 4 are complete and loaded again");
    assert_eq!(asked(&api, before), [0, 2, 4, 6]);
    // By its own steps all is covered: no window is due.
    let said = Said::by(&run(&scene, "--now 2026-01-09T00:00:00Z").run().exits(0));
    assert_eq!(said.state("t"), "nothing_new");
}

#[test]
fn what_is_no_whole_step_is_said_and_so_are_more_than_a_thousand_steps() {
    let api = Api::serve(one);
    let scene = scene(&file(&api, "every = \"1d\", begin = \"2026-01-01\"", ""));
    scene.sql(TABLE);
    let outcome = run(&scene, "--from 2026-01-01 --to 2026-01-04 --step 2d").run().exits(0);
    outcome
        .says("t: backfill: 1 window, 2026-01-01..2026-01-03")
        .says("from 2026-01-03T00:00:00 on it is no whole step");
    api.answer_with(|_| Reply::new(500, "text/plain", "no"));
    scene.file("dbload.toml", file(&api, "every = \"1d\", begin = \"2026-01-01\"", "http_tries = 1"));
    let many = run(&scene, "--from 2026-02-01 --to 2026-02-03 --step 1m").run().exits(4);
    many.says("t: backfill: 2880 windows")
        .says("more than 1000 windows, each a run of its own; --step makes fewer");
    // Newer ones are there: --yes, and the plan says what that may mean.
    api.answer_with(one);
    run(&scene, "--from 2025-12-01 --to 2025-12-02").run().exits(2).says("--yes is to say that they may");
    let sure = run(&scene, "--from 2025-12-01 --to 2025-12-02 --yes").run().exits(0);
    sure.says("newer windows are loaded already, over whose rows old values may return");
    run(&scene, "--step 1d").run().exits(2).says("--from");
}

#[test]
fn a_window_that_a_longer_one_covers_is_due_again_when_its_reading_again_dies() {
    let api = Api::serve(one);
    let scene = scene(&file(&api, "every = \"1d\", begin = \"2026-01-01\"", ""));
    scene.sql(TABLE);
    run(&scene, "--now 2026-01-03T00:00:00Z").run().exits(0);
    let noon = BEGIN + DAY + DAY / 2;
    api.answer_with(stuck_at(noon));
    scene.file("dbload.toml", file(&api, "every = \"12h\", begin = \"2026-01-01\", lookback = 1", ""));
    killed_at(&scene, noon, "--now 2026-01-03T12:00:00Z");
    let windows = "SELECT (extract(epoch FROM starts_at)::bigint - 1767225600) / 3600, (extract(epoch FROM ends_at)::bigint - 1767225600) / 3600 \
                   FROM _dbload.job_window ORDER BY 1";
    assert_eq!(scene.db.lines(windows), ["0|24", "24|36"], "what is around it stays complete");
    // Also where nothing is read again any more.
    api.answer_with(one);
    scene.file("dbload.toml", file(&api, "every = \"12h\", begin = \"2026-01-01\"", ""));
    let said = Said::by(&run(&scene, "--now 2026-01-03T12:00:00Z").run().exits(0));
    assert_eq!(said.loads["t"]["windows"].as_array().unwrap().len(), 2, "{}", said.loads["t"]);
    assert_eq!(scene.db.lines(windows), ["0|24", "24|36", "36|48", "48|60"]);
    // What is appended is not appended once more by another grid.
    scene.sql("CREATE TABLE log (at bigint)");
    let log = |every: &str| {
        file(
            &api,
            &format!("every = \"{every}\", begin = \"2026-01-01\""),
            "table = \"log\"\nmode = \"append\"",
        )
        .replace("key = [\"at\"]\n", "")
        .replace("name = \"x\"", "name = \"y\"")
    };
    scene.file("dbload.toml", log("1d"));
    run(&scene, "--now 2026-01-03T00:00:00Z").run().exits(0);
    scene.file("dbload.toml", log("1w"));
    run(&scene, "--now 2026-01-09T00:00:00Z")
        .run()
        .exits(6)
        .says("this window, or a part of it, is complete");
    assert_eq!(scene.db.count("log"), 2);
}

#[test]
fn the_manifest_has_the_windows_of_a_load() {
    let scene = scene(
        "name = \"x\"\n[load.t]\nsource = \"t-{window.start}.csv\"\nkey = [\"id\"]\n\
         window = { every = \"1mo\", timezone = \"Europe/Berlin\", begin = \"2026-01-01\", delay = \"3h\", lookback = 2 }\n",
    );
    let listed = crate::support::Dbload::new(scene.cwd()).line("list --json").run().exits(0).stdout;
    let manifest: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let window = serde_json::json!({ "every": "1mo", "timezone": "Europe/Berlin", "begin": "2026-01-01T00:00:00", "delay": "3h", "lookback": 2 });
    assert_eq!(manifest["loads"][0]["window"], window);
    assert!(
        crate::support::Dbload::new(scene.cwd())
            .line("list")
            .run()
            .exits(0)
            .stdout
            .contains("window 1mo Europe/Berlin")
    );
}
