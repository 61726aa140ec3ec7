//! `make bench-http`: servers that refuse, for every reason that there is, each beside a perfect schedule.
//! Ignored in a plain run, like [`super::speed`]. They are goals, and the limiter does not reach all of them.

use super::{array, id_of, scene};
use crate::support::{
    Outcome, Scene,
    api::{Api, Ask, Reply},
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const LATENCY: Duration = Duration::from_millis(100);

/// What a limiter of a server keeps.
#[derive(Default)]
struct Limiter {
    began: Option<Instant>,
    tokens: Option<f64>,
    filled: f64,
    seen: VecDeque<f64>,
    window: (u64, u32),
}

impl Limiter {
    fn now(&mut self) -> f64 {
        self.began.get_or_insert_with(Instant::now).elapsed().as_secs_f64()
    }

    fn bucket(&mut self, per_second: f64, burst: f64) -> bool {
        let now = self.now();
        let filled = (self.tokens.unwrap_or(burst) + (now - self.filled) * per_second).min(burst);
        let accepts = filled >= 1.0;
        (self.tokens, self.filled) = (Some(if accepts { filled - 1.0 } else { filled }), now);
        accepts
    }

    /// How much later it is served; `None`: not at all.
    fn leaky(&mut self, per_second: f64, queue: f64) -> Option<Duration> {
        let now = self.now();
        let later = (self.filled - now).max(0.0);
        (later <= queue / per_second).then(|| {
            self.filled = now + later + 1.0 / per_second;
            Duration::from_secs_f64(later)
        })
    }

    fn window(&mut self, per_second: u32) -> bool {
        let window = Duration::from_secs_f64(self.now() + 0.7).as_secs();
        if window != self.window.0 {
            self.window = (window, 0);
        }
        self.window.1 += 1;
        self.window.1 <= per_second
    }

    fn sliding(&mut self, per_second: usize) -> bool {
        let now = self.now();
        while self.seen.front().is_some_and(|at| now - at >= 1.0) {
            self.seen.pop_front();
        }
        let accepts = self.seen.len() < per_second;
        if accepts {
            self.seen.push_back(now);
        }
        accepts
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refusal() -> Reply {
    Reply::new(503, "text/plain", "not now")
}

fn record(ask: &Ask) -> Reply {
    Reply::json(array(id_of(ask), id_of(ask) + 1))
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Loads so many endpoints; the seconds of it, and the share of requests that were refused.
fn load(scene: &Scene, api: &Api, endpoints: u64, flags: &str) -> (f64, f64, Outcome) {
    scene.sql("TRUNCATE t");
    api.asked();
    let line = format!("{} -t t --again {flags}", api.url(&format!("/items/{{0..{}}}", endpoints - 1)));
    let outcome = scene.dbload(&line).timeout(Duration::from_secs(300)).run().exits(0);
    assert_eq!(scene.db.count("t"), endpoints, "{outcome}");
    let requests = float(api.requests() as u64);
    (outcome.elapsed.as_secs_f64(), (requests - float(endpoints)) / requests, outcome)
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn random_refusals() {
    for percent in [0, 1, 5, 20] {
        for (status, after) in [(503, Some("0")), (503, None), (429, None)] {
            let api = Api::serve(move |ask| {
                // Told by its path, and refused once.
                if ask.before == 0 && id_of(ask) * 7_919 % 100 < percent {
                    let reply = Reply::new(status, "text/plain", "not now");
                    return match after {
                        Some(after) => reply.header("retry-after", after),
                        None => reply,
                    };
                }
                record(ask).after(LATENCY)
            });
            let scene = scene();
            let perfect = 1_000.0 * LATENCY.as_secs_f64() / 50.0;
            let (seconds, refused, _) = load(&scene, &api, 1_000, "--concurrency 50");
            let ratio = seconds / perfect;
            println!(
                "{percent}% of {status}, Retry-After {after:?}: {seconds:.2} s, perfect {perfect:.2} s ({ratio:.2}), {:.1}% refused",
                refused * 100.0
            );
            assert!(ratio <= 1.3, "{ratio}");
        }
    }
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn a_hundred_a_second_by_every_limiter() {
    type Refuses = fn(&mut Limiter) -> Option<Duration>;
    let limiters: [(&str, Refuses); 6] = [
        ("a bucket of 1", |l| l.bucket(100.0, 1.0).then_some(Duration::ZERO)),
        ("a bucket of 20", |l| l.bucket(100.0, 20.0).then_some(Duration::ZERO)),
        ("a bucket of 100", |l| l.bucket(100.0, 100.0).then_some(Duration::ZERO)),
        ("a leaky bucket", |l| l.leaky(100.0, 20.0)),
        ("a fixed window", |l| l.window(100).then_some(Duration::ZERO)),
        ("a sliding window", |l| l.sliding(100).then_some(Duration::ZERO)),
    ];
    for (name, limiter) in limiters {
        let state = Mutex::new(Limiter::default());
        let api = Api::serve(move |ask| match limiter(&mut lock(&state)) {
            Some(later) => record(ask).after(later + Duration::from_millis(20)),
            None => refusal(),
        });
        let scene = scene();
        let (seconds, refused, outcome) = load(&scene, &api, 3_200, "--concurrency 50");
        let rate = 3_200.0 / seconds;
        println!("{name}: {rate:.1} a second over {seconds:.1} s, {:.2}% refused", refused * 100.0);
        let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(report["bottleneck"], "limit", "{outcome}");
        assert!(rate >= 90.0 && refused < 0.05, "{name}: {rate} a second, {refused} refused");
    }
}

/// A server that takes so many at once, as a function of the time.
fn at_once(most: impl Fn(f64) -> u64 + Send + Sync + 'static, per_second: Option<f64>) -> Api {
    let state = Arc::new(Mutex::new((Limiter::default(), VecDeque::<Instant>::new())));
    Api::serve(move |ask| {
        let mut state = lock(&state);
        let (limiter, until) = &mut *state;
        let now = Instant::now();
        // Those that were accepted are under way for their latency.
        while until.front().is_some_and(|at| *at <= now) {
            until.pop_front();
        }
        let seconds = limiter.now();
        if until.len() as u64 >= most(seconds) || per_second.is_some_and(|rate| !limiter.bucket(rate, 20.0)) {
            return refusal();
        }
        until.push_back(now + LATENCY);
        record(ask).after(LATENCY)
    })
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn ten_requests_at_once() {
    let api = at_once(|_| 10, None);
    let scene = scene();
    let (right, _, _) = load(&scene, &api, 2_000, "--concurrency 10");
    let (seconds, refused, _) = load(&scene, &api, 2_000, "--concurrency 50");
    println!(
        "10 at once: {seconds:.1} s, with --concurrency 10 {right:.1} s, {:.1}% refused",
        refused * 100.0
    );
    assert!(seconds <= right * 1.15, "{seconds} s, {right} s");
    let api = at_once(|_| 10, Some(60.0));
    let (seconds, refused, _) = load(&scene, &api, 1_200, "--concurrency 50");
    println!("10 at once and 60 a second: {seconds:.1} s, perfect 20 s, {:.1}% refused", refused * 100.0);
    assert!(seconds <= 20.0 / 0.9 && refused < 0.05, "{seconds} s, {refused}");
}

#[test]
#[ignore = "a benchmark: make bench-http"]
fn limits_that_change() {
    let scene = scene();
    let api = at_once(|seconds| if (8.0..13.0).contains(&seconds) { 5 } else { 30 }, None);
    // 300 a second for 8 s, 50 for 5 s, 300 again.
    let (seconds, refused, _) = load(&scene, &api, 6_250, "--concurrency 50");
    println!("30, 5, 30 at once: {seconds:.1} s, perfect 25 s, {:.1}% refused", refused * 100.0);
    assert!(seconds <= 25.0 * 1.3 && refused < 0.05, "{seconds} s, {refused}");
    let state = Mutex::new(Limiter::default());
    let api = Api::serve(move |ask| {
        let mut limiter = lock(&state);
        let rate = match limiter.now() {
            ..10.0 => 100.0,
            10.0..20.0 => 50.0,
            _ => 200.0,
        };
        if limiter.bucket(rate, 20.0) { record(ask).after(Duration::from_millis(20)) } else { refusal() }
    });
    let (seconds, refused, _) = load(&scene, &api, 4_500, "--concurrency 50");
    println!("100, 50, 200 a second: {seconds:.1} s, perfect 35 s, {:.1}% refused", refused * 100.0);
    assert!(seconds <= 35.0 * 1.3 && refused < 0.05, "{seconds} s, {refused}");
}
