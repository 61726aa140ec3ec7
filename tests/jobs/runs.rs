//! Runs of named loads: found again whatever they say today, never two at once, with limits of their own.

use std::time::Duration;

use rustix::process::Signal;

use super::{Said, run, scene};
use crate::support::api::{Api, Ask, Reply};
use crate::support::{audit, generate, until};

/// A page of 500 events; behind the fourth there are none.
pub(super) fn page(ask: &Ask) -> Reply {
    let first = ask.number("p").unwrap_or(1) * 500 - 499;
    let events: Vec<String> =
        (first..first + 500).filter(|id| *id <= 2_000).map(|id| generate::event(id, 1)).collect();
    Reply::json(format!("[{}]", events.join(",")))
}

/// Two pages at once, and of the third not a byte.
pub(super) fn half() -> Api {
    Api::serve(|ask| match ask.number("p") {
        Some(3..) => Reply::json("").after(Duration::from_secs(600)),
        _ => page(ask),
    })
}

/// A job file with one load of all pages.
pub(super) fn of_pages(api: &Api, path: &str) -> String {
    let url = api.url(path);
    format!(
        "name = \"x\"\n[load.events]\nsource = \"{url}\"\npaginate = \"page:p\"\nkey = [\"id\"]\nbatch_rows = 100\n"
    )
}

#[test]
fn a_killed_run_is_gone_on_with_by_its_name_and_not_with_another_source() {
    let api = half();
    let scene = scene(&of_pages(&api, "/events"));
    scene.sql(generate::EVENTS_TABLE);
    let first = run(&scene, "").spawn();
    until("rows of the first half", || scene.db.count("events") > 0);
    first.signal(Signal::KILL);
    drop(first);
    assert_eq!(scene.db.lines("SELECT identity FROM _dbload.run"), ["job:x/events"]);
    api.answer_with(page);
    // Another source is another load under the same name.
    scene.file("dbload.toml", of_pages(&api, "/other"));
    let refused = run(&scene, "").run().exits(8).says("/events then, source ").says("/other now");
    assert_eq!(Said::by(&refused).state("events"), "failed");
    scene.file("dbload.toml", of_pages(&api, "/events"));
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!(said.state("events"), "complete");
    assert_eq!(said.loads["events"]["report"]["attempts"], 2);
    assert_eq!(scene.db.count("events"), 2_000);
    audit(&scene.db);
}

#[test]
fn a_load_that_another_process_is_at_is_left_waited_for_or_refused() {
    let api = half();
    let scene = scene(&of_pages(&api, "/events"));
    scene.sql(generate::EVENTS_TABLE);
    let first = run(&scene, "").spawn();
    until("rows of the first half", || scene.db.count("events") > 0);
    let state =
        |line: &str, code: i32| Said::by(&run(&scene, line).run().exits(code)).state("events").to_owned();
    assert_eq!(state("", 8), "running_elsewhere");
    assert_eq!(state("--if-running skip", 0), "running_elsewhere");
    assert_eq!(state("--if-running skip --skip-exit-code 99", 99), "running_elsewhere");
    assert_eq!(state("--wait 1s", 8), "running_elsewhere");
    run(&scene, "--if-running never").run().exits(2).says("must be fail, skip");
    // Who waits does not do again what the other one has done.
    let waiting = run(&scene, "--if-running wait=2m").spawn();
    api.answer_with(page);
    first.signal(Signal::TERM);
    let stopped = first.wait().exits(143);
    assert_eq!(Said::by(&stopped).state("events"), "interrupted");
    let waited = Said::by(&waiting.wait().exits(0));
    assert_eq!(waited.state("events"), "complete");
    assert_eq!(waited.loads["events"]["report"]["attempts"], 2);
    assert_eq!(scene.db.lines("SELECT count(*), max(attempts) FROM _dbload.run"), ["1|2"]);
}

#[test]
fn what_was_completed_while_it_was_waited_for_is_not_repeated() {
    let gate = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let open = std::sync::Arc::clone(&gate);
    let api = Api::serve(move |_| {
        // The answer comes when the test says so; until then it is asked for.
        until("the gate is open", || open.load(std::sync::atomic::Ordering::SeqCst));
        Reply::json("[{\"id\":1}]")
    });
    let scene = scene(&format!("name = \"x\"\n[load.t]\nsource = \"{}\"\nkey = [\"id\"]\n", api.url("/a")));
    scene.sql("CREATE TABLE t (id int PRIMARY KEY)");
    // The first one has recorded its run, for it has a checkpoint to go on from.
    gate.store(true, std::sync::atomic::Ordering::SeqCst);
    run(&scene, "").run().exits(0);
    scene.sql("UPDATE _dbload.run SET state = 'running', finished_at = NULL, heartbeat = clock_timestamp() + '1 hour'");
    scene.sql("UPDATE _dbload.run SET owner = owner || '{\"machine\":\"another\",\"host\":\"another\"}'");
    let waiting = run(&scene, "--wait 2m").spawn();
    // It asks every half second: once more than what a start asks anyway.
    let mut asked = std::collections::BTreeSet::new();
    until("it waits", || {
        asked.extend(scene.db.lines(
            "SELECT pid, query_start FROM pg_stat_activity WHERE query LIKE '%FROM _dbload.run r WHERE r.identity%' \
             AND pid <> pg_backend_pid()",
        ));
        asked.len() >= 4
    });
    scene.sql("UPDATE _dbload.run SET state = 'complete', finished_at = now()");
    let waited = waiting.wait().exits(0);
    let said = Said::by(&waited);
    assert_eq!(said.state("t"), "nothing_new", "{waited}");
    assert_eq!(scene.db.one("SELECT count(*) FROM _dbload.run"), "1");
}

