//! Many endpoints: in the order given, however fast each answers; one that fails stops no other and is
//! fetched alone later.

use super::{array, check, id_of, record, rows, scene, wait_until};
use crate::rows;
use crate::support::{
    Rng, Scene,
    api::{Api, Ask, Reply},
    audit,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Endpoint `/items/i` has records `10 * i..10 * i + 10`.
fn items(ask: &Ask) -> Reply {
    Reply::json(array(id_of(ask) * 10, id_of(ask) * 10 + 10))
}

fn failed_sources(outcome: &crate::support::Outcome) -> Vec<String> {
    let sources = outcome.report().sources;
    sources.into_iter().filter(|source| source.state == "failed").map(|source| source.name).collect()
}

#[test]
fn one_of_500_endpoints_fails_for_good_and_is_fetched_alone_by_the_same_command() {
    let api =
        Api::serve(
            |ask| if id_of(ask) == 123 { Reply::new(403, "text/plain", "not yours") } else { items(ask) },
        );
    let scene = scene();
    let line = format!("{} -t t --concurrency 50", api.url("/items/{0..499}"));
    let outcome = scene.run(&line).exits(4).says("/items/123").says("not yours");
    assert_eq!(failed_sources(&outcome), [api.url("/items/123")]);
    let report = outcome.report();
    assert_eq!((report.complete, report.rows), (false, rows!(read: 4_990, inserted: 4_990)), "{outcome}");
    let expected = format!("(SELECT * FROM {} WHERE id / 10 <> 123) x", rows(0, 5_000));
    assert_eq!(scene.db.digest("t"), scene.db.digest(&expected));
    assert_eq!(api.requests(), 500);

    api.asked();
    let outcome = scene.run(&line).exits(4);
    assert_eq!(api.targets(), ["/items/123"], "{outcome}");
    api.answer_with(items);
    let outcome = scene.load(&line);
    assert_eq!(api.targets(), ["/items/123"], "{outcome}");
    check(&scene, 5_000, &outcome);
    let report = outcome.report();
    assert_eq!((report.rows, audit(&scene.db)), (rows!(read: 5_000, inserted: 5_000), report.rows));
    assert!(report.sources.iter().all(|source| source.state == "complete"), "{outcome}");
}

#[test]
fn an_endpoint_that_was_set_aside_is_read_up_to_there_and_no_further_by_a_resume_of_what_came_before() {
    let api = Api::serve(|ask| match id_of(ask) {
        // Slow, so that it is in flight when the load is killed, and the failed one is known already.
        0 => Reply::new(200, "application/x-ndjson", super::lines(0, 2_000))
            .in_pieces(1_000, Duration::from_millis(20)),
        1 => Reply::new(500, "text/plain", "down"),
        n => Reply::json(array(n * 1_000, n * 1_000 + 1_000)),
    });
    let scene = scene();
    let line = format!("{} -t t --http-tries 1 --batch-rows 100", api.url("/items/{0..5}"));
    scene.run(&line).exits(4);
    api.asked();
    api.answer_with(|ask| match id_of(ask) {
        0 => Reply::new(200, "application/x-ndjson", super::lines(0, 2_000)),
        1 => Reply::json("[]"),
        n => Reply::json(array(n * 1_000, n * 1_000 + 1_000)),
    });
    let outcome = scene.load(&line);
    assert_eq!(api.targets(), ["/items/1"]);
    check(&scene, 6_000, &outcome);
}

#[test]
fn the_last_endpoint_in_the_order_wins_however_the_answers_come() {
    for seed in 0..3 {
        let mut rng = Rng::from_seed(seed);
        let delays: Arc<Vec<u64>> = Arc::new((0..60).map(|_| rng.below(120)).collect());
        let answered = Arc::clone(&delays);
        let api = Api::serve(move |ask| {
            let i = id_of(ask);
            let records: Vec<String> =
                (0..20).map(|id| format!(r#"{{"id":{id},"v":{i},"note":"n{i}"}}"#)).collect();
            let delay = Duration::from_millis(answered[usize::try_from(i).unwrap()]);
            Reply::json(format!("[{}]", records.join(","))).after(delay)
        });
        let scene = scene();
        let outcome =
            scene.load(&format!("{} -t t --concurrency 20 --batch-rows 7", api.url("/items/{0..59}")));
        assert_eq!(scene.db.lines("SELECT DISTINCT v, note FROM t"), ["59|n59"], "{outcome}");
        assert_eq!(outcome.rows().read, 1_200);
    }
}

#[test]
fn never_more_requests_at_once_than_the_flag_says() {
    const ANSWER: Duration = Duration::from_millis(60);
    let api = Api::serve(|ask| items(ask).after(ANSWER));
    let scene = scene();
    let outcome = scene.load(&format!("{} -t t --concurrency 7", api.url("/items/{0..99}")));
    check(&scene, 1_000, &outcome);
    // None is answered sooner than that: what comes within it is in flight together.
    let at: Vec<Duration> = api.asked().iter().map(|ask| ask.at).collect();
    let together = at.iter().map(|&from| at.iter().filter(|&&at| at >= from && at < from + ANSWER).count());
    assert_eq!(together.max(), Some(7), "{outcome}");
}

#[test]
fn lists_and_rows_become_requests_with_fields_for_their_records() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/a" | "/b" => {
            Reply::json(array(if ask.path == "/a" { 0 } else { 10 }, if ask.path == "/a" { 10 } else { 20 }))
        }
        "/c.csv" => Reply::new(200, "text/csv", "id,v,note\n20,1,x\n"),
        path => {
            let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
            Reply::json(format!(r#"{{"v":{},"note":"r{id}"}}"#, id * 7))
        }
    });
    let table =
        "CREATE TABLE t (id bigint PRIMARY KEY, v bigint, note text, region text, rank int, tags jsonb)";
    let scene = Scene::with(table);
    let list = format!(
        "# two ways\n{}\n\n{{\"url\":\"{}\",\"region\":\"eu\",\"rank\":2,\"tags\":[1,{{\"a\":null}}]}}\n{{\"url\":\"{}\",\"region\":\"us\",\"rank\":3,\"tags\":{{}}}}\n",
        api.url("/a"),
        api.url("/b"),
        api.url("/c.csv")
    );
    scene.file("urls.txt", &list);
    let outcome = scene.load("--urls urls.txt -t t");
    assert_eq!(
        scene
            .db
            .lines("SELECT count(*), region, rank, tags FROM t GROUP BY 2, 3, 4 ORDER BY rank NULLS FIRST"),
        ["10|NULL|NULL|NULL", "10|eu|2|[1, {\"a\": null}]", "1|us|3|{}"],
        "{outcome}"
    );

    // A list of ids becomes requests; a column of it is a field of what comes back.
    let scene = super::scene();
    scene.file("ids.csv", format!("id,name\n{}", (0..40).map(|i| format!("{i},n{i}\n")).collect::<String>()));
    let line = format!("{} -t t --each ids.csv --each-fields id", api.url("/item/{id}"));
    let outcome = scene.load(&line);
    check(&scene, 40, &outcome);
    scene.file("ids.jsonl", (0..40).map(|i| format!("{{\"id\":{i}}}\n")).collect::<String>());
    let outcome = scene.load(&line.replace("ids.csv", "ids.jsonl"));
    check(&scene, 40, &outcome);
    assert_eq!(outcome.rows(), rows!(read: 40, unchanged: 40));

    // A field that the answer has too would be two on one column.
    scene
        .run(&format!("{} -t t --each ids.csv --each-fields id", api.url("/a?x={id}")))
        .exits(6)
        .says("both go to");
    scene.run(&format!("{} -t t --each ids.csv", api.url("/item/{nr}"))).exits(4).says("no value for {nr}");
    scene.file("bad.txt", "https://h/a\nnonsense\n");
    scene.run("--urls bad.txt -t t").exits(4).says("bad.txt, line 2");
}

#[test]
fn many_endpoints_are_resumed_exactly_wherever_they_are_killed() {
    let mut rng = Rng::from_seed(7);
    for _ in 0..6 {
        let api = Api::serve(|ask| {
            items(ask).header("etag", format!("\"{}\"", id_of(ask))).after(Duration::from_millis(3))
        });
        let scene = scene();
        let line = format!("{} -t t --concurrency 4 --batch-rows 50", api.url("/items/{0..299}"));
        let mut starts = 1;
        loop {
            let running = scene.dbload(&line).spawn();
            // A slow machine gets further from start to start.
            let outcome = running.kill9_after(Duration::from_millis(100 + rng.below(600) + 40 * starts));
            if !outcome.was_killed() {
                let outcome = outcome.exits(0);
                check(&scene, 3_000, &outcome);
                let report = outcome.report();
                if scene.db.count("_dbload.run") > 1 {
                    // Killed when all was done: this was another load, of the same.
                    assert_eq!(report.rows, rows!(read: 3_000, unchanged: 3_000), "{outcome}");
                    break;
                }
                assert_eq!(
                    (report.rows, audit(&scene.db)),
                    (rows!(read: 3_000, inserted: 3_000), report.rows),
                    "{outcome}"
                );
                break;
            }
            starts += 1;
            assert!(starts < 60, "it gets nowhere");
        }
    }
}

#[test]
fn a_run_that_lacks_only_its_completion_is_completed_without_a_request() {
    let api = Api::serve(items);
    let scene = scene();
    let line = format!("{} -t t --concurrency 8", api.url("/items/{0..49}"));
    let killed = scene.dbload(&line).env("DBLOAD_CRASH_AT", "completing:1").run();
    assert!(killed.was_killed(), "{killed}");
    api.asked();
    let outcome = scene.load(&line);
    assert_eq!(api.targets(), Vec::<String>::new(), "{outcome}");
    check(&scene, 500, &outcome);
    assert_eq!(scene.db.count("_dbload.run"), 1);
}

#[test]
fn lists_with_endpoints_that_fail_are_resumed_exactly_wherever_they_are_killed() {
    let mut rng = Rng::new();
    let seed = rng.seed;
    let bad = |id: u64| id % 50 == 17;
    for flags in ["--urls list.txt", "--each ids.csv"] {
        let api = Api::serve(move |ask| match id_of(ask) {
            id if bad(id) => Reply::new(410, "text/plain", "gone"),
            _ => items(ask).after(Duration::from_millis(3)),
        });
        let scene = scene();
        let list: String = (0..200).map(|i| api.url(&format!("/items/{i}")) + "\n").collect();
        scene.file("list.txt", list);
        scene.file("ids.csv", format!("id\n{}", (0..200).map(|i| format!("{i}\n")).collect::<String>()));
        let word = if flags.starts_with("--each") { api.url("/items/{id}") } else { String::new() };
        let line = format!("{word} {flags} -t t --concurrency 8 --batch-rows 50");
        let killed = |starts: u64, rng: &mut Rng| {
            let running = scene.dbload(&line).spawn();
            running.kill9_after(Duration::from_millis(80 + rng.below(500) + 40 * starts))
        };
        let mut starts = 0;
        let outcome = loop {
            let outcome = killed(starts, &mut rng);
            if !outcome.was_killed() {
                break outcome.exits(4);
            }
            starts += 1;
            assert!(starts < 60, "it gets nowhere");
        };
        let expected = format!("(SELECT * FROM {} WHERE id / 10 % 50 <> 17) x", rows(0, 2_000));
        assert_eq!(scene.db.digest("t"), scene.db.digest(&expected), "{flags}, seed {seed}: {outcome}");
        let report = outcome.report();
        assert_eq!(report.rows, rows!(read: 1_960, inserted: 1_960), "{flags}, seed {seed}: {outcome}");
        api.asked();
        // Mended, and killed once more on the way: what failed is fetched, and nothing else.
        api.answer_with(|ask| items(ask).after(Duration::from_millis(3)));
        killed(0, &mut rng);
        let outcome = scene.load(&line);
        check(&scene, 2_000, &outcome);
        let asked: BTreeSet<u64> = api.asked().iter().map(id_of).collect();
        if scene.db.count("_dbload.run") == 1 {
            assert!(asked.iter().all(|id| bad(*id)), "{flags}, seed {seed}: {asked:?}");
            let report = outcome.report();
            assert_eq!((report.rows, audit(&scene.db)), (rows!(read: 2_000, inserted: 2_000), report.rows));
        }
    }
}

#[test]
fn a_fast_endpoint_behind_a_slow_one_waits_for_its_turn_and_is_not_asked_twice() {
    let api =
        Api::serve(|ask| items(ask).after(Duration::from_millis(if id_of(ask) == 0 { 1_500 } else { 0 })));
    let scene = scene();
    let line = format!("{} -t t --concurrency 8", api.url("/items/{0..49}"));
    let running = scene.dbload(&line).spawn();
    wait_until("all are asked while the first is awaited", || api.requests() == 50);
    assert_eq!(scene.db.count("t"), 0, "nothing is written before its turn");
    let outcome = running.wait().exits(0);
    check(&scene, 500, &outcome);
    let asked: Vec<String> = api.targets();
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 50);
    assert_eq!(asked.len(), 50);
}

#[test]
fn a_dry_run_asks_for_one_answer_and_writes_nothing() {
    let api = Api::serve(|ask| Reply::json(format!("[{}]", record(id_of(ask)))));
    let scene = scene();
    let outcome = scene.plain(&format!("{} -t t --dry-run", api.url("/items/{0..99}"))).run().exits(0);
    assert_eq!(api.targets(), ["/items/0"], "{outcome}");
    assert!(outcome.stdout.contains("\"note\" -> \"note\" text"), "{outcome}");
    assert_eq!(scene.db.count("t"), 0);
}
