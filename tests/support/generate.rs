//! Random numbers that can be replayed: `DBLOAD_TEST_SEED=n` starts every generator from n;
//! `DBLOAD_TEST_SEEDS=n` lets every test draw its own, the same in each run.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use xxhash_rust::xxh3::xxh3_64;

/// xorshift64*: good enough to draw cases, and four lines.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
    pub seed: u64,
}

impl Rng {
    pub fn from_seed(seed: u64) -> Self {
        // splitmix64, so that seeds next to each other differ, and none is zero.
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self { state: (z ^ (z >> 31)) | 1, seed }
    }

    /// A generator that a failing test tells of: libtest shows what it printed.
    pub fn new() -> Self {
        let seed = replay().unwrap_or_else(fresh_seed);
        println!("replay with DBLOAD_TEST_SEED={seed}");
        Self::from_seed(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 1
    }

    /// 0 to n - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }

    /// True once in n times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.index(i + 1));
        }
    }
}

/// The seed that the environment asks for.
pub fn replay() -> Option<u64> {
    std::env::var("DBLOAD_TEST_SEED").ok().map(|s| s.parse().expect("DBLOAD_TEST_SEED is a number"))
}

/// A seed that no other call of this test has returned. `DBLOAD_TEST_SEEDS=n`: they follow from n, the test
/// and the count, so that a run that is done again draws the same cases. Else from the time and the process.
pub fn fresh_seed() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    thread_local!(static OF_TEST: Cell<u64> = const { Cell::new(0) });
    let mix = match std::env::var("DBLOAD_TEST_SEEDS") {
        Ok(from) => {
            let of_test = OF_TEST.get();
            OF_TEST.set(of_test + 1);
            let test = thread::current().name().map_or(0, |name| xxh3_64(name.as_bytes()));
            let from: u64 = from.parse().expect("DBLOAD_TEST_SEEDS is a number");
            test.wrapping_add(from.wrapping_mul(7_919)).wrapping_add(of_test * 104_729)
        }
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            now.as_secs() * 1_000_000
                + u64::from(now.subsec_micros())
                + u64::from(std::process::id()) * 7_919
                + count * 104_729
        }
    };
    // Short enough to be typed.
    mix % 1_000_000_000
}

/// JSONL of simple events: `id` and three fields that follow from id and version, to be checked by
/// [`event_table`].
pub fn events(ids: impl Iterator<Item = u64>, version: u64) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for id in ids {
        let _ = writeln!(text, "{}", event(id, version));
    }
    text
}

/// One such record.
pub fn event(id: u64, version: u64) -> String {
    format!(
        r#"{{"id":{id},"name":"name {id} v{version}","amount":{}.{:02},"at":"2024-01-{:02}"}}"#,
        id % 997,
        (id + version) % 100,
        1 + id % 28
    )
}

/// The table for events.
pub const EVENTS_TABLE: &str =
    "CREATE TABLE events (id bigint PRIMARY KEY, name text, amount numeric(12,2), at date)";

/// What the table must be after events of these ids in this version: a query for [`super::Database::digest`].
pub fn event_rows(from: u64, to: u64, version: u64) -> String {
    format!(
        "(SELECT id::bigint, 'name ' || id || ' v{version}' AS name, \
         ((id % 997)::text || '.' || lpad(((id + {version}) % 100)::text, 2, '0'))::numeric(12,2) AS amount, \
         ('2024-01-' || (1 + id % 28))::date AS at FROM generate_series({from}, {to}) id) y"
    )
}
