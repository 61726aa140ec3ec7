//! Where pages end, as APIs are published: the end is found, and no gap is taken for one.

use super::{array, check, scene};
use crate::rows;
use crate::support::api::{Api, Ask, Reply};
use std::time::{Duration, Instant};

/// Records `from..` of 250, a hundred a page.
fn part(from: u64) -> (String, u64) {
    let to = (from + 100).min(250);
    (array(from.min(250), to.max(from.min(250))), to)
}

fn answer(ask: &Ask) -> Reply {
    let number = |name: &str| ask.number(name).unwrap_or(0);
    let at = ask.path.as_str();
    match at {
        // The last page has no `paging` at all.
        "/hubspot" => {
            let (items, to) = part(number("after"));
            let next =
                if to < 250 { format!(r#","paging":{{"next":{{"after":"{to}"}}}}"#) } else { String::new() };
            Reply::json(format!(r#"{{"results":{items}{next}}}"#))
        }
        // `next_page` is always there.
        "/zendesk" => {
            let (items, to) = part(number("start"));
            Reply::json(format!(
                r#"{{"tickets":{items},"next_page":"/zendesk?start={to}","end_of_stream":{}}}"#,
                to == 250
            ))
        }
        // Always a next one, and then nothing, for ever.
        "/ckan" => {
            let (items, _) = part(number("offset"));
            Reply::json(format!(r#"{{"records":{items},"next":"/ckan?offset={}"}}"#, number("offset") + 100))
        }
        "/couch" => {
            let (items, to) = part(number("since"));
            Reply::json(format!(r#"{{"results":{items},"last_seq":{to}}}"#))
        }
        // Pages of a filtered scan: some are empty, some are short.
        "/scan" => {
            let step = number("start");
            let items = if step % 5 > 1 {
                "[]".to_owned()
            } else {
                array(step * 10, step * 10 + if step == 5 { 7 } else { 10 })
            };
            let last = if step < 11 { format!(r#","LastKey":"{}""#, step + 1) } else { String::new() };
            Reply::json(format!(r#"{{"Count":3,"Items":{items}{last}}}"#))
        }
        // The number of hits is at least so much.
        "/search" => {
            let (items, _) = part(number("page") * 100);
            Reply::json(format!(r#"{{"total":{{"value":100,"relation":"gte"}},"hits":{items}}}"#))
        }
        "/nothing" if number("page") > 2 => Reply::new(204, "text/plain", ""),
        "/missing" if number("page") > 2 => Reply::new(404, "text/plain", "no such page"),
        "/total" => {
            let (items, _) = part(number("page") * 100);
            Reply::json(format!(r#"{{"count":250,"hits":{items}}}"#))
        }
        // The total says that there is more.
        "/gap" if number("page") == 1 => Reply::json(r#"{"count":250,"hits":[]}"#),
        "/gap404" if number("page") == 1 => Reply::new(404, "text/plain", "no such page"),
        _ => {
            let (items, _) = part(number("page") * 100);
            Reply::json(format!(r#"{{"count":250,"hits":{items}}}"#))
        }
    }
}

#[test]
fn ends_are_found_and_gaps_are_none() {
    let api = Api::serve(answer);
    for (path, flags, requests) in [
        ("/hubspot", "--records results --paginate cursor:/paging/next/after=after", 3),
        ("/zendesk", "--records tickets --paginate next:/next_page;last=/end_of_stream", 3),
        ("/ckan", "--records records --paginate next:/next;end=empty", 4),
        ("/ckan", "--records records --paginate next:/next;end=short;size=100", 3),
        ("/couch?since=0", "--records results --paginate cursor:/last_seq=since;size=100", 4),
        ("/search", "--records hits --paginate page:page=0;total=/total/value", 4),
        ("/nothing", "--records hits --paginate page:page=0", 4),
        ("/missing", "--records hits --paginate page:page=0", 4),
        ("/total", "--records hits --paginate page:page=0;total=/count", 3),
        ("/total", "--records hits --paginate page:page=0;total=/count;size=100", 3),
    ] {
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t {flags}", api.url(path)));
        check(&scene, 250, &outcome);
        assert_eq!(outcome.rows(), rows!(read: 250, inserted: 250), "{flags}");
        let asked = api.asked().len();
        // Where no total is known, some are asked for in vain.
        let most = if path == "/search" { requests + 4 } else { requests };
        assert!((requests..=most).contains(&asked), "{path} {flags}: {asked}");
    }
    // Short and empty pages in the middle, three empty ones in a row.
    let scene = scene();
    scene.load(&format!(
        "{} -t t --records Items --paginate cursor:/LastKey=start;size=10;total=/Count",
        api.url("/scan")
    ));
    assert_eq!(scene.db.count("t"), 10 * 5 + 7, "steps 0, 1, 5 (short), 6, 10, 11");
    // What cannot be told is a failure, with a way out.
    for (path, flags, said) in [
        ("/ckan", "--records records --paginate next:/next", ";end=empty"),
        ("/gap", "--records hits --paginate page:page=0;total=/count", "too early"),
        (
            "/gap404",
            "--records hits --paginate page:page=0;total=/count",
            "if that is how its pages end, say how a last page is known",
        ),
    ] {
        super::scene().run(&format!("{} -t t {flags}", api.url(path))).exits(4).says(said);
    }
    let scene = super::scene();
    let flags = "--records records --paginate next:/next;end=empty --dry-run";
    let plan = scene.plain(&format!("{} -t t {flags}", api.url("/ckan")));
    let outcome = plan.run().exits(0);
    assert!(outcome.stdout.contains("to the one that names no next, or an empty one"), "{outcome}");
}

#[test]
fn a_limit_that_answers_tell_of_is_kept_to_before_it_refuses() {
    /// Requests that are let through in a window.
    const LIMIT: u64 = 5;
    let window = std::sync::Mutex::new((Duration::ZERO, 0));
    let api = Api::serve(move |ask| {
        let mut window = window.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A window begins with the first request in it, and is over after a second.
        if window.1 == 0 || ask.at >= window.0 + Duration::from_secs(1) {
            *window = (ask.at, 0);
        }
        window.1 += 1;
        if window.1 > LIMIT {
            return Reply::new(429, "text/plain", "slow down").header("retry-after", "2");
        }
        let id = ask.number("after").unwrap_or(0);
        let next = if id < 19 { (id + 1).to_string() } else { "null".to_owned() };
        let reply = Reply::json(format!(r#"{{"items":{},"next":{next}}}"#, array(id, id + 1)));
        let left = LIMIT - window.1;
        // In whole seconds, which may be up.
        if id % 2 == 0 || ask.path.starts_with("/structured") {
            reply.header("ratelimit", format!("\"default\";r={left};t=1"))
        } else {
            reply.header("x-ratelimit-remaining", left.to_string()).header("x-ratelimit-reset", "1")
        }
    });
    for path in ["/structured", "/mixed"] {
        let scene = scene();
        let pages = "--records items --paginate cursor:/next=after";
        let outcome = scene.load(&format!("{} -t t {pages}", api.url(path)));
        check(&scene, 20, &outcome);
        assert_eq!(refused(&outcome), 0, "{path}: {outcome}");
        assert_eq!(api.asked().len(), 20, "{path}");
        std::thread::sleep(Duration::from_millis(1_100));
    }
}

/// Requests that were refused for now, as the report has them.
fn refused(outcome: &crate::support::Outcome) -> u64 {
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    report["http"]["refused"].as_u64().unwrap()
}

#[test]
fn a_limit_inside_an_answer_is_one_where_that_is_said() {
    let api = Api::serve(|ask| match (ask.path.as_str(), ask.before % 2) {
        ("/shop", 0) => {
            Reply::json(r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}"#)
        }
        _ => {
            let (items, to) = part(ask.number("after").unwrap_or(0));
            let next = if to < 250 { format!("\"{to}\"") } else { "null".to_owned() };
            Reply::json(format!(r#"{{"data":{{"items":{items},"next":{next}}}}}"#))
        }
    });
    let pages = "--records data.items --paginate cursor:/data/next=after";
    let line = format!("{} -t t {pages}", api.url("/shop"));
    let scene = scene();
    scene.run(&line).exits(4).says("Throttled");
    let outcome = scene.load(&format!("{line} --throttled-at /errors/0/extensions/code=THROTTLED"));
    check(&scene, 250, &outcome);
    assert!(refused(&outcome) >= 2, "{outcome}");
}

#[test]
fn a_limit_that_is_used_up_is_waited_for_and_tries_are_as_many_as_was_said() {
    let api = Api::serve(|ask| match (ask.path.as_str(), ask.before) {
        ("/forbidden", 0) => Reply::new(403, "application/json", r#"{"message":"API rate limit exceeded"}"#)
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "2"),
        ("/fraction", 0) => Reply::new(429, "text/plain", "slow").header("retry-after", "2.0"),
        ("/reset", 0) => Reply::new(429, "text/plain", "slow").header("x-ratelimit-reset", "2"),
        ("/busy", _) => Reply::new(503, "text/plain", "busy"),
        _ => Reply::json(array(0, 10)),
    });
    for path in ["/forbidden", "/fraction", "/reset"] {
        let scene = scene();
        let begun = Instant::now();
        let outcome = scene.load(&format!("{} -t t", api.url(path)));
        check(&scene, 10, &outcome);
        assert!(begun.elapsed() >= Duration::from_secs(2), "{path}: {outcome}");
        assert_eq!(api.asked().len(), 2, "{path}: it was waited for");
    }
    let scene = scene();
    scene.run(&format!("{} -t t --http-tries 2", api.url("/busy"))).exits(4).says("after 2 tries");
    assert_eq!(api.asked().len(), 2);
}