#[test]
fn rejects_within_the_budget_warn_or_fail_and_beyond_it_fail() {
    let file = |rule: &str| {
        format!(
            "name = \"x\"\n[defaults]\nkey = [\"id\"]\n[load.t]\nsource = \"t.jsonl\"\nmax_rejects = 1\non_rejects = \"{rule}\"\n\
             [load.u]\nsource = \"u.jsonl\"\nafter = [\"t\"]\n"
        )
    };
    let scene = scene(&file("fail"));
    scene.sql("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":\"x\"}\n");
    scene.file("u.jsonl", "{\"id\":1}\n");
    let said = Said::by(&run(&scene, "").run().exits(3));
    assert_eq!((said.state("t"), said.state("u")), ("rejected", "complete"));
    scene.file("dbload.toml", file("warn"));
    let outcome = run(&scene, "").run().exits(0).says("t: error: 1 record of t.jsonl was rejected");
    assert_eq!(Said::by(&outcome).state("t"), "rejected");
    scene.file("t.jsonl", "{\"id\":\"y\"}\n{\"id\":\"x\"}\n");
    let said = Said::by(&run(&scene, "").run().exits(9));
    assert_eq!((said.state("t"), said.state("u")), ("failed", "skipped"));
}

#[test]
fn fewer_records_than_expected_are_a_failure_and_are_read_anew() {
    let scene =
        scene("name = \"x\"\n[load.t]\nsource = \"t.jsonl\"\nkey = [\"id\"]\nexpect = { min_records = 2 }\n");
    scene.sql("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n");
    let few = run(&scene, "").run().exits(4).says("1 records were read, and at least 2 were expected");
    assert_eq!(Said::by(&few).state("t"), "failed");
    assert_eq!(scene.db.one("SELECT string_agg(state, ',') FROM _dbload.run"), "abandoned");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":2}\n");
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!((said.state("t"), said.rows("t", "read")), ("complete", 2));
    // Of an append nothing can be read anew.
    scene.file("dbload.toml", "name = \"x\"\n[load.u]\nsource = \"t.jsonl\"\nexpect.min_records = 2\n");
    run(&scene, "").run().exits(6).says("expected of an append").says("expect 1, or give the table a key");
}

#[test]
fn a_load_that_hangs_is_stopped_at_its_time_and_does_not_stop_the_others() {
    let api = half();
    let scene = scene(&format!(
        "name = \"x\"\n[defaults]\nkey = [\"id\"]\n[load.hangs]\nsource = \"{}\"\nformat = \"jsonl\"\ntimeout = \"2s\"\n\
         [load.t]\nsource = \"t.jsonl\"\n",
        api.url("/?p=3")
    ));
    scene.sql(&generate::EVENTS_TABLE.replace("events", "hangs"));
    scene.file("t.jsonl", "{\"id\":1}\n");
    let outcome = run(&scene, "").run().exits(4).says("hangs: error: not at its end after 2s (timeout)");
    let said = Said::by(&outcome);
    assert_eq!((said.state("hangs"), said.state("t")), ("failed", "complete"), "{outcome}");
    assert!(outcome.elapsed < Duration::from_secs(60), "{outcome}");
}

#[test]
fn a_load_is_started_again_where_that_is_worth_it() {
    let scene = scene(
        "name = \"x\"\n[defaults]\nkey = [\"id\"]\n[load.t]\nsource = \"URL\"\nretries = 2\nhttp_tries = 1\n",
    );
    let asked = std::sync::atomic::AtomicU64::new(0);
    let api = Api::serve(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reply::new(500, "text/plain", "no"),
        _ => Reply::json("[{\"id\":1}]"),
    });
    let file = scene.folder.read("dbload.toml").replace("URL", &api.url("/"));
    scene.file("dbload.toml", file);
    let outcome = run(&scene, "").run().exits(0).says("t: start 1 failed");
    let said = Said::by(&outcome);
    assert_eq!((said.state("t"), &said.loads["t"]["starts"]), ("complete", &2.into()));
}
