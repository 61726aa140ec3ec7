//! dbload as a library: what a program gets that calls it. The table and the ledger are the oracle.
//!
//! Nothing of the rooms is used here: only what the crate promises.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dbload::{
    Dsn, Error, ErrorKind, Event, Guarantee, Load, Loader, MergePolicy, RejectBudget, Report, Shaping,
};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Scene, audit, compress};

/// Runs a future as a program would, on a runtime with threads.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn dsn(scene: &Scene) -> Dsn {
    Dsn::parse(scene.db.url()).unwrap()
}

fn load(scene: &Scene, source: &str) -> Load {
    let rejects = scene.cwd().join("rejects.jsonl");
    Load::from([scene.cwd().join(source).to_str().unwrap()]).into_table("t").reject_file(rejects)
}

async fn loader(scene: &Scene) -> Loader {
    let rejects = scene.cwd().join("rejects.jsonl");
    Loader::open("t").connections(2).reject_file(rejects).start(&dsn(scene)).await.unwrap()
}

#[test]
fn a_comparison_writes_nothing_and_finds_what_differs() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'a'), (2, 'x')",
    );
    scene
        .file("t.jsonl", "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n{\"id\":3,\"name\":\"c\"}\n");
    let before = scene.db.digest("t");
    let found = block_on(load(&scene, "t.jsonl").verify(&dsn(&scene))).unwrap();
    assert_eq!(scene.db.digest("t"), before, "the table is as it was");
    assert!(!scene.db.has_table("_dbload.run"), "no run is recorded");
    assert_eq!((found.read, found.equal, found.different, found.missing), (3, 1, 1, 1));
    assert!(!found.holds());

    scene.sql("UPDATE t SET name = 'b' WHERE id = 2; INSERT INTO t VALUES (3, 'c')");
    let found = block_on(load(&scene, "t.jsonl").verify(&dsn(&scene))).unwrap();
    assert!(found.holds());
    assert_eq!((found.read, found.equal), (3, 3));
}

#[test]
fn records_are_shaped_and_merged_by_policy() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, day date, seen int); INSERT INTO t VALUES (1, NULL, 9)",
    );
    scene.file("t.jsonl", "{\"user\":{\"id\":1},\"day\":\"31.12.2024\",\"seen\":3}\n");
    let shaped = || {
        let mut shaping = Shaping::default();
        shaping.map("user.id=id").unwrap();
        shaping.parse("day=date:%d.%m.%Y").unwrap();
        load(&scene, "t.jsonl").shaping(shaping)
    };
    let report = block_on(shaped().merge("seen", MergePolicy::Greatest).run(&dsn(&scene))).unwrap();
    assert_eq!((report.rows.read, report.rows.updated), (1, 1));
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|2024-12-31|9"]);
    let found = block_on(shaped().merge("seen", MergePolicy::Least).verify(&dsn(&scene))).unwrap();
    assert!(found.holds() && found.not_compared == ["seen"], "{found:?}");
    let twice = shaped().merge("seen", MergePolicy::Keep).merge("seen", MergePolicy::Fill);
    let error = block_on(twice.run(&dsn(&scene))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_comparison_that_was_stopped_or_could_not_read_everything_does_not_say_that_the_table_holds_it() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = block_on(load(&scene, "t.jsonl").stop(stop).verify(&dsn(&scene))).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Stopped);
    // Stopped in the middle: what was compared up to then is no verdict either.
    let stop = CancellationToken::new();
    let stops = stop.clone();
    let compared = load(&scene, "t.jsonl").stop(stop).on_event(move |_, _| stops.cancel());
    assert_eq!(block_on(compared.verify(&dsn(&scene))).unwrap_err().kind(), ErrorKind::Stopped);

    let mut whole = compress::gzip(b"{\"id\":4}\n");
    whole.truncate(whole.len() - 4);
    scene.file("u.jsonl.gz", whole);
    let both = ["t.jsonl", "u.jsonl.gz"].map(|name| scene.cwd().join(name).to_str().unwrap().to_owned());
    let found = block_on(Load::from(both).into_table("t").verify(&dsn(&scene))).unwrap();
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
    let plan = block_on(load(&scene, "t.jsonl").key(["id"]).plan(&dsn(&scene))).unwrap();
    assert!(plan.creates.as_deref().is_some_and(|sql| sql.starts_with("CREATE TABLE")), "{plan}");
    assert_eq!((plan.key.as_slice(), plan.guarantee), (&["id".to_owned()][..], Guarantee::ExactlyOnce));
    assert!(plan.to_string().contains("to be created"), "{plan}");
    assert!(!scene.db.has_table("t") && !scene.db.has_table("_dbload.run"));
    let report = block_on(load(&scene, "t.jsonl").key(["id"]).run(&dsn(&scene))).unwrap();
    assert_eq!((scene.db.count("t"), report.rows.inserted, report.complete), (2, 2, true));
    assert_eq!(report.guarantee, Guarantee::ExactlyOnce);
    audit(&scene.db);
}

