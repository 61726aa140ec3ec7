//! Where the records of an answer are: members of elements, members of an object with their names, elements
//! that lie in other arrays, rows whose names stand elsewhere. By pages, as one body, and from a file.

use super::{array, check, kill_beyond, record, scene};
use crate::rows;
use crate::support::api::{Api, Ask, Reply};
use crate::support::{Scene, audit};
use std::time::Duration;

const N: u64 = 250;

/// Records of a page, each as this makes it of a number.
fn each(from: u64, to: u64, one: impl Fn(u64) -> String) -> String {
    (from..to).map(one).collect::<Vec<_>>().join(",")
}

fn answer(ask: &Ask) -> Reply {
    let from = ask.number("after").unwrap_or(0).min(N);
    // Without a page that is asked for, all of it.
    let to = if ask.query.contains_key("after") { (from + 100).min(N) } else { N };
    let next = if to < N { format!("\"{to}\"") } else { "null".to_owned() };
    let row = |i: u64| format!(r#"[{i},{},"r{i}"]"#, i * 7);
    let text = match ask.path.as_str() {
        "/graphql" => {
            let edges = each(from, to, |i| format!(r#"{{"cursor":"c{i}","node":{}}}"#, record(i)));
            format!(r#"{{"data":{{"orders":{{"edges":[{edges}],"next":{next}}}}}}}"#)
        }
        "/search" => {
            let hits = each(from, to, |i| format!(r#"{{"_id":"{i}","_source":{} }}"#, record(i)));
            format!(r#"{{"took":3,"hits":{{"total":{{"value":{N}}},"hits":[{hits}]}},"next":{next}}}"#)
        }
        "/fhir" => {
            let entries = each(from, to, |i| format!(r#"{{"fullUrl":"u","resource":{}}}"#, record(i)));
            format!(r#"{{"next":{next},"entry":[{entries}]}}"#)
        }
        // Keyed by the id, as Firebase and Alpha Vantage have it.
        "/keyed" => {
            let members = each(from, to, |i| format!(r#""{i}" : {{"v":{},"note":"r{i}"}}"#, i * 7));
            format!(r#"{{"next":{next},"Time Series (1.min)":{{ {members} }},"z":{{"a":{{}}}}}}"#)
        }
        // As the World Bank: the pages first, then the records.
        "/bank" => format!(r#"[{{"page":1,"next":{next}}},{}]"#, array(from, to)),
        "/compact" => format!(
            r#"{{"meta":[{{"name":"id","type":"UInt64"}},{{"name":"v","type":"UInt64"}},{{"name":"note","type":"String"}}],"data":[{}],"next":{next}}}"#,
            each(from, to, row)
        ),
        "/census" => format!(r#"[["id","v","note"],{}]"#, each(from, to, row)),
        "/rows" => format!(r#"{{"next":{next},"rows":[{}]}}"#, each(from, to, row)),
        _ => return Reply::new(404, "text/plain", "no such thing"),
    };
    Reply::json(text)
}

#[test]
fn records_are_found_where_apis_put_them() {
    let api = Api::serve(answer);
    for (path, flags, next) in [
        ("/graphql", "--records data.orders.edges[].node", "/data/orders/next"),
        ("/search", "--records hits.hits[]._source", "/next"),
        ("/fhir", "--records /entry[]/resource", "/next"),
        ("/keyed", "--records|/Time Series (1.min)/{id}", "/next"),
        ("/bank", "--records /1", "/0/next"),
        ("/compact", "--records data --columns /meta", "/next"),
        ("/compact", "--records data --columns /meta[]/name", "/next"),
        ("/census", "--columns first-row", ""),
        ("/rows", "--records rows --columns id,v,note", "/next"),
    ] {
        // A flag whose value has blanks is parted by a bar.
        let flags: Vec<&str> = flags.split(if flags.contains('|') { '|' } else { ' ' }).collect();
        let file = scene();
        let first = api.url(&format!("{path}?after=0"));
        let whole = answer(&Ask { query: [].into(), ..some_ask(path) });
        file.file("all.json", &whole.body);
        let mut loads =
            vec![(scene(), api.url(path), String::new()), (file, "all.json".to_owned(), String::new())];
        if !next.is_empty() {
            loads.push((scene(), first, format!("--paginate cursor:{next}=after")));
        }
        for (scene, source, pages) in loads {
            let outcome = scene.dbload(&format!("-t t {pages}")).arg(&source).args(&flags).run().exits(0);
            check(&scene, N, &outcome);
            assert_eq!((outcome.rows(), audit(&scene.db)), (rows!(read: N, inserted: N), outcome.rows()));
        }
    }
}

fn some_ask(path: &str) -> Ask {
    Ask {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: [].into(),
        headers: axum::http::HeaderMap::new(),
        body: String::new(),
        bytes: axum::body::Bytes::new(),
        before: 0,
        at: Duration::ZERO,
    }
}

#[test]
fn values_without_members_of_their_own_are_records_of_a_name_and_a_value() {
    let api = Api::serve(|_| Reply::json(r#"{"base":"EUR","rates":{"USD":1.08,"CHF":0.94}}"#));
    let scene = Scene::with("CREATE TABLE t (currency text PRIMARY KEY, value numeric)");
    scene.load(&format!("{} -t t --records rates.{{currency}}", api.url("/latest")));
    assert_eq!(scene.db.lines("SELECT currency || value FROM t ORDER BY 1"), ["CHF0.94", "USD1.08"]);
}

#[test]
fn what_is_no_record_is_a_reject_with_its_piece_and_can_be_mended() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/edges" => Reply::json(format!(
            r#"{{"edges":[{{"node":{}}},{{"cursor":"lost"}},{{"node":null}}]}}"#,
            record(0)
        )),
        _ => Reply::json(r#"{"rows":[[0,0,"r0"],[1,7],[2,14,"r2",true]]}"#),
    });
    for (path, flags, reason) in [
        ("/edges", "--records edges[].node", "no record is where --records or --unnest says"),
        ("/rows", "--records rows --columns id,v,note", "expected 3 fields"),
    ] {
        for pages in ["", "--paginate link"] {
            let scene = scene();
            let outcome = scene.run(&format!("{} -t t {flags} {pages}", api.url(path))).exits(3);
            check(&scene, 1, &outcome);
            assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, rejected: 2), "{path}");
            let rejects = outcome.report().rejected(scene.cwd());
            assert!(rejects.iter().all(|reject| reject.reason.contains(reason)), "{outcome}");
        }
    }
    // Names that are nowhere fail the source.
    let line = format!("{} -t t --records rows --columns /meta", api.url("/rows"));
    super::scene().run(&line).exits(4).says("found no names of columns at /meta");
    super::scene().run(&format!("{} -t t --records a[].b[].c", api.url("/rows"))).exits(2).says("two lists");
}

#[test]
fn members_of_a_large_object_are_resumed_where_they_stopped() {
    const MANY: u64 = 60_000;
    let text = format!(
        "{{\"meta\":{{}},\"all\":{{{}}}}}",
        each(0, MANY, |i| format!("\"{i}\":{{\"v\":{},\"note\":\"r{i}\"}}", i * 7))
    );
    for etag in ["\"v1\"", "W/\"v1\""] {
        let text = text.clone();
        let api = Api::serve(move |ask| {
            let reply = Reply::file(ask, text.clone(), etag).in_pieces(32_768, Duration::from_millis(10));
            Reply {
                headers: reply
                    .headers
                    .iter()
                    .map(|(name, value)| {
                        let json = (name.clone(), "application/json".to_owned());
                        if name == "content-type" { json } else { (name.clone(), value.clone()) }
                    })
                    .collect(),
                ..reply
            }
        });
        let scene = Scene::with("CREATE TABLE t (id bigint, v bigint, note text)");
        let line = format!("{} -t t --mode append --records all.{{id}} --batch-rows 500", api.url("/all"));
        kill_beyond(&scene, scene.dbload(&line).spawn(), 5_000);
        assert!(scene.db.count("t") < MANY, "the kill came too late");
        let outcome = scene.load(&line);
        check(&scene, MANY, &outcome);
        assert_eq!(outcome.rows(), rows!(read: MANY, inserted: MANY));
    }
}
