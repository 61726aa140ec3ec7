//! Who is told of the end of a run: a command, a webhook, monitoring. None of them changes what it came to.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::{Said, run, scene};
use crate::support::api::{Api, Reply};
use crate::support::until;

/// A load of this source, and hooks that write what they get into files.
fn file(source: &str, more: &str) -> String {
    format!(
        "name = \"x\"\n[load.t]\nsource = \"{source}\"\nkey = [\"id\"]\nmax_rejects = 0\n{more}\n\
         [on_failure]\ncommand = [\"sh\", \"-c\", \"cat > failure.json; env > env.txt; echo noise\"]\n\
         [on_success]\ncommand = [\"sh\", \"-c\", \"cat > success.json\"]\n"
    )
}

fn json(scene: &crate::support::Scene, name: &str) -> Value {
    serde_json::from_str(&scene.folder.read(name)).unwrap()
}

#[test]
fn a_command_gets_the_report_and_no_variables_of_ours() {
    let scene = scene(&file("t.jsonl", ""));
    scene.file("t.jsonl", "{\"id\":1}\n");
    run(&scene, "").run().exits(0);
    let report = json(&scene, "success.json");
    assert_eq!(
        (&report["code"], &report["loads"]["t"], &report["job"]),
        (&0.into(), &"complete".into(), &"x".into())
    );
    assert_eq!(report["ended"][0]["report"]["rows"]["inserted"], 1, "{report}");
    assert!(report["text"].as_str().unwrap().starts_with("x: 1 load in"), "{report}");
    assert!(!scene.folder.path().join("failure.json").exists());
    scene.file("t.jsonl", "{\"id\":\n");
    let outcome = run(&scene, "").env("DBLOAD_LOG_FORMAT", "text").run();
    assert_eq!(Said::by(&outcome).state("t"), "failed", "its output is not in ours: {outcome}");
    let report = json(&scene, "failure.json");
    assert_eq!(report["code"].as_i64().unwrap(), i64::from(outcome.code()));
    assert!(report["text"].as_str().unwrap().ends_with("(t failed)"), "{report}");
    let env = scene.folder.read("env.txt");
    assert!(!env.contains("DBLOAD_") && env.contains("HOME="), "{env}");
}

#[test]
fn what_becomes_of_hooks_changes_nothing_and_they_have_their_time() {
    let api = Api::serve(|_| Reply::new(500, "text/plain", "no").after(Duration::from_millis(100)));
    let hooks = |command: &str| {
        format!(
            "name = \"x\"\n[load.t]\nsource = \"t.jsonl\"\nkey = [\"id\"]\n\
             [on_success]\ncommand = {command}\nwebhook = \"env:ALERT_URL\"\ntimeout = \"2s\"\n"
        )
    };
    let scene = scene(&hooks("[\"sh\", \"-c\", \"sleep 600 & sleep 600\"]"));
    scene.file("t.jsonl", "{\"id\":1}\n");
    let told = |url: &str| run(&scene, "").env("ALERT_URL", url).run().exits(0);
    let outcome = told(&api.url("/canary-of-the-hook"));
    let outcome = outcome
        .says("on_success: the command was ended after 2s")
        .says("on_success: the webhook was not told: it answered 500");
    assert!(outcome.elapsed < Duration::from_secs(60) && !outcome.stderr.contains("canary"), "{outcome}");
    assert_eq!(api.requests(), 2, "tried once more");
    scene.file("dbload.toml", hooks("[\"no-such-program\"]"));
    let outcome =
        told("http://127.0.0.1:1/canary").says("the command cannot be run").says("the webhook was not told");
    assert!(!outcome.stderr.contains("canary"), "{outcome}");
    scene.file("dbload.toml", hooks("\"false\""));
    told(&api.url("/")).says("the command ended with exit status: 1");
    let refused = run(&scene, "").env("ALERT_URL", "canary").run().exits(2).says("on_success.webhook");
    assert!(!refused.stderr.contains("canary"), "{refused}");
    run(&scene, "").run().exits(2).says("ALERT_URL");
}

#[test]
fn a_webhook_gets_the_report_as_json_also_where_no_load_could_begin() {
    let api = Api::serve(|_| Reply::json("{}"));
    let scene = scene(&format!(
        "name = \"x\"\n[load.t]\nsource = \"t.jsonl\"\n[load.u]\nsource = \"u.jsonl\"\n[on_failure]\nwebhook = \"{}\"\n",
        api.url("/alert")
    ));
    scene.file("t.jsonl", "{\"id\":1}\n");
    scene.file("u.jsonl", "{\"id\":1}\n");
    // The server is away.
    let outcome = crate::support::Dbload::new(scene.folder.path())
        .line("run --json --dsn postgres://postgres:canary@127.0.0.1:1/none?connect_timeout=1")
        .run()
        .exits(5);
    let asked = api.asked();
    assert_eq!((asked.len(), asked[0].header("content-type")), (1, Some("application/json")), "{outcome}");
    let report: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!((&report["code"], &report["job"]), (&5.into(), &"x".into()));
    assert!(!report.to_string().contains("canary"), "{report}");
    assert!(report["text"].as_str().unwrap().len() > 10, "{report}");
}

