//! From the keys of a load to the runs of its turn: one, or one a window.

use dbload::Engine;
use dbload::internals::job::{Job, LoadWindow, NamedLoad};
use dbload::internals::ledger::{LoadStanding, StoredMark, StoredWindow};
use dbload::internals::load::{stored_marks, stored_standings, stored_windows};
use dbload::internals::pg::Dsn;
use dbload::internals::prepared::LoadError;
use dbload::internals::schedule::LoadState;
use jiff::Timestamp;

use super::asked_from;
use super::file::{JobFile, NamedKeys};
use super::keys::{IfRunning, TurnKeys};
use super::turn::{FreshnessLimits, Turn, TurnPart};
use super::window::{DueWindows, WindowRule};
use super::wishes::RunWishes;
use crate::cli::args::{LoadArgs, ModeArg};
use crate::cli::load::job;
use crate::cli::progress::Progress;

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
        dsn: &Dsn,
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
    pub(super) dsn: &'a Dsn,
    pub(super) dsn_text: Option<String>,
    pub(super) pool_size: Option<u16>,
    pub(super) max_memory: u64,
}

impl SharedByAll<'_> {
    /// The turn of a load; none for one without windows where windows are to be loaded, and for one that did
    /// not fail where those are.
    pub(super) fn turn(&self, load: NamedKeys, progress: &Progress) -> Result<Option<Turn>, String> {
        if self.known.is_well(&load.name) {
            return Ok(None);
        }
        let NamedKeys { name, keys, words, at: _ } = load;
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
        let (parts, left) = match turn.windows() {
            Some(rule) => self.windows(&rule, &args, &turn, &named)?,
            None if self.wishes.windows.between.is_some() => return Ok(None),
            None => (vec![self.whole(&mut args, &turn, named)?], 0),
        };
        Ok(Some(Turn {
            progress: progress.of_load(self.wishes.output, &name),
            name,
            parts,
            left,
            has_windows: turn.window_every.is_some(),
            goes_on: !may_return(&args),
            args,
            after: turn.after,
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
        Ok(TurnPart { window: None, job: self.job(args, keys, named)? })
    }

    /// A run for each window that is due, and how many are left.
    fn windows(
        &self,
        rule: &WindowRule,
        args: &LoadArgs,
        keys: &TurnKeys,
        named: &NamedLoad,
    ) -> Result<(Vec<TurnPart>, usize), String> {
        let wishes = &self.wishes.windows;
        if named.watermark.is_some() {
            return Err("window: a load has windows or a watermark".to_owned());
        }
        if !asked_from::has_window(&mut args.clone()) {
            return Err("window: {window.start} stands nowhere in source, header or body".to_owned());
        }
        let stored: Vec<&StoredWindow> =
            self.known.windows.iter().filter(|window| window.load == named.load).collect();
        let complete = stored.iter().filter_map(|window| {
            let at = |micros: i64| Timestamp::from_microsecond(micros).ok();
            Some((at(window.starts_at)?, at(window.ends_at)?))
        });
        let complete: Vec<(Timestamp, Timestamp)> = complete.collect();
        let due = match wishes.between {
            None => rule.due(self.now(), &complete, wishes.catch_up.max(1))?,
            Some((from, to)) => DueWindows { windows: rule.between(from, to)?, left: 0 },
        };
        let newest = complete.iter().map(|(_, end)| *end).max();
        let is_behind =
            due.windows.iter().any(|window| newest.is_some_and(|newest| window.instants().1 < newest));
        if wishes.between.is_some() && is_behind && may_return(args) && !wishes.is_sure {
            return Err(
                "window: newer windows are loaded already, and old values may return over their rows: newer_by keeps \
                 from that, and --yes is to say that they may"
                    .to_owned(),
            );
        }
        let of_table = stored.iter().rfind(|window| window.records > 0).map(|window| window.target_oid);
        let mut parts = Vec::with_capacity(due.windows.len());
        for window in &due.windows {
            let mut args = args.clone();
            asked_from::put_window(&mut args, window)?;
            let (start, end) = window.instants();
            let is_again = complete.contains(&(start, end));
            let window_of_load =
                LoadWindow { starts_at: start.to_string(), ends_at: end.to_string(), is_again };
            let named = NamedLoad {
                window: Some(window_of_load),
                // Who loads windows again says that they are not there.
                of_table: of_table.filter(|_| wishes.between.is_none()),
                ..named.clone()
            };
            parts.push(TurnPart { window: Some(window.name()), job: self.job(&args, keys, named)? });
        }
        Ok((parts, due.left))
    }
}

/// An older record may take the place of a newer one: with a key, and nothing that says which is newer.
fn may_return(args: &LoadArgs) -> bool {
    args.target.newer_by.is_none() && args.target.mode != Some(ModeArg::Append)
}
