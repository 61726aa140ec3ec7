//! A store under stress, or one that lies: bodies that break, versions that change in the middle, ranges that
//! are ignored, refusals for now.

use super::{TABLE, check, lines, load};
use crate::support::api::Reply;
use crate::support::bucket::{Bucket, lists, refusal};
use crate::support::{Scene, audit};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const N: u64 = 20_000;

fn bucket() -> Bucket {
    let bucket = Bucket::new();
    bucket.put("t.jsonl", lines(0, N));
    bucket
}

/// A1: a body takes the time that it takes.
#[test]
fn a1_a_body_may_take_longer_than_any_answer_may_keep_us_waiting() {
    let bucket = bucket();
    bucket.misbehave(
        |ask, reply| if lists(ask) { reply } else { reply.in_pieces(20_000, Duration::from_millis(150)) },
    );
    let scene = Scene::with(TABLE);
    let line = "s3://b/t.jsonl --http-connect-timeout 1s --http-first-byte-timeout 1s --http-idle-timeout 1s";
    let began = std::time::Instant::now();
    let outcome = load(&scene, &bucket, line).run().exits(0);
    assert!(began.elapsed() > Duration::from_secs(2), "it was no test");
    check(&scene, N, &outcome);
}

/// A2: a body that breaks is gone on with where it broke, and an end that comes too early is none.
#[test]
fn a2_a_broken_body_is_asked_for_from_where_it_broke() {
    let bucket = bucket();
    let breaks = AtomicUsize::new(0);
    bucket.misbehave(move |ask, reply| {
        if lists(ask) || breaks.fetch_add(1, Ordering::SeqCst) >= 3 {
            return reply;
        }
        let middle = reply.body.len() / 3;
        reply.cut_after(middle)
    });
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, "s3://b/t.jsonl").run().exits(0);
    check(&scene, N, &outcome);
    assert_eq!(
        (audit(&scene.db), outcome.report().sources[0].retries),
        (outcome.report().rows, 3),
        "{outcome}"
    );
    let asked = bucket.api.asked();
    let ranges: Vec<&str> = asked.iter().filter_map(|ask| ask.header("range")).collect();
    assert_eq!((asked.len(), ranges.len()), (5, 3), "{ranges:?}");
    // A9: each of them is signed anew.
    let signatures: std::collections::BTreeSet<&str> =
        asked.iter().map(|ask| ask.header("authorization").unwrap()).collect();
    assert!(!signatures.is_empty() && asked.iter().all(|ask| ask.header("x-amz-date").is_some()));
}

#[test]
fn a2_a_version_that_changes_in_the_middle_is_never_joined() {
    let bucket = bucket();
    bucket.misbehave(|ask, reply| match (lists(ask), ask.header("range")) {
        (false, None) => {
            let middle = reply.body.len() / 3;
            reply.cut_after(middle)
        }
        // If-Range means nothing to it: a part of what is there now.
        (false, Some(_)) => {
            let mut reply = reply;
            reply.headers.retain(|(name, _)| name != "etag");
            reply.header("etag", "\"another-2\"")
        }
        _ => reply,
    });
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, "s3://b/t.jsonl --batch-rows 500").run().exits(4);
    outcome.says("was changed while it was read");
    let stored = scene.db.count("t");
    assert!(stored < N, "{stored}");
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE v <> id * 7"), "0");
}

