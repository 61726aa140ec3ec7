//! What one wants to know in the morning: how fresh each load is, which runs there were, and those that
//! failed again.

use super::{Said, run, scene};
use serde_json::Value;

const FILE: &str = "name = \"x\"\n[defaults]\nkey = [\"id\"]\nfreshness = { warn_after = \"26h\", error_after = \"50h\" }\n\
     [load.a]\nsource = \"a.jsonl\"\n[load.b]\nsource = \"b.jsonl\"\n[load.c]\nsource = \"c.jsonl\"\nafter = [\"b\"]\n";

#[test]
fn status_says_how_fresh_each_load_is_and_failed_runs_the_others_again() {
    let scene = scene(FILE);
    scene.file("a.jsonl", "{\"id\":1}\n");
    scene.file("c.jsonl", "{\"id\":1}\n");
    let status = |code: i32| {
        let outcome = scene.dbload("status").run().exits(code);
        let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["freshness"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(status(4), ["never_loaded", "never_loaded", "never_loaded"]);
    // b is not there.
    assert_ne!(run(&scene, "").run().code(), 0);
    assert_eq!(status(4), ["fresh", "never_loaded", "never_loaded"]);
    scene.file("b.jsonl", "{\"id\":1}\n");
    let again = Said::by(&run(&scene, "--failed").run().exits(0));
    assert_eq!(again.loads.keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(status(0), ["fresh", "fresh", "fresh"]);
    // Nothing was left to do, and nothing to other processes.
    let nothing = run(&scene, "--failed --skip-exit-code 99").run().exits(0);
    assert_eq!(Said::by(&nothing).loads.len(), 0);
    scene.sql("UPDATE _dbload.run SET finished_at = now() - interval '30 hours' WHERE identity = 'job:x/a'");
    assert_eq!(status(3), ["late", "fresh", "fresh"]);
    scene.sql("UPDATE _dbload.run SET finished_at = now() - interval '60 hours' WHERE identity = 'job:x/a'");
    let words = scene.plain("status --load a").run().exits(4);
    assert!(words.stdout.starts_with("a: stale, complete 2days 12h ago, last complete"), "{words}");
    scene.file("b.jsonl", "{\"id\":\n");
    scene.file("dbload.toml", FILE.replace("[load.b]", "[load.b]\nmax_rejects = 0"));
    run(&scene, "--load b").run().exits(9);
    assert_eq!(status(4), ["stale", "failed", "fresh"]);
}

#[test]
fn history_has_the_runs_of_files_and_of_the_command_line() {
    let scene = scene(FILE);
    for name in ["a", "b", "c"] {
        scene.file(&format!("{name}.jsonl"), "{\"id\":1}\n");
    }
    assert_eq!(scene.dbload("history").run().exits(0).stdout, "", "there is no ledger");
    run(&scene, "").run().exits(0);
    scene.load("a.jsonl --table other --key id");
    let all = scene.dbload("history").run().exits(0);
    let lines: Vec<Value> = all.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        (&lines[0]["load"], &lines[0]["state"], &lines[0]["rows"]["inserted"]),
        (&Value::Null, &"complete".into(), &1.into())
    );
    let one = scene.plain("history --load b --limit 5").run().exits(0);
    assert_eq!(one.stdout.lines().count(), 1);
    assert!(one.stdout.contains("complete  x/b into public.b: 1 read, 1 inserted"), "{one}");
}
