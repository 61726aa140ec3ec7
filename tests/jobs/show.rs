//! One run in the morning: what it was, what it came to, and each of its starts, also those that died; and
//! history that goes after a while, with nothing that a later load builds on.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::runs::{half, of_pages, page};
use super::{Said, run, scene};
use crate::support::until;
use crate::support::{Scene, audit, generate};

/// What `show --json` says of the latest run.
fn shown(scene: &Scene) -> Value {
    let id = scene.db.one("SELECT run FROM _dbload.run ORDER BY started_at DESC LIMIT 1");
    serde_json::from_str(&scene.dbload(&format!("show {id}")).run().exits(0).stdout).unwrap()
}

#[test]
fn each_start_of_a_run_is_known_with_its_end_or_its_last_sign_of_life() {
    let api = half();
    let scene = scene(&of_pages(&api, "/events"));
    scene.sql(generate::EVENTS_TABLE);
    let first = run(&scene, "").spawn();
    until("rows of the first half", || scene.db.count("events") > 0);
    let pid = first.pid();
    first.signal(Signal::KILL);
    drop(first);
    scene.db.until_alone();
    let dead = shown(&scene);
    assert_eq!((&dead["state"], &dead["load"]), (&"running".into(), &"x/events".into()));
    let attempt = &dead["attempts"][0];
    assert_eq!((&attempt["ended_at"], &attempt["code"]), (&Value::Null, &Value::Null), "{dead}");
    assert_eq!(
        (attempt["pid"].as_u64(), attempt["version"].as_str()),
        (Some(pid.into()), Some(env!("CARGO_PKG_VERSION")))
    );
    let last_sign = attempt["last_sign_of_life"].clone();
    let read = dead["rows"]["read"].clone();
    // The second one is stopped, the third one comes to the end.
    let second = run(&scene, "").spawn();
    until("the second one has begun", || scene.db.one("SELECT attempts FROM _dbload.run") == "2");
    std::thread::sleep(Duration::from_millis(300));
    second.signal(Signal::TERM);
    second.wait().exits(143);
    api.answer_with(page);
    run(&scene, "").run().exits(0);
    let all = shown(&scene);
    assert_eq!((&all["state"], &all["rows"]["read"]), (&"complete".into(), &2_000.into()));
    let attempts = all["attempts"].as_array().unwrap();
    let of = |name: &str| attempts.iter().map(|attempt| attempt[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("code"), [Value::Null, 130.into(), 0.into()], "{all}");
    assert_eq!(of("read_before")[1], read, "{all}");
    assert_eq!(of("last_sign_of_life")[0], last_sign, "whoever takes a run over keeps it: {all}");
    assert!(attempts[1]["error"].as_str().unwrap().contains("stopped"), "{all}");
    assert!(attempts[2]["seconds"]["pipeline"].as_f64().unwrap() > 0.0, "{all}");
    let words = scene.plain(&format!("show {}", all["run"].as_str().unwrap())).run().exits(0).stdout;
    for what in [
        "complete\nx/events into public.events, upsert by id",
        "no end is known, last sign of life",
        "with exit code 0",
    ] {
        assert!(words.contains(what), "{what}: {words}");
    }
    audit(&scene.db);
}

#[test]
fn show_says_what_was_rejected_and_why_and_of_the_command_line_too() {
    let scene = scene("name = \"x\"\n[load.t]\nsource = \"t.jsonl\"\n");
    assert_eq!(scene.dbload("show 0123").run().exits(2).stdout, "");
    scene.sql("CREATE TABLE t (id int PRIMARY KEY, n int)");
    scene.file("t.jsonl", "{\"id\":1,\"n\":1}\n{\"id\":2,\"n\":\"secretive\"}\n{\"id\":3,\"n\":\"y\"}\n");
    scene.dbload("t.jsonl --key id --max-rejects 5 --null-as zero").run().exits(3);
    let run = shown(&scene);
    assert_eq!(run["load"], Value::Null);
    assert_eq!((&run["key"][0], &run["settings"]["null-as"]), (&"id".into(), &"zero".into()));
    assert_eq!(
        (&run["sources"][0]["state"], &run["sources"][0]["rejected"]),
        (&"complete".into(), &2.into())
    );
    let reason = &run["rejects"][0];
    assert_eq!((&reason["column"], &reason["count"]), (&"n".into(), &2.into()), "{run}");
    assert!(
        reason["first"].as_str().unwrap().ends_with("t.jsonl:2") && !run.to_string().contains("secretive"),
        "{run}"
    );
    assert_eq!(run["attempts"][0]["code"], 3);
    let words = scene.plain(&format!("show {}", run["run"].as_str().unwrap())).run().exits(0).stdout;
    assert!(words.contains("--null-as zero") && words.contains("column \"n\": 2, first"), "{words}");
    scene.plain("show 0123").run().exits(2).says("there is no run `0123`").says("dbload history lists");
}

/// All rows of these tables of the ledger.
fn rows(scene: &Scene, tables: &[&str]) -> Vec<String> {
    let of = |table: &&str| scene.db.lines(&format!("SELECT '{table}', t FROM _dbload.{table} t ORDER BY 2"));
    tables.iter().flat_map(of).collect()
}

const OLD: &str = "UPDATE _dbload.run SET finished_at = finished_at - interval '100 days', heartbeat = heartbeat - interval '100 days', \
                   started_at = started_at - interval '100 days'";

#[test]
fn prune_deletes_history_and_nothing_else() {
    let scene = scene(
        "name = \"x\"\n[load.t]\nsource = \"t.jsonl\"\nkey = [\"id\"]\nmax_rejects = 3\non_rejects = \"warn\"\n\
         [load.log]\nsource = \"log.jsonl\"\nmode = \"append\"\n",
    );
    scene.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE log (id int)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":\"x\"}\n");
    scene.file("log.jsonl", "{\"id\":1}\n");
    assert!(
        scene.dbload("prune --keep 90d").run().exits(0).stdout.contains("\"runs\":0"),
        "there is no ledger"
    );
    run(&scene, "").run().exits(0);
    let whole = ["run", "checkpoint", "watermark", "job_window", "turn"];
    let kept = rows(&scene, &whole);
    assert!(scene.dbload("prune --keep 90d").run().exits(0).stdout.contains("\"runs\":0"), "nothing is old");
    scene.sql(OLD);
    let before = rows(&scene, &whole);
    assert_eq!(kept.len(), before.len());
    let pruned: Value =
        serde_json::from_str(&scene.dbload("prune --keep 90d").run().exits(0).stdout).unwrap();
    let count = |name: &str| pruned[name].as_u64().unwrap();
    assert_eq!(
        [count("runs"), count("rejects"), count("attempts"), count("sources")],
        [2, 1, 2, 1],
        "{pruned}"
    );
    assert_eq!(rows(&scene, &whole), before, "runs and their books stay");
    assert_eq!(scene.db.lines("SELECT name FROM _dbload.source").len(), 1, "that of the append");
    // What was appended is known all the same.
    run(&scene, "--load log").run().exits(8).says("log.jsonl");
    assert_eq!(scene.db.count("log"), 1);
    let again = Said::by(&run(&scene, "--load t").run().exits(0));
    assert_eq!(again.rows("t", "unchanged"), 1);
    let words = scene.plain("prune --keep 90d").run().exits(0).stdout;
    assert_eq!(words, "of 0 runs: 0 rejects, 0 attempts, 0 sources deleted\n");
    scene.plain("prune").run().exits(2).says("--keep");
}

