//! From a job file to loads that can be run or planned.

use std::path::Path;

use dbload::internals::pg::Dsn;
use dbload::{Engine, EngineOptions};

use super::choose::choose;
use super::file::{JobFile, read, text_of};
use super::parts::{Known, SharedByAll};
use super::place::{FileError, JobText};
use super::turn::Turn;
use super::variables;
use super::wishes::RunWishes;
use crate::cli::load::{default_pool_size, load_error_words};
use crate::cli::progress::Progress;
use crate::cli::terminal::error_words;
use crate::cli::{exit, target};

/// What a load needs to make progress: memory decides how many are open at once.
const BYTES_OF_A_LOAD: u64 = 4 << 20;

/// Where no database is asked, one that is named for the sake of a name.
const NOWHERE: &str = "postgres://nowhere/nothing";

/// A file that was read.
pub(super) struct OpenedFile {
    pub(super) file: JobFile,
    path: String,
    text: String,
}

/// Loads, and what they share.
pub(super) struct ReadyJob {
    pub(super) name: String,
    pub(super) turns: Vec<Turn>,
    pub(super) engine: Engine,
    pub(super) dsn: Dsn,
    /// How many of them may be open at once.
    pub(super) open_max: usize,
}

/// Says what is wrong with a file; the exit code.
fn say_all(progress: &Progress, errors: &[FileError]) -> u8 {
    errors.iter().for_each(|error| progress.say(&error_words(&error.to_string(), error.hint())));
    exit::USAGE
}

fn say_one(progress: &Progress, words: &str, hint: Option<&str>) -> u8 {
    progress.say(&error_words(words, hint));
    exit::USAGE
}

/// Reads a file, and goes to its folder, where its paths begin.
pub(super) fn open(path: &Path, progress: &Progress) -> Result<OpenedFile, u8> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let variables = variables::of_one_load(is_set);
    if !variables.is_empty() {
        let words = format!("{} is about one load, and here are many", variables.join(", "));
        let hint = "unset it, and say it in the file: [defaults], or a [load.NAME]";
        return Err(say_one(progress, &words, Some(hint)));
    }
    let text = text_of(path).map_err(|error| say_all(progress, &[error]))?;
    let shown = path.to_string_lossy().into_owned();
    let page = JobText { path: &shown, text: &text };
    let file = read(&page, &|name| std::env::var(name).ok()).map_err(|errors| say_all(progress, &errors))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::env::set_current_dir(folder)
            .map_err(|error| say_one(progress, &format!("{shown}: its folder: {error}"), None))?;
    }
    Ok(OpenedFile { file, path: shown, text })
}

/// Reads a file, and makes its loads ready.
pub(super) async fn ready(path: &Path, wishes: &RunWishes<'_>, progress: &Progress) -> Result<ReadyJob, u8> {
    open(path, progress)?.ready(wishes, progress).await
}

impl OpenedFile {
    /// The loads that were chosen, each as a job.
    async fn ready(self, wishes: &RunWishes<'_>, progress: &Progress) -> Result<ReadyJob, u8> {
        let Self { file, path, text } = self;
        let page = JobText { path: &path, text: &text };
        let name = file.name.clone();
        let budget = wishes.budget;
        let dsn_text = budget.dsn.clone().or_else(|| file.target.dsn.clone());
        let mut dsn = database(wishes, dsn_text.as_deref(), progress).await?;
        if let Some(schema) = &file.target.schema {
            dsn.schema = Some(schema.clone());
        }
        let pool_size = budget.pool_size.or(file.target.pool_size);
        let max_memory = budget.max_memory.unwrap_or(file.target.max_memory);
        let mut bounds = EngineOptions::default();
        bounds.connections = pool_size.map_or_else(|| default_pool_size(&dsn), usize::from);
        bounds.max_memory_bytes = max_memory;
        let engine = Engine::new(&bounds);
        let known = Known::read(&file, wishes, &engine, &dsn).await.map_err(|error| {
            progress.say(&load_error_words(&error));
            error.kind().exit_class().code()
        })?;
        let shared = SharedByAll { known, wishes, job: &name, dsn: &dsn, dsn_text, pool_size, max_memory };
        let chosen =
            choose(file, wishes.choice).map_err(|no| say_one(progress, &no.message, no.hint.as_deref()))?;
        let mut turns = Vec::with_capacity(chosen.len());
        for load in chosen {
            let (at, load_name) = (load.at, load.name.clone());
            let turn = shared
                .turn(load, progress)
                .map_err(|words| say_all(progress, &[page.error(at, format!("{load_name}: {words}"))]))?;
            turns.extend(turn);
        }
        let open_max = usize::try_from(shared.max_memory / BYTES_OF_A_LOAD).unwrap_or(usize::MAX).max(1);
        Ok(ReadyJob { name, turns, engine, dsn, open_max })
    }
}

async fn database(wishes: &RunWishes<'_>, text: Option<&str>, progress: &Progress) -> Result<Dsn, u8> {
    if wishes.is_offline {
        return Dsn::parse(NOWHERE).map_err(|error| say_one(progress, &error.to_string(), None));
    }
    let say = |words: &str| {
        if !wishes.output.quiet {
            progress.say(words);
        }
    };
    match target::resolve(text, &say).await {
        Ok(resolved) => Ok(resolved.dsn),
        Err(error) => {
            progress.say(&error_words(&error.to_string(), error.hint().as_deref()));
            Err(error.exit_code())
        }
    }
}
