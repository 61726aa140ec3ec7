//! `dbload SOURCE..`: from the parsed flags to a job, to a report, to an exit code.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use dbload::internals::causes::with_causes;
use dbload::internals::event::{Event, Totals};
use dbload::internals::exit::ExitClass;
use dbload::internals::format::{DecodeLimits, Inflation};
use dbload::internals::job::{EarlierRuns, Job, POOL_SIZE, Pooler, Reading, RejectBudget, Resources};
use dbload::internals::load::{Ended, LoadPlan, Outcome, load, name_databases, plan};
use dbload::internals::map::Narrowing;
use dbload::internals::pg::ConnInfo;
use dbload::internals::pg::dsn::Host;
use dbload::internals::prepared::LoadError;
use dbload::internals::report::Report;
use dbload::internals::schema::{MergePolicy, Rest};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::args::{LoadArgs, ModeArg, PoolerArg, RunArgs};
use super::events::EventsFile;
use super::lineage::LineageJob;
use super::pipes::{self, Pipes};
use super::progress::Progress;
use super::reload::reload;
use super::stdout::print;
use super::terminal::error_words;
use super::watch::Watchers;
use super::{exit, render, target, terminal};

/// The job that the flags describe.
pub(crate) fn job(args: &LoadArgs, dsn: ConnInfo) -> Result<Job, String> {
    let pooler = match args.resources.pooler {
        PoolerArg::Auto if dsn.behind_pooler => Pooler::Transaction,
        PoolerArg::Auto => Pooler::Detect,
        PoolerArg::None => Pooler::None,
        PoolerArg::Transaction => Pooler::Transaction,
    };
    let pool_size = args.resources.pool_size.map_or_else(|| default_pool_size(&dsn), usize::from);
    let mut job = Job::new(dsn, args.sources.clone());
    name_databases(&mut job, target::database, &target::of_mysql)
        .map_err(|error| format!("a source: {error}"))?;
    job.table.clone_from(&args.target.table);
    job.key.clone_from(&args.target.key);
    job.mode = args.target.mode.and_then(ModeArg::of_records);
    job.rest = args.target.mode.map_or(Rest::Stays, ModeArg::rest);
    job.removals = args.removals.removals();
    job.newer_by.clone_from(&args.target.newer_by);
    for column in &args.target.insert_only {
        job.policies.set(column, MergePolicy::InsertOnly)?;
    }
    args.target.merge.iter().try_for_each(|merge| job.policies.merge(merge))?;
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
        fixed: args.reading.fixed.clone(),
        sheet: args.reading.sheet.clone(),
        range: args.reading.range.clone(),
        skip_lines: args.reading.skip_lines,
        null_as: args.reading.null_as.clone(),
        record_bytes: args.reading.max_record_bytes.and_then(|bytes| usize::try_from(bytes).ok()),
        encoding: args.reading.encoding.0,
        decode: DecodeLimits {
            depth: args.reading.max_depth,
            fields: args.reading.max_fields,
            on_nul: args.mapping.on_nul.into(),
            trims_nulls: args.shape.trim,
            sub_microseconds: args.mapping.sub_microseconds.into(),
        },
        shaping: args.shape.shaping(&args.reading.null_as)?,
        header_bytes: usize::try_from(args.reading.max_header_bytes).ok(),
        inflation: Inflation {
            bytes: args.reading.max_decompressed_bytes.unwrap_or(Inflation::default().bytes),
            ratio: args.reading.max_ratio,
        },
        end_mark: args.reading.end_mark.clone(),
        verify_source: args.reading.verify_source.into(),
    };
    job.extra.clone_from(&args.mapping.extra);
    job.column_definitions.clone_from(&args.mapping.column);
    job.narrowing = Narrowing::of_words(args.mapping.narrowing.iter().map(String::as_str))?;
    job.zero_dates = args.mapping.zero_dates.into();
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
    job.runs = earlier_runs(&args.runs);
    job.pooler = pooler;
    job.web = args.stores.beside(args.web.web(&args.sources)?, &args.sources)?;
    if let (None, Some(paginate)) = (&job.reading.records, &job.web.paginate) {
        job.reading.records.clone_from(&paginate.records);
    }
    Ok(job)
}

