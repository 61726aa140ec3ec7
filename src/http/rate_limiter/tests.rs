//! The limiter against servers in virtual time, beside a perfect schedule. (`make bench-http` shows the same
//! against real ones.)

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use super::*;

const MS: Duration = Duration::from_millis(1);
/// Seeds of each play.
const SEEDS: u64 = 3;

/// A limit on requests in a time, as it is found in the wild.
#[derive(Debug, Clone, Copy)]
enum TimeLimit {
    None,
    /// A bucket that is refilled.
    Bucket {
        per_second: f64,
        burst: f64,
    },
    /// Those beyond it are served later, up to so many.
    Leaky {
        per_second: f64,
        queue: f64,
    },
    /// So many in each second of a clock that is not the client's.
    Window {
        per_second: u32,
    },
    /// So many in any second.
    Sliding {
        per_second: usize,
    },
}

/// A server: what it allows from a moment on, and how long it takes.
#[derive(Clone)]
struct Server {
    limits: Vec<(f64, TimeLimit)>,
    at_once: Vec<(f64, usize)>,
    /// Refused whatever anybody does.
    random: f64,
    latency: f64,
    /// Answers take up to this share longer.
    spread: f64,
    refused_after: f64,
    kind: Throttled,
    asked: Option<Duration>,
}

struct ServerState {
    server: Server,
    rng: fastrand::Rng,
    under_way: usize,
    tokens: Option<f64>,
    filled: f64,
    seen: VecDeque<f64>,
    window: (u64, u32),
}

fn server(limit: TimeLimit, latency: f64) -> Server {
    Server {
        limits: vec![(0.0, limit)],
        at_once: Vec::new(),
        random: 0.0,
        latency,
        spread: 0.1,
        refused_after: 0.002,
        kind: Throttled::Unavailable,
        asked: None,
    }
}

fn current<T: Copy>(changes: &[(f64, T)], now: f64) -> Option<T> {
    changes.iter().rev().find(|(from, _)| *from <= now).map(|(_, value)| *value)
}

impl ServerState {
    /// How long an answer takes; `None`: it refuses.
    fn ask(&mut self, now: f64) -> Option<f64> {
        if current(&self.server.at_once, now).is_some_and(|most| self.under_way >= most) {
            return None;
        }
        let mut later = 0.0;
        let accepts = match current(&self.server.limits, now).unwrap_or(TimeLimit::None) {
            TimeLimit::None => true,
            TimeLimit::Bucket { per_second, burst } => {
                let filled = self.tokens.unwrap_or(burst) + (now - self.filled) * per_second;
                (self.tokens, self.filled) = (Some(filled.min(burst)), now);
                let accepts = filled >= 1.0;
                if accepts {
                    self.tokens = Some(filled.min(burst) - 1.0);
                }
                accepts
            }
            TimeLimit::Leaky { per_second, queue } => {
                later = (self.filled - now).max(0.0);
                let accepts = later <= queue / per_second;
                if accepts {
                    self.filled = now + later + 1.0 / per_second;
                }
                accepts
            }
            TimeLimit::Window { per_second } => {
                let window = Duration::from_secs_f64(now + 0.7).as_secs();
                if window != self.window.0 {
                    self.window = (window, 0);
                }
                self.window.1 += 1;
                self.window.1 <= per_second
            }
            TimeLimit::Sliding { per_second } => {
                while self.seen.front().is_some_and(|at| now - at >= 1.0) {
                    self.seen.pop_front();
                }
                let accepts = self.seen.len() < per_second;
                if accepts {
                    self.seen.push_back(now);
                }
                accepts
            }
        };
        if !accepts || self.chance() < self.server.random {
            return None;
        }
        self.under_way += 1;
        Some(later + self.server.latency * (1.0 + self.chance() * self.server.spread))
    }

    fn chance(&mut self) -> f64 {
        self.rng.f64()
    }
}

#[derive(Debug)]
struct Played {
    accepted: u32,
    refused: u32,
    seconds: f64,
}

