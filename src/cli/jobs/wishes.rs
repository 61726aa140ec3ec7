//! What is asked of the loads of a file.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::args::{BudgetArgs, ChoiceArgs};
use super::keys::IfRunning;
use super::window::WindowStep;
use crate::cli::args::{OnceArgs, OutputArgs};

/// What is asked of its loads.
pub(super) struct RunWishes<'a> {
    pub(super) budget: &'a BudgetArgs,
    pub(super) choice: &'a ChoiceArgs,
    pub(super) output: &'a OutputArgs,
    pub(super) once: Option<&'a OnceArgs>,
    pub(super) if_running: Option<IfRunning>,
    /// The database is not asked for anything.
    pub(super) is_offline: bool,
    /// All from the beginning, whatever the watermarks say.
    pub(super) is_full: bool,
    pub(super) windows: WindowWishes,
    /// Nothing is to be loaded or planned: what a load would be asked from does not matter.
    pub(super) is_only_looking: bool,
    /// The assets that Dagster asks for, in place of names of loads.
    pub(super) assets: &'a [String],
    /// Only loads whose last turn did not come to a good end.
    pub(super) failed_alone: bool,
}

impl<'a> RunWishes<'a> {
    /// Those and nothing further.
    pub(super) fn of(budget: &'a BudgetArgs, choice: &'a ChoiceArgs, output: &'a OutputArgs) -> Self {
        Self {
            budget,
            choice,
            output,
            once: None,
            if_running: None,
            is_offline: false,
            is_full: false,
            windows: WindowWishes::default(),
            is_only_looking: false,
            assets: &[],
            failed_alone: false,
        }
    }
}

/// Which windows are to be loaded.
#[derive(Default)]
pub(super) struct WindowWishes {
    /// So many at once.
    pub(super) catch_up: usize,
    /// The time that it is taken to be.
    pub(super) now: Option<Timestamp>,
    /// Those between two moments, complete ones too.
    pub(super) between: Option<Between>,
    /// The window of time of a partition: of the loads that have windows, those in it.
    pub(super) partition: Option<(Timestamp, Timestamp)>,
    /// Also where old values may return.
    pub(super) is_sure: bool,
}

/// A backfill: from a moment up to another, of the zone of each load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub(super) from: DateTime,
    pub(super) to: DateTime,
    /// In place of the step of the file.
    pub(super) step: Option<WindowStep>,
}
