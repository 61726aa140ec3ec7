//! The record of a load: each line by the schema, sums that are those of the table, and nothing of a record.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use rustix::process::Signal;

use super::{checked, events, numbers, of_kind, sum};
use crate::support::api::{Api, Reply};
use crate::support::{Scene, audit};

#[test]
fn the_batches_of_a_record_are_what_is_in_the_table_and_no_value_is_in_it() {
    let scene = Scene::new();
    numbers(&scene, 5_000);
    let load = "t.jsonl --key id --events e.jsonl --batch-rows 500 --pool-size 2";
    let outcome = scene.run(load).exits(3);
    let told = events(&scene.cwd().join("e.jsonl"));
    let stored: u64 = scene.db.one("SELECT count(*) FROM t").parse().unwrap();
    assert_eq!((sum(of_kind(&told, "batch"), "/rows/inserted"), stored), (4_500, 4_500));
    assert_eq!(sum(of_kind(&told, "batch"), "/rows/read"), 5_000);
    assert_eq!(sum(of_kind(&told, "block"), "/records"), 5_000);
    let why: BTreeSet<&str> =
        of_kind(&told, "rejected").map(|event| event["sqlstate"].as_str().unwrap()).collect();
    assert_eq!((why.len(), sum(of_kind(&told, "rejected"), "/count")), (1, 500), "{why:?}");
    let first = of_kind(&told, "rejected").map(|event| event["line"].as_u64().unwrap()).min();
    assert_eq!(first, Some(10));
    for event in of_kind(&told, "batch") {
        let of = |name: &str| event[name].as_f64().unwrap();
        let parts = of("copied") + of("merged") + of("committed");
        assert!(of("began") <= of("ended") && parts <= of("ended") - of("began") + 1e-4, "{event}");
        assert!(of("ended") <= event["t"].as_f64().unwrap() + 1e-6, "{event}");
    }
    let (run, end) = (&outcome.report().run, told.last().unwrap());
    assert!(told.iter().all(|event| event["run"] == run.as_str() && event["attempt"] == 1), "{run}");
    assert_eq!((&end["kind"], &end["code"], &end["outcome"]), (&"end".into(), &3.into(), &"rejects".into()));
    assert_eq!(end["report"]["rows"]["inserted"], 4_500);
    assert_eq!(told[0]["kind"], "plan");
    let text = scene.folder.read("e.jsonl");
    assert!(!text.contains("canary"), "{text}");
    // The server's own refusal says the value: its name is enough.
    scene.file("t.jsonl", "{\"id\":1,\"n\":7654321}\n");
    scene.run(load).exits(3);
    let text = scene.folder.read("e.jsonl");
    assert!(text.contains("t_n_check") && !text.contains("7654321"), "{text}");
    audit(&scene.db);
}

