//! The campaign: random loads under random faults, for as long as one likes, with everything checked at the
//! end of each.
//!
//! `make torture` a minute of it (what `make test` runs too) `MINUTES=30 make torture` longer; `SEEDS=1000`:
//! so many seeds; `JOBS=2`: side by side `SEED=n make torture` one seed again: the same load and the same
//! draws; when they strike is the machine's to say `FAULTS=kill,take-over ..` only faults of these kinds (the
//! names are in `draw`) `PROMOTIONS=20 ..` failovers instead, every other one to a standby that lags
//! `DBLOAD_TEST_PROGRAM=path ..` another build of the program (one of `--release` has no crash points)
//!
//! A seed draws a load and then faults, one after the other, until at least five have struck; one that did
//! not strike (the load was over, the message never came) is reported as such and another is drawn. A load
//! that ends early is checked, and the next one begins. What the table must be is computed by the server from
//! numbers, not by dbload. Then the reject file of the load is mended in part and loaded back.

mod anew;
mod arena;
mod ddl;
mod draw;
mod load;
mod play;
mod promotion;
mod reload;
mod strike;
mod tally;

use crate::support::generate;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arena::Arena;
use tally::Tally;

/// How long a campaign is, and of what.
struct Campaign {
    first: u64,
    seeds: u64,
    until: Instant,
    jobs: u64,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{name} is a number, not {n}")))
}

impl Campaign {
    fn of_environment() -> Self {
        let (seed, seeds, minutes) = (number("SEED"), number("SEEDS"), number("MINUTES"));
        let seeds = match (seed, seeds) {
            (Some(_), None) => 1,
            (_, seeds) => seeds.unwrap_or(u64::MAX),
        };
        let minutes = minutes.unwrap_or(if seeds == u64::MAX { 1 } else { 24 * 60 });
        Self {
            first: seed.unwrap_or_else(generate::fresh_seed),
            seeds,
            until: Instant::now() + Duration::from_secs(60 * minutes),
            jobs: number("JOBS").unwrap_or(1),
        }
    }

    fn run(&self) -> Tally {
        println!("seeds from {}", self.first);
        let (next, sum) = (AtomicU64::new(0), Mutex::new(Tally::default()));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    let mut arena = Arena::new();
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= self.seeds || Instant::now() > self.until {
                            return;
                        }
                        let tally = play::seed(&mut arena, self.first + n);
                        let mut sum = sum.lock().unwrap();
                        sum.add(&tally);
                        if n % 10 == 9 {
                            println!("{sum}");
                        }
                    }
                });
            }
        });
        sum.into_inner().unwrap()
    }
}

fn finish(tally: &Tally, began: Instant) {
    println!("{tally}\n{:.0} s", began.elapsed().as_secs_f64());
    assert!(tally.loads > 0, "nothing was loaded");
    assert!(tally.failed.is_empty(), "failed: {}", tally.failed.join("; "));
}

#[test]
#[ignore = "make torture: as long as one likes"]
fn campaign() {
    let began = Instant::now();
    if let Some(promotions) = number("PROMOTIONS") {
        let first = number("SEED").unwrap_or_else(generate::fresh_seed);
        println!("seeds from {first}");
        let mut tally = Tally::default();
        for n in 0..promotions {
            tally.add(&promotion::seed(first + n));
            println!("{tally}");
        }
        return finish(&tally, began);
    }
    finish(&Campaign::of_environment().run(), began);
}

#[test]
fn a_few_seeds_of_the_campaign() {
    let began = Instant::now();
    let first = generate::replay().unwrap_or_else(generate::fresh_seed);
    let until = began + Duration::from_secs(600);
    let tally = Campaign { first, seeds: 3, until, jobs: 1 }.run();
    finish(&tally, began);
    assert!(tally.struck() >= 15, "{tally}");
}
