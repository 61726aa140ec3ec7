//! `dbload run`: all loads of a file, side by side as far as order and memory let them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dbload::Engine;
use dbload::internals::exit::ExitClass;
use dbload::internals::load::note_end;
use dbload::internals::pg::ConnInfo;
use dbload::internals::schedule::{LoadState, Readiness, gravest};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::after::{AfterRun, RunEnd};
use super::args::RunJobArgs;
use super::edges;
use super::hooks::StoppedAt;
use super::keys::IfRunning;
use super::line;
use super::metrics::LoadFacts;
use super::open::{NotReady, OpenedFile, ReadyJob, open};
use super::sharing::SharedFolders;
use super::turn::{Turn, TurnEnd};
use super::wishes::{Between, RunWishes, WindowWishes};
use crate::cli::args::OutputArgs;
use crate::cli::exit;
use crate::cli::load::{open_events, say_ending, second_signal};
use crate::cli::pipes::{self, Pipes};
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal::error_words;
use crate::cli::watch::Watchers;

/// Runs the loads of a file; the exit code.
pub(crate) async fn run(args: RunJobArgs) -> u8 {
    Box::pin(pipes::within(async |pipes| Box::pin(run_within(args, pipes)).await)).await
}

async fn run_within(args: RunJobArgs, pipes: Option<&Pipes>) -> u8 {
    let progress = Progress::of_job(&args.output);
    // The folder of the job file is where its own paths begin.
    let of_here = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
    let (said, metrics) = match (of_here(&args.events), of_here(&args.metrics_file)) {
        (Ok(said), Ok(metrics)) => (said, metrics),
        (Err(error), _) | (_, Err(error)) => {
            progress.say(&error_words(&format!("--events, --metrics-file: {error}"), None));
            return exit::USAGE;
        }
    };
    let wishes = RunWishes {
        once: Some(&args.once),
        if_running: args.if_running.or(args.wait.map(IfRunning::Wait)),
        is_full: args.full,
        windows: WindowWishes {
            catch_up: usize::from(args.catch_up),
            now: args.now,
            between: args.from.zip(args.to).map(|(from, to)| Between { from, to, step: args.step }),
            partition: pipes.and_then(Pipes::window),
            is_sure: args.yes,
        },
        failed_alone: args.failed,
        assets: pipes.map(Pipes::asset_keys).unwrap_or_default(),
        ..RunWishes::of(&args.budget, &args.choice, &args.output)
    };
    let opened = match open(&args.file, &progress) {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let mut after = AfterRun::of(&opened.file);
    after.write_metrics_to(metrics);
    let events = said.or_else(|| opened.file.told.metrics.events.clone());
    let events = match events.as_deref().map(open_events).transpose() {
        Ok(events) => events,
        Err(words) => {
            progress.say(&error_words(&words, None));
            return exit::USAGE;
        }
    };
    let watchers = Watchers::new(events, pipes.is_some_and(Pipes::tells_lineage_itself), &progress);
    let stop = CancellationToken::new();
    let code = AtomicU8::new(exit::SIGINT);
    let all = AllLoads { args: &args, progress: &progress, stop: &stop, signal: &code, pipes };
    let stopped = StoppedAt::watch(&stop);
    let all = async {
        let begun = tokio::select! {
            begun = begin(opened, &wishes, &args, &progress) => begun,
            () = stop.cancelled() => Err(NotReady::stopped(code.load(Ordering::Relaxed))),
        };
        let ReadyRun { mut ready, shared } = match begun {
            Ok(begun) => begun,
            Err(not_ready) => {
                not_ready.say(&progress);
                if let Some(pipes) = pipes {
                    pipes.failed("not_begun", not_ready.why.clone());
                }
                after.tell_not_begun(&not_ready, stopped, &progress).await;
                return not_ready.code;
            }
        };
        ready.turns.iter_mut().for_each(|turn| turn.watch(&watchers));
        let (job, engine, dsn) = (ready.name.clone(), ready.engine.clone(), ready.dsn.clone());
        let ended = Box::pin(all.run(ready)).await;
        progress.finish();
        if let Some(shared) = shared.filter(|_| !stop.is_cancelled()) {
            let _ = tokio::time::timeout(NOTE_LIMIT, shared.clean(&job, &engine, &dsn)).await;
        }
        watchers.close(stop.is_cancelled(), &progress).await;
        after.tell(&ended, stopped, &progress).await;
        // A report that nobody got is no success.
        if ended.printed || ended.code != exit::COMPLETE { ended.code } else { exit::UNEXPECTED }
    };
    let code = tokio::select! {
        code = all => code,
        code = second_signal(&stop, &code, &progress) => code,
    };
    progress.finish();
    code
}

/// What there is before the first load begins.
struct ReadyRun {
    ready: ReadyJob,
    /// Answers that loads share.
    shared: Option<SharedFolders>,
}

/// Makes the loads ready, in their order, and says what there is to be said before.
async fn begin(
    opened: OpenedFile,
    wishes: &RunWishes<'_>,
    args: &RunJobArgs,
    progress: &Progress,
) -> Result<ReadyRun, NotReady> {
    let mut ready = opened.ready(wishes, progress).await?;
    // Foreign keys are a matter of order: where they cannot be asked for, the loads say why.
    match edges::find(&mut ready.turns, &ready.engine, &ready.dsn).await {
        Ok(()) => edges::without_circles(&mut ready.turns).iter().for_each(|words| progress.say(words)),
        Err(error) => tracing::debug!(%error, "foreign keys were not asked for"),
    }
    let ReadyJob { name, turns, engine, dsn, .. } = &mut ready;
    let shared = SharedFolders::arrange(turns, name, engine, dsn, args.once.restart).await;
    let shared = shared.inspect_err(|error| tracing::debug!(%error, "each load fetches by itself")).ok();
    shared.iter().for_each(|shared| shared.notes.iter().for_each(|note| progress.say(note)));
    if !args.output.quiet {
        ready.turns.iter().for_each(|turn| turn.notes.iter().for_each(|note| turn.progress.say(note)));
    }
    Ok(ReadyRun { ready, shared })
}

/// A run of all of them.
struct AllLoads<'a> {
    args: &'a RunJobArgs,
    progress: &'a Progress,
    stop: &'a CancellationToken,
    /// The code of the signal that stops them, if one does.
    signal: &'a AtomicU8,
    pipes: Option<&'a Pipes>,
}