#[test]
fn prune_leaves_an_unfinished_run_however_old_and_it_is_gone_on_with() {
    let api = half();
    let scene = scene(&of_pages(&api, "/events"));
    scene.sql(generate::EVENTS_TABLE);
    let first = run(&scene, "").spawn();
    until("rows of the first half", || scene.db.count("events") > 0);
    first.signal(Signal::KILL);
    drop(first);
    scene.db.until_alone();
    scene.sql(OLD);
    let all = ["run", "checkpoint", "source", "source_count", "attempt", "reject"];
    let before = rows(&scene, &all);
    assert!(scene.dbload("prune --keep 0s").run().exits(0).stdout.contains("\"runs\":0"));
    assert_eq!(rows(&scene, &all), before);
    api.answer_with(page);
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!((said.state("events"), &said.loads["events"]["report"]["attempts"]), ("complete", &2.into()));
    audit(&scene.db);
}

#[test]
fn prune_leaves_watermarks_and_complete_windows_and_loads_go_on_from_them() {
    let api = crate::support::api::Api::serve(|ask| {
        crate::support::api::Reply::json(match ask.path.as_str() {
            "/m" => "[{\"id\":7}]".to_owned(),
            _ => format!("[{{\"id\":{}}}]", ask.number("from").unwrap()),
        })
    });
    let scene = scene(&format!(
        "name = \"x\"\n[defaults]\nkey = [\"id\"]\n[load.m]\nsource = \"{}?since={{watermark}}\"\nwatermark = {{ field = \"id\", initial = \"0\" }}\n\
         [load.w]\nsource = \"{}?from={{window.start:unix}}\"\nwindow = {{ every = \"1d\", begin = \"2026-01-01\" }}\n",
        api.url("/m"),
        api.url("/w")
    ));
    scene.sql("CREATE TABLE m (id bigint PRIMARY KEY); CREATE TABLE w (id bigint PRIMARY KEY)");
    run(&scene, "--now 2026-01-03T01:00:00Z").run().exits(0);
    scene.sql(OLD);
    let before = rows(&scene, &["watermark", "job_window"]);
    assert_eq!(before.len(), 3);
    assert!(scene.dbload("prune --keep 90d").run().exits(0).stdout.contains("\"runs\":3"));
    assert_eq!(rows(&scene, &["watermark", "job_window"]), before);
    let asked = api.requests();
    let said = Said::by(&run(&scene, "--now 2026-01-03T01:00:00Z").run().exits(0));
    assert_eq!((said.state("m"), said.state("w")), ("complete", "nothing_new"));
    let since: Vec<String> = api.targets().split_off(asked);
    assert_eq!(since, ["/m?since=7"], "from the watermark on, and no window again");
    assert!(scene.dbload("status").run().exits(0).stdout.contains("\"freshness\":\"fresh\""));
}

