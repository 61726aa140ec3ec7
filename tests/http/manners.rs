//! How servers are treated: what is tried again and how often, pauses that are asked for, rates, slots.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use dbload::internals::http::{Client, Encodings, HttpError, Origins, Settings};
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::{client, fetch, impatient, request, told};
use crate::support::http::{Authority, Http2Server, HttpServer, Step, answer, json};

/// Answers `failing` so many times, then well.
fn failing(times: usize, failing: Vec<Step>) -> impl Fn(&crate::support::http::Seen) -> Vec<Step> {
    move |seen| if seen.number < times { failing.clone() } else { json("[1]") }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_server_are_tried_again_until_they_pass_or_patience_ends() {
    for status in [
        "500 Oops",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
        "408 Request Timeout",
        "425 Too Early",
        "429 Too Many Requests",
    ] {
        let server = HttpServer::start(failing(2, answer(status, "", "later"))).await;
        let client = client(&impatient(), &server);
        assert_eq!(fetch(&client, &request(&server.url("/x"))).await.unwrap(), b"[1]", "{status}");
        let counters = client.counters();
        assert_eq!((counters.requests, counters.retried, counters.failed), (3, 2, 0), "{status}");

        let server = HttpServer::start(failing(usize::MAX, answer(status, "", "never"))).await;
        let mut settings = impatient();
        settings.retry_limits.retry_for = Duration::from_secs(2);
        let client = super::client(&settings, &server);
        let began = Instant::now();
        let error = fetch(&client, &request(&server.url("/x"))).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(30), "{status}: {:?}", began.elapsed());
        assert!(
            matches!(error, HttpError::GaveUp { .. }) && told(&error).contains("never"),
            "{status}: {}",
            told(&error)
        );
        assert!((2..=12).contains(&server.count()), "{status}: {} requests", server.count());
        assert_eq!(client.counters().failed, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_refusals_are_not_tried_again_and_say_what_the_server_said() {
    for status in [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Nope",
        "409 Conflict",
        "410 Gone",
        "422 Unprocessable",
        "451 Lawyers",
    ] {
        let server = HttpServer::start(move |_| answer(status, "", "no such\r\n  thing")).await;
        let client = client(&impatient(), &server);
        let error = fetch(&client, &request(&server.url("/x?q=1"))).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&status[..3]) && text.contains("no such thing") && text.contains("/x?q=1"),
            "{text}"
        );
        assert_eq!((server.count(), client.counters().failed, client.counters().retried), (1, 1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_before_the_answer_are_tried_again() {
    for end in [Step::Close, Step::Reset] {
        let server = HttpServer::start(failing(2, vec![end])).await;
        assert_eq!(fetch(&client(&impatient(), &server), &request(&server.url("/x"))).await.unwrap(), b"[1]");
    }
}

/// How long after the refusal the next request came. The headers are those of the moment of the answer.
async fn pause_for(headers: impl Fn() -> String + Send + Sync + 'static) -> Duration {
    let server = HttpServer::start(move |seen| match seen.number {
        0 => answer("429 Too Many Requests", &headers(), ""),
        _ => json("[1]"),
    })
    .await;
    fetch(&client(&impatient(), &server), &request(&server.url("/x"))).await.unwrap();
    let seen = server.seen();
    seen[1].at - seen[0].at
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_that_are_asked_for_are_kept_with_a_floor_and_a_cap() {
    let ms = Duration::from_millis;
    let in_seconds = |seconds| {
        move || {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
            format!("Retry-After: {date}\r\n")
        }
    };
    let pause = pause_for(|| "Retry-After: 1\r\n".to_owned()).await;
    assert!(pause >= ms(1_000), "{pause:?}");
    // A date has no parts of a second: it may be one sooner.
    let pause = pause_for(in_seconds(2)).await;
    assert!(pause >= ms(990), "{pause:?}");
    assert!(pause_for(in_seconds(0)).await >= ms(99));
    for header in ["Retry-After: 0\r\n", "Retry-After: soon\r\n", "Retry-After: -5\r\n", ""] {
        let pause = pause_for(|| header.to_owned()).await;
        assert!(pause >= ms(99), "{header}: {pause:?}");
    }
    for year in ["31536000", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let headers = format!("Retry-After: {year}\r\n");
        let server = HttpServer::start(failing(1, answer("503 Service Unavailable", &headers, ""))).await;
        let client = client(&impatient(), &server);
        let began = Instant::now();
        for _ in 0..3 {
            let error = fetch(&client, &request(&server.url("/x"))).await.unwrap_err();
            assert!(matches!(error, HttpError::LongWait { .. }), "{}", told(&error));
        }
        assert!(
            began.elapsed() < Duration::from_secs(20) && server.count() == 1,
            "it asked to be left alone, and is"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_slows_the_whole_origin_down_and_no_other() {
    let other = HttpServer::start(|_| json("[1]")).await;
    let server = HttpServer::start(|seen| {
        if seen.path() == "/first" && seen.number == 0 {
            answer("429 Too Many Requests", "Retry-After: 3\r\n", "")
        } else {
            json("[1]")
        }
    })
    .await;
    let client = client(&impatient(), &server);
    let first = {
        let (client, request) = (client.clone(), request(&server.url("/first")));
        tokio::spawn(async move { fetch(&client, &request).await.unwrap() })
    };
    while client.counters().refused == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fetch(&client, &request(&other.url("/x"))).await.unwrap();
    let elsewhere = other.seen()[0].at - server.seen()[0].at;
    assert!(elsewhere < Duration::from_millis(2_900), "{elsewhere:?}");
    fetch(&client, &request(&server.url("/second"))).await.unwrap();
    first.await.unwrap();
    let seen = server.seen();
    let second = seen.iter().find(|seen| seen.path() == "/second").unwrap();
    assert!(second.at - seen[0].at >= Duration::from_millis(2_990), "{:?}", second.at - seen[0].at);
    assert_eq!(client.counters().refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_kept_and_slots_are_not_exceeded() {
    let (flying, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let server =
        HttpServer::start(|_| [vec![Step::Wait(Duration::from_millis(150))], json("[1]")].concat()).await;
    let mut settings = Settings { concurrency: 3, ..impatient() };
    settings.rate = Some("10/s".parse().unwrap());
    let client = client(&settings, &server);
    // Ordinals beyond the first: that one has a slot of its own.
    let all: Vec<_> = (0..20)
        .map(|n| {
            let (client, flying, most) = (client.clone(), Arc::clone(&flying), Arc::clone(&most));
            let mut request = request(&server.url("/x"));
            request.ordinal = n + 1;
            tokio::spawn(async move {
                let mut body = client.open(&request, None, Encodings::Identity).await.unwrap();
                most.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                let mut bytes = Vec::new();
                flying.fetch_sub(1, Ordering::SeqCst);
                body.read_to_end(&mut bytes).await.unwrap();
            })
        })
        .collect();
    for task in all {
        task.await.unwrap();
    }
    assert!(most.load(Ordering::SeqCst) <= 3);
    let seen = server.seen();
    let took = seen.last().unwrap().at - seen[0].at;
    assert!(took >= Duration::from_millis(1_750), "20 requests in {took:?}");
    assert!(client.counters().waited > Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_source_comes_through_where_later_ones_hold_all_slots() {
    let server = HttpServer::start(|_| json("[1]")).await;
    let client = client(&Settings { concurrency: 2, ..impatient() }, &server);
    let mut held = Vec::new();
    for ordinal in [5, 6] {
        let mut request = request(&server.url("/later"));
        request.ordinal = ordinal;
        held.push(client.open(&request, None, Encodings::Identity).await.unwrap());
    }
    let mut waiting = request(&server.url("/waits"));
    waiting.ordinal = 3;
    let blocked = tokio::time::timeout(Duration::from_millis(300), fetch(&client, &waiting)).await;
    assert!(blocked.is_err(), "all slots are held");
    client.prioritize(3);
    assert_eq!(fetch(&client, &waiting).await.unwrap(), b"[1]");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_many_requests() {
    let server = HttpServer::start(|_| json("[1]")).await;
    let client = client(&impatient(), &server);
    for _ in 0..20 {
        fetch(&client, &request(&server.url("/x"))).await.unwrap();
        // The answer's connection is back by then, or the next request would open another one.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // On a busy machine one may still come back late, once.
    let others = server.seen().iter().filter(|seen| seen.connection != 0).count();
    assert!(others <= 10 && server.seen().iter().all(|seen| seen.connection <= 1), "{others}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_takes_all_requests_over_one_connection_and_mends_its_streams() {
    const BODY: &[u8] = &[b'x'; 30_000];
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let server = Http2Server::start(&authority, BODY, Duration::from_millis(300)).await;
    let settings = Settings { ca_file: Some(authority.file().to_owned()), concurrency: 40, ..impatient() };
    let client = Client::new(&settings, Origins::of([&Url::parse(&server.url("/")).unwrap()])).unwrap();
    assert_eq!(fetch(&client, &request(&server.url("/first"))).await.unwrap(), BODY);
    let all: Vec<_> = (0..40)
        .map(|_| {
            let (client, request) = (client.clone(), request(&server.url("/x")));
            tokio::spawn(async move { fetch(&client, &request).await.unwrap() == BODY })
        })
        .collect();
    for task in all {
        assert!(task.await.unwrap());
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(fetch(&client, &request(&server.url("/cut"))).await.unwrap(), BODY);
    assert_eq!(client.counters().mended, 1);
}

/// The figure of the issue: a server that allows 100 a second. Run it with `--ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute"]
async fn a_limit_of_100_a_second_is_used_by_nine_tenths() {
    let window = Arc::new(std::sync::Mutex::new((Instant::now(), 0)));
    let server = HttpServer::start(move |_| {
        let mut window = window.lock().unwrap();
        if window.0.elapsed() >= Duration::from_secs(1) {
            *window = (Instant::now(), 0);
        }
        window.1 += 1;
        if window.1 <= 100 { json("[1]") } else { answer("429 Too Many Requests", "Retry-After: 1\r\n", "") }
    })
    .await;
    let mut settings = Settings { concurrency: 50, ..impatient() };
    settings.retry_limits.retry_for = Duration::from_secs(60);
    let client = client(&settings, &server);
    let (began, wanted) = (Instant::now(), 3_200);
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..50)
        .map(|_| {
            let (client, next, url) = (client.clone(), Arc::clone(&next), server.url("/x"));
            tokio::spawn(async move {
                while next.fetch_add(1, Ordering::SeqCst) < wanted {
                    fetch(&client, &request(&url)).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let counters = client.counters();
    let rate = 3_200.0 / began.elapsed().as_secs_f64();
    let share = counters.refused as f64 / counters.requests as f64;
    println!(
        "{rate:.1} a second, {} requests, {} refused ({:.1}%)",
        counters.requests,
        counters.refused,
        share * 100.0
    );
    assert!(rate >= 90.0 && share < 0.05, "{rate:.1} a second, {:.1}% refused", share * 100.0);
}
