//! A backfill: windows between two moments that are loaded because somebody asks for them, complete ones too.
//!
//! One that died is gone on with by the same command: the windows that it has completed are known by its
//! name and the moment that it was begun at, which their runs have. When all of it is done, the same command
//! is another one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::window::{Window, WindowRule};
use super::wishes::Between;

/// More steps than a person means to ask for.
const MANY: usize = 1_000;

/// A window that is complete.
pub(super) struct CompleteWindow<'w> {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// The backfill that it was loaded by, if it was.
    pub(super) backfill: Option<&'w str>,
}

/// Windows that are asked for.
pub(super) struct Backfill {
    /// What it is, and when it was begun.
    pub(super) name: String,
    /// What is left to be loaded.
    pub(super) windows: Vec<Window>,
    /// All of it.
    all: usize,
    /// The time at the end that is no whole step.
    rest: Option<String>,
}

impl Backfill {
    /// What is to be loaded between two moments. `now`: when it is begun, unless one is gone on with.
    pub(super) fn of(
        rule: WindowRule,
        between: &Between,
        complete: &[CompleteWindow<'_>],
        now: Timestamp,
    ) -> Result<Self, String> {
        let Between { from, to, step } = between;
        let rule = rule.by(*step);
        let windows = rule.between(*from, *to)?;
        let what = format!("{from}..{to}/{}", rule.every);
        // Which of its windows each time that it was asked for has completed.
        let mut done: BTreeMap<i128, Vec<usize>> = BTreeMap::new();
        for (at, window) in windows.iter().enumerate() {
            let (start, end) = window.instants();
            let is_it = |other: &&CompleteWindow<'_>| other.start == start && other.end == end;
            let of = complete.iter().find(is_it).and_then(|window| window.backfill);
            let begun = of.and_then(|name| name.strip_prefix(&what)?.strip_prefix('@')?.parse().ok());
            if let Some(begun) = begun {
                done.entry(begun).or_default().push(at);
            }
        }
        let all = windows.len();
        let unfinished = done.pop_last().filter(|(_, done)| done.len() < all);
        let (begun, done) = unfinished.unwrap_or_else(|| (now.as_nanosecond(), Vec::new()));
        let end = windows.last().map(|window| window.end.clone());
        let rest = end.filter(|end| end.datetime() < *to).map(|end| end.datetime().to_string());
        let left = windows.into_iter().enumerate().filter(|(at, _)| !done.contains(at));
        Ok(Self {
            name: format!("{what}@{begun}"),
            windows: left.map(|(_, window)| window).collect(),
            all,
            rest,
        })
    }

    /// What is said before it begins. `windows`: what is left of it; `again`: how many of those are complete.
    pub(super) fn plan(&self, windows: &[Window], again: usize, may_return: bool) -> Vec<String> {
        let mut plan = match windows {
            [] => "no whole step lies between the two".to_owned(),
            [one] => format!("1 window, {}", one.name()),
            [first, .., last] => format!("{} windows, {} to {}", windows.len(), first.name(), last.name()),
        };
        if again > 0 {
            plan.push_str(&format!(", of which {again} are complete and loaded again"));
        }
        if windows.len() < self.all {
            let done = self.all - windows.len();
            plan.push_str(&format!("; {done} were loaded before this start, and are left out"));
        }
        let mut notes = vec![format!("backfill: {plan}")];
        if let Some(rest) = &self.rest {
            notes.push(format!("backfill: from {rest} on it is no whole step, and is left out"));
        }
        if may_return {
            notes.push(
                "backfill: newer windows are loaded already, over whose rows old values may return"
                    .to_owned(),
            );
        }
        if windows.len() > MANY {
            notes.push(format!(
                "backfill: more than {MANY} windows, each a run of its own; --step makes fewer"
            ));
        }
        notes
    }
}