impl AllLoads<'_> {
    async fn run(&self, ready: ReadyJob) -> RunEnd {
        let began = Instant::now();
        let ReadyJob { name: job, turns, engine, dsn, open_max } = ready;
        let names: Vec<String> = turns.iter().map(|turn| turn.name.clone()).collect();
        let is_chosen = |name: &str| names.iter().any(|other| other == name);
        let mut telling = Telling::new(&job, &self.args.output, engine.clone(), dsn);
        telling.pipes = self.pipes;
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
                let end =
                    match Readiness::of(&waiting[i].after, &waiting[i].behind, is_chosen, &telling.ended) {
                        _ if is_over => {
                            TurnEnd::unbegun(LoadState::NotStarted, "all were stopped".to_owned())
                        }
                        Readiness::InVain(other) => TurnEnd::unbegun(
                            LoadState::Skipped,
                            format!("{other} did not come to a good end"),
                        ),
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

    fn close(&self, mut telling: Telling<'_>, elapsed: Duration) -> RunEnd {
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
        let was_stopped = self.stop.is_cancelled();
        let was_left = !telling.ended.is_empty() && telling.ended.values().all(elsewhere);
        let Telling { ended, lines, facts, printed, engine, dsn, .. } = telling;
        RunEnd { code, printed, was_left, was_stopped, elapsed, ended, lines, facts, engine, dsn }
    }
}

/// Says what becomes of the loads.
struct Telling<'a> {
    job: &'a str,
    output: &'a OutputArgs,
    ended: BTreeMap<String, LoadState>,
    classes: Vec<ExitClass>,
    /// Their lines of JSON, for hooks.
    lines: Vec<serde_json::Value>,
    /// What metrics say of them.
    facts: BTreeMap<String, LoadFacts>,
    printed: bool,
    engine: Engine,
    dsn: ConnInfo,
    /// The ledger is told.
    notes: JoinSet<()>,
    pipes: Option<&'a Pipes>,
}

/// The ledger is told how a load has ended, if it can be in this time.
const NOTE_LIMIT: Duration = Duration::from_secs(2);

impl<'a> Telling<'a> {
    fn new(job: &'a str, output: &'a OutputArgs, engine: Engine, dsn: ConnInfo) -> Self {
        let (ended, classes, notes) = (BTreeMap::new(), Vec::new(), JoinSet::new());
        let (lines, facts) = (Vec::new(), BTreeMap::new());
        Self { job, output, ended, classes, lines, facts, printed: true, engine, dsn, notes, pipes: None }
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
        let json = line::load_json(self.job, &turn.name, end);
        self.lines.extend(serde_json::from_str(&json));
        self.facts.extend(LoadFacts::of(end).map(|facts| (turn.name.clone(), facts)));
        let text = match (self.output.json, self.output.quiet) {
            (true, _) => json,
            (false, true) => String::new(),
            (false, false) => line::load_words(&turn.name, end),
        };
        self.printed &= turn.progress.aside(|| print(&text));
        if let Some(pipes) = self.pipes {
            line::tell(pipes, turn, end);
        }
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
