//! `dbload prune`: what is history in the ledger goes after a while, and nothing that a later load builds on.

use dbload::internals::load::prune_history;
use dbload::{Engine, EngineOptions};
use indicatif::HumanCount;
use serde::Serialize;

use super::args::PruneArgs;
use super::morning::say;
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal::{self, error_words};
use crate::cli::{exit, target};

/// What went, as one line of JSON.
#[derive(Serialize)]
struct PruneLine {
    version: u32,
    runs: u64,
    rejects: u64,
    attempts: u64,
    sources: u64,
}

/// Prunes; the exit code.
pub(crate) async fn prune(args: PruneArgs) -> u8 {
    let progress = Progress::new(&args.output);
    let resolved = match target::resolve(args.dsn.as_deref(), &|words| progress.say(words)).await {
        Ok(resolved) => resolved,
        Err(error) => {
            progress.say(&error_words(&error.to_string(), error.hint().as_deref()));
            return error.exit_code();
        }
    };
    let engine = Engine::new(&EngineOptions::default());
    let pruned = match prune_history(&engine, &resolved.dsn, args.keep).await {
        Ok(pruned) => pruned,
        Err(error) => return say(&progress, &error),
    };
    let text = if args.output.json {
        terminal::json(&PruneLine {
            version: 1,
            runs: pruned.runs,
            rejects: pruned.rejects,
            attempts: pruned.attempts,
            sources: pruned.sources,
        })
    } else {
        let [runs, rejects, attempts, sources] =
            [pruned.runs, pruned.rejects, pruned.attempts, pruned.sources].map(HumanCount);
        format!("of {runs} runs: {rejects} rejects, {attempts} attempts, {sources} sources deleted\n")
    };
    if print(&text) { exit::COMPLETE } else { exit::UNEXPECTED }
}
