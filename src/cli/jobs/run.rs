//! `dbload run`: all loads of a file, side by side as far as order and memory let them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dbload::Engine;
use dbload::internals::exit::ExitClass;
use dbload::internals::load::note_end;
use dbload::internals::pg::Dsn;
use dbload::internals::schedule::{LoadState, Readiness, gravest};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::args::RunJobArgs;
use super::keys::IfRunning;
use super::line;
use super::open::{ReadyJob, ready};
use super::turn::{Turn, TurnEnd};
use super::wishes::{RunWishes, WindowWishes};
use crate::cli::args::OutputArgs;
use crate::cli::exit;
use crate::cli::load::{say_ending, second_signal};
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal::error_words;

/// Runs the loads of a file; the exit code.
pub(crate) async fn run(args: RunJobArgs) -> u8 {
    let progress = Progress::of_job(&args.output);
    let wishes = RunWishes {
        once: Some(&args.once),
        if_running: args.if_running.or(args.wait.map(IfRunning::Wait)),
        is_full: args.full,
        windows: WindowWishes {
            catch_up: usize::from(args.catch_up),
            now: args.now,
            between: args.from.zip(args.to),
            is_sure: args.yes,
        },
        failed_alone: args.failed,
        ..RunWishes::of(&args.budget, &args.choice, &args.output)
    };
    let ready = match ready(&args.file, &wishes, &progress).await {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    let stop = CancellationToken::new();
    let code = AtomicU8::new(exit::SIGINT);
    let all = AllLoads { args: &args, progress: &progress, stop: &stop, signal: &code };
    let all = Box::pin(all.run(ready));
    let all = tokio::select! {
        all = all => all,
        code = second_signal(&stop, &code, &progress) => {
            progress.finish();
            return code;
        }
    };
    progress.finish();
    // A report that nobody got is no success.
    if all.printed || all.code != exit::COMPLETE { all.code } else { exit::UNEXPECTED }
}

/// What all loads came to.
struct AllEnded {
    code: u8,
    printed: bool,
}

/// A run of all of them.
struct AllLoads<'a> {
    args: &'a RunJobArgs,
    progress: &'a Progress,
    stop: &'a CancellationToken,
    /// The code of the signal that stops them, if one does.
    signal: &'a AtomicU8,
}

impl AllLoads<'_> {
    async fn run(&self, ready: ReadyJob) -> AllEnded {
        let began = Instant::now();
        let ReadyJob { name: job, turns, engine, dsn, open_max } = ready;
        let names: Vec<String> = turns.iter().map(|turn| turn.name.clone()).collect();
        let is_chosen = |name: &str| names.iter().any(|other| other == name);
        let mut telling = Telling::new(&job, &self.args.output, engine.clone(), dsn);
        let mut waiting = turns;
        let mut running = JoinSet::new();
        let mut records: Vec<(String, Arc<AtomicU64>)> = Vec::new();
        let mut shown = tokio::time::interval(self.progress.show_every());
        shown.tick().await;
        let mut is_over = false;
        loop {
            is_over |= self.stop.is_cancelled();
            let mut i = 0;
            while i < waiting.len() {
                let end = match Readiness::of(&waiting[i].after, is_chosen, &telling.ended) {
                    _ if is_over => TurnEnd::unbegun(LoadState::NotStarted, "all were stopped".to_owned()),
                    Readiness::InVain(other) => {
                        TurnEnd::unbegun(LoadState::Skipped, format!("{other} did not come to a good end"))
                    }
                    Readiness::Ready if running.len() < open_max => {
                        let turn = waiting.remove(i);
                        records.push((turn.name.clone(), turn.progress.records().unwrap_or_default()));
                        let (engine, stop) = (engine.clone(), self.stop.clone());
                        running.spawn(async move {
                            let end = turn.take(&engine, &stop).await;
                            (turn, end)
                        });
                        continue;
                    }
                    Readiness::Ready | Readiness::Waits => {
                        i += 1;
                        continue;
                    }
                };
                telling.tell(&waiting.remove(i), &end);
                // What comes after it may stand before it.
                i = 0;
            }
            let joined = tokio::select! {
                joined = running.join_next() => joined,
                _ = shown.tick() => {
                    let rows = records.iter().map(|(name, rows)| (name.clone(), rows.load(Ordering::Relaxed)));
                    self.progress.show(telling.ended.len(), names.len(), &rows.collect::<Vec<_>>());
                    continue;
                }
            };
            match joined {
                Some(Ok((turn, end))) => {
                    is_over |= end.is_taken_over();
                    records.retain(|(name, _)| *name != turn.name);
                    telling.tell(&turn, &end);
                }
                Some(Err(_)) => telling.classes.push(ExitClass::Unexpected),
                None => break,
            }
        }
        for turn in waiting {
            let why = "a load that it comes after has come to no end".to_owned();
            telling.tell(&turn, &TurnEnd::unbegun(LoadState::NotStarted, why));
        }
        telling.noted().await;
        self.close(telling, began.elapsed())
    }

    fn close(&self, mut telling: Telling<'_>, elapsed: Duration) -> AllEnded {
        let stopped = self.stop.is_cancelled().then_some(ExitClass::Interrupted);
        let elsewhere = |state: &LoadState| *state == LoadState::RunningElsewhere;
        let code = match gravest(telling.classes.iter().copied().chain(stopped)) {
            ExitClass::Interrupted => self.signal.load(Ordering::Relaxed),
            ExitClass::Complete if !telling.ended.is_empty() && telling.ended.values().all(elsewhere) => {
                self.args.skip_exit_code
            }
            class => class.code(),
        };
        telling.close(code, elapsed);
        AllEnded { code, printed: telling.printed }
    }
}