/// What is said about earlier starts.
fn earlier_runs(args: &RunArgs) -> EarlierRuns {
    EarlierRuns {
        restart: args.once.restart,
        again: args.once.again.iter().any(|word| is_yes(word)),
        again_files: args.once.again.iter().filter(|word| !is_yes(word) && !is_no(word)).cloned().collect(),
        wait: args.wait,
        take_over: args.once.take_over,
        load_id: args.load_id.clone(),
        no_ledger: args.no_ledger,
        skip_records: args.skip_records,
        accept_changed: args.once.accept_changed.clone(),
    }
}

/// The words of a flag's variable, as of those that are nothing but flags. A file of such a name is `./true`.
fn is_yes(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "true" | "yes" | "y" | "t" | "on" | "1")
}

fn is_no(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "" | "false" | "no" | "n" | "f" | "off" | "0")
}

/// A server on this machine has this machine's cores; more connections than cores do not help.
pub(super) fn default_pool_size(dsn: &ConnInfo) -> usize {
    let here = dsn.servers.iter().all(|server| matches!(server.host, Host::Unix(_)));
    let cores = std::thread::available_parallelism().map_or(POOL_SIZE, std::num::NonZero::get);
    if here { cores.min(POOL_SIZE) } else { POOL_SIZE }
}

/// Runs a load; the exit code.
pub(crate) async fn run(args: LoadArgs) -> u8 {
    Box::pin(pipes::within(async |pipes| Box::pin(run_within(args, pipes)).await)).await
}

async fn run_within(args: LoadArgs, pipes: Option<&Pipes>) -> u8 {
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
    let events = match args.events.as_deref().map(open_events).transpose() {
        Ok(events) => events,
        Err(words) => {
            progress.say(&error_words(&words, None));
            return exit::USAGE;
        }
    };
    let watchers = Watchers::new(events, pipes.is_some_and(Pipes::tells_lineage_itself), &progress);
    let job = Job { is_recorded: watchers.want_batches(), ..job };
    let watch = (!args.target.dry_run).then(|| watchers.begin(&lineage_job(&args)));
    let stop = CancellationToken::new();
    let code = AtomicU8::new(exit::SIGINT);
    let listener = |event: &Event, totals: &Totals| {
        progress.on(event, totals);
        if let Some(watch) = &watch {
            watch.on(event, totals);
        }
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
        Done::Loaded(outcome) => {
            if let Some(watch) = &watch {
                watch.end(Some(&outcome), exit::code_of(&outcome, interrupted));
            }
            let code = finish(&args, &progress, &outcome, interrupted);
            watchers.close(stop.is_cancelled(), &progress).await;
            if let Some(pipes) = pipes {
                tell(pipes, &outcome);
            }
            code
        }
    }
}

/// Opens the file that events are appended to.
pub(super) fn open_events(path: &Path) -> Result<Arc<EventsFile>, String> {
    let opened = EventsFile::open(path);
    opened.map(Arc::new).map_err(|error| format!("--events {}: cannot be opened: {error}", path.display()))
}

