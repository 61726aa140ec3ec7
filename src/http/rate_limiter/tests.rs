use super::*;

const MS: Duration = Duration::from_millis(1);

/// A server's limit, as it is found in the wild.
enum Limit {
    /// So many in each second of the clock.
    Window { per_second: u32 },
    /// So many in any second.
    Sliding { per_second: usize },
    /// So long between two requests.
    Spaced { per_second: f64 },
    /// A bucket that is refilled.
    Bucket { per_second: f64, burst: f64 },
}

struct Server {
    limit: Limit,
    seen: VecDeque<Instant>,
    tokens: f64,
    filled: Instant,
    start: Instant,
    window: (u128, u32),
}

impl Server {
    fn new(limit: Limit, start: Instant) -> Self {
        let tokens = if let Limit::Bucket { burst, .. } = limit { burst } else { 0.0 };
        Self { limit, seen: VecDeque::new(), tokens, filled: start, start, window: (0, 0) }
    }

    fn accepts(&mut self, now: Instant) -> bool {
        match self.limit {
            Limit::Window { per_second } => {
                // Not in step with the client's clock.
                let window = (now - self.start + 700 * MS).as_secs().into();
                if window != self.window.0 {
                    self.window = (window, 0);
                }
                self.window.1 += 1;
                self.window.1 <= per_second
            }
            Limit::Spaced { per_second } => {
                let accepts = (now - self.filled).as_secs_f64() * per_second >= 1.0 || self.window.0 == 0;
                if accepts {
                    (self.filled, self.window.0) = (now, 1);
                }
                accepts
            }
            Limit::Sliding { per_second } => {
                while self.seen.front().is_some_and(|at| now - *at >= Duration::from_secs(1)) {
                    self.seen.pop_front();
                }
                let accepts = self.seen.len() < per_second;
                if accepts {
                    self.seen.push_back(now);
                }
                accepts
            }
            Limit::Bucket { per_second, burst } => {
                self.tokens = (self.tokens + (now - self.filled).as_secs_f64() * per_second).min(burst);
                self.filled = now;
                let accepts = self.tokens >= 1.0;
                if accepts {
                    self.tokens -= 1.0;
                }
                accepts
            }
        }
    }
}

/// Plays a minute half: `concurrency` requests of `latency` in flight. Accepted and refused requests.
fn play(
    rate: Option<Rate>,
    limit: Limit,
    asked: Option<Duration>,
    (latency, refused_sooner, concurrency): (Duration, u32, usize),
) -> (u32, u32) {
    play_refusing(Throttled::TooFast, rate, (limit, asked), (latency, refused_sooner, concurrency))
}

/// `refused_sooner`: by which factor a refusal is faster than an answer.
fn play_refusing(
    refusal: Throttled,
    rate: Option<Rate>,
    (limit, asked): (Limit, Option<Duration>),
    (latency, refused_sooner, concurrency): (Duration, u32, usize),
) -> (u32, u32) {
    let start = Instant::now();
    let (mut rate_limiter, mut server) = (RateLimiter::new(rate), Server::new(limit, start));
    let (mut flying, mut refusals): (VecDeque<Instant>, VecDeque<Instant>) = Default::default();
    let (mut accepted, mut refused) = (0, 0);
    let mut now = start;
    while now < start + Duration::from_secs(30) {
        while flying.front().is_some_and(|sent| *sent + latency <= now) {
            flying.pop_front();
            accepted += 1;
            rate_limiter.accepted(now);
        }
        while refusals.front().is_some_and(|sent| *sent + latency / refused_sooner <= now) {
            let Some(sent) = refusals.pop_front() else { break };
            refused += 1;
            rate_limiter.refused(refusal, sent, now, asked);
        }
        while flying.len() + refusals.len() < concurrency && rate_limiter.take(now).is_ok() {
            if server.accepts(now) { flying.push_back(now) } else { refusals.push_back(now) }
        }
        now += MS;
    }
    (accepted, refused)
}

#[test]
fn a_limit_of_the_server_is_used_by_nine_tenths_with_few_refusals() {
    let second = Some(Duration::from_secs(1));
    for (name, limit) in [
        ("window", (|| Limit::Window { per_second: 100 }) as fn() -> Limit),
        ("sliding", || Limit::Sliding { per_second: 100 }),
        ("bucket of 100", || Limit::Bucket { per_second: 100.0, burst: 100.0 }),
        ("bucket of 10", || Limit::Bucket { per_second: 100.0, burst: 10.0 }),
    ] {
        for asked in [second, Some(Duration::ZERO), None] {
            for (latency, refused_sooner) in [(5, 1), (20, 20), (50, 1), (200, 1), (200, 200)] {
                let (accepted, refused) = play(None, limit(), asked, (latency * MS, refused_sooner, 50));
                let share = f64::from(refused) / f64::from(accepted + refused);
                let case = format!(
                    "{name}, Retry-After {asked:?}, {latency} ms, refused {refused_sooner} times as soon"
                );
                println!("{case}: {accepted} accepted, {refused} refused ({:.1}%)", share * 100.0);
                // A small bucket looks like a slow limit at first, and late answers hide how fast it is.
                let least = match (name, latency) {
                    ("bucket of 10", 200) => 2_000,
                    ("bucket of 10", _) => 2_550,
                    _ => 2_700,
                };
                assert!(accepted >= least, "{case}: {accepted} of 3000");
                assert!(share < 0.05, "{case}: {refused} refused of {accepted}");
            }
        }
    }
}

