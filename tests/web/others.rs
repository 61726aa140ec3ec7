//! APIs as others write them: how they end their cursors, what they send back and forth, how they refuse.

use super::{array, check, record, scene};
use crate::support::{
    Scene,
    api::{Api, Ask, Reply},
};

/// Where the page begins that a query asks for.
fn from(ask: &Ask) -> u64 {
    ask.number("after").unwrap_or(0)
}

#[test]
fn cursors_end_in_every_way_that_servers_end_them() {
    for end in ["null", "\"\"", "0", "\"0\"", "false", "omitted"] {
        let api = Api::serve(move |ask| {
            let (from, to) = (from(ask), (from(ask) + 25).min(110));
            let next = if to < 110 { to.to_string() } else { end.to_owned() };
            let meta = if next == "omitted" { String::new() } else { format!("\"next\":{next}") };
            Reply::json(format!("{{\"data\":{},\"meta\":{{{meta}}}}}", array(from, to)))
        });
        let scene = scene();
        let outcome = scene
            .load(&format!("{} -t t --records data --paginate cursor:/meta/next=after", api.url("/items")));
        check(&scene, 110, &outcome);
        assert_eq!(api.requests(), 5, "{end}: {outcome}");
        assert!(!outcome.stderr.contains("only one"), "{end}: {outcome}");
    }
}

