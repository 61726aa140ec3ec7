//! Faults on demand, in builds with debug assertions only: crash points, at which the process kills itself,
//! and defects, with which it does wrong what the suite must notice.
//!
//! Debug assertions and not a feature: `cargo test` and `cargo build` have them without being told, and no
//! build of `--release` can have them by accident; there every call below is an empty function. What is asked
//! for comes from the program (`DBLOAD_CRASH_AT`, `DBLOAD_DEFECT`): this room reads no environment. It never
//! decides anything in a build that people use.

/// A place at which the process can be made to kill itself, as `kill -9` would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A new run is about to be recorded, perhaps with its new table.
    Recording,
    /// A new run is recorded.
    Recorded,
    /// An unfinished run is ours now.
    TakenOver,
    /// A batch's transaction has begun.
    Begun,
    /// Its rows are copied.
    Copied,
    /// Staged rows are merged into the target.
    Merged,
    /// Its rejects are stored, if it has any; judgement, checkpoint and COMMIT are next.
    RejectsStored,
    /// The answer to COMMIT was received, and nobody told of it.
    Committed,
    /// What became of a batch is unknown and about to be asked.
    Resolving,
    /// All batches are committed, and the run is about to be completed.
    Completing,
    /// The rows beside the table are about to be put in the place of those that it has.
    Putting,
    /// They are there, and nothing is committed.
    Put,
    /// The run is complete, and nobody told of it.
    Completed,
    /// The reject file is written under its temporary name.
    RejectsWritten,
    /// The reject file has its name.
    RejectsNamed,
}

/// All of them, with the names that `DBLOAD_CRASH_AT=NAME:N` knows.
pub const POINTS: [(Point, &str); 15] = [
    (Point::Recording, "recording"),
    (Point::Recorded, "recorded"),
    (Point::TakenOver, "taken-over"),
    (Point::Begun, "begun"),
    (Point::Copied, "copied"),
    (Point::Merged, "merged"),
    (Point::RejectsStored, "rejects-stored"),
    (Point::Committed, "committed"),
    (Point::Resolving, "resolving"),
    (Point::Completing, "completing"),
    (Point::Putting, "putting"),
    (Point::Put, "put"),
    (Point::Completed, "completed"),
    (Point::RejectsWritten, "rejects-written"),
    (Point::RejectsNamed, "rejects-named"),
];

/// Something that is done wrong on purpose. The defects of the fence itself are SQL, and the tests' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A record of each COPY is lost, and counted.
    DropRecord,
    /// The first record of each batch is counted twice.
    CountTwice,
    /// Every third batch commits without moving its checkpoint.
    SkipCheckpoint,
    /// A batch whose outcome is unknown is taken for committed, unasked.
    UnknownIsCommitted,
    /// Of two batches the second is applied first.
    OutOfOrder,
}

/// All of them, with the names that `DBLOAD_DEFECT=NAME` knows.
pub const DEFECTS: [(Defect, &str); 5] = [
    (Defect::DropRecord, "drop-record"),
    (Defect::CountTwice, "count-twice"),
    (Defect::SkipCheckpoint, "skip-checkpoint"),
    (Defect::UnknownIsCommitted, "unknown-is-committed"),
    (Defect::OutOfOrder, "out-of-order"),
];

#[cfg(not(debug_assertions))]
mod off {
    /// Nothing, in this build.
    #[inline]
    pub fn point(_: super::Point) {}

    /// Never, in this build.
    #[inline]
    #[must_use]
    pub const fn defect(_: super::Defect) -> bool {
        false
    }
}

#[cfg(not(debug_assertions))]
pub use off::{defect, point};

#[cfg(debug_assertions)]
mod on {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{DEFECTS, Defect, POINTS, Point};

    /// The nth passage of a point.
    #[derive(Debug, Clone, Copy)]
    struct CrashAt {
        point: Point,
        nth: u64,
    }

    static CRASH_AT: OnceLock<CrashAt> = OnceLock::new();
    static DEFECT: OnceLock<Defect> = OnceLock::new();
    static PASSED: [AtomicU64; POINTS.len()] = [const { AtomicU64::new(0) }; POINTS.len()];

    /// Sets what is to go wrong in this process: `NAME:N` and `NAME`; the words of an unknown one come back.
    pub fn arm(crash_at: Option<&str>, defect: Option<&str>) -> Result<(), String> {
        if let Some(words) = crash_at {
            let (name, nth) = words.split_once(':').unwrap_or((words, "1"));
            let point = POINTS.iter().find(|(_, known)| *known == name).map(|(point, _)| *point);
            let (Some(point), Ok(nth)) = (point, nth.parse()) else {
                return Err(format!("no crash point: {words}"));
            };
            let _ = CRASH_AT.set(CrashAt { point, nth });
        }
        if let Some(name) = defect {
            let known = DEFECTS.iter().find(|(_, known)| *known == name);
            let _ = DEFECT.set(known.ok_or_else(|| format!("no defect: {name}"))?.0);
        }
        Ok(())
    }

    /// A crash point is passed: the process ends here if that was asked for.
    pub fn point(point: Point) {
        let Some(index) = POINTS.iter().position(|(known, _)| *known == point) else { return };
        let passed = PASSED[index].fetch_add(1, Ordering::Relaxed) + 1;
        let Some(at) = CRASH_AT.get() else { return };
        if at.point == point && at.nth == passed {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }

    /// Whether this is to be done wrong.
    #[must_use]
    pub fn defect(defect: Defect) -> bool {
        DEFECT.get() == Some(&defect)
    }

    /// How often each point was passed.
    #[must_use]
    pub fn passed() -> Vec<(&'static str, u64)> {
        let counts = PASSED.iter().map(|count| count.load(Ordering::Relaxed));
        POINTS.iter().zip(counts).map(|((_, name), count)| (*name, count)).collect()
    }
}

#[cfg(debug_assertions)]
pub use on::{arm, defect, passed, point};
