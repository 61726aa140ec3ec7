//! Flags that mean once: what a start does about earlier ones (`--restart`, `--again`, `--take-over`,
//! `--accept-changed`, `--wait`).
//!
//! A process may try more than once, where the server has lost commits. The flags are about runs of before:
//! from the moment that this process has a run of its own, every further try goes on with that one, and with
//! no other.

use std::time::Duration;

use crate::job::EarlierRuns;
use crate::ledger::{LedgerError, Opened, Unfinished};
use crate::prepared::{LoadError, Prepared};
use crate::schema::Mode;

/// What a try does about earlier starts.
#[derive(Debug, Clone)]
pub(super) enum Earlier<'j> {
    /// As its flags say: it is the first one that gets as far as a run.
    AsTold(&'j EarlierRuns),
    /// It goes on with the run that this process has recorded or taken over.
    GoOn {
        /// The id of the completed run.
        run: String,
        /// The database, as `host:port/dbname` for people.
        database: String,
        /// What it does with records.
        mode: Mode,
    },
}

impl Earlier<'_> {
    /// For the next try: a run in hand is gone on with. Without one nothing was obeyed yet.
    pub(super) fn after(self, prepared: &Prepared) -> Self {
        match &prepared.run {
            Some(run) => Self::GoOn {
                run: run.ledger.run.clone(),
                database: prepared.pool.place(),
                mode: prepared.plan.mode_of_repeats(),
            },
            None => self,
        }
    }

    /// Why a try did not begin: that the server has lost a run can be said of one that is known.
    pub(super) fn explain(&self, error: LoadError) -> LoadError {
        match self {
            Self::GoOn { run, database, mode } if error.is_forgotten() => {
                LoadError::Forgotten { run: run.clone(), database: database.clone(), mode: *mode }
            }
            _ => error,
        }
    }

    /// An unfinished run is given up.
    pub(super) const fn restarts(&self) -> bool {
        matches!(self, Self::AsTold(EarlierRuns { restart: true, .. }))
    }

    /// What is in the table already is appended once more.
    pub(super) const fn is_again(&self) -> bool {
        matches!(self, Self::AsTold(EarlierRuns { again: true, .. }))
    }

    /// Files whose new content counts.
    pub(super) const fn accepted(&self) -> &[String] {
        match self {
            Self::AsTold(runs) => runs.accept_changed.as_slice(),
            Self::GoOn { .. } => &[],
        }
    }

    /// What to do about an unfinished run that was found, or not: `None` is to wait for its owner.
    pub(super) fn judge(
        &self,
        found: Opened,
        waited: Duration,
    ) -> Option<Result<Option<Unfinished>, LedgerError>> {
        match (self, found) {
            (Self::AsTold(_), Opened::Nothing) => Some(Ok(None)),
            (Self::AsTold(_), Opened::Free(unfinished)) => Some(Ok(Some(unfinished))),
            (Self::AsTold(runs), Opened::Owned(unfinished)) if runs.take_over => Some(Ok(Some(unfinished))),
            (Self::AsTold(runs), Opened::Owned(unfinished)) if waited >= runs.wait => {
                Some(Err(unfinished.running()))
            }
            (Self::AsTold(_), Opened::Owned(_)) => None,
            (Self::GoOn { run, .. }, Opened::Free(unfinished)) if unfinished.run == *run => {
                Some(Ok(Some(unfinished)))
            }
            (Self::GoOn { .. }, Opened::Nothing) => Some(Err(LedgerError::Forgotten)),
            (Self::GoOn { .. }, Opened::Free(_) | Opened::Owned(_)) => Some(Err(LedgerError::Fenced)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LiveLoad, StoredTarget};

    fn unfinished(run: &str) -> Unfinished {
        Unfinished {
            run: run.to_owned(),
            owner: LiveLoad::begin().owner().clone(),
            heartbeat_seconds: 0.0,
            target: StoredTarget { oid: 1, file: 1, members: None },
            is_alive: true,
            has_inserted: true,
            has_deleted: false,
            inserted: 5,
            mode: "append".to_owned(),
        }
    }

    #[test]
    fn flags_are_obeyed_until_there_is_a_run_and_never_against_it() {
        let runs = EarlierRuns { restart: true, again: true, take_over: true, ..EarlierRuns::default() };
        let told = Earlier::AsTold(&runs);
        assert!(told.restarts() && told.is_again());
        let found = |earlier: &Earlier<'_>, opened| earlier.judge(opened, Duration::ZERO);
        assert!(matches!(found(&told, Opened::Owned(unfinished("a"))), Some(Ok(Some(_)))));
        assert!(matches!(found(&told, Opened::Nothing), Some(Ok(None))));
        let on = Earlier::GoOn { run: "a".to_owned(), database: String::new(), mode: Mode::Append };
        assert!(!on.restarts() && !on.is_again());
        assert!(matches!(found(&on, Opened::Free(unfinished("a"))), Some(Ok(Some(_)))));
        // Somebody else has taken it over, or begun another one.
        assert!(matches!(found(&on, Opened::Owned(unfinished("a"))), Some(Err(LedgerError::Fenced))));
        assert!(matches!(found(&on, Opened::Free(unfinished("b"))), Some(Err(LedgerError::Fenced))));
        assert!(matches!(found(&on, Opened::Nothing), Some(Err(LedgerError::Forgotten))));
    }

    #[test]
    fn an_owner_is_waited_for_as_long_as_was_said() {
        let runs = EarlierRuns { wait: Duration::from_secs(5), ..EarlierRuns::default() };
        let told = Earlier::AsTold(&runs);
        let owned = || Opened::Owned(unfinished("a"));
        assert!(told.judge(owned(), Duration::from_secs(4)).is_none());
        assert!(matches!(
            told.judge(owned(), Duration::from_secs(5)),
            Some(Err(LedgerError::Running { .. }))
        ));
    }
}