#[test]
fn a_half_line_is_ended_by_the_next_start_and_attempts_of_a_run_stand_apart() {
    let scene = Scene::new();
    numbers(&scene, 40_000);
    let load = "t.jsonl --key id --events e.jsonl --batch-rows 200 --pool-size 1";
    let running = scene.dbload(load).spawn();
    let began = std::time::Instant::now();
    while scene.db.count("t") < 400 {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    running.kill9_after(Duration::ZERO);
    scene.db.until_alone();
    let path = scene.cwd().join("e.jsonl");
    let mut text = std::fs::read_to_string(&path).unwrap();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text.truncate(whole);
    text.push_str("{\"v\":1,\"t\":0.7,\"run\":");
    std::fs::write(&path, &text).unwrap();
    scene.run(load).exits(3);
    let lines = std::fs::read_to_string(&path).unwrap();
    let (good, bad): (Vec<_>, Vec<_>) = lines.lines().map(checked).partition(Result::is_ok);
    assert_eq!(bad.len(), 1, "{bad:?}");
    let told: Vec<_> = good.into_iter().map(Result::unwrap).collect();
    let of_attempt = |n: u32| told.iter().filter(move |event| event["attempt"] == n).cloned();
    let (first, second): (Vec<_>, Vec<_>) = (of_attempt(1).collect(), of_attempt(2).collect());
    assert!(first.iter().all(|event| event["kind"] != "end") && first.len() + second.len() == told.len());
    let resumed = of_kind(&second, "resumed").next().unwrap();
    assert!(resumed["records"].as_u64().unwrap() >= 400, "{resumed}");
    assert_eq!(of_kind(&second, "plan").next().unwrap()["records_before"], resumed["records"]);
    assert_eq!(
        sum(of_kind(&second, "batch"), "/rows/read") + resumed["records"].as_u64().unwrap(),
        40_000,
        "what this attempt committed, and what it found"
    );
    audit(&scene.db);
}

#[test]
fn what_cannot_be_written_changes_nothing_and_a_place_that_cannot_be_opened_is_said_before() {
    let scene = Scene::new();
    numbers(&scene, 9);
    scene.run("t.jsonl --key id --events no/such/folder").exits(2).says("--events no/such/folder: cannot be");
    assert_eq!(scene.db.count("t"), 0);
    let full = scene.run("t.jsonl --key id --events /dev/full").exits(0);
    full.says("the events in /dev/full are not all");
    assert_eq!(scene.db.count("t"), 9);
}

#[test]
fn servers_that_refuse_locks_that_are_held_and_a_stop_are_told() {
    let scene = Scene::new();
    numbers(&scene, 3_000);
    let api = Api::serve(|ask| match ask.target().as_str() {
        "/gone" => Reply::new(404, "text/plain", "canary: no such thing"),
        _ => Reply::json("[{\"id\":900001,\"n\":1}]"),
    });
    let load = format!(
        "t.jsonl {} --key id --events e.jsonl --lock-timeout 200ms --retry-for 60s",
        api.url("/gone")
    );
    let lock = scene.db.another();
    lock.sql("BEGIN; LOCK TABLE t IN SHARE MODE");
    let running = scene.dbload(&load).spawn();
    let path = scene.cwd().join("e.jsonl");
    let until = |what: &str| {
        let began = std::time::Instant::now();
        while !std::fs::read_to_string(&path).is_ok_and(|text| text.contains(what)) {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("\"kind\":\"held\"");
    lock.sql("COMMIT");
    running.wait().exits(4);
    let told = events(&path);
    let held = of_kind(&told, "held").next().unwrap();
    assert_eq!((&held["sqlstate"], &held["relief"]), (&"55P03".into(), &serde_json::Value::Null));
    assert!(of_kind(&told, "goes_on").next().is_some());
    assert!(of_kind(&told, "batch").any(|event| event["retries"].as_u64() > Some(0)), "{told:?}");
    assert_eq!(of_kind(&told, "source_failed").count(), 1);
    assert!(!scene.folder.read("e.jsonl").contains("canary"), "what a server says is not told");
    // Stopped from outside.
    let feed = |out: &mut dyn std::io::Write| {
        for id in 0.. {
            writeln!(out, "{{\"id\":{id},\"n\":1}}")?;
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    };
    let running = scene.dbload("- -t t --format jsonl --key id --events s.jsonl").stdin_stream(feed).spawn();
    let began = std::time::Instant::now();
    while !scene.cwd().join("s.jsonl").exists() || !scene.folder.read("s.jsonl").contains("\"sample\"") {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal(Signal::TERM);
    running.wait().exits(143);
    let told = events(&scene.cwd().join("s.jsonl"));
    assert_eq!(of_kind(&told, "stop").count(), 1);
    assert_eq!(
        (&told.last().unwrap()["outcome"], &told.last().unwrap()["code"]),
        (&"interrupted".into(), &143.into())
    );
}

#[test]
fn loads_of_a_job_file_share_the_file_and_name_themselves() {
    let scene = Scene::new();
    let mut file = "name = \"x\"\n[metrics]\nevents = \"e.jsonl\"\n".to_owned();
    for n in 0..4 {
        let _ = write!(file, "[load.t{n}]\nsource = \"{n}.jsonl\"\nkey = [\"id\"]\n");
        scene.file(&format!("{n}.jsonl"), "{\"id\":1}\n{\"id\":2}\n");
    }
    scene.file("dbload.toml", file);
    scene.plain("run").run().exits(0);
    let told = events(&scene.cwd().join("e.jsonl"));
    for n in 0..4 {
        let of = told.iter().filter(|event| event["load"] == format!("x/t{n}")).cloned().collect::<Vec<_>>();
        assert_eq!(sum(of_kind(&of, "batch"), "/rows/inserted"), 2, "{of:?}");
        assert_eq!((of_kind(&of, "table_created").count(), of_kind(&of, "end").count()), (1, 1));
    }
    assert!(told.iter().all(|event| event["load"].is_string()));
    // The flag stands before the file's, and its folder is the one that the command was given in.
    scene.plain("run --events f.jsonl").run().exits(0);
    assert!(!events(&scene.cwd().join("f.jsonl")).is_empty());
    assert_eq!(events(&scene.cwd().join("e.jsonl")).len(), told.len());
    scene.file("wrong.toml", "name = \"x\"\n[load.t]\nsource = \"0.jsonl\"\nevents = \"e\"\n");
    scene.plain("run wrong.toml").run().exits(2).says("it stands in [metrics]");
}

#[test]
fn the_kinds_of_the_page_are_those_of_the_schema_and_of_the_program() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/events.md")).unwrap();
    let (_, table) = page.split_once("| kind | when |").unwrap();
    let of_page: BTreeSet<String> = table
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let schema: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("docs/events.schema.json")).unwrap()).unwrap();
    let of_schema: BTreeSet<String> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["title"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(of_page, of_schema);
    // The program's are the arms of one enum.
    let line = std::fs::read_to_string(root.join("src/cli/events/line.rs")).unwrap();
    let (_, arms) = line.split_once("pub(crate) enum What {").unwrap();
    let (arms, _) = arms.split_once("\n}").unwrap();
    let arms = arms.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    let snake = |name: &str| {
        let mut out = String::new();
        for c in name.chars() {
            if c.is_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.extend(c.to_lowercase());
        }
        out
    };
    let of_program: BTreeSet<String> = arms
        .map(|line| line.trim().split(|c: char| !c.is_alphanumeric()).next().unwrap())
        .filter(|name| !name.is_empty())
        .map(snake)
        .collect();
    assert_eq!(of_program, of_schema);
}