#[test]
fn after_a_stop_hooks_get_what_is_left_of_its_time() {
    let api = Api::serve(|_| Reply::json("[]").after(Duration::from_secs(600)));
    let source = format!("{}\"\nformat = \"json", api.url("/"));
    let scene = scene(&file(&source, "").replace("echo noise", "sleep 600"));
    scene.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let running = run(&scene, "").spawn();
    until("it asks", || api.requests() > 0);
    running.signal(Signal::TERM);
    let began = std::time::Instant::now();
    let outcome = running.wait().exits(143).says("on_failure: cut short, since all were stopped");
    assert!(began.elapsed() < Duration::from_secs(30), "{outcome}");
    assert_eq!(json(&scene, "failure.json")["loads"]["t"], "interrupted");
}

#[test]
fn a_metrics_file_says_how_each_load_stands_and_is_written_as_one() {
    let api = Api::serve(|_| Reply::json("[{\"id\":1,\"at\":\"2026-01-01T00:00:00Z\"}]"));
    let scene = scene(&format!(
        "name = \"x\"\n[defaults]\nkey = [\"id\"]\nmax_rejects = 0\n[load.a]\nsource = \"a.jsonl\"\n[load.b]\nsource = \"b.jsonl\"\nafter = [\"a\"]\n\
         [load.m]\nsource = \"{}?since={{watermark}}\"\nwatermark = {{ field = \"at\", initial = \"2025-01-01T00:00:00Z\" }}\n\
         [metrics]\nmetrics_file = \"x.prom\"\n",
        api.url("/m")
    ));
    scene.sql("CREATE TABLE m (id int PRIMARY KEY, at timestamptz)");
    scene.file("a.jsonl", "{\"id\":1}\n{\"id\":2}\n");
    scene.file("b.jsonl", "{\"id\":1}\n");
    run(&scene, "").run().exits(0);
    let first = scene.folder.read("x.prom");
    let has = |text: &str, sample: &str| assert!(text.lines().any(|line| line == sample), "{sample}: {text}");
    let value = |text: &str, name: &str, load: &str| {
        let of = format!("{name}{{job_name=\"x\",load=\"{load}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&of)).map(|value| value.parse::<f64>().unwrap())
    };
    has(&first, "dbload_load_records{job_name=\"x\",load=\"a\",outcome=\"inserted\"} 2");
    has(&first, "dbload_load_state{job_name=\"x\",load=\"b\",state=\"complete\"} 1");
    has(&first, "dbload_load_watermark{job_name=\"x\",load=\"m\"} 1767225600.000");
    has(&first, &format!("dbload_build_info{{job_name=\"x\",version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    let success = "dbload_load_last_success_timestamp_seconds";
    let last_run = "dbload_load_last_run_timestamp_seconds";
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((value(&first, success, "a").unwrap() - now).abs() < 120.0, "{first}");
    // a fails, b is skipped, m is not run.
    scene.file("a.jsonl", "{\n");
    assert_ne!(run(&scene, "--load a,b").run().code(), 0);
    let second = scene.folder.read("x.prom");
    has(&second, "dbload_load_state{job_name=\"x\",load=\"a\",state=\"failed\"} 1");
    has(&second, "dbload_load_state{job_name=\"x\",load=\"b\",state=\"skipped\"} 1");
    has(&second, "dbload_load_state{job_name=\"x\",load=\"m\",state=\"complete\"} 1");
    for load in ["a", "b", "m"] {
        assert_eq!(value(&second, success, load), value(&first, success, load), "{load}: {second}");
    }
    assert!(value(&second, last_run, "a") > value(&first, last_run, "a"), "{second}");
    assert_eq!(value(&second, last_run, "b"), value(&first, last_run, "b"));
    let left = std::fs::read_dir(scene.folder.path()).unwrap();
    assert!(!left.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")));
    // What cannot be written is said, and changes nothing.
    scene.file("dbload.toml", scene.folder.read("dbload.toml").replace("x.prom", "no/such/x.prom"));
    run(&scene, "--load b").run().exits(0).says("metrics_file: no/such/x.prom");
    scene.file("dbload.toml", scene.folder.read("dbload.toml").replace("x.prom", "x.txt"));
    run(&scene, "--load b").run().exits(2).says("metrics.metrics_file").says(".prom");
}

/// As `promtool` reads it, where Debian's package prometheus is there: `cargo test -- --ignored promtool`.
#[test]
#[ignore = "wants promtool"]
fn promtool_takes_the_metrics_file() {
    let scene = scene(
        "name = \"x\"\n[load.a]\nsource = \"a.jsonl\"\nkey = [\"id\"]\n[load.b]\nsource = \"b.jsonl\"\n\
         [metrics]\nmetrics_file = \"x.prom\"\n",
    );
    scene.file("a.jsonl", "{\"id\":1}\n");
    assert_ne!(run(&scene, "").run().code(), 0);
    let text = std::fs::File::open(scene.folder.path().join("x.prom")).unwrap();
    let checked =
        std::process::Command::new("promtool").args(["check", "metrics"]).stdin(text).output().unwrap();
    let said =
        String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.trim().is_empty(), "{said}");
}
