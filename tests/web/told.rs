//! Rows are neither lost nor doubled where a page, a URL or a body is another one each time and yet the same:
//! counted from 1, with an envelope that differs, signed anew, with a secret in it.

use super::{array, check, kill_beyond, scene};
use crate::rows;
use crate::support::api::{Api, Ask, Reply};
use crate::support::{Scene, audit};
use std::process::Command;
use std::time::Duration;

const CANARY: &str = "CANARY-51be77";
/// An append cannot hide a record that came twice.
const WITHOUT_KEY: &str = "CREATE TABLE t (id bigint, v bigint, note text)";

/// What the ledger holds, as text.
pub(super) fn ledger(scene: &Scene) -> String {
    let dump = Command::new("pg_dump").args(["--data-only", "--schema=_dbload", scene.db.url()]).output();
    match dump {
        Ok(dump) if dump.status.success() => String::from_utf8_lossy(&dump.stdout).into_owned(),
        _ => scene
            .db
            .lines("SELECT s::text FROM _dbload.source s UNION ALL SELECT c::text FROM _dbload.checkpoint c UNION ALL SELECT r::text FROM _dbload.run r")
            .join("\n"),
    }
}

/// Users counted from 1, as SCIM has them: who asks for 0 gets them from 1 on.
fn scim(ask: &Ask) -> Reply {
    let start = ask.number("startIndex").unwrap_or(1).max(1);
    let count = ask.number("count").unwrap_or(100);
    let (from, to) = ((start - 1).min(30), (start - 1 + count).min(30));
    let told = if ask.path == "/silent" { String::new() } else { format!("\"startIndex\":{start},") };
    let items = to - from;
    Reply::json(format!(
        r#"{{"totalResults":30,{told}"itemsPerPage":{items},"Resources":{}}}"#,
        array(from, to)
    ))
}

#[test]
fn an_offset_that_begins_at_1_loads_all_records_once() {
    let api = Api::serve(scim);
    for (path, flag) in [
        ("/Users", "offset:startIndex=1,count=10"),
        ("/silent", "offset:startIndex=1,count=10"),
        ("/Users", "offset:startIndex=1,count=10;total=/totalResults"),
        ("/Users", "offset:startIndex=1,count=7"),
        // The reply says where it begins.
        ("/Users", "offset:startIndex,count=10;total=/totalResults"),
        ("/Users", "offset:startIndex,count=10"),
    ] {
        let scene = Scene::with(WITHOUT_KEY);
        let outcome = scene
            .load(&format!("{} -t t --mode append --records Resources --paginate {flag}", api.url(path)));
        check(&scene, 30, &outcome);
        assert_eq!(outcome.rows(), rows!(read: 30, inserted: 30), "{flag}");
    }
}

#[test]
fn a_page_is_told_again_by_its_records_and_not_by_its_envelope() {
    // Time, request and the token of the next page are others in each answer, and not of the same length.
    let answer = |ask: &Ask| {
        let from =
            ask.query.get("after").map_or(0, |token| token.split('-').next().unwrap().parse().unwrap());
        let (from, to) = (u64::min(from, 20_000), u64::min(from + 100, 20_000));
        let took = 7_u64.pow(u32::try_from(ask.at.as_millis() % 12).unwrap());
        let next = if to < 20_000 { format!("\"{to}-{took}\"") } else { "null".to_owned() };
        let lines = "\n".repeat(usize::try_from(took % 3).unwrap());
        Reply::json(format!(
            r#"{{"took":{took},{lines}"items":{},"meta":{{"request_id":"{}","next":{next}}}}}"#,
            array(from, to),
            "x".repeat(usize::try_from(took % 17).unwrap())
        ))
        .after(Duration::from_millis(4))
    };
    let api = Api::serve(answer);
    let scene = Scene::with(WITHOUT_KEY);
    let line = format!(
        "{} -t t --mode append --batch-rows 170 --records items --paginate cursor:/meta/next=after",
        api.url("/items")
    );
    for beyond in [3_000, 8_000, 13_000] {
        let running = scene.dbload(&line).spawn();
        kill_beyond(&scene, running, beyond);
    }
    assert!(scene.db.count("t") < 20_000, "the kill came too late");
    let outcome = scene.load(&line);
    check(&scene, 20_000, &outcome);
    let report = outcome.report();
    assert_eq!((report.rows, audit(&scene.db)), (rows!(read: 20_000, inserted: 20_000), report.rows));
    assert!(!outcome.stderr.contains("not what they were"), "{outcome}");
}

/// Lines behind a signature; who signs otherwise than this is refused, with his words said back.
fn signed(lines: u64, signature: &'static str) -> impl Fn(&Ask) -> Reply + Send + Sync {
    move |ask| {
        let has = |name: &str, value: &str| ask.query.get(name).is_some_and(|is| is == value);
        let good = has("X-Amz-Signature", signature) || has("sig", signature) || has("Signature", signature);
        if !good {
            return Reply::new(403, "application/xml", format!("<Error>Expired {}</Error>", ask.target()));
        }
        let n: u64 = ask.path.trim_start_matches("/b/").trim_end_matches(".jsonl").parse().unwrap();
        Reply::file(ask, super::lines(n * lines, (n + 1) * lines), "\"v1\"")
            .in_pieces(65_536, Duration::from_millis(4))
    }
}

