//! One URL, one body: streamed, decompressed, resumed, never two versions.

use super::{check, kill_beyond, lines, scene, wait_until};
use crate::rows;
use crate::support::{
    api::{Api, Ask, Reply},
    audit, compress,
};
use std::time::Duration;

const ETAG: &str = "\"v1\"";

#[test]
fn files_over_http_are_loaded_whatever_their_format_and_compression() {
    let text = lines(0, 3_000);
    let csv: String = std::iter::once("id,v,note\n".to_owned())
        .chain((0..3_000).map(|i| format!("{i},{},r{i}\n", i * 7)))
        .collect();
    let gz = compress::gzip(text.as_bytes());
    let zst = compress::zstd(text.as_bytes());
    let api = Api::serve(move |ask| {
        let body = match ask.path.as_str() {
            "/events.jsonl" => text.clone().into_bytes(),
            "/events.jsonl.gz" => gz.clone(),
            "/events.jsonl.zst" => zst.clone(),
            "/events.csv" => csv.clone().into_bytes(),
            _ => return Reply::new(404, "text/plain", "no"),
        };
        Reply::file(ask, body, ETAG)
    });
    for name in ["events.jsonl", "events.jsonl.gz", "events.jsonl.zst", "events.csv"] {
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t", api.url(&format!("/{name}"))));
        check(&scene, 3_000, &outcome);
        let report = outcome.report();
        assert_eq!(report.rows, rows!(read: 3_000, inserted: 3_000), "{outcome}");
        assert_eq!((report.guarantee.as_str(), audit(&scene.db)), ("exactly-once", report.rows), "{outcome}");
        assert_eq!(api.targets(), [format!("/{name}")], "one request is enough");
    }
}

#[test]
fn a_load_that_was_killed_goes_on_by_range_in_the_same_version() {
    let text = lines(0, 60_000);
    let whole = text.len();
    let served = text.clone();
    let api = Api::serve(move |ask| {
        Reply::file(ask, served.clone(), ETAG).in_pieces(32_768, Duration::from_millis(8))
    });
    let scene = scene();
    let line = format!("{} -t t --batch-rows 500", api.url("/events.jsonl"));
    let running = scene.dbload(&line).spawn();
    kill_beyond(&scene, running, 10_000);
    let stored = scene.db.count("t");
    assert!(stored < 60_000, "the kill came too late");
    api.asked();
    let outcome = scene.load(&line);
    check(&scene, 60_000, &outcome);
    let report = outcome.report();
    assert_eq!((report.rows, report.attempts), (rows!(read: 60_000, inserted: 60_000), 2), "{outcome}");
    assert_eq!((report.guarantee.as_str(), audit(&scene.db)), ("exactly-once", report.rows), "{outcome}");
    let asked = api.asked();
    let range = asked.last().and_then(|ask| ask.header("range")).expect("a range was asked for").to_owned();
    let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!(from > whole / 10, "{range} of {whole} bytes after {stored} rows");
    assert_eq!(asked.last().unwrap().header("if-range"), Some(ETAG));
}

#[test]
fn another_version_is_refused_on_a_resume_and_never_mixed() {
    for (first, second, said) in [("\"v1\"", "\"v2\"", "\"v2\""), ("W/\"v1\"", "W/\"v2\"", "differs")] {
        let api = Api::serve(move |ask| {
            Reply::file(ask, lines(0, 60_000), first).in_pieces(32_768, Duration::from_millis(8))
        });
        let scene = scene();
        let line = format!("{} -t t --batch-rows 500", api.url("/events.jsonl"));
        let running = scene.dbload(&line).spawn();
        kill_beyond(&scene, running, 10_000);
        let before = scene.db.digest("t");
        // The same length, other bytes.
        api.answer_with(move |ask| Reply::file(ask, lines(0, 60_000).replace("\"r1", "\"R1"), second));
        scene.run(&line).exits(8).says("changed").says(said).says("--restart");
        assert_eq!(scene.db.digest("t"), before);
        let outcome = scene.load(&format!("{line} --restart"));
        assert_eq!(
            outcome.report().guarantee,
            if second == "\"v2\"" { "exactly-once" } else { "effectively-once" }
        );
        assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE note LIKE 'R%'"), "11111");
    }
}

#[test]
fn without_a_strong_etag_a_resume_reads_from_the_start_and_skips_what_is_committed() {
    let api = Api::serve(|_| {
        Reply::new(200, "application/x-ndjson", lines(0, 60_000)).in_pieces(32_768, Duration::from_millis(8))
    });
    let scene = scene();
    let line = format!("{} -t t --batch-rows 500", api.url("/export"));
    let running = scene.dbload(&line).spawn();
    kill_beyond(&scene, running, 10_000);
    let outcome = scene.load(&line);
    check(&scene, 60_000, &outcome);
    let report = outcome.report();
    assert_eq!(
        (report.rows, report.guarantee.as_str()),
        (rows!(read: 60_000, inserted: 60_000), "effectively-once")
    );
    assert!(api.asked().iter().all(|ask| ask.header("range").is_none()));
}