/// What a load of the command line is called where others hear of it.
fn lineage_job(args: &LoadArgs) -> LineageJob {
    LineageJob::Single {
        table: args.target.table.as_ref().map(ToString::to_string),
        source: args.sources.first().cloned(),
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

/// Tells Dagster what a load came to.
fn tell(pipes: &Pipes, outcome: &Outcome) {
    match (&outcome.ended, &outcome.report) {
        (Ended::Complete, Some(report)) => match pipes.asset_of(&report.table) {
            Some(asset) => pipes.materialised(&asset, &[report]),
            None if pipes.asset_keys().is_empty() => {}
            None => {
                let (table, keys) = (&report.table, pipes.asset_keys().join(", "));
                let words = format!("{table} is none of the assets {keys}: a load is one asset");
                pipes.failed(ExitClass::Usage.name(), words);
            }
        },
        (ended, _) => pipes.failed(outcome.exit_class().name(), ending_words(ended, outcome)),
    }
}

/// Why it came to no good end, and what to do about it.
pub(super) fn ending_words(ended: &Ended, outcome: &Outcome) -> String {
    let failed = || outcome.report.iter().flat_map(|report| &report.sources);
    match ended {
        Ended::Failed(error) => {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            with_causes(error) + &hint
        }
        Ended::SourceFailed => {
            let errors: Vec<&str> = failed().filter_map(|source| source.error.as_deref()).collect();
            format!(
                "{}\nhint: the same load fetches what failed once more, and nothing else",
                errors.join("; ")
            )
        }
        Ended::OverBudget => {
            "more records were rejected than max_rejects allows\nhint: the same load goes on".to_owned()
        }
        Ended::Interrupted => "stopped from outside\nhint: the same load goes on".to_owned(),
        Ended::Complete => String::new(),
    }
}

/// Prints what a load came to.
fn finish(args: &LoadArgs, progress: &Progress, outcome: &Outcome, interrupted: u8) -> u8 {
    let code = exit::code_of(outcome, interrupted);
    let mut out = String::new();
    if let Some(report) = &outcome.report {
        if args.output.json {
            out.push_str(&terminal::json(report));
        } else if !args.output.quiet {
            out.push_str(&terminal::words(&render::summary(report)));
        }
    }
    let printed = print(&out);
    say_ending(args, progress, outcome);
    // A report that nobody got is no success.
    if printed || code != exit::COMPLETE { code } else { exit::UNEXPECTED }
}

/// Says what was refused, why a load has ended before its end, and what to do.
pub(super) fn say_ending(args: &LoadArgs, progress: &Progress, outcome: &Outcome) {
    let Outcome { ended, report, pipe_rest, .. } = outcome;
    // What is left of a pipe is another load.
    let comes_again = |report: &Report| !report.complete && pipe_rest.is_none();
    if let Some(report) = report
        && let Some(words) = render::rejects(report, comes_again(report), &|file| reload(args, report, file))
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
        // How to feed the rest is said.
        Ended::OverBudget if pipe_rest.is_some() => {
            progress.say("error: more records were rejected than --max-rejects allows");
        }
        Ended::OverBudget => progress.say(&format!(
            "error: more records were rejected than --max-rejects allows\nhint: {}",
            if args.runs.no_ledger { begins_anew(report.as_ref()) } else { "the same command goes on" }
        )),
        Ended::Interrupted if args.runs.no_ledger => {
            progress.say(&format!("interrupted\nhint: {}", begins_anew(report.as_ref())));
        }
        Ended::Interrupted => progress.say("interrupted; the same command goes on where this one stopped"),
        Ended::SourceFailed if args.runs.no_ledger => {
            progress.say(&format!("hint: {}", begins_anew(report.as_ref())));
        }
        Ended::SourceFailed => {
            let words = report.as_ref().and_then(render::doubtful);
            progress.say(words.as_deref().unwrap_or(
                "hint: once that is mended, the same command fetches what failed, and nothing else",
            ));
        }
        Ended::Complete => {}
    }
}

/// What the same command does where no ledger has said what is loaded.
fn begins_anew(report: Option<&Report>) -> &'static str {
    if report.is_some_and(|report| report.mode == "append") {
        "without a ledger the same command appends all records again: first delete what this one has put into the table"
    } else {
        "without a ledger the same command reads all sources again; rows that are there already are met by their key"
    }
}

pub(super) fn load_error_words(error: &LoadError) -> String {
    error_words(&with_causes(error), error.hint().as_deref())
}
