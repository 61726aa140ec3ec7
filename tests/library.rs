//! dbload as a library: what a program gets that calls it. The table and the ledger are the oracle.

use std::future::Future;

use dbload::job::Job;
use dbload::load::{Ended, LoadError, load, plan, verify};
use dbload::pg::Dsn;
use tokio_util::sync::CancellationToken;

use crate::support::{Scene, compress};

/// Runs a future as a program would, on a runtime with threads.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn job(scene: &Scene, source: &str) -> Job {
    let dsn = Dsn::parse(scene.db.url()).unwrap();
    Job::new(dsn, vec![scene.cwd().join(source).to_str().unwrap().to_owned()])
}

#[test]
fn a_comparison_writes_nothing_and_finds_what_differs() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'a'), (2, 'x')",
    );
    scene
        .file("t.jsonl", "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n{\"id\":3,\"name\":\"c\"}\n");
    let before = scene.db.digest("t");
    let found = block_on(verify(&job(&scene, "t.jsonl"), &|_, _| (), &CancellationToken::new())).unwrap();
    assert_eq!(scene.db.digest("t"), before, "the table is as it was");
    assert!(!scene.db.has_table("_dbload.run"), "no run is recorded");
    assert_eq!((found.read, found.equal, found.different, found.missing), (3, 1, 1, 1));
    assert!(!found.holds());

    scene.sql("UPDATE t SET name = 'b' WHERE id = 2; INSERT INTO t VALUES (3, 'c')");
    let found = block_on(verify(&job(&scene, "t.jsonl"), &|_, _| (), &CancellationToken::new())).unwrap();
    assert!(found.holds());
    assert_eq!((found.read, found.equal), (3, 3));
}

#[test]
fn a_comparison_that_was_stopped_or_could_not_read_everything_does_not_say_that_the_table_holds_it() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = block_on(verify(&job(&scene, "t.jsonl"), &|_, _| (), &stop));
    assert!(matches!(stopped, Err(LoadError::Stopped)), "{stopped:?}");
    // Stopped in the middle: what was compared up to then is no verdict either.
    let stop = CancellationToken::new();
    let stopped = block_on(verify(&job(&scene, "t.jsonl"), &|_, _| stop.cancel(), &stop));
    assert!(matches!(stopped, Err(LoadError::Stopped)), "{stopped:?}");

    let mut whole = compress::gzip(b"{\"id\":4}\n");
    whole.truncate(whole.len() - 4);
    scene.file("u.jsonl.gz", whole);
    let mut both = job(&scene, "t.jsonl");
    both.sources.push(scene.cwd().join("u.jsonl.gz").to_str().unwrap().to_owned());
    let found = block_on(verify(&both, &|_, _| (), &CancellationToken::new())).unwrap();
    assert_eq!((found.equal, found.failed.len()), (3, 1), "{found:?}");
    assert!(found.failed[0].name.ends_with("u.jsonl.gz") && !found.holds(), "{found:?}");
    let program = scene.plain("verify t.jsonl u.jsonl.gz --table t").run().exits(4);
    assert!(!program.stdout.contains("holds what the sources say"), "{}", program.stdout);
    assert!(!scene.db.has_table("_dbload.run"));
}

#[test]
fn a_plan_writes_nothing_and_a_load_loads() {
    let scene = Scene::new();
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":2}\n");
    let mut job = job(&scene, "t.jsonl");
    job.key = Some(vec!["id".to_owned()]);
    let words = block_on(plan(&job, &|_, _| (), &CancellationToken::new())).unwrap();
    assert!(words.contains("to be created"), "{words}");
    assert!(!scene.db.has_table("t") && !scene.db.has_table("_dbload.run"));
    let outcome = block_on(load(&job, &|_, _| (), &CancellationToken::new()));
    assert!(matches!(outcome.ended, Ended::Complete), "{outcome:?}");
    assert_eq!(scene.db.count("t"), 2);
    assert_eq!(outcome.report.unwrap().rows.inserted, 2);
}

#[test]
fn the_readme_has_the_exit_codes_as_the_program_has_them() {
    use dbload::exit::ExitClass;
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("\n## Exit codes\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let row = |class: &ExitClass| {
        let also = if *class == ExitClass::Interrupted { ", 143" } else { "" };
        format!("| {}{also} | {} | {} |", class.code(), class.meaning(), class.again()).replace("|  |", "| |")
    };
    assert_eq!(rows, ExitClass::ALL.iter().map(row).collect::<Vec<_>>());
    // And the help, however it is wrapped.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = flat(&Scene::new().plain("--help").run().exits(0).stdout);
    for class in ExitClass::ALL {
        assert!(help.contains(&flat(class.meaning())), "{class:?}: {help}");
    }
}
