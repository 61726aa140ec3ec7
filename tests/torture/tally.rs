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
    /// Rejects that were mended and loaded back, and such as were not and rejected again.
    pub mended: u64,
    pub rejected_again: u64,
    /// Seeds that failed, with the reason.
    pub failed: Vec<String>,
}

impl Tally {
    pub fn struck(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Faults of these names that struck, together.
    fn of(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.faults.get(name)).sum()
    }

    fn changes(&self) -> u64 {
        self.faults.iter().filter(|(name, _)| name.starts_with("ddl")).map(|(_, struck)| struck).sum()
    }

    /// What a campaign is asked for, in its own words.
    fn figures(&self) -> String {
        let lagging = self.of(&["promotion, lagging"]);
        format!(
            "{} kill-and-resume cycles ({} of them at crash points); unknown commits: {} aborted, {} committed, {} raced; \
             {} server faults; {} take-over races ({} take-overs, {} refused rivals); {} promotions, {lagging} of them \
             lagging; {} changes of the target; {} damaged sources; {} restarts from the start; {} unlogged tables emptied; {} \
             rejects mended, {} rejected again; {} hangs",
            self.of(&["kill", "crash"]),
            self.of(&["crash"]),
            self.of(&["aborted-unknown"]),
            self.of(&["committed-unknown"]),
            self.of(&["raced-unknown"]),
            self.of(&["restart", "backend-killed", "terminated"]),
            self.of(&["take-over", "rival"]),
            self.of(&["take-over"]),
            self.of(&["rival"]),
            self.of(&["promotion"]) + lagging,
            self.changes(),
            self.of(&["damaged"]),
            self.of(&["anew"]),
            self.of(&["emptied"]),
            self.mended,
            self.rejected_again,
            self.hangs,
        )
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
        self.mended += other.mended;
        self.rejected_again += other.rejected_again;
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
        writeln!(f, "  {}", self.figures())?;
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

#[test]
fn the_figures_of_a_campaign_are_sums_of_what_struck() {
    let mut tally = Tally::default();
    for (name, struck) in [
        ("kill", 3),
        ("crash", 2),
        ("crash", 0),
        ("aborted-unknown", 5),
        ("restart", 1),
        ("terminated", 4),
        ("take-over", 6),
        ("rival", 7),
        ("promotion", 8),
        ("promotion, lagging", 9),
        ("ddl, swapped", 2),
        ("ddl, trigger", 1),
        ("damaged", 4),
        ("anew", 2),
        ("emptied", 1),
    ] {
        tally.count(name, struck);
    }
    assert_eq!(
        tally.figures(),
        "5 kill-and-resume cycles (2 of them at crash points); unknown commits: 5 aborted, 0 committed, 0 raced; \
         5 server faults; 13 take-over races (6 take-overs, 7 refused rivals); 17 promotions, 9 of them lagging; 3 changes of the \
         target; 4 damaged sources; 2 restarts from the start; 1 unlogged tables emptied; 0 rejects mended, 0 rejected again; 0 \
         hangs"
    );
}
