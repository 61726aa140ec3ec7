//! `dbload watermark`: up to where the loads of a file have come, shown and set.

use dbload::internals::ledger::StoredMark;
use dbload::internals::load::{set_mark, stored_marks};
use dbload::internals::prepared::LoadError;
use serde::Serialize;

use super::args::{BudgetArgs, ChoiceArgs, WatermarkArgs, WatermarkCommand};
use super::open::{self, ReadyJob};
use super::wishes::RunWishes;
use crate::cli::args::OutputArgs;
use crate::cli::exit;
use crate::cli::load::load_error_words;
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal::{self, error_words};

/// A watermark, as one line of JSON.
#[derive(Serialize)]
struct MarkLine<'a> {
    version: u32,
    job: &'a str,
    load: &'a str,
    value: &'a str,
    run: &'a str,
    moved_at: &'a str,
}

/// Does it; the exit code.
pub(crate) async fn watermark(args: WatermarkArgs) -> u8 {
    let progress = Progress::new(args.output());
    let done = match &args.command {
        WatermarkCommand::Show { file, budget, output } => {
            match ready(file, budget, output, &progress).await {
                Ok(ready) => show(&ready, output).await,
                Err(code) => return code,
            }
        }
        WatermarkCommand::Set { load, value, file, budget, output } => {
            let ready = match ready(file, budget, output, &progress).await {
                Ok(ready) => ready,
                Err(code) => return code,
            };
            if !ready.turns.iter().any(|turn| turn.name == *load) {
                progress.say(&error_words(&format!("the file has no load `{load}`"), None));
                return exit::USAGE;
            }
            match set_mark(&ready.engine, &ready.dsn, &ready.name, load, value).await {
                Ok(true) => Ok(true),
                Ok(false) => {
                    let words = format!("no watermark of `{load}` is kept yet");
                    progress.say(&error_words(
                        &words,
                        Some("the first run that completes keeps one; until then say initial"),
                    ));
                    return exit::USAGE;
                }
                Err(error) => Err(error),
            }
        }
    };
    match done {
        Ok(true) => exit::COMPLETE,
        Ok(false) => exit::UNEXPECTED,
        Err(error) => {
            progress.say(&load_error_words(&error));
            error.kind().exit_class().code()
        }
    }
}

async fn ready(
    file: &std::path::Path,
    budget: &BudgetArgs,
    output: &OutputArgs,
    progress: &Progress,
) -> Result<ReadyJob, u8> {
    let choice = ChoiceArgs::default();
    let wishes = RunWishes { is_only_looking: true, ..RunWishes::of(budget, &choice, output) };
    open::ready(file, &wishes, progress).await
}

/// Prints them; whether they could be.
async fn show(ready: &ReadyJob, output: &OutputArgs) -> Result<bool, LoadError> {
    let marks = stored_marks(&ready.engine, &ready.dsn, &ready.name).await?;
    let line = |mark: &StoredMark| match output.json {
        true => terminal::json(&MarkLine {
            version: 1,
            job: &ready.name,
            load: &mark.load,
            value: &mark.value,
            run: &mark.run,
            moved_at: &mark.moved_at,
        }),
        false => {
            let by = if mark.run.is_empty() { "by hand".to_owned() } else { format!("by run {}", mark.run) };
            format!("{}: {} ({by}, {})\n", mark.load, terminal::line(&mark.value), mark.moved_at)
        }
    };
    Ok(print(&marks.iter().map(line).collect::<String>()))
}