#[test]
fn a_server_that_refuses_by_503_or_counts_the_time_between_requests_is_not_run_against() {
    for refusal in [Throttled::TooFast, Throttled::Unavailable] {
        for (name, limit) in [
            ("spaced", Limit::Spaced { per_second: 50.0 }),
            ("bucket of 20", Limit::Bucket { per_second: 50.0, burst: 20.0 }),
            ("sliding", Limit::Sliding { per_second: 50 }),
        ] {
            let (accepted, refused) = play_refusing(refusal, None, (limit, None), (10 * MS, 1, 16));
            println!("{name}, {refusal:?}: {accepted} accepted, {refused} refused");
            assert!(accepted >= 600, "{name}, {refusal:?}: {accepted} of 1500");
            assert!(refused * 10 <= accepted, "{name}, {refusal:?}: {refused} refused of {accepted}");
        }
    }
}

#[test]
fn a_slow_limit_is_not_run_against() {
    for (name, limit) in [
        ("window", (|| Limit::Window { per_second: 5 }) as fn() -> Limit),
        ("sliding", || Limit::Sliding { per_second: 5 }),
        ("bucket", || Limit::Bucket { per_second: 5.0, burst: 5.0 }),
    ] {
        for asked in [Some(Duration::from_secs(1)), None] {
            for concurrency in [8, 50] {
                let (accepted, refused) = play(None, limit(), asked, (20 * MS, 1, concurrency));
                println!("slow {name}, Retry-After {asked:?}: {accepted} accepted, {refused} refused");
                assert!(accepted >= 95, "{name}, Retry-After {asked:?}: {accepted} of 150");
                assert!(refused <= 75, "{name}, Retry-After {asked:?}: {refused} refused");
            }
        }
    }
}

#[test]
fn a_server_that_was_away_is_not_thought_slow() {
    let start = Instant::now();
    let mut rate_limiter = RateLimiter::new(None);
    for round in 0..20 {
        let at = start + round * 500 * MS;
        if !(3..=10).contains(&round) {
            rate_limiter.accepted(at)
        } else {
            let _ = rate_limiter.refused(Throttled::Unavailable, at, at, None);
        }
    }
    assert!(rate_limiter.learned.is_none());
}

#[test]
fn a_given_rate_is_kept() {
    let rate = "100/s".parse().unwrap();
    let (accepted, refused) = play(Some(rate), Limit::Sliding { per_second: 103 }, None, (20 * MS, 1, 50));
    assert!((2_950..=3_010).contains(&accepted) && refused == 0, "{accepted} accepted, {refused} refused");
    let mut rate_limiter = RateLimiter::new(Some("2/s".parse().unwrap()));
    let now = Instant::now();
    assert!(rate_limiter.take(now).is_ok());
    assert_eq!(rate_limiter.take(now), Err(470 * MS));
    assert!(rate_limiter.take(now + 470 * MS).is_ok());
}

#[test]
fn nothing_is_held_back_before_a_refusal() {
    let mut rate_limiter = RateLimiter::new(None);
    let now = Instant::now();
    assert!((0..10_000).all(|_| rate_limiter.take(now).is_ok()));
}

#[test]
fn refusals_close_the_gate_for_as_long_as_asked_and_longer_where_nothing_is_said() {
    let now = Instant::now();
    let mut rate_limiter = RateLimiter::new(None);
    rate_limiter.refused(Throttled::Unavailable, now, now, Some(Duration::from_secs(7)));
    assert_eq!(rate_limiter.take(now), Err(Duration::from_secs(7)));
    assert!(rate_limiter.take(now + Duration::from_secs(7)).is_ok());

    let mut rate_limiter = RateLimiter::new(None);
    let mut at = now;
    let pauses: Vec<u128> = (0..12)
        .map(|_| {
            let pause = rate_limiter.refused(Throttled::TooFast, at, at, None);
            at += pause;
            pause.as_millis()
        })
        .collect();
    assert_eq!(pauses[..5], [100, 200, 400, 800, 1_600]);
    assert_eq!(pauses[11], 30_000);
}

#[test]
fn a_limit_by_the_minute_is_not_run_against_each_minute() {
    let start = Instant::now();
    let mut rate_limiter = RateLimiter::new(None);
    for at in 0..60 {
        assert!(rate_limiter.take(start + at * MS).is_ok());
        rate_limiter.accepted(start + at * MS);
    }
    let now = start + 60 * MS;
    rate_limiter.refused(Throttled::TooFast, now, now, Some(Duration::from_secs(59)));
    let rate = rate_limiter.learned.unwrap().rate(now);
    assert!((0.9..1.1).contains(&rate), "{rate}");
}
