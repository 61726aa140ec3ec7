//! The faults that are drawn.

use super::{ddl::Ddl, load::Load};
use crate::support::Rng;
use rustix::process::Signal;

/// A fault, to be struck at a load under way.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGKILL at a crash point, the nth time.
    Crash { point: &'static str, nth: u64 },
    /// SIGINT or SIGTERM.
    Stop(Signal),
    /// COMMIT is not forwarded: aborted, but unknown; so many times.
    AbortedUnknown { times: u64 },
    /// The answer to COMMIT is swallowed: committed, but unknown.
    CommittedUnknown { times: u64 },
    /// COMMIT is forwarded and the connection reset at once: nobody knows, the server least.
    RacedUnknown { times: u64 },
    /// The connection breaks at any message from the client.
    Broken { nth: u64 },
    /// The server is restarted: `-m fast`, `-m immediate`, or after SIGKILL of all of it; away for so long.
    Restart { how: Restart, away_ms: u64 },
    /// One backend is killed by SIGKILL: the server ends all and recovers.
    BackendKilled,
    /// `pg_terminate_backend` of one session of the load, or of all.
    Terminated { all: bool },
    /// A message comes late.
    Stalled { ms: u64 },
    /// Somebody else holds a lock for so long.
    Locked { what: Lock, ms: u64 },
    /// SIGSTOP, and SIGCONT later.
    Frozen { ms: u64 },
    /// A second process takes the load over; the owner is frozen meanwhile, or not.
    TakenOver { frozen: bool, ms: u64 },
    /// A second process is started: it must be refused.
    Rival,
    /// The target is changed, and changed back.
    Ddl(Ddl),
    /// A bit of a compressed file flips, and a start meets it; with these flags.
    Damaged { flags: &'static str },
    /// A start says `--restart`.
    Anew,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    Fast,
    Immediate,
    Killed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Table,
    Checkpoints,
    Rows,
}

/// Names for `FAULTS=`, and for the tally.
pub const NAMES: [&str; 18] = [
    "kill",
    "crash",
    "stop",
    "aborted-unknown",
    "committed-unknown",
    "raced-unknown",
    "broken",
    "restart",
    "backend-killed",
    "terminated",
    "stalled",
    "locked",
    "frozen",
    "take-over",
    "rival",
    "ddl",
    "damaged",
    "anew",
];

/// Crash points that a load passes after its first batch has begun.
#[cfg(debug_assertions)]
const POINTS: [&str; 8] =
    ["taken-over", "begun", "copied", "merged", "rejects-stored", "committed", "completing", "begun"];

/// Kinds that are drawn, by how often.
fn kinds() -> Vec<&'static str> {
    if let Ok(only) = std::env::var("FAULTS") {
        let pick = |name: &str| NAMES.into_iter().find(|known| *known == name);
        return only.split(',').map(|name| pick(name).unwrap_or_else(|| panic!("no fault {name}"))).collect();
    }
    let mut kinds = NAMES.to_vec();
    kinds.extend([
        "kill",
        "kill",
        "crash",
        "aborted-unknown",
        "committed-unknown",
        "take-over",
        "ddl",
        "ddl",
    ]);
    kinds
}

impl Fault {
    pub fn draw(rng: &mut Rng, load: &Load) -> Self {
        // What is put in the table's place has no grants of its own.
        let can_be = |kind: &&str| !load.by_clerk || *kind != "ddl";
        let kinds: Vec<_> = kinds().into_iter().filter(can_be).collect();
        let kind = if kinds.is_empty() { "kill" } else { rng.pick(&kinds) };
        match kind {
            "kill" => Self::Kill,
            #[cfg(debug_assertions)]
            "crash" => {
                let (point, nth) = (rng.pick(&POINTS), 1 + rng.below(6));
                let once = ["taken-over", "completing"].contains(&point);
                Self::Crash { point, nth: if once { 1 } else { nth } }
            }
            "stop" => Self::Stop(rng.pick(&[Signal::INT, Signal::TERM])),
            "aborted-unknown" => Self::AbortedUnknown { times: 1 + rng.below(4) },
            "committed-unknown" => Self::CommittedUnknown { times: 1 + rng.below(4) },
            "raced-unknown" => Self::RacedUnknown { times: 1 + rng.below(3) },
            "broken" => Self::Broken { nth: 1 + rng.below(30) },
            "restart" => Self::Restart {
                how: rng.pick(&[Restart::Fast, Restart::Immediate, Restart::Killed]),
                away_ms: rng.pick(&[0, 0, 200, 700]),
            },
            "backend-killed" => Self::BackendKilled,
            "terminated" => Self::Terminated { all: rng.one_in(2) },
            "stalled" => Self::Stalled { ms: 100 + rng.below(900) },
            "locked" => Self::Locked {
                what: rng.pick(&[Lock::Table, Lock::Checkpoints, Lock::Rows]),
                ms: 50 + rng.below(600),
            },
            "frozen" => Self::Frozen { ms: 50 + rng.below(500) },
            "take-over" => Self::TakenOver { frozen: !rng.one_in(4), ms: rng.below(400) },
            "rival" => Self::Rival,
            "ddl" => Self::Ddl(Ddl::draw(rng, load)),
            "damaged" => Self::Damaged { flags: rng.pick(&["", "", "--verify-source never"]) },
            "anew" => Self::Anew,
            _ => Self::Kill,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Crash { .. } => "crash",
            Self::Stop(_) => "stop",
            Self::AbortedUnknown { .. } => "aborted-unknown",
            Self::CommittedUnknown { .. } => "committed-unknown",
            Self::RacedUnknown { .. } => "raced-unknown",
            Self::Broken { .. } => "broken",
            Self::Restart { .. } => "restart",
            Self::BackendKilled => "backend-killed",
            Self::Terminated { .. } => "terminated",
            Self::Stalled { .. } => "stalled",
            Self::Locked { .. } => "locked",
            Self::Frozen { .. } => "frozen",
            Self::TakenOver { .. } => "take-over",
            Self::Rival => "rival",
            Self::Ddl(ddl) => ddl.name(),
            Self::Damaged { .. } => "damaged",
            Self::Anew => "anew",
        }
    }
}