/// The same object signed at two times, in the ways of four stores.
fn signings() -> [(&'static str, String, String); 4] {
    let amz = |sig: &str, date: &str| {
        format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={CANARY}%2F{date}%2Fs3&X-Amz-Date={date}T10Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={sig}"
        )
    };
    let later = |sig: &str, date: &str| format!("{}&X-Amz-Security-Token={CANARY}", amz(sig, date));
    let azure = |sig: &str, end: &str| {
        format!("sv=2022-11-02&st=2026-11-29T00%3A00%3A00Z&se={end}&sr=b&sp=r&skoid={CANARY}&sig={sig}")
    };
    let front = |sig: &str, end: &str| format!("Expires={end}&Signature={sig}&Key-Pair-Id={CANARY}");
    [
        ("s3", amz("CANARY-first", "20261128"), later("CANARY-second", "20261129")),
        ("azure", azure("CANARY-first", "2026-11-29"), azure("CANARY-second", "2031-05-17")),
        ("cloudfront", front("CANARY-first", "1764400000"), front("CANARY-second", "1764500000")),
        (
            "google",
            format!("GoogleAccessId={CANARY}&Expires=1&Signature=CANARY-first"),
            format!("GoogleAccessId={CANARY}&Expires=2&Signature=CANARY-second"),
        ),
    ]
}

#[test]
fn a_url_that_is_signed_anew_is_the_same_source() {
    const N: u64 = 60_000;
    for (store, first, second) in signings() {
        let api = Api::serve(signed(N, "CANARY-first"));
        let scene = Scene::with(WITHOUT_KEY);
        let load = |query: &str| {
            scene
                .dbload("-t t --mode append --batch-rows 500 -vv")
                .arg(api.url(&format!("/b/0.jsonl?versionId=3&{query}")))
        };
        kill_beyond(&scene, load(&first).spawn(), 5_000);
        assert!(scene.db.count("t") < N, "the kill came too late");
        api.answer_with(signed(N, "CANARY-second"));
        // What has run out is refused, and says nothing.
        let refused = load(&first).run().exits(4).says("403");
        assert!(
            !refused.stderr.contains("CANARY") && !refused.stdout.contains("CANARY"),
            "{}",
            refused.stderr
        );
        let outcome = load(&second).run().exits(0);
        check(&scene, N, &outcome);
        assert!(
            !outcome.stderr.contains("CANARY") && !outcome.stdout.contains("CANARY"),
            "{}",
            outcome.stderr
        );
        let ledger = ledger(&scene);
        assert!(ledger.contains("versionId=3") && !ledger.contains("CANARY"), "{store}: {ledger}");
        assert!(!ledger.contains("2031-05-17") && !ledger.contains("Expires"), "{store}: {ledger}");
    }
}

#[test]
fn lists_and_rows_of_urls_that_are_signed_anew_are_the_same_sources() {
    const N: u64 = 8_000;
    for list in ["--urls list.txt", "--each rows.csv"] {
        let api = Api::serve(signed(N, "CANARY-first"));
        let scene = Scene::with(WITHOUT_KEY);
        let write = |signature: &str| {
            let query = format!("X-Amz-Date=20261129&X-Amz-Signature={signature}");
            let urls: Vec<String> = (0..6).map(|n| api.url(&format!("/b/{n}.jsonl?{query}"))).collect();
            scene.file("list.txt", urls.join("\n"));
            let rows: String = (0..6).map(|n| format!("{n},{signature}\n")).collect();
            scene.file("rows.csv", format!("n,s\n{rows}"));
        };
        let line = format!("-t t --mode append --batch-rows 500 {list}");
        let load = || {
            let load = scene.dbload(&line);
            if list.contains("each") {
                return load.arg(api.url("/b/{n}.jsonl?X-Amz-Date=20261129&X-Amz-Signature={s}"));
            }
            load
        };
        write("CANARY-first");
        kill_beyond(&scene, load().spawn(), N + 1_000);
        assert!(scene.db.count("t") < 6 * N, "the kill came too late");
        write("CANARY-second");
        api.answer_with(signed(N, "CANARY-second"));
        let outcome = load().run().exits(0);
        check(&scene, 6 * N, &outcome);
        assert!(!ledger(&scene).contains("CANARY"), "{list}");
    }
}