#[test]
fn cursors_go_back_into_a_body_as_they_came() {
    // Elasticsearch: the sort keys of the last record, a list; the digits of the query stay what they are.
    let query = r#"{"size":20,"q":{"gte":0.10000000000000000001,"id":12345678901234567890}}"#;
    let search = Api::serve(move |ask| {
        assert!(
            ask.body
                .starts_with(r#"{"size":20,"q":{"gte":0.10000000000000000001,"id":12345678901234567890}"#)
        );
        let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap();
        let from = match &body["search_after"] {
            serde_json::Value::Null => 0,
            keys => keys[0].as_u64().unwrap() - 7_000_000_000_000_000_000 + 1,
        };
        let hits: Vec<String> = (from..(from + 20).min(90))
            .map(|i| {
                format!(
                    r#"{},"sort":[{},"k"]}}"#,
                    record(i).trim_end_matches('}'),
                    7_000_000_000_000_000_000 + i
                )
            })
            .collect();
        Reply::json(format!(r#"{{"hits":{{"hits":[{}]}}}}"#, hits.join(",")))
    });
    let scene = scene();
    let outcome = scene
        .dbload("-t t --records hits.hits --extra ignore")
        .arg(search.url("/_search"))
        .args(["--body", query, "--paginate", "cursor:/hits/hits/-1/sort=/search_after"])
        .run()
        .exits(0);
    check(&scene, 90, &outcome);

    // GraphQL: a text of digits stays a text, since the variable is one.
    let graph = Api::serve(|ask| {
        let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap();
        let from: u64 = match &body["variables"]["after"] {
            serde_json::Value::Null => 0,
            serde_json::Value::String(cursor) => cursor.parse().unwrap(),
            _ => return Reply::json(r#"{"errors":[{"message":"after is no String"}]}"#),
        };
        let to = (from + 20).min(90);
        Reply::json(format!(
            r#"{{"data":{{"items":{{"nodes":{},"pageInfo":{{"hasNextPage":{},"endCursor":"{to}"}}}}}}}}"#,
            array(from, to),
            to < 90
        ))
    });
    let scene = super::scene();
    let page_info = "/data/items/pageInfo";
    let outcome = scene
        .dbload("-t t --records data.items.nodes")
        .arg(graph.url("/graphql"))
        .args(["--body", r#"{"query":"{ items }","variables":{"n":1.50}}"#])
        .arg("--paginate")
        .arg(format!("cursor:{page_info}/endCursor=/variables/after;more={page_info}/hasNextPage"))
        .run()
        .exits(0);
    check(&scene, 90, &outcome);
    assert!(graph.asked().iter().all(|ask| ask.body.contains("1.50")), "digits of the body stay");
}

#[test]
fn a_place_for_the_next_page_that_is_never_there_is_said_once() {
    let api = Api::serve(|ask| {
        Reply::json(format!("{{\"data\":{}}}", array(0, 10 + ask.number("x").unwrap_or(0))))
    });
    for flags in ["--paginate next:/links/next", "--paginate cursor:/next=after", "--paginate link"] {
        let scene = scene();
        let line = format!("{} -t t --records data {flags}", api.url("/items?x={1..5}"));
        let outcome = scene.load(&line);
        assert_eq!(outcome.stderr.matches("taken for the only one").count(), 1, "{outcome}");
        let plan = scene.plain(&format!("{line} --dry-run")).run().exits(0).says("taken for the only one");
        assert!(plan.stdout.contains("\npages       by the "), "{plan}");
    }
}

#[test]
fn a_page_that_is_not_there_ends_pages_that_are_counted_and_no_others() {
    let api = Api::serve(|ask| match ask.number("page").unwrap_or(1) {
        page @ 1..=4 => Reply::json(array((page - 1) * 25, (page * 25).min(90))),
        _ => Reply::new(404, "application/json", r#"{"detail":"Invalid page."}"#),
    });
    for flag in ["page:page", "page:page;size=25"] {
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t --paginate {flag}", api.url("/items")));
        check(&scene, 90, &outcome);
    }
    // A page that the server names has to be there.
    let api = Api::serve(|ask| match ask.number("page") {
        None => Reply::json(array(0, 10)).header("link", "<?page=2>; rel=\"next\""),
        Some(_) => Reply::new(404, "text/plain", "gone"),
    });
    let scene = scene();
    scene.run(&format!("{} -t t --paginate link", api.url("/items"))).exits(4).says("gone");
}

#[test]
fn an_error_names_its_url_once_and_the_report_counts_the_tries_of_its_source() {
    let api = Api::serve(|ask| match (ask.path.as_str(), ask.before) {
        ("/items/1", 0..2) | ("/items/2", _) => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body>sorry</body></html>";
            Reply::new(502, "text/html", page)
        }
        _ => Reply::json(array(super::id_of(ask) * 10, super::id_of(ask) * 10 + 10)),
    });
    let scene = scene();
    let outcome = scene.run(&format!("{} -t t --http-tries 3", api.url("/items/{0..2}"))).exits(4);
    let failed = api.url("/items/2");
    let line = outcome.stderr.lines().find(|line| line.contains("answered")).unwrap_or_default();
    let words = line.replacen(&format!("source {failed} failed: "), "", 1);
    assert_eq!(words.matches(&failed).count(), 1, "{outcome}");
    assert!(line.contains("\"502 Bad Gateway\"") && line.contains("given up after 3 tries"), "{outcome}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let retries: Vec<u64> =
        report["sources"].as_array().unwrap().iter().map(|s| s["retries"].as_u64().unwrap()).collect();
    assert_eq!(retries, [0, 2, 2], "{outcome}");
    assert_eq!(report["http"]["retried"], 4);
}

#[test]
fn words_in_place_of_records_are_no_header() {
    for (content_type, words) in [("text/plain", "OK"), ("text/plain; charset=utf-8", "Too many users.\n")] {
        let api = Api::serve(move |_| Reply::new(200, content_type, words));
        let scene = scene();
        scene.run(&format!("{} -t t --extra ignore", api.url("/items"))).exits(4).says("a line of text");
        assert_eq!(scene.db.count("t"), 0);
    }
}

#[test]
fn numbers_of_lists_travel_as_their_digits_also_over_a_resume() {
    let api = Api::serve(|ask| match super::id_of(ask) {
        1 if ask.before == 0 => Reply::new(403, "text/plain", "not yet"),
        id => Reply::json(format!(r#"{{"id":{id}}}"#)),
    });
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, price numeric, big numeric, doc jsonb)");
    let fields =
        r#""price":0.12345678901234567890123456789,"big":123456789012345678901234567890,"doc":{"x":1.10}"#;
    let list: String =
        (0..3).map(|i| format!("{{\"url\":\"{}\",{fields}}}\n", api.url(&format!("/items/{i}")))).collect();
    scene.file("list.jsonl", list);
    // The second start reads what the ledger has stored.
    scene.run("--urls list.jsonl -t t").exits(4);
    scene.load("--urls list.jsonl -t t");
    assert_eq!(
        scene.db.lines("SELECT DISTINCT price, big, doc FROM t"),
        [r#"0.12345678901234567890123456789|123456789012345678901234567890|{"x": 1.10}"#]
    );
    assert_eq!(scene.db.count("t"), 3);
    // Rows of --each, in the URL and in the record.
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, lat numeric)");
    scene.file("each.jsonl", "{\"id\":7,\"lat\":52.520006599999999999}\n");
    let api = Api::serve(|_| Reply::json(r#"{"id":7}"#));
    scene.load(&format!("{} -t t --each each.jsonl --each-fields lat", api.url("/at?lat={lat}")));
    assert_eq!(api.targets(), ["/at?lat=52.520006599999999999"]);
    assert_eq!(scene.db.lines("SELECT lat FROM t"), ["52.520006599999999999"]);
}
