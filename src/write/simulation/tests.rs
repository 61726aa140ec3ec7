//! Seeds by the thousand, one of them again, and the defects that they find.

use super::database::Defect;
use super::scene::{Played, play};

/// Seeds of a test run; `SIMULATE_SEEDS` asks for more.
const SEEDS: u64 = 2_000;
/// A defect that so many seeds do not find goes unnoticed.
const SEEDS_FOR_A_DEFECT: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn tell(line: &str) {
    eprintln!("{line}");
}

#[test]
fn whatever_happens_each_record_is_stored_and_counted_once() {
    let first = number("DBLOAD_SEED");
    let seeds = if first.is_some() { 1 } else { number("SIMULATE_SEEDS").unwrap_or(SEEDS) };
    let began = std::time::Instant::now();
    let mut sum = Played::default();
    let mut lost = 0;
    for seed in first.unwrap_or(0)..first.unwrap_or(0) + seeds {
        let played = play(seed, Defect::None)
            .unwrap_or_else(|wrong| panic!("{wrong}\nthis case again: DBLOAD_SEED={seed}"));
        sum.steps += played.steps;
        sum.starts += played.starts;
        sum.seconds += played.seconds;
        sum.seen.faults += played.seen.faults;
        sum.seen.unknown += played.seen.unknown;
        sum.seen.unknown_committed += played.seen.unknown_committed;
        sum.seen.fenced += played.seen.fenced;
        sum.seen.changed += played.seen.changed;
        lost += u64::from(played.seen.lost_commits);
    }
    tell(&format!(
        "{seeds} seeds in {:.1?}: {} starts, {} faults, {} unknown commits (at least {} of them committed), {} fenced, {} \
         refused by a changed table, {lost} with lost commits, {} steps, {} h of the clock",
        began.elapsed(),
        sum.starts,
        sum.seen.faults,
        sum.seen.unknown,
        sum.seen.unknown_committed,
        sum.seen.fenced,
        sum.seen.changed,
        sum.steps,
        sum.seconds / 3600
    ));
    // A fault that never struck proves nothing.
    if first.is_none() {
        assert!(sum.seen.faults > 5 * seeds && sum.seen.unknown > seeds / 2 && sum.starts > 2 * seeds);
        assert!(
            sum.seen.fenced > 0
                && sum.seen.changed > 0
                && lost > 0
                && sum.seen.unknown > sum.seen.unknown_committed
        );
    }
}

#[test]
fn a_seed_always_plays_the_same() {
    for seed in 0..50 {
        let (one, other) = (play(seed, Defect::None), play(seed, Defect::None));
        assert_eq!(format!("{one:?}"), format!("{other:?}"), "seed {seed}");
    }
}

#[test]
fn each_defect_is_found() {
    for defect in [
        Defect::SilentFence,
        Defect::EpochIgnored,
        Defect::CheckpointSkipped,
        Defect::CountedTwice,
        Defect::UnknownIsCommitted,
        Defect::RecordDropped,
        Defect::TargetUnchecked,
    ] {
        let found = (0..SEEDS_FOR_A_DEFECT).find_map(|seed| Some((seed, play(seed, defect).err()?)));
        let (seed, wrong) = found.unwrap_or_else(|| panic!("{defect:?} goes unnoticed"));
        tell(&format!("{defect:?}: seed {seed}: {wrong}"));
    }
}
