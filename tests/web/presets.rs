//! Paginations by name, and those that are found out: each against a server that pages as its documentation
//! says. The table in docs/http.md has a row for each.

use super::{array, check, record, scene};
use crate::rows;
use crate::support::api::{Api, Ask, Reply};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

const N: u64 = 250;

fn part(from: u64, size: u64) -> (String, u64) {
    let (from, to) = (from.min(N), (from + size).min(N));
    (array(from, to), to)
}

/// `,"NAME":VALUE` unless the page that ends at `to` is the last.
fn member(to: u64, name: &str, value: String) -> String {
    if to < N { format!(r#","{name}":{value}"#) } else { String::new() }
}

fn wrapped(from: u64, to: u64, before: &str, behind: impl Fn(u64) -> String) -> String {
    let items = (from..to).map(|i| format!("{{{before}{}{}}}", record(i), behind(i)));
    items.collect::<Vec<_>>().join(",")
}

/// A server of scrolls: the place of each is the server's.
#[derive(Default)]
struct Scrolls(Mutex<BTreeMap<String, u64>>);

impl Scrolls {
    fn next(&self, ask: &Ask, body: &serde_json::Value) -> Reply {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = if ask.path == "/_search/scroll" {
            body["scroll_id"].as_str().unwrap().to_owned()
        } else {
            format!("scroll{}", places.len())
        };
        let at = places.entry(id.clone()).or_default();
        let (from, to) = (*at, (*at + 100).min(N));
        *at = to;
        let hits = wrapped(from, to, "\"_source\":", |_| String::new());
        Reply::json(format!(r#"{{"_scroll_id":"{id}","hits":{{"total":{{"value":{N}}},"hits":[{hits}]}}}}"#))
    }
}

fn server() -> impl Fn(&Ask) -> Reply + Send + Sync {
    let scrolls = Scrolls::default();
    move |ask| {
        let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap_or_default();
        match ask.path.as_str() {
            "/scroll/_search" | "/_search/scroll" => scrolls.next(ask, &body),
            path if path.starts_with("/posted") => posted(ask, &body),
            "/github" | "/gitlab" | "/shopify" | "/wordpress" | "/socrata" => by_headers(ask),
            _ => by_tokens(ask),
        }
    }
}

/// Who says in headers where the next page is, or nothing at all.
fn by_headers(ask: &Ask) -> Reply {
    let page = ask.number("page").or_else(|| ask.number("page_info")).unwrap_or(1);
    let (items, to) = part((page - 1) * 100, 100);
    let host = ask.header("host").unwrap();
    match ask.path.as_str() {
        "/github" | "/shopify" => {
            let param = if ask.path == "/github" { "page" } else { "page_info" };
            let text = if ask.path == "/github" { items } else { format!("{{\"orders\":{items}}}") };
            let link =
                |page: u64, rel: &str| format!("<http://{host}{}?{param}={page}>; rel=\"{rel}\"", ask.path);
            let next = if to < N { format!("{}, ", link(page + 1, "next")) } else { String::new() };
            Reply::json(text).header("link", format!("{next}{}", link(1, "first")))
        }
        "/gitlab" => {
            let next = if to < N { (page + 1).to_string() } else { String::new() };
            Reply::json(items).header("x-next-page", next).header("x-page", page.to_string())
        }
        "/wordpress" if page > 3 => {
            Reply::new(400, "application/json", r#"{"code":"rest_post_invalid_page_number"}"#)
        }
        "/wordpress" => Reply::json(items).header("X-WP-Total", N.to_string()).header("X-WP-TotalPages", "3"),
        _ => Reply::json(part(ask.number("$offset").unwrap_or(0), ask.number("$limit").unwrap_or(100)).0),
    }
}

/// Who is asked by POST, and gives the place in the body.
fn posted(ask: &Ask, body: &serde_json::Value) -> Reply {
    let text = match ask.path.as_str() {
        "/posted/notion" => {
            let from = body["start_cursor"].as_str().map_or(0, |at| at.parse().unwrap());
            let (items, to) = part(from, 100);
            let next = if to < N { format!("\"{to}\"") } else { "null".to_owned() };
            let more = to < N;
            format!(r#"{{"object":"list","results":{items},"next_cursor":{next},"has_more":{more}}}"#)
        }
        "/posted/search" => {
            let from = body["search_after"][0].as_u64().map_or(0, |id| id + 1);
            if body["pit"]["id"] != format!("pit{from}") || body["size"] != 100 {
                return Reply::new(404, "application/json", r#"{"error":"no such point in time"}"#);
            }
            let to = (from + 100).min(N);
            let hits = wrapped(from, to, "\"_source\":", |i| format!(",\"sort\":[{i}]"));
            format!(r#"{{"pit_id":"pit{to}","hits":{{"hits":[{hits}]}}}}"#)
        }
        "/posted/find" => {
            let from = body["bookmark"].as_str().map_or(0, |at| at.parse().unwrap());
            let (docs, to) = part(from, 100);
            format!(r#"{{"docs":{docs},"bookmark":"{to}"}}"#)
        }
        _ => {
            let from = body["variables"]["after"].as_str().map_or(0, |at| at.parse().unwrap());
            let to = (from + 100).min(N);
            let edges = wrapped(from, to, "\"cursor\":\"c\",\"node\":", |_| String::new());
            let info = format!(r#"{{"hasNextPage":{},"endCursor":"{to}"}}"#, to < N);
            format!(r#"{{"data":{{"shop":{{"orders":{{"edges":[{edges}],"pageInfo":{info}}}}}}}}}"#)
        }
    };
    Reply::json(text)
}

/// Who says in the body which URL the next page has.
fn by_links(ask: &Ask) -> Reply {
    let at = ask.number("at").unwrap_or(0);
    let (items, to) = part(at, 100);
    let here = |to: u64| format!("\"{}?at={to}\"", ask.path);
    let whole = |to: u64| format!("\"http://{}{}?at={to}\"", ask.header("host").unwrap(), ask.path);
    let more = to < N;
    let text = match ask.path.as_str() {
        // Always a next one, and then nothing.
        "/ckan" => format!(
            r#"{{"success":true,"result":{{"records":{items},"_links":{{"start":"/ckan","next":{}}},"total":{N}}}}}"#,
            here(at + 100)
        ),
        "/drf" => {
            let next = if more { whole(to) } else { "null".to_owned() };
            format!(r#"{{"count":{N},"next":{next},"previous":null,"results":{items}}}"#)
        }
        "/fhir" => {
            let entries = wrapped(at, to, "\"fullUrl\":\"u\",\"resource\":", |_| String::new());
            let next =
                if more { format!(r#",{{"relation":"next","url":{}}}"#, whole(to)) } else { String::new() };
            format!(
                r#"{{"resourceType":"Bundle","link":[{{"relation":"self","url":"/fhir"}}{next}],"entry":[{entries}]}}"#
            )
        }
        "/hal" => {
            let next = member(to, "next", format!(r#"{{"href":{}}}"#, here(to)));
            format!(r#"{{"_embedded":{{"orders":{items}}},"_links":{{"self":{{"href":"/hal"}}{next}}}}}"#)
        }
        "/jsonapi" => {
            let next = if more { format!(r#"{{"href":{}}}"#, here(to)) } else { "null".to_owned() };
            format!(r#"{{"data":{items},"links":{{"self":"/jsonapi","next":{next}}}}}"#)
        }
        "/odata" => {
            format!(r#"{{"@odata.context":"c","value":{items}{}}}"#, member(to, "@odata.nextLink", whole(to)))
        }
        "/odata2" => format!(r#"{{"d":{{"results":{items}{}}}}}"#, member(to, "__next", whole(to))),
        "/ogc" => {
            let next =
                if more { format!(r#",{{"rel":"next","href":{}}}"#, whole(to)) } else { String::new() };
            format!(
                r#"{{"type":"FeatureCollection","features":{items},"links":[{{"rel":"self","href":"/ogc"}}{next}],"numberMatched":{N}}}"#
            )
        }
        "/salesforce" => {
            let next = member(to, "nextRecordsUrl", here(to));
            format!(r#"{{"totalSize":{N},"done":{}{next},"records":{items}}}"#, !more)
        }
        // The link is there to the end, the flag tells.
        "/zendesk" => format!(
            r#"{{"tickets":{items},"meta":{{"has_more":{more}}},"links":{{"next":{},"prev":null}}}}"#,
            whole(to)
        ),
        _ => return Reply::new(404, "text/plain", "no such thing"),
    };
    Reply::json(text)
}

/// Who says in the body by which token or number it is asked for.
fn by_tokens(ask: &Ask) -> Reply {
    let number = |name: &str| ask.number(name).unwrap_or(0);
    let text = match ask.path.as_str() {
        "/airtable" => {
            let from = ask.query.get("offset").map_or(0, |at| at.trim_start_matches("itr/").parse().unwrap());
            let (items, to) = part(from, 100);
            format!(r#"{{"records":{items}{}}}"#, member(to, "offset", format!("\"itr/{to}\"")))
        }
        "/couchdb" => {
            let from = ask.query.get("since").map_or(0, |at| at.trim_end_matches("-x").parse().unwrap());
            let (items, to) = part(from, 100);
            format!(r#"{{"results":{items},"last_seq":"{to}-x","pending":{}}}"#, N - to)
        }
        "/google" => {
            let (items, to) = part(number("pageToken"), 100);
            format!(r#"{{"items":{items}{}}}"#, member(to, "nextPageToken", format!("\"{to}\"")))
        }
        "/hubspot" => {
            let (items, to) = part(number("after"), 100);
            let next =
                format!(r#"{{"next":{{"after":"{to}","link":"https://elsewhere.example/?after={to}"}}}}"#);
            format!(r#"{{"results":{items}{}}}"#, member(to, "paging", next))
        }
        // Gives less than it is asked for.
        "/jira" => {
            let (items, _) = part(number("startAt"), 50);
            format!(r#"{{"startAt":{},"maxResults":50,"total":{N},"issues":{items}}}"#, number("startAt"))
        }
        "/jira-cloud" => {
            let (items, to) = part(number("nextPageToken"), 100);
            let token = member(to, "nextPageToken", format!("\"{to}\""));
            format!(r#"{{"issues":{items},"isLast":{}{token}}}"#, to == N)
        }
        "/scim" => {
            let start = number("startIndex").max(1);
            let (items, _) = part(start - 1, ask.number("count").unwrap_or(100));
            format!(r#"{{"totalResults":{N},"startIndex":{start},"itemsPerPage":100,"Resources":{items}}}"#)
        }
        "/slack" => {
            let (items, to) = part(number("cursor"), 100);
            let next = if to < N { to.to_string() } else { String::new() };
            format!(r#"{{"ok":true,"members":{items},"response_metadata":{{"next_cursor":"{next}"}}}}"#)
        }
        "/spring" => {
            let page = number("page");
            let (items, to) = part(page * 100, 100);
            format!(
                r#"{{"content":{items},"number":{page},"size":100,"totalElements":{N},"totalPages":3,"last":{}}}"#,
                to == N
            )
        }
        "/stripe" => {
            let (items, to) = part(ask.number("starting_after").map_or(0, |id| id + 1), 100);
            format!(r#"{{"object":"list","data":{items},"has_more":{}}}"#, to < N)
        }
        _ => return by_links(ask),
    };
    Reply::json(text)
}

const SEARCH: &str = r#"{"size":100,"sort":["id"],"pit":{"id":"pit0","keep_alive":"1m"}}"#;
const QUERY: &str = r#"{"query":"query($after: String) { shop }","variables":{"after":null}}"#;

/// Path, preset, where the records are if it does not say that, body, and whether its pages are found out.
const ROWS: [(&str, &str, &str, &str, bool); 30] = [
    ("/airtable", "airtable", "", "", true),
    ("/ckan", "ckan", "", "", false),
    ("/couchdb", "couchdb", "", "", false),
    ("/posted/find", "couchdb-find", "", "{}", false),
    ("/drf", "drf", "", "", true),
    ("/posted/search", "elasticsearch", "", SEARCH, false),
    ("/fhir", "fhir", "", "", true),
    ("/github", "github", "", "", true),
    ("/gitlab", "gitlab", "", "", true),
    ("/google", "google", "items", "", true),
    ("/posted/graphql", "graphql:/data/shop/orders", "", QUERY, true),
    ("/hal", "hal", "_embedded.orders", "", true),
    ("/hubspot", "hubspot", "", "", true),
    ("/jira", "jira", "issues", "", true),
    ("/jira-cloud", "jira-cloud", "", "", false),
    ("/jsonapi", "jsonapi", "", "", true),
    ("/posted/notion", "notion", "", "{}", false),
    ("/odata", "odata", "", "", true),
    ("/odata2", "odata2", "", "", true),
    ("/ogc", "ogc", "", "", true),
    ("/salesforce", "salesforce", "", "", true),
    ("/scim", "scim", "", "", true),
    ("/scroll/_search?scroll=1m", "scroll", "", r#"{"size":100}"#, false),
    ("/shopify", "shopify", "orders", "", true),
    ("/slack", "slack", "members", "", true),
    ("/socrata", "socrata;size=100", "", "", false),
    ("/spring", "spring", "", "", true),
    ("/stripe", "stripe", "", "", true),
    ("/wordpress", "wordpress", "", "", true),
    ("/zendesk", "zendesk", "tickets", "", true),
];

#[test]
fn each_preset_loads_all_records_of_whom_it_is_named_after() {
    let api = Api::serve(server());
    let known: Vec<&str> = dbload::internals::http::PRESETS.iter().map(|preset| preset.name).collect();
    let tested: Vec<&str> = ROWS.iter().map(|row| row.1.split([':', ';']).next().unwrap()).collect();
    assert_eq!(tested, known, "a preset without a test");
    let page = include_str!("../../docs/http.md");
    for (path, preset, records, body, _) in ROWS {
        let scene = scene();
        let mut load = scene.dbload(&format!("-t t --paginate {preset}")).arg(api.url(path));
        for (flag, value) in [("--records", records), ("--body", body)] {
            load = if value.is_empty() { load } else { load.args([flag, value]) };
        }
        let outcome = load.run().exits(0);
        check(&scene, N, &outcome);
        assert_eq!(outcome.rows(), rows!(read: N, inserted: N), "{preset}");
        let asked = api.asked().len();
        assert!((1..=6).contains(&asked), "{preset}: {asked} requests");
        let name = preset.split([':', ';']).next().unwrap();
        assert!(page.contains(&format!("| `{name}")), "{name} is not in docs/http.md");
    }
}

#[test]
fn pages_are_found_out_and_the_rule_is_said() {
    let api = Api::serve(server());
    for (path, preset, records, body, _) in ROWS.into_iter().filter(|row| row.4) {
        let name = preset.split(':').next().unwrap();
        let preset = dbload::internals::http::PRESETS.iter().find(|known| known.name == name).unwrap();
        let scene = scene();
        let records = match preset.records {
            Some(path) => path.replace("{}", "/data/shop/orders"),
            None => records.to_owned(),
        };
        let mut load = scene.dbload("-t t --paginate auto").arg(api.url(path));
        for (flag, value) in [("--records", records.as_str()), ("--body", body)] {
            load = if value.is_empty() { load } else { load.args([flag, value]) };
        }
        let outcome = load.run().exits(0).says("--paginate '").says(" goes on, by ");
        check(&scene, N, &outcome);
        assert_eq!(outcome.rows(), rows!(read: N, inserted: N), "{name}");
    }
    // More, and no way to it: never a quiet success.
    let api = Api::serve(|_| Reply::json(format!("{{\"count\":250,\"items\":{}}}", array(0, 100))));
    let scene = scene();
    let outcome = scene.run(&format!("{} -t t --records items --paginate auto", api.url("/items")));
    let outcome = outcome.exits(4).says("/count says 250 where 100 came");
    check(&scene, 100, &outcome);
}

#[test]
fn what_was_found_out_is_known_to_a_resume() {
    const MANY: u64 = 15_000;
    let api = Api::serve(|ask| {
        let from = ask.number("startAt").unwrap_or(0).min(MANY);
        let size = ask.number("maxResults").unwrap_or(50);
        let to = (from + size).min(MANY);
        Reply::json(format!(
            r#"{{"startAt":{from},"maxResults":{size},"total":{MANY},"issues":{}}}"#,
            array(from, to)
        ))
        .after(std::time::Duration::from_millis(2))
    });
    let scene = scene();
    let line = format!("{} -t t --records issues --paginate auto --batch-rows 300", api.url("/issues"));
    super::kill_beyond(&scene, scene.dbload(&line).spawn(), 3_000);
    assert!(scene.db.count("t") < MANY, "the kill came too late");
    api.asked();
    let outcome = scene.load(&line);
    check(&scene, MANY, &outcome);
    assert_eq!(outcome.rows(), rows!(read: MANY, inserted: MANY));
    assert!(api.asked()[0].number("startAt").unwrap_or(0) > 0, "it went on where it stopped");
}
