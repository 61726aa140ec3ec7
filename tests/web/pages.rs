//! Paginated endpoints: every way to the next page, resumes exact where the pages are what they were, and
//! ends that are none.

use super::{array, check, kill_beyond, record, rows, scene, wait_until};
use crate::rows;
use crate::support::{
    Rng,
    api::{Api, Ask, Reply},
    audit,
};
use std::time::Duration;

/// Records on a page.
const SIZE: u64 = 100;

/// An API over records `0..n` that pages in every way.
fn api_of(n: u64) -> impl Fn(&Ask) -> Reply + Send + Sync {
    move |ask| {
        let number = |name: &str| ask.number(name);
        let from = match ask.path.as_str() {
            "/page" => (number("page").unwrap_or(1) - 1) * SIZE,
            "/offset" => number("offset").unwrap_or(0),
            "/cursor" => {
                ask.query.get("after").map_or(0, |token| token.trim_start_matches("tok-").parse().unwrap())
            }
            "/posted" => {
                let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap();
                body["page"]["number"].as_u64().unwrap() * SIZE
            }
            _ => number("from").unwrap_or(0),
        };
        let size = number("limit").unwrap_or(SIZE);
        let (from, to) = (from.min(n), (from + size).min(n));
        let records = array(from, to);
        let next = (to < n).then(|| format!("{}?from={to}", ask.path));
        match ask.path.as_str() {
            "/link" => {
                let reply = Reply::json(records);
                match next {
                    Some(next) => {
                        reply.header("link", format!("<{next}>; rel=\"next\", </link>; rel=\"first\""))
                    }
                    None => reply,
                }
            }
            "/next" => Reply::json(format!(
                r#"{{"meta":{{"next":{}}},"data":{{"items":{records}}}}}"#,
                serde_json::Value::from(next)
            )),
            "/cursor" => {
                let token = if to < n { format!("\"tok-{to}\"") } else { "null".to_owned() };
                Reply::json(format!(r#"{{"data":{{"items":{records}}},"cursor":{token}}}"#))
            }
            "/posted" => Reply::json(format!(r#"{{"data":{{"items":{records}}},"total":{n}}}"#)),
            _ => Reply::json(records),
        }
    }
}

/// Path, flags, and how many requests 1,050 records take.
const WAYS: [(&str, &str, usize); 7] = [
    ("/link", "--paginate link", 11),
    ("/next", "--paginate next:/meta/next --records data.items", 11),
    ("/cursor", "--paginate cursor:/cursor=after --records data.items", 11),
    ("/page", "--paginate page:page", 12),
    ("/page", "--paginate page:page;size=100", 11),
    ("/offset", "--paginate offset:offset,limit=100", 11),
    (
        "/posted",
        "--paginate page:/page/number=0;total=/total --records data.items --body {\"page\":{\"number\":0}}",
        11,
    ),
];

#[test]
fn every_way_to_the_next_page_leads_to_all_records() {
    let api = Api::serve(api_of(1_050));
    for (path, flags, requests) in WAYS {
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t {flags}", api.url(path)));
        check(&scene, 1_050, &outcome);
        let report = outcome.report();
        assert_eq!(
            (report.rows, audit(&scene.db)),
            (rows!(read: 1_050, inserted: 1_050), report.rows),
            "{flags}"
        );
        assert_eq!(report.guarantee, "effectively-once", "{flags}");
        let asked = api.targets();
        assert!(asked.len() >= requests && asked.len() <= requests + 16, "{flags}: {asked:?}");
        let distinct: std::collections::BTreeSet<_> = asked.iter().collect();
        assert!(path == "/posted" || distinct.len() == asked.len(), "a page was asked for twice: {asked:?}");
    }
}

#[test]
fn a_paginated_load_killed_at_random_moments_is_resumed_exactly() {
    let mut rng = Rng::new();
    let seed = rng.seed;
    let mut kills = 0;
    // Each way at least once, and 20 kills in all.
    let mut ways = (0..WAYS.len()).chain(std::iter::repeat_with(|| usize::MAX));
    while kills < 20 || ways.clone().next() != Some(usize::MAX) {
        let way = ways.next().filter(|way| *way < WAYS.len());
        let way = way.unwrap_or_else(|| usize::try_from(rng.below(WAYS.len() as u64)).unwrap());
        let (path, flags, _) = WAYS[way];
        let answer = api_of(10_050);
        let api = Api::serve(move |ask| answer(ask).after(Duration::from_millis(2)));
        let scene = scene();
        let line = format!("{} -t t {flags} --batch-rows {}", api.url(path), 40 + rng.below(400));
        loop {
            let outcome = scene.dbload(&line).spawn().kill9_after(Duration::from_millis(80 + rng.below(600)));
            if outcome.was_killed() {
                kills += 1;
                continue;
            }
            let outcome = outcome.exits(0);
            check(&scene, 10_050, &outcome);
            let report = outcome.report();
            if scene.db.count("_dbload.run") > 1 {
                // Killed when all was done: this was another load, of the same.
                assert_eq!(
                    report.rows,
                    rows!(read: 10_050, unchanged: 10_050),
                    "{flags}, seed {seed}: {outcome}"
                );
                break;
            }
            assert_eq!(
                (report.rows, audit(&scene.db)),
                (rows!(read: 10_050, inserted: 10_050), report.rows),
                "{flags}, seed {seed}: {outcome}"
            );
            break;
        }
    }
}

#[test]
fn a_resume_asks_for_the_page_where_it_stopped_and_not_for_those_before() {
    let answer = api_of(20_000);
    let api = Api::serve(move |ask| answer(ask).after(Duration::from_millis(5)));
    let scene = scene();
    let line = format!(
        "{} -t t --paginate cursor:/cursor=after --records data.items --batch-rows 300",
        api.url("/cursor")
    );
    let running = scene.dbload(&line).spawn();
    kill_beyond(&scene, running, 5_000);
    let stored = scene.db.count("t");
    assert!(stored < 19_000, "the kill came too late");
    api.asked();
    let outcome = scene.load(&line);
    check(&scene, 20_000, &outcome);
    let asked = api.asked();
    let first = asked[0].query["after"].trim_start_matches("tok-").parse::<u64>().unwrap();
    assert!(first + 3_000 > stored && first <= stored, "began at {first} with {stored} stored");
}

#[test]
fn pages_that_changed_are_applied_again_from_where_the_load_stopped() {
    let answer = api_of(20_000);
    let api = Api::serve(move |ask| answer(ask).after(Duration::from_millis(5)));
    let scene = scene();
    let line = format!("{} -t t --paginate page:page;size=100 --batch-rows 300", api.url("/page"));
    let running = scene.dbload(&line).spawn();
    kill_beyond(&scene, running, 5_000);
    assert!(scene.db.count("t") < 19_000, "the kill came too late");
    // The same records with other values.
    let answer = api_of(20_000);
    api.answer_with(move |ask| {
        let mut reply = answer(ask);
        let text = String::from_utf8(reply.body.to_vec()).unwrap().replace("\"r", "\"later ");
        reply.body = text.into();
        reply
    });
    let outcome = scene.load(&line).says("not what they were");
    let report = outcome.report();
    assert_eq!(report.guarantee, "effectively-once");
    assert_eq!(scene.db.count("t"), 20_000);
    // Every record from the page where it stopped on has its later value, and none is torn.
    let first_later: u64 = scene.db.one("SELECT min(id) FROM t WHERE note LIKE 'later%'").parse().unwrap();
    assert!(first_later < 19_000 && first_later.is_multiple_of(SIZE), "{outcome}");
    let expected = format!(
        "(SELECT id, v, CASE WHEN id < {first_later} THEN note ELSE 'later ' || id END AS note FROM {}) x",
        rows(0, 20_000)
    );
    assert_eq!(scene.db.digest("t"), scene.db.digest(&expected), "{outcome}");
    assert_eq!(audit(&scene.db), report.rows);
}

#[test]
fn pages_without_a_proper_end_are_failures() {
    let api = Api::serve(|ask| {
        let from = ask.number("from").unwrap_or(0);
        let (records, next) = match ask.path.as_str() {
            "/loop1" => (array(0, 10), ask.target()),
            "/loop2" => (array(from, from + 10), format!("/loop2?from={}", (from + 10) % 20)),
            "/loop50" => (array(from, from + 10), format!("/loop50?from={}", (from + 10) % 500)),
            "/same" => (array(0, 10), format!("/same?from={}", from + 1)),
            "/endless" => (array(from, from + 1), format!("/endless?from={}", from + 1)),
            "/nothing" => ("[]".to_owned(), format!("/nothing?from={}", from + 1)),
            "/elsewhere" => (array(0, 10), "http://127.0.0.2:1/x".to_owned()),
            _ => (array(0, 10), "//user@127.0.0.1:1/x".to_owned()),
        };
        Reply::json(format!(r#"{{"next":"{next}","items":{records}}}"#))
    });
    for (path, said) in [
        ("/loop1", "circle"),
        ("/loop2", "again"),
        ("/loop50", "again"),
        ("/same", "again"),
        ("/endless", "limit of 200"),
        ("/nothing", "end"),
        ("/elsewhere", "which was not named"),
        ("/trick", "which was not named"),
    ] {
        let scene = scene();
        let line = format!("{} -t t --paginate next:/next --records items --max-pages 200", api.url(path));
        let outcome = scene.run(&line).exits(4).says(said);
        assert!(!outcome.report().complete, "{outcome}");
        let before = api.requests();
        // What came before is loaded, and the same command begins there.
        if path == "/endless" {
            assert_eq!(scene.db.count("t"), 200, "{outcome}");
            scene.run(&line).exits(4);
            assert!(scene.db.count("t") >= 200 && api.requests() > before);
        }
    }
}

#[test]
fn a_single_object_is_one_record_and_an_empty_array_none() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/one" => Reply::json(record(0)),
        "/deep" => Reply::json(format!(r#"{{"data":{}}}"#, record(0))),
        _ => Reply::json("[]"),
    });
    for (path, flags, n) in [("/one", "", 1), ("/deep", "--records data", 1), ("/none", "", 0)] {
        for pages in ["", "--paginate link"] {
            let scene = scene();
            let outcome = scene.load(&format!("{} -t t {flags} {pages}", api.url(path)));
            check(&scene, n, &outcome);
        }
    }
}

#[test]
fn the_database_is_busy_while_pages_are_still_coming() {
    let answer = api_of(3_000);
    let api = Api::serve(move |ask| answer(ask).after(Duration::from_millis(40)));
    let scene = scene();
    let line = format!("{} -t t --paginate link --batch-rows 200", api.url("/link"));
    let running = scene.dbload(&line).spawn();
    wait_until("rows are committed", || scene.db.count("t") > 0);
    let asked = api.requests();
    assert!(asked < 25, "all pages were asked for before the first row was committed: {asked}");
    let outcome = running.wait().exits(0);
    check(&scene, 3_000, &outcome);
}
