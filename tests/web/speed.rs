//! `make bench-http`: what the HTTP sources must show, from process start to committed rows, against a real
//! server on loopback. Ignored in a plain run: figures of a debug build, or of a machine that does something
//! else, say nothing. `DBLOAD_TEST_PROGRAM` names the program to be measured.

use super::{array, id_of, scene};
use crate::support::{
    Outcome, Rng, Scene,
    api::{Api, Reply},
    dbload::Running,
};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Rounds of a short figure: the best counts, since whatever else the machine does only adds.
const ROUNDS: usize = 5;

fn best(what: &str, rounds: usize, most: f64, mut round: impl FnMut() -> Outcome) {
    let times: Vec<f64> = (0..rounds).map(|_| round().elapsed.as_secs_f64()).collect();
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    println!("{what}: {best:.3} s of at most {most:.3} s (rounds: {times:.3?})");
    assert!(best <= most, "{what}: {best:.3} s, more than {most:.3} s");
}

fn loaded(scene: &Scene, line: &str, rows: u64) -> Outcome {
    scene.sql("TRUNCATE t");
    let outcome = scene.load(&format!("{line} --load-id {}", rows ^ u64::from(std::process::id())));
    assert_eq!(scene.db.count("t"), rows, "{outcome}");
    outcome
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn fifty_endpoints_of_300_ms() {
    let api = Api::serve(|ask| {
        Reply::json(array(id_of(ask) * 20, id_of(ask) * 20 + 20)).after(Duration::from_millis(300))
    });
    let scene = scene();
    let line = format!("{} -t t --concurrency 50", api.url("/items/{0..49}"));
    loaded(&scene, &line, 1_000);
    best("50 endpoints of 300 ms, 50 at once", ROUNDS, 0.38, || loaded(&scene, &line, 1_000));
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn a_thousand_endpoints_of_300_ms() {
    let api = Api::serve(|ask| {
        Reply::json(array(id_of(ask) * 20, id_of(ask) * 20 + 20)).after(Duration::from_millis(300))
    });
    let scene = scene();
    let line = format!("{} -t t --concurrency 50", api.url("/items/{0..999}"));
    best("1,000 endpoints of 300 ms, 50 at once", 2, 6.0 * 1.03, || loaded(&scene, &line, 20_000));
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn a_thousand_endpoints_of_20_ms_to_2_s() {
    let mut rng = Rng::from_seed(4);
    let delays: Arc<Vec<u64>> = Arc::new((0..1_000).map(|_| 20 + rng.below(1_980)).collect());
    let sizes: Arc<Vec<u64>> = Arc::new((0..1_000).map(|_| 1 + rng.below(5_000)).collect());
    // The ideal: each slot takes the next endpoint as soon as it is free.
    let mut slots = vec![0_u64; 50];
    for delay in delays.iter() {
        slots.sort_unstable();
        slots[0] += delay;
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let ideal = slots.into_iter().max().unwrap() as f64 / 1_000.0;
    let rows: u64 = sizes.iter().sum();
    let (answered, sized) = (Arc::clone(&delays), Arc::clone(&sizes));
    let api = Api::serve(move |ask| {
        let i = usize::try_from(id_of(ask)).unwrap();
        let from = sized[..i].iter().sum::<u64>();
        Reply::json(array(from, from + sized[i])).after(Duration::from_millis(answered[i]))
    });
    let scene = scene();
    let line = format!("{} -t t --concurrency 50", api.url("/items/{0..999}"));
    println!("ideal {ideal:.2} s, {rows} rows");
    best("1,000 endpoints of 20 ms to 2 s, 50 at once", 2, ideal * 1.15, || loaded(&scene, &line, rows));
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn a_server_that_allows_a_hundred_requests_a_second() {
    const ALLOWED: f64 = 100.0;
    const ENDPOINTS: u64 = 3_500;
    // A bucket that fills by 100 a second and holds 10.
    let bucket = Mutex::new((10.0_f64, Instant::now()));
    let api = Api::serve(move |ask| {
        let mut bucket = bucket.lock().unwrap();
        let now = Instant::now();
        bucket.0 = (bucket.0 + (now - bucket.1).as_secs_f64() * ALLOWED).min(10.0);
        bucket.1 = now;
        if bucket.0 < 1.0 {
            return Reply::new(429, "text/plain", "slow down").header("retry-after", "1");
        }
        bucket.0 -= 1.0;
        Reply::json(array(id_of(ask), id_of(ask) + 1)).after(Duration::from_millis(20))
    });
    for flags in ["", "--rate 95/s"] {
        let scene = scene();
        let outcome = scene
            .dbload(&format!(
                "{} -t t --concurrency 50 {flags}",
                api.url(&format!("/items/{{0..{}}}", ENDPOINTS - 1))
            ))
            .timeout(Duration::from_secs(300))
            .run()
            .exits(0);
        assert_eq!(scene.db.count("t"), ENDPOINTS, "{outcome}");
        let asked = api.asked();
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let (requests, seconds) = (asked.len() as f64, outcome.elapsed.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let (rate, refused) = (ENDPOINTS as f64 / seconds, (requests - ENDPOINTS as f64) / requests);
        println!(
            "429 above 100/s, flags {flags:?}: {rate:.1} a second over {seconds:.1} s, {:.2}% refused",
            refused * 100.0
        );
        assert!(
            seconds >= 30.0 && rate >= 0.9 * ALLOWED && refused < 0.05,
            "{rate} a second, {refused} refused"
        );
    }
}

/// Most memory that a process had, in MiB, while it runs.
fn peak_mib(running: &Running) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}

fn peak_of(mut running: Running, stop: impl Fn() -> bool) -> (f64, Running) {
    let mut peak = 0.0_f64;
    while running.is_running() && !stop() {
        peak = peak.max(peak_mib(&running));
        std::thread::sleep(Duration::from_millis(20));
    }
    (peak, running)
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn memory_for_a_body_of_two_gigabytes() {
    // Few keys, so that the database is not what is measured.
    let piece: axum::body::Bytes = super::lines(0, 2_000).into();
    let copies = usize::try_from((2_u64 << 30) / piece.len() as u64).unwrap() + 1;
    let api = Api::serve(move |_| Reply::new(200, "application/x-ndjson", piece.clone()).repeated(copies));
    let scene = scene();
    let running =
        scene.dbload(&format!("{} -t t", api.url("/huge.jsonl"))).timeout(Duration::from_secs(900)).spawn();
    let (peak, running) = peak_of(running, || false);
    let outcome = running.wait().exits(0);
    println!(
        "a body of 2 GiB: {peak:.1} MiB, {:.1} s, {} records",
        outcome.elapsed.as_secs_f64(),
        outcome.rows().read
    );
    assert_eq!(outcome.rows().read, 2_000 * copies as u64);
    assert!(peak < 64.0, "{peak} MiB");
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn memory_for_pages_without_end_into_a_slow_database() {
    let api = Api::serve(|ask| {
        let from = ask.number("from").unwrap_or(0);
        let next = from + 2_000;
        Reply::json(format!(r#"{{"next":"/pages?from={next}","items":{}}}"#, array(from, next)))
    });
    let scene = scene();
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    let line = format!("{} -t t --paginate next:/next --records items", api.url("/pages"));
    let running = scene.dbload(&line).spawn();
    let began = Instant::now();
    let (peak, running) = peak_of(running, || began.elapsed() > Duration::from_secs(30));
    let (early, rows) = (api.requests(), scene.db.count("t"));
    drop(running);
    println!("pages without end: {peak:.1} MiB after 30 s, {early} pages asked for, {rows} rows stored");
    assert!(peak < 64.0, "{peak} MiB");
    assert!(rows > 0 && (early as u64) * 2_000 < rows + 700_000, "back-pressure did not reach the server");
}

/// Records of orders' length in so many bytes.
fn body_of(number: u64, bytes: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes + 200);
    let pad = "some words that an order has as its comment, of no use to anybody but its reader";
    let mut id = number * 10_000_000;
    while text.len() < bytes {
        let _ = writeln!(text, r#"{{"id":{id},"v":{},"note":"r{id} {pad}"}}"#, id * 7);
        id += 1;
    }
    text
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn memory_for_many_bodies_at_once() {
    for bodies in [10_u64, 16, 32] {
        let text: Vec<axum::body::Bytes> = (0..bodies).map(|i| body_of(i, 26_000_000).into()).collect();
        let rows: usize = text.iter().map(|text| text.iter().filter(|byte| **byte == b'\n').count()).sum();
        let api = Api::serve(move |ask| {
            let body = text[usize::try_from(id_of(ask)).unwrap()].clone();
            Reply::new(200, "application/x-ndjson", body)
        });
        let scene = scene();
        scene.sql("ALTER TABLE t SET UNLOGGED");
        let line = format!("{} -t t --concurrency {bodies}", api.url(&format!("/b/{{0..{}}}", bodies - 1)));
        let running = scene.dbload(&line).timeout(Duration::from_secs(300)).spawn();
        let (peak, running) = peak_of(running, || false);
        let outcome = running.wait().exits(0);
        println!("{bodies} bodies at once: {peak:.1} MiB, {:.1} s", outcome.elapsed.as_secs_f64());
        assert_eq!(outcome.rows().read, rows as u64);
        assert!(peak < 64.0, "{bodies} bodies: {peak} MiB");
    }
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn ten_slow_bodies() {
    const BODIES: u64 = 10;
    let text: Vec<axum::body::Bytes> = (0..BODIES).map(|i| body_of(i, 26_000_000).into()).collect();
    let api = Api::serve(move |ask| {
        let body = text[usize::try_from(id_of(ask)).unwrap()].clone();
        // Two megabytes a second.
        Reply::new(200, "application/x-ndjson", body).in_pieces(100_000, Duration::from_millis(50))
    });
    let scene = scene();
    let line = format!("{} -t t", api.url(&format!("/b/{{0..{}}}", BODIES - 1)));
    let running = scene.dbload(&line).timeout(Duration::from_secs(300)).spawn();
    let (peak, running) = peak_of(running, || false);
    let outcome = running.wait().exits(0);
    let seconds = outcome.elapsed.as_secs_f64();
    println!("ten bodies of 26 MB at 2 MB/s: {seconds:.1} s, ideal 13 s, {peak:.1} MiB");
    assert!(seconds <= 13.0 * 1.5 && peak < 64.0, "{seconds} s, {peak} MiB");
}
