//! `dbload SOURCE..`: from the parsed flags to a job, to a report, to an exit code.

use std::sync::atomic::{AtomicU8, Ordering};

use dbload::internals::causes::with_causes;
use dbload::internals::format::{DecodeLimits, Inflation};
use dbload::internals::job::{EarlierRuns, Job, POOL_SIZE, Pooler, Reading, RejectBudget, Resources};
use dbload::internals::load::{Ended, LoadPlan, Outcome, load, plan};
use dbload::internals::map::Narrowing;
use dbload::internals::pg::Dsn;
use dbload::internals::pg::dsn::Host;
use dbload::internals::prepared::LoadError;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::args::{LoadArgs, PoolerArg};
use super::progress::Progress;
use super::reload::reload;
use super::stdout::print;
use super::terminal::error_words;
use super::{exit, render, target, terminal};

/// The job that the flags describe.
pub(crate) fn job(args: &LoadArgs, dsn: Dsn) -> Result<Job, String> {
    let pooler = match args.resources.pooler {
        PoolerArg::Auto if dsn.behind_pooler => Pooler::Transaction,
        PoolerArg::Auto => Pooler::Detect,
        PoolerArg::None => Pooler::None,
        PoolerArg::Transaction => Pooler::Transaction,
    };
    let pool_size = args.resources.pool_size.map_or_else(|| default_pool_size(&dsn), usize::from);
    let mut job = Job::new(dsn, args.sources.clone());
    job.table.clone_from(&args.target.table);
    job.key.clone_from(&args.target.key);
    job.mode = args.target.mode.map(Into::into);
    job.newer_by.clone_from(&args.target.newer_by);
    job.fix_sequences = args.target.fix_sequences;
    job.reading = Reading {
        format: args.reading.format.map(Into::into),
        compression: args.reading.compression.map(Into::into),
        records: args.reading.records.clone(),
        delimiter: args.reading.delimiter,
        quote: args.reading.quote.map(|quote| quote.0),
        escape: args.reading.escape,
        comment: args.reading.comment,
        header: args.web.header_rule(),
        columns: args.reading.columns.clone(),
        skip_lines: args.reading.skip_lines,
        null_as: args.reading.null_as.clone(),
        record_bytes: args.reading.max_record_bytes.and_then(|bytes| usize::try_from(bytes).ok()),
        encoding: args.reading.encoding.0,
        decode: DecodeLimits {
            depth: args.reading.max_depth,
            fields: args.reading.max_fields,
            on_nul: args.mapping.on_nul.into(),
        },
        header_bytes: usize::try_from(args.reading.max_header_bytes).ok(),
        inflation: Inflation {
            bytes: args.reading.max_decompressed_bytes.unwrap_or(Inflation::default().bytes),
            ratio: args.reading.max_ratio,
        },
        verify_source: args.reading.verify_source.into(),
    };
    job.extra.clone_from(&args.mapping.extra);
    job.narrowing = Narrowing::of_words(args.mapping.narrowing.iter().map(String::as_str))?;
    job.time_zone.clone_from(&args.mapping.timezone);
    job.date_style = format!("ISO, {}", args.mapping.datestyle);
    let defaults = Resources::default();
    job.resources = Resources {
        pool_size,
        batch_rows: args.resources.batch_rows.unwrap_or(defaults.batch_rows),
        batch_bytes: args.resources.batch_bytes.and_then(|bytes| usize::try_from(bytes).ok()),
        max_memory_bytes: args.resources.max_memory,
        retry_for: args.resources.retry_for,
        statement_timeout: args.resources.statement_timeout,
        lock_timeout: args.resources.lock_timeout,
    };
    job.max_rejects = args.rejects.max_rejects.unwrap_or(RejectBudget::Unlimited);
    job.rejects_file.clone_from(&args.rejects.rejects);
    job.runs = EarlierRuns {
        restart: args.runs.once.restart,
        again: args.runs.once.again.iter().any(|word| is_yes(word)),
        again_files: args
            .runs
            .once
            .again
            .iter()
            .filter(|word| !is_yes(word) && !is_no(word))
            .cloned()
            .collect(),
        wait: args.runs.wait,
        take_over: args.runs.once.take_over,
        load_id: args.runs.load_id.clone(),
        no_ledger: args.runs.no_ledger,
        skip_records: args.runs.skip_records,
        accept_changed: args.runs.once.accept_changed.clone(),
    };
    job.pooler = pooler;
    job.web = args.web.web(&args.sources)?;
    if let (None, Some(paginate)) = (&job.reading.records, &job.web.paginate) {
        job.reading.records.clone_from(&paginate.records);
    }
    Ok(job)
}

/// The words of a flag's variable, as of those that are nothing but flags. A file of such a name is `./true`.
fn is_yes(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "true" | "yes" | "y" | "t" | "on" | "1")
}

fn is_no(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "" | "false" | "no" | "n" | "f" | "off" | "0")
}

/// A server on this machine has this machine's cores; more connections than cores do not help.
pub(super) fn default_pool_size(dsn: &Dsn) -> usize {
    let here = dsn.servers.iter().all(|server| matches!(server.host, Host::Unix(_)));
    let cores = std::thread::available_parallelism().map_or(POOL_SIZE, std::num::NonZero::get);
    if here { cores.min(POOL_SIZE) } else { POOL_SIZE }
}

