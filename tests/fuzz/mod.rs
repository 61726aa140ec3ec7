//! The entries of the fuzz targets as tests: on the checked-in corpora, on every crash found so far, and on
//! chance for a while, with the corpora as its stock. `DBLOAD_FUZZ_MS` gives each entry more time than the
//! usual quarter second.
//!
//! What coverage finds beyond that is `make fuzz`: see docs/fuzzing.md.

pub mod entry;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{Database, generate};
use entry::server::{QUESTIONS, Server};
use entry::{PURE, pure};

/// Time for chance, an entry, in milliseconds: the suite stays quick.
const CHANCE_MS: u64 = 250;

/// Inputs of an entry: seeds, corpus and crashes. `fuzz/` is not in the published package; there chance is
/// all.
fn stock(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut inputs = Vec::new();
    for folder in ["corpus", "crashes"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder).join(name)) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        inputs.extend(paths.into_iter().map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        }));
    }
    assert!(!root.exists() || inputs.len() >= 10, "the corpus of {name} is not where it is looked for");
    inputs
}

fn budget() -> Duration {
    let said = std::env::var("DBLOAD_FUZZ_MS").ok().and_then(|text| text.parse().ok());
    Duration::from_millis(said.unwrap_or(CHANCE_MS))
}

/// SplitMix64, as elsewhere in the tests: printed and repeatable.
struct Chance(u64);

impl Chance {
    fn seeded() -> (u64, Self) {
        let seed = generate::replay().unwrap_or_else(generate::fresh_seed);
        (seed, Self(seed))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap()
    }

    /// An input of the stock, or two joined, or noise; then a few bytes changed, dropped, doubled.
    fn input(&mut self, stock: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
        const LIKELY: &[u8] = b"\"\\{}[],:\n\r\t 0123abeu'\0\x1b\xff\xed\xa0\xc3\xa9|;.-+E";
        let mut input = match stock.len() {
            0 => (0..self.below(60)).map(|_| LIKELY[self.below(LIKELY.len())]).collect(),
            n => stock[self.below(n)].1.clone(),
        };
        if self.below(4) == 0 && !stock.is_empty() {
            let other = &stock[self.below(stock.len())].1;
            input.truncate(self.below(input.len() + 1));
            input.extend_from_slice(&other[self.below(other.len() + 1)..]);
        }
        for _ in 0..self.below(6) {
            let at = self.below(input.len() + 1);
            let byte = if self.below(3) == 0 {
                self.below(256).to_le_bytes()[0]
            } else {
                LIKELY[self.below(LIKELY.len())]
            };
            match self.below(4) {
                0 => input.insert(at, byte),
                1 if at < input.len() => drop(input.remove(at)),
                2 => {
                    let to = (at + self.below(12)).min(input.len());
                    let piece = input[at..to].to_vec();
                    input.splice(at..at, piece);
                }
                _ if at < input.len() => input[at] = byte,
                _ => {}
            }
        }
        input.truncate(4096);
        input
    }
}

fn stock_then_chance(name: &str) {
    let (entry, stock) = (pure(name), stock(name));
    for (path, bytes) in &stock {
        if let Err(panic) = catch_unwind(|| entry(bytes)) {
            println!("entry {name} fails on {}", path.display());
            resume_unwind(panic);
        }
    }
    let (seed, mut chance) = Chance::seeded();
    let begin = Instant::now();
    while begin.elapsed() < budget() {
        let input = chance.input(&stock);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| entry(&input))) {
            println!(
                "entry {name}, DBLOAD_TEST_SEED={seed}: keep this as fuzz/crashes/{name}/..: {:?}",
                input.escape_ascii().to_string()
            );
            resume_unwind(panic);
        }
    }
}

macro_rules! pure_entries {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            stock_then_chance(stringify!($name));
        })*

        #[test]
        fn every_entry_is_a_test_and_a_target() {
            let names = [$(stringify!($name)),*];
            assert!(PURE.iter().map(|(name, _)| *name).eq(names));
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
            for name in names.into_iter().chain(QUESTIONS.iter().map(|(name, _)| *name)) {
                let target = root.join(format!("fuzz_targets/{name}.rs"));
                assert!(!root.exists() || target.exists(), "{} is missing", target.display());
            }
        }
    };
}

pure_entries! { jsonl json csv sources mapping rejects identifiers dsn report detect infer columns archives }

#[test]
fn on_a_real_server() {
    let db = Database::fresh();
    for (name, question) in QUESTIONS {
        let stock = stock(name);
        let mut server = Server::connect(db.url(), question);
        for (_, bytes) in &stock {
            server.offer(bytes);
        }
        server.flush();
        let (seed, mut chance) = Chance::seeded();
        println!("{name}: DBLOAD_TEST_SEED={seed}");
        let begin = Instant::now();
        while begin.elapsed() < budget() {
            server.offer(&chance.input(&stock));
        }
        server.flush();
        println!("{name}: {} stored, {} refused", server.stored, server.refused);
    }
}
