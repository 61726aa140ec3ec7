//! Loads that ask a server for the same: it is asked once, each load has its own run, and none touches
//! another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::{Said, run, scene};
use crate::support::api::{Api, Ask, Reply};
use crate::support::until;
use crate::support::{Scene, audit};

/// Three pages of orders with their items, and behind them an empty one; the version is another each time.
fn pages(version: &Arc<AtomicU64>) -> impl Fn(&Ask) -> Reply + use<> {
    let version = Arc::clone(version);
    move |ask| {
        let (page, version) = (ask.number("p").unwrap_or(1), version.load(Ordering::SeqCst));
        let ids = || (page * 100 - 99..=page * 100).filter(move |_| page <= 3);
        let orders: Vec<String> = ids().map(|id| format!("{{\"id\":{id},\"n\":{version}}}")).collect();
        let items: Vec<String> = ids().map(|id| format!("{{\"order\":{id},\"n\":{version}}}")).collect();
        Reply::json(format!("{{\"orders\":[{}],\"items\":[{}]}}", orders.join(","), items.join(",")))
    }
}

fn file(api: &Api, more: &str) -> String {
    let load = |name: &str, key: &str| {
        format!(
            "[load.{name}]\nsource = \"{}\"\nrecords = \"{name}\"\nkey = [\"{key}\"]\n",
            api.url("/orders?since=1")
        )
    };
    format!(
        "name = \"x\"\n[defaults]\npaginate = \"page:p\"\nheader = [\"X-Token: canary\"]\nbatch_rows = 50\nmax_rejects = 0\n{}{}{more}\n",
        load("orders", "id"),
        load("items", "order")
    )
}

const TABLES: &str =
    "CREATE TABLE orders (id int PRIMARY KEY, n int); CREATE TABLE items (\"order\" int PRIMARY KEY, n int)";

fn folders(scene: &Scene) -> Vec<std::path::PathBuf> {
    let root = scene.cwd().join(".dbload/x");
    std::fs::read_dir(root)
        .map_or_else(|_| Vec::new(), |all| all.flatten().map(|entry| entry.path()).collect())
}

/// What a table holds: rows, and of which versions.
fn held(scene: &Scene, table: &str) -> String {
    scene.db.one(&format!("SELECT count(*) || ' of ' || string_agg(DISTINCT n::text, ',') FROM {table}"))
}

#[test]
fn what_two_loads_ask_for_is_fetched_once_and_gone_when_both_are_complete() {
    let version = Arc::new(AtomicU64::new(1));
    let api = Api::serve(pages(&version));
    let other = format!(
        "[load.other]\nsource = \"{}\"\nrecords = \"orders\"\nkey = [\"id\"]\n",
        api.url("/orders?since=2")
    );
    let scene = scene(&file(&api, &other));
    scene.sql(TABLES);
    let said = Said::by(&run(&scene, "").run().exits(0));
    let mut asked = api.targets();
    asked.retain(|target| target.contains("since=1"));
    asked.sort();
    let once: Vec<String> = (1..=4).map(|page| format!("/orders?p={page}&since=1")).collect();
    assert_eq!(asked, once);
    assert_eq!(
        (held(&scene, "orders"), held(&scene, "items")),
        ("300 of 1".to_owned(), "300 of 1".to_owned())
    );
    assert_eq!(said.loads["items"]["report"]["http"]["shared"], 4, "{}", said.loads["items"]);
    assert!(said.loads["other"]["report"]["http"].get("shared").is_none(), "it asks for something else");
    assert!(!scene.cwd().join(".dbload").exists());
    // Another night is another fetch.
    version.store(2, Ordering::SeqCst);
    run(&scene, "--except other").run().exits(0);
    assert_eq!(
        (held(&scene, "orders"), held(&scene, "items")),
        ("300 of 2".to_owned(), "300 of 2".to_owned())
    );
    audit(&scene.db);
}

