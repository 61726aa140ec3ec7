//! Exports that take their time: asked for, waited for, fetched.

use super::{array, check, lines, scene};
use crate::support::api::{Api, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_status_says_that_the_answer_is_not_there_yet() {
    let api = Api::serve(|ask| {
        if ask.before < 2 {
            return Reply::new(202, "application/json", r#"{"message":"working on it"}"#)
                .header("retry-after", "0.1");
        }
        Reply::json(array(0, 10))
    });
    let line = format!("{} -t t", api.url("/export"));
    scene().run(&line).exits(4).says("202").says("--poll");
    api.asked();
    let scene = scene();
    let outcome = scene.load(&format!("{line} --poll 202"));
    check(&scene, 10, &outcome);
    assert_eq!(api.requests(), 3, "{outcome}");
}

#[test]
fn an_export_is_posted_waited_for_and_fetched_with_no_credentials_for_strangers() {
    // The file lies with somebody else, signed.
    let store = Api::serve(|ask| {
        assert_eq!((ask.header("x-key"), ask.header("authorization")), (None, None), "strangers get nothing");
        if ask.query.get("X-Amz-Signature").map(String::as_str) != Some("CANARY-sig") {
            return Reply::new(403, "text/plain", "unsigned");
        }
        let reply = Reply::file(ask, lines(0, 20_000), "\"v1\"");
        if ask.before == 0 { reply.cut_after(300_000) } else { reply }
    });
    let file = store.url("/out.jsonl?X-Amz-Signature=CANARY-sig&X-Amz-Date=1");
    let posted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&posted);
    let api = Api::serve(move |ask| {
        assert_eq!(ask.header("x-key"), Some("CANARY-key"));
        match (ask.method.as_str(), ask.path.as_str()) {
            ("POST", "/exports") => {
                assert_eq!(ask.body, r#"{"what":"items"}"#);
                count.fetch_add(1, Ordering::Relaxed);
                Reply::new(201, "application/json", r#"{"id":"a/7","state":"QUEUED"}"#)
            }
            ("GET", "/exports/a%2F7") if ask.before < 2 => Reply::json(r#"{"state":"IN_PROGRESS"}"#),
            ("GET", "/exports/a%2F7") => {
                Reply::json(format!(r#"{{"state":"COMPLETED","files":[{{"url":"{file}"}}]}}"#))
            }
            _ => Reply::new(404, "text/plain", "no"),
        }
    });
    let scene = scene();
    let load = |rules: &str| {
        scene
            .dbload("-t t --header X-Key:env:KEY -vv")
            .arg(api.url("/exports"))
            .args(["--body", r#"{"what":"items"}"#, "--poll", rules])
            .env("KEY", "CANARY-key")
    };
    let rules = "status=/state;at=/exports/{/id};result=/files/0/url;every=20ms";
    let outcome = load(rules).run().exits(0);
    check(&scene, 20_000, &outcome);
    assert_eq!(posted.load(Ordering::Relaxed), 1, "a broken download is no new export");
    assert_eq!(store.requests(), 2);
    assert!(!outcome.stderr.contains("CANARY"), "{}", outcome.stderr);
    for (rules, said) in [
        ("status=/state;every=20ms", "whom to ask"),
        ("status=/state;at=/nothing;every=20ms", "no URL at /nothing"),
        ("status=/state;at=/exports/{/id};result=/nothing;every=20ms", "no URL at /nothing"),
        ("status=/state;at=/exports/{/id};done=NEVER;every=20ms;within=300ms", "within 300ms"),
        ("status=/state;at=/gone/{/id};every=20ms", "404"),
        ("status=/state;failed=COMPLETED;at=/exports/{/id};every=20ms", "has failed"),
    ] {
        let began = Instant::now();
        let outcome = load(rules).arg("--restart").run().exits(4).says(said);
        assert!(
            began.elapsed() < Duration::from_secs(60) && !outcome.stderr.contains("CANARY"),
            "{}",
            outcome.stderr
        );
    }
    load("state=/x").run().exits(2).says("status=/POINTER");
}

#[test]
fn location_and_see_other_lead_to_the_export_and_its_pages_are_followed() {
    let api = Api::serve(|ask| match (ask.method.as_str(), ask.path.as_str()) {
        ("POST", _) => Reply::new(202, "text/plain", "").header("location", "/jobs/1"),
        (_, "/jobs/1") if ask.before == 0 => Reply::new(202, "text/plain", "").header("retry-after", "0.1"),
        (_, "/jobs/1") => Reply::new(303, "text/plain", "").header("location", "/result"),
        _ => {
            let from = ask.number("from").unwrap_or(0);
            let reply = Reply::json(array(from, from + 10));
            if from < 20 {
                reply.header("link", format!("</result?from={}>; rel=\"next\"", from + 10))
            } else {
                reply
            }
        }
    });
    let scene = scene();
    let outcome = scene.load(&format!(
        "{} -t t --form what=items --poll 202;every=20ms --paginate link",
        api.url("/exports")
    ));
    check(&scene, 30, &outcome);
    let methods: Vec<String> =
        api.asked().iter().map(|ask| format!("{} {}", ask.method, ask.target())).collect();
    assert_eq!(
        methods,
        [
            "POST /exports",
            "GET /jobs/1",
            "GET /jobs/1",
            "GET /result",
            "GET /result?from=10",
            "GET /result?from=20"
        ]
    );
}