#[test]
fn a_link_to_the_next_page_that_is_signed_is_followed_and_not_stored() {
    let api = Api::serve(|ask| {
        let from = ask.number("from").unwrap_or(0);
        if ask.query.get("sig").map(String::as_str) != Some(&format!("CANARY-{from}")) {
            return Reply::new(403, "text/plain", "signed for another page");
        }
        let (to, path) = (from + 10, &ask.path);
        let next = (to < 50).then(|| format!("{path}?from={to}&se=2026&sp=r&sig=CANARY-{to}"));
        Reply::json(format!(r#"{{"items":{},"next":{}}}"#, array(from, to), serde_json::Value::from(next)))
    });
    let scene = scene();
    let url = api.url("/items?se=2025&sp=r&sig=CANARY-0");
    let outcome = scene.dbload("-t t --records items --paginate next:/next").arg(&url).run().exits(0);
    check(&scene, 50, &outcome);
    let ledger = ledger(&scene);
    assert!(ledger.contains("/items") && !ledger.contains("CANARY"), "{ledger}");
}

#[test]
fn secrets_in_a_body_reach_the_server_and_nothing_else() {
    let answer = |ask: &Ask| {
        let body: serde_json::Value = serde_json::from_str(&ask.body).unwrap();
        let known = body["auth"][0]["secret"] == CANARY
            && body["token"] == format!("Bearer {CANARY}")
            && body["pin"] == CANARY
            && body["literal"] == CANARY
            && ask.body.contains("\"n\":1.10");
        let from = body["page"]["after"].as_u64().unwrap_or(0);
        if !known || from == 20_000 {
            return Reply::new(401, "text/plain", format!("who is {} {}?", body["literal"], body["token"]));
        }
        let next = from + 100;
        Reply::json(format!(r#"{{"items":{},"next":{next}}}"#, array(from, next)))
            .after(Duration::from_millis(3))
    };
    let api = Api::serve(answer);
    let scene = scene();
    scene.file("pin", CANARY);
    let body = format!(
        r#"{{"auth":[{{"secret":"env:TOKEN"}}],"token":"Bearer env:TOKEN","pin":"file:./pin","literal":"{CANARY}","n":1.10}}"#
    );
    let load = || {
        scene
            .dbload("-t t --records items --paginate cursor:/next=/page/after --batch-rows 300 -vv")
            .arg(api.url("/search"))
            .args(["--body", &body, "--secret-body", "/literal"])
            .env("TOKEN", CANARY)
    };
    kill_beyond(&scene, load().spawn(), 3_000);
    let outcome = load().run().exits(4).says("401");
    check(&scene, 20_000, &outcome);
    assert!(!outcome.stdout.contains(CANARY) && !outcome.stderr.contains(CANARY), "{}", outcome.stderr);
    let ledger = ledger(&scene);
    assert!(ledger.contains("after") && !ledger.contains(CANARY), "{ledger}");
    let missing = scene
        .dbload("-t t --body {\"a\":\"env:MISSING\"}")
        .arg(api.url("/x"))
        .run()
        .exits(2)
        .says("--body cannot be filled in at /a: the environment variable MISSING is not set");
    drop(missing);
    scene
        .run(&format!("{} -t t --body {{\"a\":1}} --secret-body /b", api.url("/x")))
        .exits(2)
        .says("--body has nothing at /b");
}

#[test]
fn a_page_that_comes_again_is_a_failure_and_its_records_are_not_stored_twice() {
    // The last page for whatever lies behind it; and one page, whatever cursor is asked for.
    let again = Api::serve(|ask| {
        let page = ask.number("page").unwrap_or(1).clamp(1, 3);
        Reply::json(array((page - 1) * 10, (page * 10).min(25)))
    });
    let round = Api::serve(|_| Reply::json(format!(r#"{{"data":{},"next":"abc"}}"#, array(0, 10))));
    for (url, flags, records) in [
        (again.url("/a"), "--paginate page:page", 25),
        (round.url("/b"), "--records data --paginate cursor:/next=after", 10),
    ] {
        let scene = Scene::with(WITHOUT_KEY);
        let outcome = scene.run(&format!("{url} -t t --mode append {flags}")).exits(4).says("come again");
        assert_eq!(outcome.rows(), rows!(read: records, inserted: records), "{flags}: {outcome}");
        assert_eq!(scene.db.count("t"), records, "{flags}");
    }
}

#[test]
fn pages_that_cannot_be_found_out_are_said() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/list" => Reply::json(format!(r#"{{"object":"list","has_more":true,"data":{}}}"#, array(0, 10))),
        _ => Reply::json(array(0, 10)),
    });
    let scene = scene();
    let flags = "-t t --extra ignore --paginate auto";
    let outcome = scene.run(&format!("{} {flags}", api.url("/list"))).exits(4);
    assert!(outcome.stderr.contains("--records data reads them"), "{outcome}");
    assert_eq!(scene.db.count("t"), 0);
    // An array says nothing of others.
    let outcome = scene.load(&format!("{} {flags}", api.url("/array")));
    check(&scene, 10, &outcome);
    assert!(outcome.stderr.contains("its first page is taken for the only one"), "{outcome}");
}