#[test]
fn a_load_that_fails_touches_no_other_and_goes_on_with_what_was_fetched() {
    let version = Arc::new(AtomicU64::new(1));
    let api = Api::serve(pages(&version));
    let scene = scene(&file(&api, ""));
    scene.sql(TABLES);
    // The items of the second page are refused.
    scene.sql("ALTER TABLE items ADD CONSTRAINT few CHECK (\"order\" < 150)");
    let said = Said::by(&run(&scene, "").run().exits(9));
    assert_eq!((said.state("orders"), said.state("items")), ("complete", "failed"));
    assert_eq!(held(&scene, "orders"), "300 of 1");
    let kept = folders(&scene);
    assert_eq!(kept.len(), 1, "an unfinished run reads it");
    let head = std::fs::read_dir(&kept[0])
        .unwrap()
        .flatten()
        .map(|entry| std::fs::read_to_string(entry.path()).unwrap());
    assert!(head.fold(0, |n, text| n + usize::from(!text.contains("canary"))) == 4, "no secret is kept");
    // It goes on with the answers of then.
    scene.sql("ALTER TABLE items DROP CONSTRAINT few");
    scene.file("dbload.toml", file(&api, "").replace("max_rejects = 0", "max_rejects = 1000"));
    version.store(2, Ordering::SeqCst);
    let before = api.requests();
    let resumed = run(&scene, "--load items").run().exits(3);
    assert_eq!(api.requests(), before, "nothing is fetched: {resumed}");
    let of_resumed = Said::by(&resumed);
    assert_eq!(of_resumed.rows("items", "read"), 300);
    assert!(held(&scene, "items").ends_with(" of 1"), "{}", held(&scene, "items"));
    assert!(folders(&scene).is_empty(), "{:?}", folders(&scene));
}

#[test]
fn what_was_fetched_and_is_gone_is_fetched_anew_and_a_killed_run_leaves_what_it_had() {
    let version = Arc::new(AtomicU64::new(1));
    let answer = pages(&version);
    let slow = pages(&version);
    let api = Api::serve(move |ask| match ask.number("p") {
        Some(3) => slow(ask).after(Duration::from_secs(600)),
        _ => slow(ask),
    });
    let scene = scene(&file(&api, ""));
    scene.sql(TABLES);
    let killed = || {
        let running = run(&scene, "").spawn();
        until("both have rows", || scene.db.count("orders") > 0 && scene.db.count("items") > 0);
        running.signal(Signal::KILL);
        let _ = running.wait();
    };
    killed();
    assert_eq!(folders(&scene).len(), 1);
    api.answer_with(answer);
    let before = api.requests();
    let said = Said::by(&run(&scene, "").run().exits(0));
    let asked = api.targets().split_off(before);
    assert_eq!(
        asked.iter().filter(|target| target.ends_with("p=1") || target.ends_with("p=2")).count(),
        0,
        "{asked:?}"
    );
    assert_eq!((said.state("orders"), said.state("items")), ("complete", "complete"));
    assert_eq!(
        (held(&scene, "orders"), held(&scene, "items")),
        ("300 of 1".to_owned(), "300 of 1".to_owned())
    );
    assert!(folders(&scene).is_empty());
    // Once more, and somebody clears up in between.
    scene.sql("TRUNCATE orders, items");
    let slow = pages(&version);
    api.answer_with(move |ask| match ask.number("p") {
        Some(3) => slow(ask).after(Duration::from_secs(600)),
        _ => slow(ask),
    });
    killed();
    std::fs::remove_dir_all(scene.cwd().join(".dbload")).unwrap();
    api.answer_with(pages(&version));
    let anew = run(&scene, "")
        .run()
        .exits(0)
        .says("what was fetched for the unfinished run is gone")
        .says("it is fetched anew");
    assert_eq!(Said::by(&anew).state("items"), "complete");
    assert_eq!(
        (held(&scene, "orders"), held(&scene, "items")),
        ("300 of 1".to_owned(), "300 of 1".to_owned())
    );
    audit(&scene.db);
}