#[test]
fn a_load_that_was_stopped_says_so_and_the_same_load_goes_on() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let lines: String = (0..50_000).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    scene.file("t.jsonl", lines);
    let stop = CancellationToken::new();
    let stops = stop.clone();
    let first = load(&scene, "t.jsonl").batch_rows(500).stop(stop).on_event(move |event, _| {
        if matches!(event, Event::Committed { .. }) {
            stops.cancel();
        }
    });
    let error = block_on(first.run(&dsn(&scene))).unwrap_err();
    assert_eq!((error.kind(), error.is_resumable()), (ErrorKind::Stopped, true), "{error}");
    let committed = error.report().unwrap().rows.inserted;
    assert_eq!(scene.db.count("t"), committed);
    assert!(committed > 0 && committed < 50_000, "{committed}");
    let resumed = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&resumed);
    let second = load(&scene, "t.jsonl").on_event(move |event, _| {
        if let Event::Resumed { records, .. } = event {
            *heard.lock().unwrap() = Some(*records);
        }
    });
    let report = block_on(second.run(&dsn(&scene))).unwrap();
    assert_eq!(*resumed.lock().unwrap(), Some(committed));
    assert_eq!((report.rows.inserted, scene.db.count("t"), report.attempts), (50_000, 50_000, 2));
    audit(&scene.db);
}

#[test]
fn an_error_says_what_can_be_done_and_speaks_of_the_callers_options() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n");
    scene.file("extra.jsonl", "{\"id\":1,\"more\":2}\n");
    scene.file("bad.jsonl", "x\ny\n{\"id\":3}\n");
    let dsn = dsn(&scene);
    let away = Dsn::parse("postgres://nobody:secret@127.0.0.1:1/db").unwrap();
    assert!(!format!("{away:?}").contains("secret"));
    let check = |result: Result<Report, Error>, kind, code| {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.kind().exit_class().code()), (kind, code), "{error}");
        error
    };
    check(block_on(load(&scene, "t.jsonl").run(&away)), ErrorKind::Database, 5);
    let missing = check(block_on(load(&scene, "u.jsonl").run(&dsn)), ErrorKind::Source, 4);
    assert!(missing.hint().unwrap().contains("t.jsonl"), "{:?}", missing.hint());
    let refused = check(block_on(load(&scene, "extra.jsonl").run(&dsn)), ErrorKind::Refused, 6);
    assert!(!refused.is_resumable());
    assert!(refused.hint().is_some_and(|hint| !hint.contains("--")), "{:?}", refused.hint());
    let usage = block_on(Load::from(["t.jsonl"]).into_table("a.b.c").delimiter('é').run(&dsn));
    assert!(check(usage, ErrorKind::Usage, 2).to_string().starts_with("table: "));
    check(block_on(load(&scene, "t.jsonl").connections(0).run(&dsn)), ErrorKind::Usage, 2);
    assert_eq!(Dsn::parse("postgres://me@host:port/db").unwrap_err().kind(), ErrorKind::Usage);
    let over = load(&scene, "bad.jsonl").max_rejects(RejectBudget::Count(1));
    let over = check(block_on(over.run(&dsn)), ErrorKind::Budget, 9);
    assert_eq!((over.is_resumable(), over.report().unwrap().rows.rejected), (true, 2));
}

#[test]
fn events_carry_their_data() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", (0..5_000).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>());
    let heard = Arc::new(Mutex::new((Vec::new(), BTreeSet::new(), 0, 0)));
    let hears = Arc::clone(&heard);
    let load = load(&scene, "t.jsonl").batch_rows(500).on_event(move |event, totals| {
        let mut heard = hears.lock().unwrap();
        match event {
            Event::SourceStarted { name } => heard.0.push(format!("started {name}")),
            Event::SourceRead { name, records, elapsed } => {
                assert!(*elapsed > Duration::ZERO);
                heard.0.push(format!("read {name}: {records}"));
            }
            Event::Committed { partition, rows, elapsed } => {
                assert!(*elapsed > Duration::ZERO && rows.balance());
                heard.1.insert(*partition);
                heard.2 += rows.inserted;
                heard.3 = totals.books.inserted;
            }
            _ => {}
        }
    });
    let report = block_on(load.connections(3).run(&dsn(&scene))).unwrap();
    let (sources, partitions, inserted, total) = &*heard.lock().unwrap();
    let name = scene.cwd().join("t.jsonl").display().to_string();
    assert_eq!(*sources, [format!("started {name}"), format!("read {name}: 5000")]);
    assert_eq!((*inserted, *total, report.rows.inserted), (5_000, 5_000, 5_000));
    assert!(partitions.len() > 1 && partitions.iter().all(|&partition| partition < 3), "{partitions:?}");
}

