//! From the keys of a load to the runs of its turn: one, or one a window.

use dbload::Engine;
use dbload::internals::job::{Job, LoadWindow, NamedLoad};
use dbload::internals::ledger::{LoadStanding, StoredMark, StoredWindow};
use dbload::internals::load::{stored_marks, stored_standings, stored_windows};
use dbload::internals::pg::ConnInfo;
use dbload::internals::prepared::LoadError;
use dbload::internals::schedule::LoadState;
use jiff::Timestamp;

use super::asked_from;
use super::backfill::{Backfill, CompleteWindow};
use super::file::{JobFile, NamedKeys};
use super::keys::{IfRunning, TurnKeys};
use super::turn::{FreshnessLimits, Turn, TurnPart};
use super::window::{DueWindows, WindowRule};
use super::wishes::RunWishes;
use crate::cli::args::{LoadArgs, ModeArg};
use crate::cli::load::job;
use crate::cli::progress::Progress;
use crate::cli::watch::Watchers;

/// What the ledger knows of the loads of a job.
#[derive(Default)]
pub(super) struct Known {
    marks: Vec<StoredMark>,
    windows: Vec<StoredWindow>,
    /// How the loads stand, where only those that failed are run.
    standings: Option<Vec<LoadStanding>>,
}

impl Known {
    /// Asks for it, where one of the loads builds on it.
    pub(super) async fn read(
        file: &JobFile,
        wishes: &RunWishes<'_>,
        engine: &Engine,
        dsn: &ConnInfo,
    ) -> Result<Self, LoadError> {
        let mut known = Self::default();
        if wishes.is_offline {
            return Ok(known);
        }
        if wishes.failed_alone {
            known.standings = Some(stored_standings(engine, dsn, &file.name).await?);
        }
        let has = |is_it: fn(&TurnKeys) -> bool| file.loads.iter().any(|load| is_it(&load.keys.turn));
        if has(|keys| keys.watermark_field.is_some()) && !wishes.is_full && !wishes.is_only_looking {
            known.marks = stored_marks(engine, dsn, &file.name).await?;
        }
        if has(|keys| keys.window_every.is_some()) {
            known.windows = stored_windows(engine, dsn, &file.name).await?;
        }
        Ok(known)
    }

    /// Only those that failed are run, and this one did not.
    fn is_well(&self, load: &str) -> bool {
        self.standings.as_ref().is_some_and(|standings| {
            let standing = standings.iter().find(|standing| standing.load == load);
            let state = standing.and_then(|standing| LoadState::of_name(standing.state.as_deref()?));
            state.is_some_and(LoadState::is_good)
        })
    }
}

/// What is the same for all loads of a run.
pub(super) struct SharedByAll<'a> {
    pub(super) known: Known,
    pub(super) wishes: &'a RunWishes<'a>,
    pub(super) job: &'a str,
    pub(super) dsn: &'a ConnInfo,
    pub(super) dsn_text: Option<String>,
    pub(super) pool_size: Option<u16>,
    pub(super) max_memory: u64,
}