/// One of four writers stands still while the others go on, then all are killed. The next start fails before
/// it has come to what they had read.
#[test]
fn what_the_furthest_writer_had_read_stays_known_when_a_later_start_fails_before_it() {
    for (cut, etag) in [(0, None), (30_000, None), (0, Some(("\"v1\"", "\"v2\"")))] {
        let whole = lines(0, 60_000);
        let export = |ask: &Ask, text: String, etag: Option<&str>| match etag {
            Some(etag) => Reply::file(ask, text, etag),
            None => Reply::new(200, "application/x-ndjson", text),
        };
        let (first, second) = (etag.map(|(first, _)| first), etag.map(|(_, second)| second));
        let text = whole.clone();
        let api = Api::serve(move |ask| {
            export(ask, text.clone(), first).in_pieces(32_768, Duration::from_millis(8))
        });
        let scene = scene();
        let line =
            format!("{} -t t --batch-rows 5000 --pool-size 4 --http-tries 1", api.url("/export.jsonl"));
        scene.sql("INSERT INTO t VALUES (3, 0, 'before')");
        let other = scene.db.another();
        other.sql("BEGIN; UPDATE t SET v = v WHERE id = 3");
        let running = scene.dbload(&line).spawn();
        wait_until("rows are committed", || scene.db.count("t") > 10_000);
        std::thread::sleep(Duration::from_millis(500));
        running.kill9_after(Duration::ZERO);
        drop(other);
        scene.db.until_quiet();
        let text = whole.clone();
        api.answer_with(move |ask| match cut {
            0 => Reply::new(500, "", ""),
            cut => export(ask, text.clone(), first).cut_after(cut),
        });
        scene.run(&line).exits(4);
        // What only the furthest writer has read.
        let last = scene.db.one("SELECT max(id) FROM t");
        let other = whole.replace(&format!("\"r{last}\""), &format!("\"R{last}\""));
        api.answer_with(move |ask| export(ask, other.clone(), second));
        scene.run(&line).exits(8).says("the body is not the one that was read before");
        api.answer_with(move |ask| export(ask, whole.clone(), first));
        let outcome = scene.load(&line);
        check(&scene, 60_000, &outcome);
    }
}

#[test]
fn a_body_that_breaks_goes_on_within_the_same_load() {
    for etag in ["\"v1\"", "W/\"v1\""] {
        let api = Api::serve(move |ask| {
            let reply = Reply::file(ask, lines(0, 20_000), etag);
            // Broken three times, each time further on.
            if ask.before < 3 { reply.cut_after(100_000 * (ask.before + 1)) } else { reply }
        });
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t", api.url("/events.jsonl")));
        check(&scene, 20_000, &outcome);
        assert_eq!(outcome.report().rows, rows!(read: 20_000, inserted: 20_000));
        assert_eq!(api.requests(), 4);
    }
}

#[test]
fn a_body_that_always_ends_early_is_never_complete() {
    let api =
        Api::serve(move |_| Reply::new(200, "application/x-ndjson", lines(0, 20_000)).cut_after(400_000));
    let scene = scene();
    let line = format!("{} -t t --http-tries 2", api.url("/events"));
    let outcome = scene.run(&line).exits(4).says("events");
    assert!(!outcome.report().complete);
    api.answer_with(|_| Reply::new(200, "application/x-ndjson", lines(0, 20_000)));
    let outcome = scene.load(&line);
    check(&scene, 20_000, &outcome);
    assert_eq!(outcome.report().rows.read, 20_000);
}

#[test]
fn answers_that_are_no_records_are_errors_that_say_so() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/login" => Reply::new(200, "text/html", "<!doctype html><title>Sign in</title>"),
        "/login.csv" => Reply::new(200, "text/csv", "\n<HTML><body>Sign in</body>"),
        "/empty" => Reply::new(200, "application/json", ""),
        "/empty.jsonl" => Reply::new(200, "application/x-ndjson", ""),
        "/scalar" => Reply::json("\"please sign in\""),
        "/error" => Reply::json("{\"error\":\"quota\"}"),
        "/missing" => Reply::new(404, "application/json", "{\"message\":\"no such collection\"}"),
        _ => Reply::new(200, "image/png", &b"\x89PNG\r\n\x1a\n\0\0"[..]),
    });
    for (path, flags, said) in [
        ("/login", "", "html"),
        ("/login.csv", "", "html"),
        ("/login.csv", "--format csv", "html"),
        ("/empty", "", "empty"),
        ("/empty.jsonl", "", "empty"),
        ("/empty", "--format jsonl", "empty"),
        ("/scalar", "", "must stand"),
        ("/error", "--records data", "quota"),
        ("/missing", "", "no such collection"),
        ("/logo", "", "image/png"),
    ] {
        for pages in ["", "--paginate page:page"] {
            let scene = scene();
            let line = format!("{} -t t {flags} {pages} --http-tries 1", api.url(path));
            let outcome = scene.run(&line).exits(4).says(path).says(said);
            assert_eq!(scene.db.count("t"), 0, "{outcome}");
        }
    }
}
