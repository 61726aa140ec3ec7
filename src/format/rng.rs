//! Chance for property tests: a small generator with a seed that a failure prints. `DBLOAD_SEED` repeats one
//! case, `DBLOAD_PROPERTY_MS` gives each property more time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

pub(crate) struct Dice(u64);

impl Dice {
    /// The next number, by SplitMix64.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n.max(1) as u64).unwrap()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// Runs `property` with new dice until the time is up (200 ms by default, to keep the suite quick).
pub(crate) fn for_a_while(property: impl Fn(&mut Dice)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = number("DBLOAD_SEED") {
        return property(&mut Dice(seed));
    }
    let budget = Duration::from_millis(number("DBLOAD_PROPERTY_MS").unwrap_or(200));
    let begin = Instant::now();
    let mut seed = number("DBLOAD_TEST_SEEDS").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap()
    });
    while begin.elapsed() < budget {
        seed = seed.wrapping_add(1);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(&mut Dice(seed)))) {
            println!("this case again: DBLOAD_SEED={seed}");
            resume_unwind(panic);
        }
    }
}