/// Says what becomes of the loads.
struct Telling<'a> {
    job: &'a str,
    output: &'a OutputArgs,
    ended: BTreeMap<String, LoadState>,
    classes: Vec<ExitClass>,
    printed: bool,
    engine: Engine,
    dsn: Dsn,
    /// The ledger is told.
    notes: JoinSet<()>,
}

/// The ledger is told how a load has ended, if it can be in this time.
const NOTE_LIMIT: Duration = Duration::from_secs(2);

impl<'a> Telling<'a> {
    fn new(job: &'a str, output: &'a OutputArgs, engine: Engine, dsn: Dsn) -> Self {
        let (ended, classes, notes) = (BTreeMap::new(), Vec::new(), JoinSet::new());
        Self { job, output, ended, classes, printed: true, engine, dsn, notes }
    }

    /// Tells the ledger how a load has ended. What another process is at, that one tells.
    fn note(&mut self, load: &str, end: &TurnEnd) {
        if end.state == LoadState::RunningElsewhere {
            return;
        }
        let (engine, dsn) = (self.engine.clone(), self.dsn.clone());
        let (job, load) = (self.job.to_owned(), load.to_owned());
        let (state, code) = (end.state.name(), end.class.code());
        self.notes.spawn(async move {
            let noted = note_end(&engine, &dsn, &job, &load, state, code);
            if let Ok(Err(error)) = tokio::time::timeout(NOTE_LIMIT, noted).await {
                tracing::debug!(%error, load, "how it has ended was not noted");
            }
        });
    }

    /// Waits until the ledger has been told, as long as that may take.
    async fn noted(&mut self) {
        let all = async { while self.notes.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(NOTE_LIMIT, all).await;
    }

    fn tell(&mut self, turn: &Turn, end: &TurnEnd) {
        for part in &end.parts {
            let is_told = match part.state {
                // Left to another process, or done by it.
                LoadState::RunningElsewhere => part.class != ExitClass::Complete,
                LoadState::NothingNew => false,
                _ => true,
            };
            if let Some(outcome) = part.outcome.as_ref().filter(|_| is_told) {
                say_ending(&turn.args, &turn.progress, outcome);
            }
            if let Some(why) = &part.why {
                turn.progress.say(&error_words(why, None));
            }
        }
        let text = match (self.output.json, self.output.quiet) {
            (true, _) => line::load_json(self.job, &turn.name, end),
            (false, true) => String::new(),
            (false, false) => line::load_words(&turn.name, end),
        };
        self.printed &= turn.progress.aside(|| print(&text));
        self.note(&turn.name, end);
        self.classes.push(end.class);
        self.ended.insert(turn.name.clone(), end.state);
    }

    fn close(&mut self, code: u8, elapsed: Duration) {
        let text = match (self.output.json, self.output.quiet) {
            (true, _) => line::job_json(self.job, &self.ended, code, elapsed),
            (false, true) => String::new(),
            (false, false) => line::job_words(self.job, &self.ended, elapsed),
        };
        self.printed &= print(&text);
    }
}
