//! Servers that refuse now and then, or for a reason: each is treated as its reason wants.

use super::{array, check, id_of, scene};
use crate::support::{
    Outcome,
    api::{Api, Reply},
};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const LATENCY: Duration = Duration::from_millis(50);

fn bottleneck(outcome: &Outcome) -> String {
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    report["bottleneck"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn refusals_that_follow_nothing_slow_nobody_down() {
    let api = Api::serve(|ask| {
        if ask.before == 0 && id_of(ask).is_multiple_of(20) {
            return Reply::new(503, "text/plain", "not now").header("retry-after", "0");
        }
        Reply::json(array(id_of(ask), id_of(ask) + 1)).after(LATENCY)
    });
    let scene = scene();
    let outcome = scene.load(&format!("{} -t t --concurrency 50", api.url("/i/{0..599}")));
    check(&scene, 600, &outcome);
    // Without refusals, 0.6 s. A rate that is cut for each of them takes many times as long.
    assert!(outcome.elapsed < Duration::from_secs(30), "{outcome}");
    assert_eq!(api.requests(), 630);
}

#[test]
fn a_server_that_takes_a_few_requests_at_once_is_sent_so_many() {
    let under_way = Mutex::new(VecDeque::<Instant>::new());
    let api = Api::serve(move |ask| {
        let mut under_way = under_way.lock().unwrap();
        let now = Instant::now();
        while under_way.front().is_some_and(|until| *until <= now) {
            under_way.pop_front();
        }
        if under_way.len() >= 5 {
            return Reply::new(503, "text/plain", "too many");
        }
        under_way.push_back(now + LATENCY);
        Reply::json(array(id_of(ask), id_of(ask) + 1)).after(LATENCY)
    });
    let scene = scene();
    let outcome = scene.load(&format!("{} -t t --concurrency 40", api.url("/i/{0..399}")));
    check(&scene, 400, &outcome);
    // With five at once, 4 s.
    assert!(outcome.elapsed < Duration::from_secs(40), "{outcome}");
    assert!(api.requests() < 550, "{} requests for 400", api.requests());
    assert_eq!(bottleneck(&outcome), "limit", "{outcome}");
}

#[test]
fn waiting_for_a_rate_is_a_limit_and_waiting_for_a_server_is_none() {
    let api = Api::serve(|ask| Reply::json(array(id_of(ask), id_of(ask) + 1)).after(LATENCY));
    let scene = scene();
    let outcome = scene.load(&format!("{} -t t --rate 20/s", api.url("/i/{0..39}")));
    check(&scene, 40, &outcome);
    assert_eq!(bottleneck(&outcome), "limit", "{outcome}");
    let told = scene.plain(&format!("{} -t t --again --rate 20/s", api.url("/i/{0..39}"))).run().exits(0);
    assert!(told.stdout.contains("bottleneck: the limit ("), "{told}");
    let slow =
        Api::serve(|ask| Reply::json(array(id_of(ask), id_of(ask) + 1)).after(Duration::from_millis(600)));
    let outcome = scene.load(&format!("{} -t t --concurrency 2", slow.url("/i/{0..11}")));
    assert_eq!(bottleneck(&outcome), "source", "{outcome}");
}

#[test]
fn the_time_that_a_request_may_fail_is_as_long_as_was_said_whatever_a_server_asks_for() {
    for (status, after, why) in [
        (503, Some("60"), "wait 1m"),
        (429, Some("60"), "wait 1m"),
        (503, None, "later"),
        (429, None, "later"),
    ] {
        let api = Api::serve(move |_| {
            let reply = Reply::new(status, "text/plain", "later");
            match after {
                Some(after) => reply.header("retry-after", after),
                None => reply,
            }
        });
        let scene = scene();
        let outcome =
            scene.dbload(&format!("{} -t t --http-retry-for 2s", api.url("/x.jsonl"))).run().exits(4);
        assert!(outcome.elapsed < Duration::from_secs(20), "{status} {after:?}: {outcome}");
        assert!(outcome.stderr.contains(why), "{status} {after:?}: {outcome}");
        assert!(api.requests() < 20, "{} requests", api.requests());
    }
}