impl SharedByAll<'_> {
    /// The turn of a load; none for one without windows where windows are to be loaded, and for one that did
    /// not fail where those are.
    pub(super) fn turn(
        &self,
        load: NamedKeys,
        asset: Option<String>,
        progress: &Progress,
    ) -> Result<Option<Turn>, String> {
        if self.known.is_well(&load.name) {
            return Ok(None);
        }
        let NamedKeys { name, keys, words, asking, at: _ } = load;
        let (mut args, turn) = (keys.load, keys.turn);
        let if_running = self.wishes.if_running.or(turn.if_running).unwrap_or(IfRunning::Fail);
        args.target.dsn.clone_from(&self.dsn_text);
        args.resources.pool_size = self.pool_size;
        args.resources.max_memory = self.max_memory;
        if let Some(once) = self.wishes.once {
            args.runs.once = once.clone();
        }
        if let IfRunning::Wait(wait) = if_running {
            args.runs.wait = wait;
        }
        let named = NamedLoad {
            job: self.job.to_owned(),
            load: name.clone(),
            words,
            watermark: turn.watermark_field.clone(),
            window: None,
            of_table: None,
            now: self.now().as_nanosecond(),
            is_full: false,
        };
        let DueParts { mut parts, left, notes } = match turn.windows() {
            Some(rule) => self.windows(rule, &args, &turn, &named)?,
            None if self.wishes.windows.between.is_some() => return Ok(None),
            None if self.wishes.windows.partition.is_some() => {
                let words =
                    "Dagster asks for a partition by time, and the load has no window = { every = .. }";
                return Err(words.to_owned());
            }
            None => {
                DueParts { parts: vec![self.whole(&mut args, &turn, named)?], left: 0, notes: Vec::new() }
            }
        };
        parts.iter_mut().for_each(|part| part.asking = format!("{asking}\n\n{}", part.asking));
        Ok(Some(Turn {
            progress: progress.of_load(self.wishes.output, &name),
            watchers: Watchers::default(),
            name,
            asset,
            parts,
            left,
            notes,
            has_windows: turn.window_every.is_some(),
            goes_on: !may_return(&args),
            args,
            after: turn.after,
            behind: Vec::new(),
            timeout: turn.timeout,
            retries: turn.retries,
            on_rejects: turn.on_rejects,
            if_running,
            freshness: FreshnessLimits { warn_after: turn.warn_after, error_after: turn.error_after },
        }))
    }

    fn now(&self) -> Timestamp {
        self.wishes.windows.now.unwrap_or_else(Timestamp::now)
    }

    fn job(&self, args: &LoadArgs, keys: &TurnKeys, named: NamedLoad) -> Result<Job, String> {
        let mut job = job(args, self.dsn.clone())?;
        job.named = Some(named);
        job.min_records = keys.min_records;
        Ok(job)
    }

    /// The one run of a load without windows, with what it is asked from in its words.
    fn whole(&self, args: &mut LoadArgs, keys: &TurnKeys, mut named: NamedLoad) -> Result<TurnPart, String> {
        if asked_from::has_window(args) {
            return Err("{window.start} stands for nothing: window = { every = .. } says of what".to_owned());
        }
        match (&named.watermark, asked_from::is_named(args)) {
            (None, false) => {}
            (None, true) => {
                return Err(
                    "{watermark} stands for nothing: watermark = { field = .. } says of what".to_owned()
                );
            }
            (Some(_), false) => {
                return Err("watermark: {watermark} stands nowhere in source, header or body".to_owned());
            }
            (Some(_), true) => {
                let stored = self.known.marks.iter().find(|mark| mark.load == named.load);
                let knows_nothing = self.wishes.is_offline || self.wishes.is_only_looking;
                asked_from::put(args, &asked_from::value(keys, stored, knows_nothing)?);
                named.of_table = stored.map(|mark| mark.target_oid);
                named.is_full = self.wishes.is_full;
            }
        }
        let asking = asked_from::rendered(args);
        Ok(TurnPart { window: None, job: self.job(args, keys, named)?, asking })
    }

    /// A run for each window that is due, and how many are left.
    fn windows(
        &self,
        rule: WindowRule,
        args: &LoadArgs,
        keys: &TurnKeys,
        named: &NamedLoad,
    ) -> Result<DueParts, String> {
        let wishes = &self.wishes.windows;
        if named.watermark.is_some() {
            return Err("window: a load has windows or a watermark".to_owned());
        }
        if !asked_from::has_window(&mut args.clone()) {
            return Err("window: {window.start} stands nowhere in source, header or body".to_owned());
        }
        let stored: Vec<&StoredWindow> =
            self.known.windows.iter().filter(|window| window.load == named.load).collect();
        let complete: Vec<CompleteWindow<'_>> = stored.iter().filter_map(complete).collect();
        let instants: Vec<(Timestamp, Timestamp)> =
            complete.iter().map(|window| (window.start, window.end)).collect();
        let mut backfill = None;
        let is_asked_for = wishes.partition.is_some() || wishes.between.is_some();
        let due = match (&wishes.partition, &wishes.between) {
            (None, None) => rule.due(self.now(), &instants, wishes.catch_up.max(1))?,
            (Some((from, to)), _) => {
                let windows = rule.between_instants(*from, *to)?;
                if windows.is_empty() {
                    return Err(format!("window: no step lies in the partition from {from} to {to}"));
                }
                DueWindows { windows, left: 0 }
            }
            (None, Some(between)) => {
                let mut found = Backfill::of(rule, between, &complete, self.now())?;
                let windows = std::mem::take(&mut found.windows);
                backfill = Some(found);
                DueWindows { windows, left: 0 }
            }
        };
        let newest = instants.iter().map(|(_, end)| *end).max();
        let is_behind =
            due.windows.iter().any(|window| newest.is_some_and(|newest| window.instants().1 < newest));
        if is_asked_for && is_behind && may_return(args) && !wishes.is_sure {
            return Err(
                "window: newer windows are loaded already, and old values may return over their rows: newer_by keeps \
                 from that, and --yes is to say that they may"
                    .to_owned(),
            );
        }
        let of_table = stored.iter().rfind(|window| window.records > 0).map(|window| window.target_oid);
        let mut parts = Vec::with_capacity(due.windows.len());
        let mut again = 0;
        for window in &due.windows {
            let mut args = args.clone();
            asked_from::put_window(&mut args, window)?;
            let (start, end) = window.instants();
            let is_again = instants.iter().any(|(other, until)| *other < end && *until > start);
            again += usize::from(is_again);
            let window_of_load = LoadWindow {
                starts_at: start.to_string(),
                ends_at: end.to_string(),
                is_again,
                backfill: backfill.as_ref().map(|backfill| backfill.name.clone()),
            };
            let named = NamedLoad {
                window: Some(window_of_load),
                // Who loads windows again says that they are not there.
                of_table: of_table.filter(|_| !is_asked_for),
                ..named.clone()
            };
            let asking = asked_from::rendered(&mut args);
            parts.push(TurnPart { window: Some(window.name()), job: self.job(&args, keys, named)?, asking });
        }
        let notes = backfill.map_or_else(Vec::new, |backfill| {
            backfill.plan(&due.windows, again, is_behind && may_return(args))
        });
        Ok(DueParts { parts, left: due.left, notes })
    }
}

/// The runs of a turn.
struct DueParts {
    parts: Vec<TurnPart>,
    left: usize,
    /// What is said before they begin.
    notes: Vec<String>,
}

fn complete<'w>(window: &&'w StoredWindow) -> Option<CompleteWindow<'w>> {
    let at = |micros: i64| Timestamp::from_microsecond(micros).ok();
    let (start, end) = (at(window.starts_at)?, at(window.ends_at)?);
    Some(CompleteWindow { start, end, backfill: window.backfill.as_deref() })
}

/// An older record may take the place of a newer one: with a key, and nothing that says which is newer.
fn may_return(args: &LoadArgs) -> bool {
    args.target.newer_by.is_none() && args.target.mode != Some(ModeArg::Append)
}