#[test]
fn a2_an_object_that_is_replaced_between_its_listing_and_its_reading_is_not_taken_for_the_listed_one() {
    let bucket = bucket();
    bucket.misbehave(|ask, reply| {
        let text = String::from_utf8_lossy(&reply.body).replace("e1-2", "e0-2");
        if lists(ask) { Reply { body: text.into(), ..reply } } else { reply }
    });
    let scene = Scene::with(TABLE);
    load(&scene, &bucket, "s3://b/t.jsonl").run().exits(4).says("was changed since this load began");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn a2_an_object_without_a_strong_etag_is_refused() {
    let bucket = bucket();
    bucket.misbehave(|ask, mut reply| {
        if !lists(ask) {
            reply.headers.retain(|(name, _)| name != "etag");
        }
        reply
    });
    let scene = Scene::with(TABLE);
    load(&scene, &bucket, "s3://b/t.jsonl")
        .run()
        .exits(4)
        .says("read it by its URL, or copy it to a file first");
    assert_eq!(scene.db.count("t"), 0);
}

/// A3: all of it, where a part was asked for, is never taken for the part.
#[test]
fn a3_a_server_that_ignores_ranges_doubles_and_skips_nothing() {
    let bucket = bucket();
    let whole = lines(0, N);
    let breaks = AtomicUsize::new(0);
    bucket.misbehave(move |ask, reply| {
        if lists(ask) {
            return reply;
        }
        let mut reply = Reply { status: 200, body: whole.clone().into(), ..reply };
        reply.headers.retain(|(name, _)| name != "content-range");
        if breaks.fetch_add(1, Ordering::SeqCst) < 2 { reply.cut_after(whole.len() / 2) } else { reply }
    });
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, "s3://b/t.jsonl").run().exits(0);
    check(&scene, N, &outcome);
    assert_eq!(audit(&scene.db), outcome.report().rows, "{outcome}");
}

/// A7: what a status means is said, and where the bucket is.
#[test]
fn a7_refusals_say_what_they_mean() {
    let bucket = bucket();
    for (status, code, header, words) in [
        (403, "AccessDenied", None, "this identity may not read it"),
        (404, "NoSuchBucket", None, "is it at another server (--endpoint)?"),
        (301, "PermanentRedirect", Some("eu-west-3"), "its bucket is in the region eu-west-3"),
        (
            400,
            "AuthorizationHeaderMalformed",
            Some("eu-west-3"),
            "the bucket may be in another region (--region)",
        ),
        (401, "Unauthorized", None, "its credentials are not known there, or have expired"),
    ] {
        bucket.misbehave(move |ask, reply| match (lists(ask), header) {
            // Whoever may not list may read, perhaps.
            (true, _) if status == 403 => refusal(403, code, "no"),
            (false, _) if status != 403 => reply,
            (_, Some(region)) => refusal(status, code, "no").header("x-amz-bucket-region", region),
            _ => refusal(status, code, "no"),
        });
        let scene = Scene::with(TABLE);
        let outcome = load(&scene, &bucket, "s3://b/t.jsonl").run().exits(4).says(words);
        outcome
            .says(&format!("{code}: no"))
            .says("the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (region us-east-1");
    }
    // Followed: the region that was said.
    bucket.misbehave(|ask, reply| {
        match ask.header("authorization").is_some_and(|text| text.contains("/eu-west-3/s3/")) {
            true => reply,
            false => {
                refusal(400, "AuthorizationHeaderMalformed", "no").header("x-amz-bucket-region", "eu-west-3")
            }
        }
    });
    let scene = Scene::with(TABLE);
    load(&scene, &bucket, "s3://b/t.jsonl").run().exits(4);
    let outcome = load(&scene, &bucket, "s3://b/t.jsonl --restart --region eu-west-3").run().exits(0);
    check(&scene, N, &outcome);
}

/// A8: a store that wants us to be slower is asked again, and slower.
#[test]
fn a8_slow_down_is_pace_and_no_failure() {
    let bucket = bucket();
    let refused = AtomicUsize::new(0);
    bucket.misbehave(move |_, reply| match refused.fetch_add(1, Ordering::SeqCst) {
        0 | 2 | 3 => refusal(503, "SlowDown", "Please reduce your request rate."),
        4 => refusal(500, "InternalError", "We encountered an internal error."),
        _ => reply,
    });
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, "s3://b/t.jsonl").run().exits(0);
    check(&scene, N, &outcome);
    assert_eq!(bucket.api.requests(), 6);
}

#[test]
fn a_store_that_is_not_there_is_said_with_what_may_be_wrong() {
    let scene = Scene::with(TABLE);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = format!("s3://b/t.jsonl -t t --no-sign-request --http-tries 2 --endpoint http://{nobody}");
    let outcome = scene.run(&line).exits(4);
    outcome
        .says("s3://b/t.jsonl")
        .says("is the store there (--endpoint)? Once it answers, the same command goes on");
}
