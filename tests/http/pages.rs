//! Pages: whole, within their limit, decompressed; one after the other by each way to paginate; and the
//! landing copy of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dbload::internals::http::{
    BodyEnd, Client, Encodings, HttpError, PageSeen, Pager, PagerState, Request, Settings, pointer,
};
use url::Url;

use super::{client, fetch, impatient, request, told};
use crate::support::compress;
use crate::support::http::{HttpServer, Seen, Step, answer, json, send};

/// Pages of a table of `total` records: 10 a page.
fn page_of(total: usize, from: usize, more: &str) -> String {
    let items: Vec<String> = (from..total.min(from + 10)).map(|id| format!("{{\"id\":{id}}}")).collect();
    format!("{{\"items\":[{}]{more}}}", items.join(","))
}

fn parameter(seen: &Seen, name: &str) -> Option<usize> {
    let url = Url::parse(&format!("http://h{}", seen.path())).unwrap();
    url.query_pairs().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok())
}

/// Fetches all pages; the ids on them, in order.
async fn all(client: &Client, flag: &str, first: &Request) -> Result<Vec<u64>, HttpError> {
    let mut pager = Pager::new(flag.parse().unwrap(), first, 50)?;
    let mut ids = Vec::new();
    loop {
        let page = client.page(pager.request()).await?;
        let text = std::str::from_utf8(&page.bytes).unwrap();
        let items = pointer::find(text, "/items").unwrap().unwrap().get();
        let items: Vec<BTreeMap<String, u64>> = serde_json::from_str(items).unwrap();
        ids.extend(items.iter().map(|item| item["id"]));
        let digest = items.first().map_or(0, |item| item["id"]);
        let seen = PageSeen {
            url: &page.url,
            headers: &page.headers,
            text,
            records: items.len() as u64,
            digest,
            last: None,
        };
        if pager.next(&seen)?.is_none() {
            return Ok(ids);
        }
        // What a ledger would store is enough to go on with.
        let stored = serde_json::to_string(&pager.state()).unwrap();
        let state: PagerState = serde_json::from_str(&stored).unwrap();
        let resumed = Pager::at(flag.parse().unwrap(), first, state, 50);
        assert_eq!(resumed.request().url, pager.request().url);
    }
}