#[derive(Serialize)]
struct Row<'a> {
    id: u64,
    name: &'a str,
}

#[test]
fn records_that_are_sent_are_committed_at_a_flush_and_at_the_end() {
    let scene =
        Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'old')");
    let report = block_on(async {
        let mut loader = loader(&scene).await;
        for id in 0..1_000 {
            loader.send(&Row { id, name: "new" }).await.unwrap();
        }
        let books = loader.flush().await.unwrap();
        assert_eq!((books.read, books.inserted, books.updated), (1_000, 999, 1));
        assert_eq!(loader.flush().await.unwrap(), books, "nothing came since");
        // Asked of the table by another session, not of the loader.
        tokio::task::block_in_place(|| assert_eq!(scene.db.another().count("t WHERE name = 'new'"), 1_000));
        loader.send_json(b"{\"id\": 7,\n  \"name\": \"again\"}").await.unwrap();
        assert_eq!(loader.flush().await.unwrap().updated, 2);
        let rest = (1_000..3_000).map(|id| Ok::<_, io::Error>(json!({"id": id, "name": "stream"})));
        assert_eq!(loader.send_stream(futures::stream::iter(rest)).await.unwrap(), 2_000);
        loader.finish().await.unwrap()
    });
    assert_eq!((report.rows.read, report.rows.inserted, report.rows.updated), (3_001, 2_999, 2));
    assert_eq!((report.complete, report.guarantee), (true, Guarantee::EffectivelyOnce));
    assert_eq!(report.sources.len(), 1);
    assert_eq!(
        scene.db.lines("SELECT name, count(*) FROM t GROUP BY 1 ORDER BY 1"),
        ["again|1", "new|999", "stream|2000"]
    );
    audit(&scene.db);
}

#[test]
fn what_is_no_record_of_the_table_is_rejected_and_what_is_no_json_at_all_is_an_error_of_the_call() {
    struct NoJson;
    impl Serialize for NoJson {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no form"))
        }
    }
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text)");
    let report = block_on(async {
        let mut loader = loader(&scene).await;
        loader.send(&json!({"id": 1})).await.unwrap();
        loader.send_json(b"{\"id\": \"x\"}").await.unwrap();
        loader.send_json(b"{\"id\": 3}\n{\"id\": 4}").await.unwrap();
        loader.send_json(b"{\"id\": 5, \"name\": \"a\nb\"}").await.unwrap();
        loader.send_json(b" \n").await.unwrap();
        loader.send(&[1, 2]).await.unwrap();
        let error = loader.send(&NoJson).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(error.source().unwrap().to_string(), "no form");
        loader.send_json(b"{\"id\":\n6}\n").await.unwrap();
        loader.finish().await.unwrap()
    });
    assert_eq!((report.rows.read, report.rows.inserted, report.rows.rejected), (6, 2, 4));
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY 1"), ["1", "6"]);
    let places = scene.db.lines("SELECT line FROM _dbload.reject ORDER BY 1");
    assert_eq!(places, ["2", "3", "4", "5"], "the place of a reject is the number of its record");
    audit(&scene.db);
}

#[test]
fn a_stream_that_fails_is_not_one_that_has_ended() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let records = || {
        let failed = io::Error::new(io::ErrorKind::ConnectionReset, "the queue is gone");
        let ok = (0..100).map(|id| Ok(json!({ "id": id })));
        futures::stream::iter(ok.chain([Err(failed), Ok(json!({"id": 100}))]))
    };
    let check = |error: &Error| {
        assert_eq!((error.kind(), error.is_resumable()), (ErrorKind::Source, false), "{error}");
        assert_eq!(error.source().unwrap().to_string(), "the queue is gone");
        let report = error.report().unwrap();
        assert_eq!((report.complete, report.rows.inserted), (false, 100));
    };
    block_on(async {
        let mut loader = loader(&scene).await;
        let error = loader.send_stream(records()).await.unwrap_err();
        check(&error);
        assert_eq!(error.first_unsaved(), None, "with a key everything is sent again");
        let late = loader.send(&json!({"id": 200})).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Usage, "{late}");
    });
    assert_eq!(scene.db.lines("SELECT count(*), max(id) FROM t"), ["100|99"]);
    assert_eq!(scene.db.lines("SELECT DISTINCT state FROM _dbload.run"), ["abandoned"]);

    scene.sql("CREATE TABLE log (id int)");
    block_on(async {
        let mut loader = Loader::open("log").start(&dsn(&scene)).await.unwrap();
        let error = loader.send_stream(records()).await.unwrap_err();
        check(&error);
        assert_eq!(error.report().unwrap().guarantee, Guarantee::AtLeastOnce);
        assert_eq!(error.first_unsaved(), Some(101));
    });
    assert_eq!(scene.db.count("log"), 100);
}