impl Played {
    fn refused_share(&self) -> f64 {
        f64::from(self.refused) / f64::from((self.accepted + self.refused).max(1))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Answered(u64),
    Refused(u64, u32),
    Again(u32),
    Wakes,
}

/// How long a load is played.
#[derive(Debug, Clone, Copy)]
enum Until {
    Requests(u32),
    Seconds(f64),
}

/// Plays a load with so many requests at once.
fn play(server: &Server, rate: Option<Rate>, concurrency: usize, until: Until, seed: u64) -> Played {
    let (requests, seconds) = match until {
        Until::Requests(requests) => (Some(requests), f64::INFINITY),
        Until::Seconds(seconds) => (None, seconds),
    };
    let start = Instant::now();
    // What a request waits that alone was refused is drawn too.
    fastrand::seed(seed);
    let mut limiter = RateLimiter::new(rate, concurrency);
    let mut state = ServerState {
        server: server.clone(),
        rng: fastrand::Rng::with_seed(seed),
        under_way: 0,
        tokens: None,
        filled: 0.0,
        seen: VecDeque::new(),
        window: (0, 0),
    };
    let micros = |seconds: f64| u64::try_from(Duration::from_secs_f64(seconds).as_micros()).unwrap();
    let mut events = BinaryHeap::new();
    let (mut new, mut again, mut free) = (requests.unwrap_or(u32::MAX), VecDeque::new(), concurrency);
    let (mut accepted, mut refused, mut wakes) = (0, 0, HashSet::new());
    let mut now = 0;
    loop {
        let instant = start + Duration::from_micros(now);
        while free > 0 && (new > 0 || !again.is_empty()) {
            match limiter.take(instant, false) {
                Ok(id) => {
                    let tries = again.pop_front().unwrap_or_else(|| {
                        new -= 1;
                        0
                    });
                    free -= 1;
                    let at = Duration::from_micros(now).as_secs_f64();
                    events.push(Reverse(match state.ask(at) {
                        Some(took) => (now + micros(took), Happens::Answered(id)),
                        None => (now + micros(server.refused_after), Happens::Refused(id, tries)),
                    }));
                }
                Err(Wait::For(time) | Wait::Change(time)) => {
                    // Timers tick in milliseconds, but where it must be exact.
                    let at = now + u64::try_from(time.as_micros()).unwrap();
                    let at = if limiter.is_exact() { at + 100 } else { (at / 1_000 + 1) * 1_000 };
                    if wakes.insert(at) {
                        events.push(Reverse((at, Happens::Wakes)));
                    }
                    break;
                }
            }
        }
        let Some(Reverse((at, what))) = events.pop() else { break };
        if requests.is_none() && Duration::from_micros(at).as_secs_f64() > seconds {
            break;
        }
        now = at;
        let instant = start + Duration::from_micros(now);
        match what {
            Happens::Answered(id) => {
                limiter.accepted(id, instant);
                limiter.ended(id, instant);
                (free, accepted, state.under_way) = (free + 1, accepted + 1, state.under_way - 1);
            }
            Happens::Refused(id, tries) => {
                let wait = limiter.refused(id, server.kind, instant, server.asked, tries);
                (free, refused) = (free + 1, refused + 1);
                events.push(Reverse((
                    now + u64::try_from(wait.as_micros()).unwrap(),
                    Happens::Again(tries + 1),
                )));
            }
            Happens::Again(tries) => again.push_back(tries),
            Happens::Wakes => _ = wakes.remove(&at),
        }
        if requests == Some(accepted) {
            break;
        }
    }
    Played { accepted, refused, seconds: Duration::from_micros(now).as_secs_f64() }
}

const HUNDRED: [(&str, TimeLimit); 6] = [
    ("a bucket of 1", TimeLimit::Bucket { per_second: 100.0, burst: 1.0 }),
    ("a bucket of 20", TimeLimit::Bucket { per_second: 100.0, burst: 20.0 }),
    ("a bucket of 100", TimeLimit::Bucket { per_second: 100.0, burst: 100.0 }),
    ("a leaky bucket", TimeLimit::Leaky { per_second: 100.0, queue: 20.0 }),
    ("a fixed window", TimeLimit::Window { per_second: 100 }),
    ("a sliding window", TimeLimit::Sliding { per_second: 100 }),
];

/// What of a perfect schedule must be reached at least, and how much refused at most.
#[derive(Debug, Clone, Copy)]
struct Goal {
    used: f64,
    refused: f64,
}

/// Plays with each seed: the least share that was used, and the median and the largest that was refused.
fn judge(name: &str, goal: Goal, one: impl Fn(u64) -> (f64, f64)) {
    let (used, mut refused): (Vec<f64>, Vec<f64>) = (0..SEEDS).map(one).unzip();
    let least = used.iter().copied().fold(f64::INFINITY, f64::min);
    refused.sort_by(f64::total_cmp);
    let median = refused[refused.len() / 2];
    println!("{name}: {least:.2} of it at least, {:.1}% refused", median * 100.0);
    assert!(least >= goal.used, "{name}: only {least:.2} of it, where {} can be", goal.used);
    assert!(median <= goal.refused, "{name}: {:.1}% refused", median * 100.0);
}

/// Half a minute of it, beside what a perfect schedule would get through.
fn half_a_minute(server: &Server, concurrency: usize, perfect: f64) -> impl Fn(u64) -> (f64, f64) {
    move |seed| {
        let played = play(server, None, concurrency, Until::Seconds(30.0), seed);
        (f64::from(played.accepted) / perfect, played.refused_share())
    }
}

#[test]
fn a_limit_of_a_hundred_a_second_is_used_by_nine_tenths_with_few_refusals() {
    for (name, limit) in HUNDRED {
        for latency in [0.005, 0.02, 0.05, 0.1] {
            for (concurrency, spread) in [(16, 0.1), (50, 0.1), (50, 1.0)] {
                let name = format!("{name}, {latency} s to {spread} more, {concurrency} at once");
                let server = Server { spread, ..server(limit, latency) };
                // Who counts the time between two requests looks at first like who takes one at once.
                let is_spaced = name.starts_with("a bucket of 1,");
                let used = if is_spaced && latency > 0.02 { 0.7 } else { 0.9 };
                // Sixteen at once are hardly more than it takes.
                let can = float(concurrency) / (latency * (1.0 + spread / 2.0));
                if can > 200.0 {
                    let goal = Goal { used, refused: 0.05 };
                    judge(&name, goal, half_a_minute(&server, concurrency, 3_000.0));
                }
            }
        }
    }
}

#[test]
fn a_limit_that_says_how_long_is_kept_to() {
    for (name, limit) in HUNDRED.into_iter().filter(|(name, _)| !name.contains("leaky")) {
        for kind in [Throttled::TooFast, Throttled::Unavailable] {
            for asked in [Duration::from_secs(1), Duration::ZERO] {
                let server = Server { kind, asked: Some(asked), ..server(limit, 0.02) };
                let name = format!("{name}, {kind:?}, Retry-After {asked:?}");
                judge(&name, Goal { used: 0.7, refused: 0.06 }, half_a_minute(&server, 50, 3_000.0));
            }
        }
    }
}

#[test]
fn refusals_that_have_nothing_to_do_with_us_cost_their_own_requests_and_little_more() {
    for kind in [Throttled::TooFast, Throttled::Unavailable] {
        for random in [0.01, 0.05, 0.2] {
            for refused_after in [0.002, 0.1] {
                let server = Server { random, kind, refused_after, ..server(TimeLimit::None, 0.1) };
                let perfect = |requests: u32| {
                    let again = random / (1.0 - random) * refused_after / 0.105;
                    f64::from(requests) * (1.0 + again) * 0.105 / 50.0
                };
                for requests in [1_000, 10_000] {
                    // Of a few requests one that is unlucky again and again ends later than all others.
                    let used = if random > 0.1 && requests < 5_000 { 0.5 } else { 1.0 / 1.3 };
                    judge(
                        &format!("{random} of {requests} {kind:?}, after {refused_after} s"),
                        Goal { used, refused: random * 1.3 + 0.01 },
                        |seed| {
                            let played = play(&server, None, 50, Until::Requests(requests), seed);
                            (perfect(requests) / played.seconds, played.refused_share())
                        },
                    );
                }
            }
        }
    }
}

#[test]
fn so_many_at_once_as_are_taken_are_sent() {
    for at_once in [1, 3, 10, 30] {
        for latency in [0.02, 0.1, 0.3] {
            for spread in [0.1, 1.0] {
                let server =
                    Server { at_once: vec![(0.0, at_once)], spread, ..server(TimeLimit::None, latency) };
                judge(
                    &format!("{at_once} at once, {latency} s to {spread} more"),
                    Goal { used: if at_once < 10 { 0.8 } else { 0.87 }, refused: 0.6 },
                    |seed| {
                        let perfect = play(&server, None, at_once, Until::Seconds(30.0), seed);
                        half_a_minute(&server, 50, f64::from(perfect.accepted))(seed)
                    },
                );
            }
        }
    }
}

#[test]
fn both_limits_at_once_and_limits_that_change_are_found() {
    let bucket = |per_second: f64| TimeLimit::Bucket { per_second, burst: 20.0 };
    for latency in [0.02, 0.05, 0.1, 0.3] {
        for per_second in [60.0, 100.0] {
            let both = Server { at_once: vec![(0.0, 10)], ..server(bucket(per_second), latency) };
            let perfect = (10.0 / (latency * 1.05)).min(per_second) * 30.0;
            let name = format!("10 at once and {per_second} a second, {latency} s");
            judge(&name, Goal { used: 0.9, refused: 0.08 }, half_a_minute(&both, 50, perfect));
        }
    }
    let mut changing = server(bucket(100.0), 0.05);
    changing.limits.extend([(10.0, bucket(50.0)), (20.0, bucket(200.0))]);
    judge("100, 50, 200 a second", Goal { used: 1.0 / 1.3, refused: 0.05 }, |seed| {
        let played = play(&changing, None, 50, Until::Requests(4_500), seed);
        (35.0 / played.seconds, played.refused_share())
    });
    let mut changing = server(TimeLimit::None, 0.1);
    changing.at_once = vec![(0.0, 30), (8.0, 5), (13.0, 30)];
    judge("30, 5, 30 at once", Goal { used: 1.0 / 1.3, refused: 0.05 }, |seed| {
        let played = play(&changing, None, 50, Until::Requests(6_250), seed);
        (26.2 / played.seconds, played.refused_share())
    });
}

#[test]
fn a_limit_is_told_from_refusals_that_follow_nothing_beside_it() {
    // It takes a while to tell them apart, and the worst luck is judged: but it never stands still.
    for random in [0.01, 0.05, 0.2] {
        for (name, limit) in HUNDRED.into_iter().chain([("no limit", TimeLimit::None)]) {
            let server = Server { random, ..server(limit, 0.05) };
            let name = format!("{name} and {random} refused for nothing");
            let goal = Goal { used: 0.4, refused: random * 1.3 + 0.07 };
            judge(&name, goal, |seed| {
                let played = play(&server, None, 50, Until::Seconds(90.0), seed);
                (f64::from(played.accepted) / (9_000.0 * (1.0 - random)), played.refused_share())
            });
        }
    }
}

#[test]
fn a_slow_limit_is_not_run_against() {
    for limit in [
        TimeLimit::Window { per_second: 5 },
        TimeLimit::Sliding { per_second: 5 },
        TimeLimit::Bucket { per_second: 5.0, burst: 5.0 },
    ] {
        for asked in [Some(Duration::from_secs(1)), None] {
            for concurrency in [8, 50] {
                let server = Server { kind: Throttled::TooFast, asked, ..server(limit, 0.02) };
                let name = format!("{limit:?}, Retry-After {asked:?}, {concurrency} at once");
                judge(&name, Goal { used: 0.6, refused: 0.6 }, half_a_minute(&server, concurrency, 150.0));
            }
        }
    }
}

#[test]
fn a_server_that_was_away_is_not_thought_slow() {
    let mut away = server(TimeLimit::None, 0.1);
    away.at_once = vec![(0.0, 1_000), (5.0, 0), (15.0, 1_000)];
    let perfect = 20.0 * 50.0 / 0.105;
    judge("away for 10 s of 30", Goal { used: 0.7, refused: 0.05 }, half_a_minute(&away, 50, perfect));
}

#[test]
fn a_given_rate_is_kept() {
    let rate = "100/s".parse().unwrap();
    let sliding = server(TimeLimit::Sliding { per_second: 103 }, 0.02);
    let played = play(&sliding, Some(rate), 50, Until::Seconds(30.0), 7);
    assert!((2_950..=3_010).contains(&played.accepted) && played.refused == 0, "{played:?}");
    let mut limiter = RateLimiter::new(Some("2/s".parse().unwrap()), 16);
    let now = Instant::now();
    assert!(limiter.take(now, false).is_ok());
    assert_eq!(limiter.take(now, false), Err(Wait::For(470 * MS)));
    assert!(limiter.take(now + 470 * MS, false).is_ok());
}

#[test]
fn nothing_is_held_back_before_a_refusal_nor_by_a_single_one() {
    let mut limiter = RateLimiter::new(None, 16);
    let now = Instant::now();
    assert!((0..1_000).all(|_| limiter.take(now, false).is_ok()));
    for id in 1..=3 {
        limiter.refused(id, Throttled::Unavailable, now, Some(Duration::from_secs(7)), 0);
        limiter.accepted(id + 100, now);
    }
    assert!(limiter.take(now, false).is_ok());
}

#[test]
fn a_server_that_says_that_requests_come_too_fast_and_for_how_long_is_left_alone() {
    let now = Instant::now();
    let mut limiter = RateLimiter::new(None, 16);
    let id = limiter.take(now, false).unwrap();
    assert_eq!(limiter.refused(id, Throttled::TooFast, now, Some(7_000 * MS), 0), 7_000 * MS);
    assert_eq!(limiter.take(now, false), Err(Wait::For(7_000 * MS)));
    assert!(limiter.take(now + 7_000 * MS, false).is_ok());
    // A request that alone is refused waits by itself, and longer each time.
    assert_eq!(pause_alone(0), FLOOR);
    assert!((0..1_000).all(|_| (FLOOR..=FLOOR * 5).contains(&pause_alone(3))));
    assert!((0..1_000).all(|_| pause_alone(40) <= ALONE_MAX));
}