#[test]
fn a_ledger_of_before_goes_on_and_whoever_could_use_it_still_can() {
    let api = half();
    let scene = scene(&of_pages(&api, "/events"));
    scene.sql(generate::EVENTS_TABLE);
    let first = run(&scene, "").spawn();
    until("rows of the first half", || scene.db.count("events") > 0);
    first.signal(Signal::KILL);
    drop(first);
    let clerk = format!("clerk_of_{}", scene.db.name());
    scene.sql(&format!(
        "CREATE ROLE {clerk}; GRANT USAGE ON SCHEMA _dbload TO {clerk}; GRANT SELECT, INSERT, UPDATE ON _dbload.run TO {clerk}; \
         DROP TABLE _dbload.attempt; DROP FUNCTION _dbload.grant_as_ledger(regclass); DELETE FROM _dbload.migration WHERE version = 12"
    ));
    let id = scene.db.one("SELECT run FROM _dbload.run");
    let words = scene.plain(&format!("show {id}")).run().exits(0).stdout;
    assert!(words.contains(": running") && !words.contains("attempts"), "{words}");
    api.answer_with(page);
    run(&scene, "").run().exits(0);
    let attempts = shown(&scene)["attempts"].clone();
    assert_eq!((attempts.as_array().unwrap().len(), &attempts[0]["attempt"]), (1, &2.into()), "{attempts}");
    let may = format!("SELECT has_table_privilege('{clerk}', '_dbload.attempt', 'INSERT')");
    assert_eq!(scene.db.one(&may), "t");
    scene.sql(&format!("DROP OWNED BY {clerk}; DROP ROLE {clerk}"));
    audit(&scene.db);
}
