//! From a job file to loads that can be run or planned.

use std::path::Path;

use dbload::internals::causes::with_causes;
use dbload::internals::pg::ConnInfo;
use dbload::internals::prepared::LoadError;
use dbload::{Engine, EngineOptions};

use super::choose::{asset_of, choose};
use super::file::{JobFile, read, text_of};
use super::parts::{Known, SharedByAll};
use super::place::{FileError, JobText};
use super::turn::Turn;
use super::variables;
use super::wishes::RunWishes;
use crate::cli::load::default_pool_size;
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
    pub(super) dsn: ConnInfo,
    /// How many of them may be open at once.
    pub(super) open_max: usize,
}

/// Why no load of a file can be begun.
#[derive(Debug)]
pub(super) struct NotReady {
    pub(super) code: u8,
    /// In one line.
    pub(super) why: String,
    hint: Option<String>,
}

impl NotReady {
    fn usage(why: String, hint: Option<&str>) -> Self {
        Self { code: exit::USAGE, why, hint: hint.map(str::to_owned) }
    }

    /// All were stopped before.
    pub(super) fn stopped(code: u8) -> Self {
        Self { code, why: "stopped before a load was begun".to_owned(), hint: None }
    }

    fn of_file(error: &FileError) -> Self {
        Self::usage(error.to_string(), error.hint())
    }

    fn of_load(error: &LoadError) -> Self {
        Self { code: error.kind().exit_class().code(), why: with_causes(error), hint: error.hint() }
    }

    /// Says it; the exit code.
    pub(super) fn say(&self, progress: &Progress) -> u8 {
        progress.say(&error_words(&self.why, self.hint.as_deref()));
        self.code
    }
}

/// Says what is wrong with a file; the exit code.
fn say_all(progress: &Progress, errors: &[FileError]) -> u8 {
    errors.iter().for_each(|error| _ = NotReady::of_file(error).say(progress));
    exit::USAGE
}

/// Reads a file, and goes to its folder, where its paths begin.
pub(super) fn open(path: &Path, progress: &Progress) -> Result<OpenedFile, u8> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let variables = variables::of_one_load(is_set);
    if !variables.is_empty() {
        let words = format!("{} is about one load, and here are many", variables.join(", "));
        let hint = "unset it, and say it in the file: [defaults], or a [load.NAME]";
        return Err(NotReady::usage(words, Some(hint)).say(progress));
    }
    let text = text_of(path).map_err(|error| say_all(progress, &[error]))?;
    let shown = path.to_string_lossy().into_owned();
    let page = JobText { path: &shown, text: &text };
    let file = read(&page, &|name| std::env::var(name).ok()).map_err(|errors| say_all(progress, &errors))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::env::set_current_dir(folder)
            .map_err(|error| NotReady::usage(format!("{shown}: its folder: {error}"), None).say(progress))?;
    }
    Ok(OpenedFile { file, path: shown, text })
}

/// Reads a file, and makes its loads ready.
pub(super) async fn ready(path: &Path, wishes: &RunWishes<'_>, progress: &Progress) -> Result<ReadyJob, u8> {
    open(path, progress)?.ready(wishes, progress).await.map_err(|not_ready| not_ready.say(progress))
}

impl OpenedFile {
    /// The loads that were chosen, each as a job.
    ///
    /// # Errors
    /// Why none of them can be begun; nothing of it has been said.
    pub(super) async fn ready(
        self,
        wishes: &RunWishes<'_>,
        progress: &Progress,
    ) -> Result<ReadyJob, NotReady> {
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
        let known = Known::read(&file, wishes, &engine, &dsn).await;
        let known = known.map_err(|error| NotReady::of_load(&error))?;
        let shared = SharedByAll { known, wishes, job: &name, dsn: &dsn, dsn_text, pool_size, max_memory };
        let schema = file.target.schema.clone();
        let chosen = choose(file, wishes.choice, wishes.assets)
            .map_err(|no| NotReady::usage(no.message, no.hint.as_deref()))?;
        let mut turns = Vec::with_capacity(chosen.len());
        for load in chosen {
            let (at, load_name) = (load.at, load.name.clone());
            let asset = asset_of(&load, schema.as_deref(), wishes.assets);
            let turn = shared.turn(load, asset, progress);
            let wrong = |words| NotReady::of_file(&page.error(at, format!("{load_name}: {words}")));
            turns.extend(turn.map_err(wrong)?);
        }
        let open_max = usize::try_from(shared.max_memory / BYTES_OF_A_LOAD).unwrap_or(usize::MAX).max(1);
        Ok(ReadyJob { name, turns, engine, dsn, open_max })
    }
}

async fn database(
    wishes: &RunWishes<'_>,
    text: Option<&str>,
    progress: &Progress,
) -> Result<ConnInfo, NotReady> {
    if wishes.is_offline {
        return ConnInfo::parse(NOWHERE).map_err(|error| NotReady::usage(error.to_string(), None));
    }
    let say = |words: &str| {
        if !wishes.output.quiet {
            progress.say(words);
        }
    };
    match target::resolve(text, &say).await {
        Ok(resolved) => Ok(resolved.dsn),
        Err(error) => Err(NotReady { code: error.exit_code(), why: error.to_string(), hint: error.hint() }),
    }
}