/// A table of 35 records (40 at `/more`), ten a page, by each way to paginate.
fn paged(seen: &Seen) -> Vec<Step> {
    let at = |name| parameter(seen, name).unwrap_or(0);
    match seen.path().split('?').next().unwrap() {
        "/link" => {
            let from = at("from");
            let link = if from + 10 < 35 {
                format!("Link: </link?from=0>; rel=\"first\", <?from={}>; rel=\"next last\"\r\n", from + 10)
            } else {
                String::new()
            };
            answer("200 OK", &link, page_of(35, from, ""))
        }
        "/next" => json(&page_of(
            35,
            at("from"),
            &if at("from") + 10 < 35 {
                format!(",\"links\":{{\"next\":\"/next?from={}\"}}", at("from") + 10)
            } else {
                ",\"links\":{}".to_owned()
            },
        )),
        "/cursor" => json(&page_of(
            35,
            at("after"),
            &if at("after") + 10 < 35 {
                format!(",\"cursor\":\"{}\"", at("after") + 10)
            } else {
                ",\"cursor\":null".to_owned()
            },
        )),
        "/page" => json(&page_of(35, (at("p") - 1) * 10, "")),
        "/total" => json(&page_of(35, (at("p") - 1) * 10, ",\"meta\":{\"total\":35}")),
        "/more" => json(&page_of(40, at("p") * 10, &format!(",\"more\":{}", at("p") < 3))),
        "/offset" => json(&page_of(35, at("skip"), "")),
        // Gives 10 though 25 are asked for.
        "/capped" => json(&page_of(35, at("skip"), "")),
        "/post" => {
            let after: usize =
                pointer::scalar(&seen.body, "/page/after").unwrap().map_or(0, |after| after.parse().unwrap());
            assert_eq!(seen.header("content-type"), Some("application/json"));
            json(&page_of(
                35,
                after,
                &if after + 10 < 35 { format!(",\"cursor\":{}", after + 10) } else { String::new() },
            ))
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_paginate_brings_each_record_once() {
    let server = HttpServer::start(paged).await;
    let client = client(&impatient(), &server);
    for (path, flag, records, requests) in [
        ("/link", "link", 35, 4),
        ("/next", "next:/links/next", 35, 4),
        ("/cursor", "cursor:/cursor=after", 35, 4),
        ("/page", "page:p", 35, 5),
        ("/page", "page:p;size=10", 35, 4),
        ("/total", "page:p;total=/meta/total", 35, 4),
        ("/more", "page:p=0;more=/more", 40, 4),
        ("/offset", "offset:skip,take=10", 35, 4),
        ("/capped", "offset:skip,take=25", 35, 5),
        ("/post", "cursor:/cursor=/page/after", 35, 4),
    ] {
        let before = server.count();
        let url = Url::parse(&server.url(&format!("{path}?sort=id"))).unwrap();
        let first =
            if path == "/post" { Request::post(url, r#"{"q":1}"#.to_owned()) } else { Request::get(url) };
        let ids = all(&client, flag, &first).await.unwrap();
        assert_eq!(ids, (0..records).collect::<Vec<u64>>(), "{path} {flag}");
        assert_eq!(server.count() - before, requests, "{path} {flag}");
    }
    assert!(
        server
            .seen()
            .iter()
            .filter(|seen| !seen.path().starts_with("/link?from") && !seen.path().starts_with("/next?from"))
            .all(|seen| seen.path().contains("sort=id"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_compressed_for_the_way_come_out_as_they_are() {
    let server = HttpServer::start(|seen| {
        let text = "[{\"id\":1}]".repeat(1_000);
        let gzip = compress::gzip(text.as_bytes());
        match seen.path() {
            "/gzip" => answer("200 OK", "Content-Encoding: gzip\r\n", gzip),
            "/x-gzip" => answer("200 OK", "Content-Encoding: x-gzip\r\n", gzip),
            "/zstd" => answer("200 OK", "Content-Encoding: zstd\r\n", compress::zstd(text.as_bytes())),
            "/br" => answer("200 OK", "Content-Encoding: br\r\n", "x"),
            "/half" => answer("200 OK", "Content-Encoding: gzip\r\n", &gzip[..gzip.len() - 4]),
            "/bomb" => answer("200 OK", "Content-Encoding: gzip\r\n", compress::gzip(&vec![b' '; 4 << 20])),
            "/large" => answer("200 OK", "", vec![b' '; 2 << 20]),
            _ => answer("200 OK", "", text),
        }
    })
    .await;
    let mut settings = impatient();
    settings.limits.page_bytes = 1 << 20;
    let client = client(&settings, &server);
    for path in ["/plain", "/gzip", "/x-gzip", "/zstd"] {
        let page = client.page(&request(&server.url(path))).await.unwrap();
        assert_eq!(page.bytes.len(), 10_000, "{path}");
        assert_eq!(page.ending, BodyEnd::Proven);
    }
    assert!(server.seen().iter().all(|seen| seen.header("accept-encoding") == Some("gzip, zstd")));
    for (path, word) in
        [("/br", "br"), ("/half", "damaged"), ("/bomb", "longer than"), ("/large", "longer than")]
    {
        let error = client.page(&request(&server.url(path))).await.unwrap_err();
        assert!(error.to_string().contains(word), "{path}: {error}");
    }
    // A body keeps what the server made of it: resume points count its bytes.
    let body = client.open(&request(&server.url("/gzip")), None, Encodings::Identity).await.unwrap();
    assert_eq!(body.content_encoding(), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_breaks_is_fetched_again_whole() {
    let server = HttpServer::start(|seen| match seen.number {
        0 | 1 => vec![send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{\"i"), Step::Reset],
        _ => json("[{\"a\":1}]"),
    })
    .await;
    let client = client(&impatient(), &server);
    let page = client.page(&request(&server.url("/x"))).await.unwrap();
    assert_eq!((&page.bytes[..], server.count()), (&b"[{\"a\":1}]"[..], 3));
    // One whose end is not proven is handed out with that said.
    let server = HttpServer::start(|_| vec![send("HTTP/1.0 200 OK\r\n\r\n[1]"), Step::Close]).await;
    let page = super::client(&impatient(), &server).page(&request(&server.url("/x"))).await.unwrap();
    assert_eq!(page.ending, BodyEnd::Unproven);
    assert!(page.must_be_proven().is_err());
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// Whole bodies, mended bodies, and bodies that are cut for good.
async fn land(settings: &Settings) {
    let text = Arc::new("{\"id\":\"ä€😀\\n\"}\n".repeat(20_000));
    let body = Arc::clone(&text);
    let server = HttpServer::start(move |seen| match (seen.path(), seen.range()) {
        ("/whole.jsonl", _) => answer("200 OK", "", body.as_bytes()),
        ("/mended.jsonl", None) => vec![
            send(format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n", body.len())),
            send(&body.as_bytes()[..70_001]),
            Step::Reset,
        ],
        ("/mended.jsonl", Some(from)) => {
            let headers =
                format!("ETag: \"1\"\r\nContent-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
            answer("206 Partial Content", &headers, &body.as_bytes()[from..])
        }
        ("/cut.jsonl", _) => vec![
            send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())),
            send(&body.as_bytes()[..70_001]),
            Step::Reset,
        ],
        ("/items?page=1", _) => answer(
            "200 OK",
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            compress::gzip(b"[{\"a\":1}]"),
        ),
        ("/bytes.gz", _) => answer("200 OK", "", compress::gzip(body.as_bytes())),
        _ => answer("404 Not Found", "", ""),
    })
    .await;
    let client = client(settings, &server);
    for (ordinal, path) in
        ["/whole.jsonl", "/mended.jsonl", "/cut.jsonl", "/missing.jsonl", "/bytes.gz"].into_iter().enumerate()
    {
        let mut request = request(&server.url(path));
        request.ordinal = ordinal as u64;
        match fetch(&client, &request).await {
            Ok(bytes) if path == "/bytes.gz" => assert_eq!(bytes, compress::gzip(text.as_bytes())),
            Ok(bytes) => assert_eq!(bytes, text.as_bytes(), "{path}"),
            Err(error) => {
                assert!(["/cut.jsonl", "/missing.jsonl"].contains(&path), "{path}: {}", told(&error))
            }
        }
    }
    let mut paged = request(&server.url("/items?page=1"));
    (paged.ordinal, paged.page) = (5, 7);
    assert_eq!(&client.page(&paged).await.unwrap().bytes[..], b"[{\"a\":1}]");
    // One that is not read to its end.
    let half = client.open(&request(&server.url("/whole.jsonl")), None, Encodings::Identity).await.unwrap();
    drop(half);
    client.finish().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_landing_folder_holds_whole_responses_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = impatient();
    settings.save_raw = Some(folder.path().join("raw"));
    land(&settings).await;
    let text = "{\"id\":\"ä€😀\\n\"}\n".repeat(20_000);
    let got = files(&folder.path().join("raw"));
    let names: Vec<&str> = got.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "000000-000000-whole.jsonl",
            "000001-000000-mended.jsonl",
            "000004-000000-bytes.gz",
            "000005-000007-items.json.gz"
        ]
    );
    assert_eq!(got["000000-000000-whole.jsonl"], text.as_bytes());
    assert_eq!(got["000001-000000-mended.jsonl"], text.as_bytes());
    assert_eq!(got["000004-000000-bytes.gz"], compress::gzip(text.as_bytes()));
    assert_eq!(got["000005-000007-items.json.gz"], compress::gzip(b"[{\"a\":1}]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_landing_file_holds_a_line_a_response_and_is_there_only_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("raw.jsonl.zst");
    let mut settings = impatient();
    settings.save_raw = Some(file.clone());
    land(&settings).await;
    assert_eq!(files(folder.path()).keys().collect::<Vec<_>>(), ["raw.jsonl.zst"]);
    let lines = zstd::decode_all(&std::fs::read(&file).unwrap()[..]).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let text = "{\"id\":\"ä€😀\\n\"}\n".repeat(20_000);
    let texts = lines.iter().filter(|line| line["body"] == text).count();
    let coded = lines.iter().filter(|line| line["body_base64"].is_string()).count();
    assert_eq!((lines.len(), texts, coded), (4, 2, 2));
    assert!(lines.iter().any(|line| line["page"] == 7 && line["content_encoding"] == "gzip"));
    // Never over an earlier one.
    let error = Client::new(&settings, dbload::internals::http::Origins::default()).err().unwrap();
    assert!(matches!(error, HttpError::Landing { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_landing_copy_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = impatient();
    settings.save_raw = Some(folder.path().join("raw"));
    let server = HttpServer::start(|_| json("[1]")).await;
    let client = client(&settings, &server);
    std::fs::remove_dir(folder.path().join("raw")).unwrap();
    let fetched = fetch(&client, &request(&server.url("/x"))).await;
    let finished = client.finish().await;
    let told = [fetched.err(), finished.err()]
        .into_iter()
        .flatten()
        .any(|error| matches!(error, HttpError::Landing { .. }));
    assert!(told, "a copy that is missing was not noticed");
}