#[test]
fn a_loader_that_is_dropped_stores_nothing_beyond_its_last_commit() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    block_on(async {
        let mut loader = loader(&scene).await;
        for id in 0..10 {
            loader.send(&json!({ "id": id })).await.unwrap();
        }
        loader.flush().await.unwrap();
        for id in 10..20 {
            loader.send(&json!({ "id": id })).await.unwrap();
        }
        drop(loader);
        // The runtime lives on, as that of a service does: the load must not.
        tokio::time::sleep(Duration::from_millis(500)).await;
    });
    scene.db.until_alone();
    assert_eq!(scene.db.lines("SELECT count(*), max(id) FROM t"), ["10|9"]);
    assert_eq!(scene.db.lines("SELECT count(*) FROM _dbload.run WHERE state = 'complete'"), ["0"]);
    let report = block_on(async {
        let mut again = loader(&scene).await;
        again.send(&json!({"id": 20})).await.unwrap();
        again.finish().await.unwrap()
    });
    assert_eq!((report.rows.read, report.attempts), (1, 1), "another call is another load");
}

#[test]
fn loaders_side_by_side_do_not_take_each_others_run() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let sent = |from: u64| {
        let scene = &scene;
        async move {
            let mut loader = loader(scene).await;
            for id in from..from + 2_000 {
                loader.send(&json!({ "id": id })).await.unwrap();
                if id % 500 == 0 {
                    loader.flush().await.unwrap();
                }
            }
            loader.finish().await.unwrap()
        }
    };
    let reports: [Report; 3] = block_on(async { tokio::join!(sent(0), sent(10_000), sent(20_000)).into() });
    let runs: BTreeSet<&str> = reports.iter().map(|report| report.run.as_str()).collect();
    assert_eq!(runs.len(), 3);
    for report in &reports {
        assert_eq!((report.rows.inserted, report.attempts), (2_000, 1));
    }
    assert_eq!(scene.db.count("t"), 6_000);
    audit(&scene.db);
}

#[test]
fn who_sends_faster_than_the_server_takes_waits_and_nothing_is_lost() {
    const PAD: usize = 4_000;
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, pad text)");
    let other = scene.db.another();
    let pad = "x".repeat(PAD);
    let (sent, report) = block_on(async {
        let rejects = scene.cwd().join("rejects.jsonl");
        let open = Loader::open("t").connections(1).max_memory(16 << 20).reject_file(rejects);
        let mut loader = open.start(&dsn(&scene)).await.unwrap();
        loader.send(&json!({"id": 0, "pad": pad})).await.unwrap();
        loader.flush().await.unwrap();
        tokio::task::block_in_place(|| other.sql("BEGIN; LOCK TABLE t"));
        let mut sent = 1;
        // Until it waits for longer than anything but the lock can make it.
        while let Ok(done) =
            tokio::time::timeout(Duration::from_secs(2), loader.send(&json!({"id": sent, "pad": pad}))).await
        {
            done.unwrap();
            sent += 1;
            assert!(sent * PAD < 64 << 20, "so much is under way: {sent} records");
        }
        tokio::task::block_in_place(|| other.sql("COMMIT"));
        (sent as u64, loader.finish().await.unwrap())
    });
    assert!(sent * PAD as u64 > 1 << 20, "something was under way: {sent} records");
    // What was being sent when it was given up was sent whole or not at all.
    assert_eq!(report.rows.inserted, sent);
    assert_eq!(
        scene.db.lines("SELECT count(*), max(id), min(length(pad)) FROM t"),
        [format!("{sent}|{}|{PAD}", sent - 1)]
    );
}

