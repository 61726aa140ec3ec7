//! States of a load of a job file, and what all of them come to.

use crate::exit::ExitClass;

/// What became of a load of a job file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LoadState {
    /// Everything is in the table.
    Complete,
    /// Everything that the table takes is in it; some records were rejected, no more than allowed.
    Rejected,
    /// Complete, and there was not one record; or another process has done it meanwhile.
    NothingNew,
    /// It did not come to its end.
    Failed,
    /// A load that it comes after did not come to a good end.
    Skipped,
    /// Another process is at it.
    RunningElsewhere,
    /// Stopped from outside.
    Interrupted,
    /// It was not its turn yet when all were stopped.
    NotStarted,
}

impl LoadState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Complete,
        Self::Rejected,
        Self::NothingNew,
        Self::Failed,
        Self::Skipped,
        Self::RunningElsewhere,
        Self::Interrupted,
        Self::NotStarted,
    ];

    /// Its name, in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Rejected => "rejected",
            Self::NothingNew => "nothing_new",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::RunningElsewhere => "running_elsewhere",
            Self::Interrupted => "interrupted",
            Self::NotStarted => "not_started",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether loads that come after it may begin.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Complete | Self::Rejected | Self::NothingNew)
    }
}

/// From the gravest: what a retry can help stands before what it cannot.
const GRAVEST_FIRST: [ExitClass; 11] = [
    ExitClass::Unknown,
    ExitClass::Unexpected,
    ExitClass::Interrupted,
    ExitClass::Database,
    ExitClass::Source,
    ExitClass::Budget,
    ExitClass::Ledger,
    ExitClass::Refused,
    ExitClass::Usage,
    ExitClass::Rejects,
    ExitClass::Complete,
];

/// The gravest of them; without any, all is well.
#[must_use]
pub fn gravest(classes: impl IntoIterator<Item = ExitClass>) -> ExitClass {
    let place = |class: &ExitClass| GRAVEST_FIRST.iter().position(|other| other == class);
    classes.into_iter().min_by_key(place).unwrap_or(ExitClass::Complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_class_speaks_for_all_and_each_has_its_place() {
        assert!(ExitClass::ALL.iter().all(|class| GRAVEST_FIRST.contains(class)));
        let codes = |classes: &[ExitClass]| gravest(classes.iter().copied()).code();
        assert_eq!(codes(&[]), 0);
        assert_eq!(codes(&[ExitClass::Rejects, ExitClass::Complete]), 3);
        assert_eq!(codes(&[ExitClass::Ledger, ExitClass::Budget, ExitClass::Rejects]), 9);
        assert_eq!(codes(&[ExitClass::Source, ExitClass::Database, ExitClass::Budget]), 5);
        assert_eq!(codes(&[ExitClass::Unexpected, ExitClass::Unknown, ExitClass::Database]), 7);
    }

    #[test]
    fn each_state_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = LoadState::ALL.iter().map(|state| state.name()).collect();
        assert_eq!(names.len(), LoadState::ALL.len());
        assert!(LoadState::ALL.iter().all(|state| LoadState::of_name(state.name()) == Some(*state)));
        assert_eq!(LoadState::of_name("gone"), None);
    }
}
