//! What is asked of a server, and how: bodies, forms, cookies, dates, compression for the way, encodings.

use super::told::ledger;
use super::{array, check, kill_beyond, lines, record, scene};
use crate::support::api::{Api, Ask, Reply};
use crate::support::compress;
use std::time::Duration;

const CANARY: &str = "CANARY-b0d1";

fn header<'a>(ask: &'a Ask, name: &str) -> &'a str {
    ask.header(name).unwrap_or_default()
}

#[test]
fn a_body_is_a_text_or_stands_in_a_file_or_a_variable() {
    let api = Api::serve(|_| Reply::json(array(0, 10)));
    let scene = scene();
    let sql = format!("SELECT * FROM items WHERE token = '{CANARY}'\n");
    scene.file("query.sql", &sql);
    let query = format!(r#"{{"query":"{{ items }}","key":"{CANARY}","n":1.50}}"#);
    scene.file("query.json", &query);
    let json = "application/json";
    for (body, content_type, sent, as_type) in [
        ("SELECT 1 FORMAT JSONEachRow", "", "SELECT 1 FORMAT JSONEachRow", "text/plain; charset=utf-8"),
        ("file:query.sql", "", sql.as_str(), "text/plain; charset=utf-8"),
        ("file:query.json", "", query.as_str(), json),
        ("env:BODY", "text/xml", "<a>CANARY-b0d1</a>", "text/xml"),
        ("{ items { id } }", "application/graphql", "{ items { id } }", "application/graphql"),
        (r#"{"a":1.10}"#, "", r#"{"a":1.10}"#, json),
    ] {
        let mut load = scene
            .dbload("-t t -vv")
            .arg(api.url("/q"))
            .args(["--body", body])
            .env("BODY", "<a>CANARY-b0d1</a>");
        if !content_type.is_empty() {
            load = load.arg("--header").arg(format!("Content-Type: {content_type}"));
        }
        let outcome = load.run().exits(0);
        check(&scene, 10, &outcome);
        let asked = api.asked();
        assert_eq!(
            (asked[0].method.as_str(), asked[0].body.as_str(), header(&asked[0], "content-type")),
            ("POST", sent, as_type)
        );
        assert!(!outcome.stderr.contains(CANARY) && !ledger(&scene).contains(CANARY), "{body}: {outcome}");
    }
    let half = scene.dbload("-t t").arg(api.url("/q")).args(["--body", r#"{"CANARY-b0d1":"#]).run().exits(2);
    assert!(half.says("no JSON").stderr.matches(CANARY).count() == 0);
    scene
        .dbload("-t t")
        .arg(api.url("/q"))
        .args(["--body", "file:nowhere.sql"])
        .run()
        .exits(2)
        .says("nowhere.sql");
}

#[test]
fn a_body_in_a_file_is_gone_on_with_from_where_its_pages_stopped() {
    let page = |ask: &Ask, most: u64| {
        let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap();
        assert_eq!(body["key"], CANARY);
        let from = body["after"].as_str().unwrap().parse::<u64>().unwrap_or(0);
        if from >= most {
            return Reply::new(403, "text/plain", "not yet");
        }
        Reply::json(format!(
            r#"{{"items":{},"next":"{}"}}"#,
            array(from, from + 10),
            if from < 40 { (from + 10).to_string() } else { String::new() }
        ))
    };
    let api = Api::serve(move |ask| page(ask, 30));
    let scene = scene();
    scene.file("query.json", format!(r#"{{"after":"","key":"{CANARY}"}}"#));
    let load = || {
        scene
            .dbload("-t t --records items --paginate cursor:/next=/after --body file:query.json")
            .arg(api.url("/q"))
    };
    load().run().exits(4);
    assert_eq!(scene.db.count("t"), 30);
    api.answer_with(move |ask| page(ask, 1_000));
    api.asked();
    let outcome = load().run().exits(0);
    check(&scene, 50, &outcome);
    assert!(api.asked()[0].body.contains(r#""after":"20""#), "it goes on where it stopped");
    assert!(!ledger(&scene).contains(CANARY));
}

#[test]
fn forms_are_sent_and_their_pages_followed() {
    let api = Api::serve(|ask| {
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(ask.body.as_bytes()).into_owned().collect();
        let value =
            |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if (value("key"), value("q")) != (Some(CANARY), Some("a b&c")) {
            return Reply::new(401, "text/plain", format!("not {:?}", value("key")));
        }
        let page: u64 = value("page").map_or(1, |page| page.parse().unwrap());
        Reply::json(array((page - 1) * 10, if page < 4 { page * 10 } else { 35 }))
    });
    let scene = scene();
    let load = |key: &str| {
        scene
            .dbload("-t t --paginate page:/page;size=10")
            .arg(api.url("/search"))
            .args(["--form", "q=a b&c", "--form", "key=env:KEY", "--form", "tag=x", "--form", "tag=y"])
            .env("KEY", key)
    };
    let outcome = load(CANARY).run().exits(0);
    check(&scene, 35, &outcome);
    let asked = api.asked();
    assert_eq!(header(&asked[0], "content-type"), "application/x-www-form-urlencoded");
    assert_eq!(asked[0].body, format!("q=a+b%26c&key={CANARY}&tag=x&tag=y&page=1"));
    assert_eq!(asked[1].body, format!("q=a+b%26c&key={CANARY}&tag=x&tag=y&page=2"));
    let outcome = load("CANARY-other").arg("--restart").run().exits(4);
    assert!(!outcome.stderr.contains("CANARY") && !ledger(&scene).contains("CANARY"), "{}", outcome.stderr);
}

#[test]
fn cookies_go_back_to_who_has_set_them_and_to_nobody_else() {
    let other = Api::serve(|ask| {
        assert_eq!(ask.header("cookie"), None, "a stranger gets no cookie");
        Reply::json(array(10, 20))
    });
    let elsewhere = other.url("/items");
    // A session is set on the way, as load balancers and single sign-on do it.
    let api = Api::serve(move |ask| {
        let known = header(ask, "cookie").split("; ").any(|pair| pair == "sid=CANARY-c00k1e");
        match ask.path.as_str() {
            "/start" => {
                let reply = Reply::new(302, "text/plain", "").header("location", "/items");
                reply
                    .header("set-cookie", "sid=CANARY-c00k1e; Path=/; HttpOnly")
                    .header("set-cookie", "x=1; Path=/other")
            }
            "/items" if known => Reply::json(array(0, 10)),
            "/away" => Reply::new(302, "text/plain", "").header("location", elsewhere.clone()),
            _ => Reply::new(403, "text/plain", format!("no session {}", header(ask, "cookie"))),
        }
    });
    let scene = scene();
    let urls = format!("{} {} {}", api.url("/start"), api.url("/items"), api.url("/away"));
    let outcome = scene.load(&format!("{urls} -t t --concurrency 1 --header Cookie:own=1"));
    check(&scene, 20, &outcome);
    let asked = api.asked();
    let sent: Vec<&str> = asked.iter().map(|ask| header(ask, "cookie")).collect();
    assert_eq!(
        sent,
        ["own=1", "own=1; sid=CANARY-c00k1e", "own=1; sid=CANARY-c00k1e", "own=1; sid=CANARY-c00k1e"]
    );
    let outcome =
        scene.run(&format!("{} {} -t t --concurrency 1", api.url("/start"), api.url("/gone"))).exits(4);
    assert!(!outcome.stderr.contains("CANARY") && !ledger(&scene).contains("CANARY"), "{}", outcome.stderr);
}

#[test]
fn dates_and_lists_in_templates() {
    let api = Api::serve(|ask| {
        let day: u64 = ask.path.rsplit('-').next().and_then(|day| day.parse().ok()).unwrap_or(0);
        Reply::json(format!("[{}]", record(day)))
    });
    let scene = scene();
    scene.load(&format!("{} -t t", api.url("/d/{2024-02-28..2024-03-01}")));
    let mut targets = api.targets();
    targets.sort();
    assert_eq!(targets, ["/d/2024-02-28", "/d/2024-02-29", "/d/2024-03-01"]);
    scene.load(&format!("{} -t t --concurrency 1", api.url("/m?m={2023-11..2024-03..2}")));
    assert_eq!(api.targets(), ["/m?m=2023-11", "/m?m=2024-01", "/m?m=2024-03"]);
    // A list in the query is a text for the server, unless it is said to be none.
    let url = api.url("/f/{a,b}-1?fields={id,name}");
    let outcome = scene.load(&format!("{url} -t t --concurrency 1"));
    assert_eq!(api.targets(), ["/f/a-1?fields={id,name}", "/f/b-1?fields={id,name}"]);
    outcome.says("--expand-query");
    let outcome = scene.load(&format!("{url} -t t --concurrency 1 --expand-query"));
    assert_eq!(api.targets().len(), 4);
    assert!(!outcome.stderr.contains("--expand-query"), "{outcome}");
    scene.run(&format!("{} -t t", api.url("/d/{2024-02-30..2024-03-01}"))).exits(4).says("no date");
}

#[test]
fn answers_come_compressed_where_a_resume_does_not_need_their_bytes() {
    let api = Api::serve(|ask| {
        let text = lines(0, 60_000).into_bytes();
        let body = if ask.path == "/items" { array(0, 60_000).into_bytes() } else { text };
        if !header(ask, "accept-encoding").contains("gzip") {
            return Reply::file(ask, body, "\"plain\"").in_pieces(32_768, Duration::from_millis(8));
        }
        let kind = if ask.path == "/items" { "application/json" } else { "application/x-ndjson" };
        let reply = Reply::new(200, kind, compress::gzip(&body))
            .header("content-encoding", "gzip")
            .header("etag", "\"gzip\"");
        reply.in_pieces(4_096, Duration::from_millis(8))
    });
    for (path, encodings) in [
        ("/items", "gzip"),
        ("/export", "gzip"),
        ("/export.jsonl", "identity"),
        ("/export.csv.gz", "identity"),
    ] {
        let scene = scene();
        let line = format!("{} -t t --batch-rows 500", api.url(path));
        if path == "/export.csv.gz" {
            scene.run(&line);
            assert_eq!(header(&api.asked()[0], "accept-encoding"), encodings);
            continue;
        }
        let running = scene.dbload(&line).spawn();
        kill_beyond(&scene, running, 12_000);
        assert!(scene.db.count("t") < 60_000, "the kill came too late");
        let outcome = scene.load(&line);
        check(&scene, 60_000, &outcome);
        let asked = api.asked();
        assert!(asked.iter().all(|ask| header(ask, "accept-encoding") == encodings), "{path}");
        assert_eq!(asked.last().unwrap().header("range").is_some(), encodings == "identity", "{path}");
        assert_eq!(outcome.report().guarantee, "exactly-once", "{path}");
    }
}

#[test]
fn the_charset_of_an_answer_is_heard_where_it_is_meant() {
    let latin =
        |text: &str| -> Vec<u8> { text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect() };
    let api = Api::serve(move |ask| {
        let note = "Größe café";
        let csv = format!("id,v,note\n0,0,plain\n1,7,{note}\n");
        let json =
            format!(r#"{{"data":[{{"id":0,"v":0,"note":"plain"}},{{"id":1,"v":7,"note":"{note}"}}]}}"#);
        let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
        match ask.path.as_str() {
            "/latin" => Reply::new(200, "text/csv; charset=ISO-8859-1", latin(&csv)),
            // What Tomcat says of any text.
            "/default" => Reply::new(200, "text/csv;charset=ISO-8859-1", csv),
            "/wide" => Reply::new(200, "application/json; charset=utf-16be", utf16(&json)),
            "/json" => Reply::new(200, "application/json; charset=windows-1252", latin(&json)),
            "/servlet" => Reply::new(200, "application/json;charset=ISO-8859-1", json),
            _ => Reply::new(200, "text/csv; charset=x-unknown", csv),
        }
    });
    for (path, flags) in [
        ("/latin", ""),
        ("/latin", "--paginate link"),
        ("/default", ""),
        ("/default", "--paginate link"),
        ("/wide", "--records data"),
        ("/wide", "--records data --paginate link"),
        ("/json", "--records data --paginate link"),
        ("/servlet", "--records data --paginate link"),
        ("/servlet", "--records data"),
        ("/unknown", ""),
    ] {
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t {flags}", api.url(path)));
        assert_eq!(
            scene.db.lines("SELECT id, note FROM t ORDER BY id"),
            ["0|plain", "1|Größe café"],
            "{path} {flags} {outcome}"
        );
    }
    // Who says it on the command line knows better.
    let scene = scene();
    scene.load(&format!("{} -t t --encoding utf-8", api.url("/default")));
    assert_eq!(scene.db.count("t"), 2);
}
