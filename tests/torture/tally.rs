//! What a campaign has come to, to be read off.

use super::load::Wrong;
use std::{collections::BTreeMap, fmt};

#[derive(Debug, Default)]
pub struct Tally {
    pub seeds: u64,
    pub loads: u64,
    pub records: u64,
    /// Starts of the program.
    pub starts: u64,
    /// Faults that struck, by kind; one that strikes several times counts so often.
    pub faults: BTreeMap<&'static str, u64>,
    /// Faults that did not strike.
    pub missed: BTreeMap<&'static str, u64>,
    pub lost: u64,
    pub doubled: u64,
    pub miscounted: u64,
    pub hangs: u64,
    /// Seeds that failed, with the reason.
    pub failed: Vec<String>,
}

impl Tally {
    pub fn struck(&self) -> u64 {
        self.faults.values().sum()
    }

    pub fn count(&mut self, name: &'static str, struck: u64) {
        if struck > 0 {
            *self.faults.entry(name).or_default() += struck;
        } else {
            *self.missed.entry(name).or_default() += 1;
        }
    }

    pub fn wrong(&mut self, wrong: &Wrong) {
        self.lost += wrong.lost;
        self.doubled += wrong.doubled;
        self.miscounted += wrong.miscounted;
    }

    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.loads += other.loads;
        self.records += other.records;
        self.starts += other.starts;
        for (name, n) in &other.faults {
            *self.faults.entry(name).or_default() += n;
        }
        for (name, n) in &other.missed {
            *self.missed.entry(name).or_default() += n;
        }
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.miscounted += other.miscounted;
        self.hangs += other.hangs;
        self.failed.extend(other.failed.iter().cloned());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<&str, u64>| {
            counts.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(
            f,
            "{} seeds, {} loads of {} records, {} starts; {} faults struck",
            self.seeds,
            self.loads,
            self.records,
            self.starts,
            self.struck()
        )?;
        writeln!(f, "  struck: {}", list(&self.faults))?;
        writeln!(f, "  drawn, but did not strike: {}", list(&self.missed))?;
        write!(
            f,
            "  lost {}, doubled {}, miscounted {}, hangs {}, seeds that failed {}",
            self.lost,
            self.doubled,
            self.miscounted,
            self.hangs,
            self.failed.len()
        )
    }
}