#[test]
fn the_table_is_made_from_what_is_sent_and_an_error_of_the_load_reaches_the_sender() {
    let scene = Scene::new();
    let report = block_on(async {
        let mut loader = Loader::open("made").key(["id"]).start(&dsn(&scene)).await.unwrap();
        loader.send(&Row { id: 1, name: "a" }).await.unwrap();
        loader.finish().await.unwrap()
    });
    assert_eq!((report.table.as_str(), scene.db.count("made")), ("public.made", 1));
    scene.sql("CREATE TABLE t (id int PRIMARY KEY)");
    block_on(async {
        let mut loader = loader(&scene).await;
        let began = Instant::now();
        let error = loop {
            // Has no column: the first call that waits for the load, or the first behind its end, says so.
            if let Err(error) = loader.send(&Row { id: 1, name: "a" }).await {
                break error;
            }
            assert!(began.elapsed() < Duration::from_secs(30));
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("`extra`")), "{:?}", error.hint());
    });
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn one_thread_is_enough() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", (0..30_000).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>());
    runtime.block_on(async {
        assert_eq!(load(&scene, "t.jsonl").run(&dsn(&scene)).await.unwrap().rows.inserted, 30_000);
        assert!(load(&scene, "t.jsonl").verify(&dsn(&scene)).await.unwrap().holds());
        let mut loader = loader(&scene).await;
        for id in 30_000..60_000 {
            loader.send(&json!({ "id": id })).await.unwrap();
        }
        assert_eq!(loader.flush().await.unwrap().inserted, 30_000);
        assert_eq!(loader.finish().await.unwrap().rows.inserted, 30_000);
    });
    assert_eq!(scene.db.count("t"), 60_000);
}

/// Compiles, or not: a service spawns all of them.
fn futures_can_be_sent(loader: &'static mut Loader, dsn: &'static Dsn, done: Loader) {
    fn is_send<T: Send>(_: T) {}
    is_send(Load::from(["a"]).run(dsn));
    is_send(Load::from(["a"]).plan(dsn));
    is_send(Load::from(["a"]).verify(dsn));
    is_send(Loader::open("t").start(dsn));
    // What is sent need not be: it is turned into bytes before anything waits.
    is_send(loader.send(&std::rc::Rc::new(1)));
    is_send(loader.send_json(b"{}"));
    is_send(loader.flush());
    is_send(loader.send_stream(futures::stream::empty::<Result<u8, io::Error>>()));
    is_send(done.finish());
}

mod readme {
    use std::io;

    use futures::Stream;
    use serde::Serialize;

    #[derive(Serialize)]
    pub struct Order {
        pub id: u32,
        pub total: f64,
    }

    // The README, word for word.
    use dbload::{Dsn, Error, Load, Loader};

    pub async fn nightly(dsn: &Dsn, file: &str) -> Result<(), Error> {
        let report = Load::from([file]).into_table("orders").key(["id"]).run(dsn).await?;
        println!("{} inserted, {} rejected", report.rows.inserted, report.rows.rejected);
        Ok(())
    }

    pub async fn live(dsn: &Dsn, orders: impl Stream<Item = io::Result<Order>> + Send) -> Result<(), Error> {
        let mut loader = Loader::open("orders").key(["id"]).start(dsn).await?;
        loader.send_stream(orders).await?; // a stream that fails is not one that has ended
        let books = loader.flush().await?; // all that was sent is committed
        println!("{} so far", books.read);
        loader.finish().await?;
        Ok(())
    }
    // Up to here.
}

#[test]
fn the_example_of_the_readme_loads() {
    let me = include_str!("library.rs");
    let code = me.split("    // The README, word for word.\n").nth(1).unwrap();
    let code = code.split("    // Up to here.\n").next().unwrap().replace("\n    ", "\n").replace("pub ", "");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(
        readme.contains(&format!("```rust\n{}\n```", code.trim())),
        "the README has another example:\n{code}"
    );
    let scene = Scene::with("CREATE TABLE orders (id int PRIMARY KEY, total numeric)");
    scene.file("orders.csv", "id,total\n1,2.50\n2,3\n");
    let orders = || futures::stream::iter((2..5).map(|id| Ok(readme::Order { id, total: 9.5 })));
    let path = scene.cwd().join("orders.csv").to_str().unwrap().to_owned();
    block_on(readme::nightly(&dsn(&scene), &path)).unwrap();
    block_on(readme::live(&dsn(&scene), orders())).unwrap();
    assert_eq!(
        scene.db.lines("SELECT id, total FROM orders ORDER BY 1"),
        ["1|2.50", "2|9.5", "3|9.5", "4|9.5"]
    );
}

#[test]
fn the_readme_has_the_exit_codes_as_the_program_has_them() {
    use dbload::ExitClass;
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
