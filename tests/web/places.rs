//! Where the next page is told: in a header, by its rel in an array, in the last record, in several tokens at
//! once, by a server that moves on by itself; and what is said where nobody asked for pages.

use super::{array, check, kill_beyond, record, scene};
use crate::rows;
use crate::support::api::{Api, Ask, Reply};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const N: u64 = 250;

fn part(from: u64) -> (String, u64) {
    let to = (from + 100).min(N);
    (array(from.min(to), to), to)
}

fn told(ask: &Ask) -> Reply {
    let number = |name: &str| ask.number(name).unwrap_or(0);
    match ask.path.as_str() {
        // The token is in a header, and none at all behind the last page.
        "/token" => {
            let (items, to) = part(number("after"));
            let reply = Reply::json(items).header("X-Total", N.to_string());
            if to < N { reply.header("X-Next-Token", to.to_string()) } else { reply }
        }
        // As GitLab: the number of the next page, empty behind the last.
        "/gitlab" => {
            let page = ask.number("page").unwrap_or(1);
            let (items, to) = part((page - 1) * 100);
            let next = if to < N { (page + 1).to_string() } else { String::new() };
            Reply::json(items).header("x-next-page", next).header("x-total-pages", "3")
        }
        "/url" => {
            let (items, to) = part(number("after"));
            let reply = Reply::json(items);
            if to < N { reply.header("X-Next-Url", format!("/url?after={to}")) } else { reply }
        }
        "/ranged" => {
            let (items, to) = part(number("from"));
            Reply::json(items).header("Content-Range", format!("items {}-{to}/{N}", number("from")))
        }
        "/fhir" => {
            let (items, to) = part(number("at"));
            let next = format!(r#",{{"relation":"next","url":"/fhir?at={to}"}}"#);
            let next = if to < N { next } else { String::new() };
            Reply::json(format!(r#"{{"link":[{{"relation":"self","url":"/fhir"}}{next}],"entry":{items}}}"#))
        }
        // As Stripe: behind the last record, as long as there is more.
        "/stripe" => {
            let (items, to) = part(ask.number("starting_after").map_or(0, |id| id + 1));
            Reply::json(format!(r#"{{"object":"list","data":{items},"has_more":{}}}"#, to < N))
        }
        // As MediaWiki: both have to be sent back.
        "/wiki" => {
            let from =
                ask.query.get("cmcontinue").map_or(0, |from| from.trim_start_matches('p').parse().unwrap());
            if from > 0 && ask.query.get("continue").map(String::as_str) != Some("-||") {
                return Reply::new(400, "text/plain", "what is to be continued?");
            }
            let (items, to) = part(from);
            let next = format!(r#""continue":{{"cmcontinue":"p{to}","continue":"-||"}},"#);
            let next = if to < N { next } else { String::new() };
            Reply::json(format!(r#"{{{next}"members":{items}}}"#))
        }
        // As Elasticsearch with a point in time, whose id may change with each answer.
        "/search" => {
            let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap();
            let from = body["search_after"][0].as_u64().map_or(0, |id| id + 1);
            if body["pit"]["id"] != format!("pit{from}") {
                return Reply::new(404, "application/json", r#"{"error":"no such point in time"}"#);
            }
            let (_, to) = part(from);
            let hits: Vec<String> =
                (from..to).map(|i| format!(r#"{{"_source":{},"sort":[{i}]}}"#, record(i))).collect();
            Reply::json(format!(r#"{{"pit_id":"pit{to}","hits":{{"hits":[{}]}}}}"#, hits.join(",")))
        }
        _ => Reply::new(404, "text/plain", "no such thing"),
    }
}

#[test]
fn the_next_page_is_found_wherever_an_answer_tells_it() {
    let api = Api::serve(told);
    for (path, flags) in [
        ("/token", "--paginate cursor:header:X-Next-Token=after"),
        ("/gitlab", "--paginate cursor:header:x-next-page=page"),
        ("/gitlab", "--paginate page:page;pages=header:X-Total-Pages"),
        ("/token", "--paginate offset:after,limit=100;total=header:x-total"),
        ("/ranged", "--paginate offset:from,limit=100;total=header:content-range"),
        ("/url", "--paginate next:header:X-Next-Url"),
        ("/fhir", "--records entry --paginate next:/link[relation=next]/url"),
        ("/stripe", "--records data --paginate cursor:record:/id=starting_after;more=/has_more"),
        ("/stripe", "--records data --paginate cursor:/data/-1/id=starting_after;more=/has_more"),
        (
            "/wiki",
            "--records members --paginate cursor:/continue/cmcontinue=cmcontinue,/continue/continue=continue",
        ),
    ] {
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t {flags}", api.url(path)));
        check(&scene, N, &outcome);
        assert_eq!(outcome.rows(), rows!(read: N, inserted: N), "{flags}");
        assert_eq!(api.asked().len(), 3, "{path} {flags}");
    }
}

/// A server of scrolls: each request for one gives its next hundred, whatever was asked before.
fn scroll(n: u64) -> impl Fn(&Ask) -> Reply + Send + Sync {
    let scrolls: Mutex<BTreeMap<String, u64>> = Mutex::default();
    move |ask| {
        let mut scrolls = scrolls.lock().unwrap_or_else(PoisonError::into_inner);
        let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap_or_default();
        let id = match ask.path.as_str() {
            "/items/_search" if body["size"] == 100 => format!("scroll{}", scrolls.len()),
            "/_search/scroll" if body.get("size").is_none() => body["scroll_id"].as_str().unwrap().to_owned(),
            _ => return Reply::new(400, "text/plain", "neither a search nor a scroll"),
        };
        if ask.query.get("scroll").map(String::as_str) != Some("1m") {
            return Reply::new(400, "text/plain", "how long?");
        }
        let at = scrolls.entry(id.clone()).or_default();
        let (from, to) = (*at, (*at + 100).min(n));
        *at = to;
        Reply::json(format!(r#"{{"_scroll_id":"{id}","hits":{}}}"#, array(from, to)))
            .after(Duration::from_millis(3))
    }
}

#[test]
fn a_scroll_is_read_to_its_end_and_begun_anew_by_a_resume() {
    const MANY: u64 = 15_000;
    let api = Api::serve(scroll(MANY));
    let scene = scene();
    let load = || {
        scene
            .dbload("-t t --records hits --batch-rows 300")
            .arg(api.url("/items/_search?scroll=1m"))
            .args(["--body", r#"{"size":100}"#, "--paginate"])
            .arg("cursor:/_scroll_id=/scroll_id;then=/_search/scroll?scroll=1m;stateful")
    };
    kill_beyond(&scene, load().spawn(), 3_000);
    assert!(scene.db.count("t") < MANY, "the kill came too late");
    let outcome = load().run().exits(0);
    check(&scene, MANY, &outcome);
    assert_eq!(outcome.rows(), rows!(read: MANY, inserted: MANY));
    // Without the word, the same token with records is a circle.
    let scene = super::scene();
    let outcome = scene
        .dbload("-t t --records hits --paginate cursor:/_scroll_id=/scroll_id;then=/_search/scroll?scroll=1m")
        .arg(api.url("/items/_search?scroll=1m"))
        .args(["--body", r#"{"size":100}"#])
        .run();
    outcome.exits(4).says("circle");
}

#[test]
fn links_to_another_name_of_the_server_are_followed_where_that_is_said() {
    let api = Api::serve(|ask| {
        let (items, to) = part(ask.number("at").unwrap_or(0));
        let next = (to < N).then(|| format!("https://inner.example:8000{}?at={to}", ask.path));
        Reply::json(format!(r#"{{"next":{},"results":{items}}}"#, serde_json::Value::from(next)))
    });
    let line = format!("{} -t t --records results --paginate next:/next", api.url("/items"));
    let scene = scene();
    scene.run(&line).exits(4).says("which was not named").says("--same-origin");
    let outcome = scene.load(&format!("{line} --same-origin"));
    check(&scene, N, &outcome);
    assert!(api.targets().iter().all(|target| target.starts_with("/items")));
}

/// Where nobody asked for pages, and an answer says that there are some.
fn alone(ask: &Ask) -> Reply {
    let items = array(0, 100);
    match ask.path.as_str() {
        "/drf" => Reply::json(format!(r#"{{"count":5003,"next":"http://h/drf?page=2","results":{items}}}"#)),
        "/link" => Reply::json(items).header("link", "<https://h/x?page=2>; rel=\"next\""),
        "/count" => Reply::json(format!(r#"{{"count":5003,"results":{items}}}"#)),
        "/csv" => Reply::new(200, "text/csv", "id,v,note\n0,0,r0\n").header("x-total-count", "5003"),
        "/none" => Reply::json(format!(r#"{{"count":100,"next":null,"has_more":false,"results":{items}}}"#)),
        _ => Reply::json(format!(r#"{{"results":{items},"has_more":true}}"#)),
    }
}

#[test]
fn an_answer_that_says_that_there_is_more_is_no_quiet_success() {
    let api = Api::serve(alone);
    for (path, flags, said) in [
        ("/drf", "--records results", "a next page at /next (--paginate 'next:/next' follows it)"),
        ("/link", "", "a Link header to a next page (--paginate 'link' follows it)"),
        ("/count", "--records results", "/count says 5003 where 100 came"),
        ("/csv", "", "x-total-count"),
        ("/more", "--records results", "/has_more is true"),
    ] {
        let rows = if path == "/csv" { 1 } else { 100 };
        let line = format!("{} -t t {flags}", api.url(path));
        let scene = scene();
        let outcome = scene.load(&line).says(said);
        check(&scene, rows, &outcome);
        let scene = super::scene();
        let outcome = scene.run(&format!("{line} --strict-pages")).exits(4).says("go on");
        check(&scene, rows, &outcome);
        assert!(!outcome.report().complete, "{outcome}");
    }
    let scene = scene();
    let line = format!("{} -t t --records results", api.url("/none"));
    let outcome = scene.load(&format!("{line} --strict-pages"));
    check(&scene, 100, &outcome);
    assert!(!outcome.stderr.contains("all there is"), "{outcome}");
    // Pages were asked for, and the first one does not lead on.
    let lonely = format!("{line} --paginate next:/nexxt");
    let outcome = scene.load(&lonely).says("nothing at /nexxt");
    check(&scene, 100, &outcome);
    scene.run(&format!("{lonely} --strict-pages")).exits(4).says("nothing at /nexxt");
    // A thousand endpoints that say the same are said once.
    let many = format!("{} -t t --records results", api.url("/drf?p={1..30}"));
    let outcome = scene.run(&many).exits(0);
    assert_eq!(outcome.stderr.matches("may not be all there is").count(), 1, "{outcome}");
}
