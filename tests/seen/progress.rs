//! What is said while a load runs: progress for machines, on a signal, and logs with names that stay.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::api::{Api, Reply};
use crate::support::{Running, Scene};

/// A load of so many records, two milliseconds each; each tenth is refused.
fn slow(scene: &Scene, line: &str, records: u64) -> Running {
    let feed = move |out: &mut dyn std::io::Write| {
        for id in 0..records {
            let n = if id % 10 == 0 { "\"canary\"" } else { "1" };
            writeln!(out, "{{\"id\":{id},\"n\":{n}}}")?;
            out.flush()?;
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    };
    scene.plain(&format!("- -t t --format jsonl --key id {line}")).stdin_stream(feed).spawn()
}

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, n int)";

#[test]
fn progress_for_machines_is_an_object_a_second_and_its_last_is_no_more_than_the_table_has() {
    let scene = Scene::with(T);
    let outcome = slow(&scene, "--progress json --batch-rows 100", 2_000).wait().exits(3);
    let objects: Vec<Value> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("{\"") && line.contains("\"progress\":1"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(objects.len() >= 2, "{outcome}");
    let read = |object: &Value| object["rows"]["read"].as_u64().unwrap();
    assert!(objects.windows(2).all(|pair| read(&pair[0]) <= read(&pair[1])), "{objects:?}");
    let last = objects.last().unwrap();
    assert!(read(last) > 0 && read(last) <= 2_000, "{last}");
    assert_eq!(last["run"], scene.db.one("SELECT run FROM _dbload.run").as_str());
    assert!(objects.iter().any(|object| object["bound"] == "source"), "a pipe that is slow: {objects:?}");
}

#[test]
fn a_signal_asks_for_a_line_that_says_what_a_load_waits_for() {
    let scene = Scene::with(T);
    let running = slow(&scene, "--batch-rows 100 --progress lines", 3_000);
    let began = std::time::Instant::now();
    while scene.db.count("t") < 300 {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
    // What is said before a commit was heard of says nothing of it.
    for _ in 0..5 {
        running.signal(Signal::USR1);
        std::thread::sleep(Duration::from_millis(200));
    }
    let outcome = running.wait().exits(3);
    let line = outcome.stderr.lines().rfind(|line| line.contains(" rows, ")).unwrap_or_default();
    for words in [" rows, ", "/s", " rejected (", "bound: source"] {
        assert!(line.contains(words), "{words}: {outcome}");
    }
}

#[test]
fn logs_as_json_have_names_that_stay_and_say_run_and_load() {
    let api = Api::serve(|_| Reply::new(404, "text/plain", "no"));
    let scene = Scene::with(T);
    scene.file("t.jsonl", "{\"id\":1,\"n\":1}\n");
    let log = |outcome: &crate::support::Outcome| -> Vec<Value> {
        outcome
            .stderr
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    };
    let outcome =
        scene.dbload(&format!("t.jsonl {} --key id --log-format json", api.url("/x"))).run().exits(4);
    let lines = log(&outcome);
    let failed = lines.iter().find(|line| line["event"] == "source_failed").unwrap();
    let run = scene.db.one("SELECT run FROM _dbload.run");
    assert_eq!((&failed["run"], &failed["level"]), (&run.as_str().into(), &"WARN".into()), "{failed}");
    assert!(
        failed["timestamp"].is_string() && failed["message"].as_str().unwrap().contains("404"),
        "{failed}"
    );
    scene.file(
        "dbload.toml",
        format!("name = \"x\"\n[load.t]\nsource = [\"t.jsonl\", \"{}\"]\nkey = [\"id\"]\n", api.url("/x")),
    );
    let outcome = scene.plain("run --log-format json --quiet").run().exits(4);
    assert!(
        log(&outcome).iter().any(|line| line["load"] == "t" && line["event"] == "source_failed"),
        "{outcome}"
    );
    // For developers, and of what is ours.
    scene.file("t.jsonl", "{\"id\":2,\"n\":2}\n");
    let outcome = scene.dbload("t.jsonl --key id").env("RUST_LOG", "debug").run().exits(0).says("DEBUG");
    assert!(!outcome.stderr.contains("hyper") && !outcome.stderr.contains("sqlx::"), "{outcome}");
    scene.dbload("t.jsonl --key id").env("RUST_LOG", "=,=!").run().exits(0);
}
