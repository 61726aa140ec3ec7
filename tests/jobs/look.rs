//! What is looked at before anything is loaded: check, list, init. None of it calls a URL or runs a command.

use super::{Said, run, scene};
use crate::support::api::{Api, Reply};
use crate::support::{Dbload, Folder};
use rustix::process::Signal;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a_check_plans_each_load_writes_nothing_and_calls_nobody() {
    let api = Api::serve(|_| Reply::json("[{\"id\":1}]"));
    let canary = "touch was-run";
    let scene = scene(&format!(
        "name = \"x\"\n[defaults]\nkey = [\"id\"]\n[load.a]\nsource = \"a.jsonl\"\n[load.b]\nsource = \"b.jsonl\"\nafter = [\"a\"]\n\
         [load.web]\nsource = \"{}\"\nbearer_command = \"{canary}\"\n",
        api.url("/")
    ));
    scene.file("a.jsonl", "{\"id\":1}\n");
    scene.file("b.jsonl", "{\"id\":1,\"strange\":2}\n");
    scene.sql("CREATE TABLE b (id int PRIMARY KEY)");
    let outcome = scene.dbload("check").run().exits(6).says("b: error: ").says("strange");
    let lines: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |load: &str| lines.iter().find(|line| line["load"] == load).unwrap();
    assert_eq!(
        (&of("a")["state"], &of("b")["state"], &of("web")["state"]),
        (&"ready".into(), &"refused".into(), &"not_asked".into())
    );
    assert!(of("a")["creates"].as_str().unwrap().contains("CREATE TABLE"), "{outcome}");
    assert!(!scene.db.has_table("a") && api.requests() == 0 && !scene.cwd().join("was-run").exists());
    scene.sql("ALTER TABLE b ADD strange int");
    let words = scene.plain("check --except web").run().exits(0);
    assert!(words.stdout.contains("b: ready (after a)"), "{words}");
    // Without a database, and with a line that says so.
    let nowhere = "postgres://127.0.0.1:1/none";
    Dbload::new(scene.cwd()).line("check --dsn").arg(nowhere).run().exits(5);
    let offline = Dbload::new(scene.cwd()).line("check --offline --dsn").arg(nowhere).run().exits(0);
    assert_eq!(offline.stdout.matches("the database was not asked").count(), 3, "{offline}");
}

#[test]
fn a_list_is_a_manifest_of_the_loads() {
    let folder = Folder::new();
    folder.file(
        "jobs.toml",
        "name = \"x\"\n[target]\nschema = \"raw\"\n[load.b]\nsource = \"b\"\ntags = [\"nightly\"]\n[load.a]\nsource = \"a\"\ntable = \"big.a\"\nafter = [\"b\"]\n",
    );
    let list = |line: &str| Dbload::new(folder.path()).line(line).run().exits(0).stdout;
    let manifest: Value = serde_json::from_str(&list("list jobs.toml --json")).unwrap();
    assert_eq!(manifest["job"], "x");
    assert_eq!(
        manifest["loads"][0],
        serde_json::json!({"load": "b", "table": "raw.b", "after": [], "tags": ["nightly"]})
    );
    assert_eq!(manifest["loads"][1]["after"], serde_json::json!(["b"]));
    assert_eq!(list("list jobs.toml"), "b into raw.b, tags nightly\na into big.a, after b\n");
    assert_eq!(list("list jobs.toml --tag nightly").lines().count(), 1);
}

#[test]
fn a_first_file_is_one_that_check_accepts() {
    let scene = crate::support::Scene::new();
    scene.file("orders.jsonl", "{\"id\":1}\n");
    std::fs::create_dir(scene.cwd().join("old")).unwrap();
    scene.file("old/orders.csv", "id\n2\n");
    let init = |line: &str| Dbload::new(scene.cwd()).line(line).run();
    init("init orders.jsonl old/orders.csv --file jobs.toml").exits(0).says("dbload check jobs.toml");
    init("init other.jsonl --file jobs.toml").exits(2).says("jobs.toml: ");
    scene.dbload("check jobs.toml").run().exits(0);
    let said = Said::by(&run(&scene, "jobs.toml").run().exits(0));
    assert_eq!((said.state("orders"), said.state("orders_2")), ("complete", "complete"));
    // Whatever a source is called.
    init("init https://a.example/v1/items?x=1 data/*.csv --file odd.toml").exits(0);
    let offline = Dbload::new(scene.cwd()).line("check odd.toml --offline").run().exits(0);
    assert!(offline.stdout.contains("items: ") && offline.stdout.contains("data: "), "{offline}");
    // What a URL gives is not known by its name the next time.
    let said = "each run appends all";
    init("init https://a.example/v1/items --file url.toml")
        .exits(0)
        .says("hint: name the key of what a URL gives");
    let text = std::fs::read_to_string(scene.cwd().join("url.toml")).unwrap();
    assert!(text.contains(said), "{text}");
    let checked = scene.dbload("check url.toml").run().exits(0);
    assert!(checked.stdout.contains(said), "{checked}");
    std::fs::write(scene.cwd().join("url.toml"), text.replace("# key", "key")).unwrap();
    let checked = scene.dbload("check url.toml").run().exits(0);
    assert!(!checked.stdout.contains(said) && checked.stdout.contains("does not call"), "{checked}");
}

#[test]
fn one_progress_is_shown_for_all_loads() {
    let gate = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&gate);
    let api = Api::serve(move |_| {
        while !is_open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Reply::json("[{\"id\":1}]")
    });
    let scene = scene(&format!(
        "name = \"x\"\n[defaults]\nkey = [\"id\"]\n[load.slow]\nsource = \"{}\"\n[load.t]\nsource = \"t.jsonl\"\n",
        api.url("/")
    ));
    scene.file("t.jsonl", "{\"id\":1}\n");
    let running = run(&scene, "").spawn();
    let ended = "SELECT count(*) FROM _dbload.run WHERE state = 'complete'";
    while scene.db.try_rows(ended).map_or(true, |(rows, _)| rows[0][0].as_deref() == Some("0")) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // That it has ended is heard a little later.
    for _ in 0..10 {
        running.signal(Signal::USR1);
        std::thread::sleep(Duration::from_millis(300));
    }
    gate.store(true, Ordering::SeqCst);
    let outcome = running.wait().exits(0);
    outcome.says("1 of 2 loads have ended, 1 running, 0 rows (slow 0)");
}