/// Runs a load; the exit code.
pub(crate) async fn run(args: LoadArgs) -> u8 {
    let progress = Progress::new(&args.output);
    let say = |words: &str| {
        if !args.output.quiet {
            progress.say(words);
        }
    };
    let resolved = match target::resolve(args.target.dsn.as_deref(), &say).await {
        Ok(resolved) => resolved,
        Err(error) => {
            progress.say(&error_words(&error.to_string(), error.hint().as_deref()));
            return error.exit_code();
        }
    };
    if resolved.is_local && args.output.quiet {
        tracing::debug!("the local PostgreSQL is used");
    }
    let job = match job(&args, resolved.dsn) {
        Ok(job) => job,
        Err(words) => {
            progress.say(&error_words(&words, None));
            return exit::USAGE;
        }
    };
    let stop = CancellationToken::new();
    let code = AtomicU8::new(exit::SIGINT);
    let listener = |event: &dbload::internals::event::Event, tally: &dbload::internals::event::Totals| {
        progress.on(event, tally)
    };
    let done = async {
        if args.target.dry_run {
            Done::Planned(Box::new(Box::pin(plan(None, &job, &listener, &stop)).await))
        } else {
            Done::Loaded(Box::new(Box::pin(load(None, &job, &listener, &stop)).await))
        }
    };
    let done = tokio::select! {
        done = done => done,
        code = second_signal(&stop, &code, &progress) => {
            progress.finish();
            return code;
        }
    };
    progress.finish();
    let interrupted = code.load(Ordering::Relaxed);
    match done {
        Done::Planned(planned) => finish_plan(&progress, *planned, interrupted),
        Done::Loaded(outcome) => finish(&args, &progress, *outcome, interrupted),
    }
}

/// What was asked for.
enum Done {
    Planned(Box<Result<LoadPlan, LoadError>>),
    Loaded(Box<Outcome>),
}

/// Prints the plan.
fn finish_plan(progress: &Progress, planned: Result<LoadPlan, LoadError>, interrupted: u8) -> u8 {
    match planned {
        Ok(plan) if print(&terminal::words(&plan.to_string())) => exit::COMPLETE,
        Ok(_) => exit::UNEXPECTED,
        Err(LoadError::Stopped) => {
            progress.say("interrupted; nothing was to be written");
            interrupted
        }
        Err(error) => {
            progress.say(&load_error_words(&error));
            error.kind().exit_class().code()
        }
    }
}

/// Hears the signals: the first one stops the load cleanly, the second ends it at once. Returns on the
/// second.
pub(super) async fn second_signal(stop: &CancellationToken, code: &AtomicU8, progress: &Progress) -> u8 {
    let streams = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::user_defined1()),
    );
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut ask)) = streams else {
        return std::future::pending().await;
    };
    loop {
        let this = tokio::select! {
            _ = interrupt.recv() => exit::SIGINT,
            _ = terminate.recv() => exit::SIGTERM,
            _ = ask.recv() => {
                progress.asked.store(true, Ordering::Relaxed);
                continue;
            }
        };
        if stop.is_cancelled() {
            return this;
        }
        code.store(this, Ordering::Relaxed);
        progress.say("stopping: what is in flight is finished; once more ends at once");
        stop.cancel();
    }
}

/// Prints what a load came to.
fn finish(args: &LoadArgs, progress: &Progress, outcome: Outcome, interrupted: u8) -> u8 {
    let code = exit::code_of(&outcome, interrupted);
    let mut out = String::new();
    if let Some(report) = &outcome.report {
        if args.output.json {
            out.push_str(&terminal::json(report));
        } else if !args.output.quiet {
            out.push_str(&terminal::words(&render::summary(report)));
        }
    }
    let printed = print(&out);
    say_ending(args, progress, &outcome);
    // A report that nobody got is no success.
    if printed || code != exit::COMPLETE { code } else { exit::UNEXPECTED }
}

/// Says what was refused, why a load has ended before its end, and what to do.
pub(super) fn say_ending(args: &LoadArgs, progress: &Progress, outcome: &Outcome) {
    let Outcome { ended, report, pipe_rest, .. } = outcome;
    if let Some(report) = report
        && let Some(words) = render::rejects(report, &|file| reload(args, report, file))
    {
        progress.say(&words);
    }
    if let Some((name, record)) = pipe_rest {
        progress.say(&format!(
            "record {record} of {} is the first that is not in the table\nhint: feed it again with --skip-records {}",
            terminal::line(name),
            record - 1
        ));
        if matches!(ended, Ended::Interrupted) {
            return;
        }
    }
    match ended {
        Ended::Failed(error) => progress.say(&load_error_words(error)),
        Ended::OverBudget => progress.say(
            "error: more records were rejected than --max-rejects allows\nhint: the same command goes on",
        ),
        Ended::Interrupted => progress.say("interrupted; the same command goes on where this one stopped"),
        Ended::SourceFailed => {
            let words = report.as_ref().and_then(render::doubtful);
            progress.say(
                words
                    .as_deref()
                    .unwrap_or("hint: the same command fetches what failed once more, and nothing else"),
            );
        }
        Ended::Complete => {}
    }
}

pub(super) fn load_error_words(error: &LoadError) -> String {
    error_words(&with_causes(error), error.hint().as_deref())
}
