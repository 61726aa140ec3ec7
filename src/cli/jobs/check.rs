//! `dbload check`: what each load of a file would do, against the live database. No URL of the file is called
//! and no command of it run.

use dbload::internals::causes::with_causes;
use dbload::internals::event::{Event, Totals};
use dbload::internals::exit::ExitClass;
use dbload::internals::input::is_database_server;
use dbload::internals::load::{LoadPlan, plan};
use dbload::internals::prepared::LoadError;
use dbload::internals::schedule::gravest;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::args::CheckJobArgs;
use super::edges;
use super::open::{ReadyJob, ready};
use super::turn::Turn;
use super::wishes::RunWishes;
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal;
use crate::cli::web::is_url;
use crate::cli::{exit, load};

/// What was found of a load.
enum CheckedLoad {
    Planned(Box<LoadPlan>),
    Refused(LoadError),
    /// Why it was not planned.
    NotAsked(&'static str),
}

/// A load, as one line of JSON.
#[derive(Serialize)]
struct CheckLine<'a> {
    version: u32,
    job: &'a str,
    load: &'a str,
    /// `ready`, `refused`, or `not_asked`.
    state: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    after: &'a [String],
    /// Loads whose tables this one's refers to.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    behind: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creates: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    notes: &'a [String],
}

/// Checks the loads of a file; the exit code.
pub(crate) async fn check(args: CheckJobArgs) -> u8 {
    let progress = Progress::new(&args.output);
    let wishes =
        RunWishes { is_offline: args.offline, ..RunWishes::of(&args.budget, &args.choice, &args.output) };
    let ReadyJob { name: job, mut turns, engine, dsn, .. } = match ready(&args.file, &wishes, &progress).await
    {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    let mut classes = Vec::new();
    if !args.offline {
        if let Err(error) = edges::find(&mut turns, &engine, &dsn).await {
            progress.say(&load::load_error_words(&error));
            return error.kind().exit_class().code();
        }
        if let Some(way) = edges::circle_of(&turns) {
            progress.say(&terminal::error_words(&edges::circle_words(&way), Some(edges::CIRCLE_HINT)));
            classes.push(ExitClass::Refused);
        }
    }
    let mut printed = true;
    for turn in turns {
        let found = if args.offline {
            CheckedLoad::NotAsked("the database was not asked (--offline)")
        } else if turn.asks_network() && turn.may_append() {
            CheckedLoad::NotAsked(
                "its sources are URLs, which a check does not call; without a key, each run appends all that they give to a table \
                 that has no primary key",
            )
        } else if turn.asks_network() {
            CheckedLoad::NotAsked("its sources are URLs, which a check does not call")
        } else if let Some(part) = turn.parts.first() {
            let listener = |event: &Event, totals: &Totals| turn.progress.on(event, totals);
            match Box::pin(plan(Some(&engine), &part.job, &listener, &CancellationToken::new())).await {
                Ok(plan) => CheckedLoad::Planned(Box::new(plan)),
                Err(error) => CheckedLoad::Refused(error),
            }
        } else {
            CheckedLoad::NotAsked("no window is due")
        };
        if let CheckedLoad::Refused(error) = &found {
            classes.push(error.kind().exit_class());
            turn.progress.say(&load::load_error_words(error));
        }
        printed &= print(&text(&job, &turn, &found, args.output.json, args.output.quiet));
    }
    match gravest(classes) {
        ExitClass::Complete if !printed => exit::UNEXPECTED,
        class => class.code(),
    }
}

/// What a load waits for.
fn order_words(turn: &Turn) -> String {
    let waits = [("after", &turn.after), ("by foreign keys behind", &turn.behind)];
    let waits: Vec<String> = waits
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(how, names)| format!("{how} {}", names.join(", ")))
        .collect();
    if waits.is_empty() { String::new() } else { format!(" ({})", waits.join("; ")) }
}

fn text(job: &str, turn: &Turn, found: &CheckedLoad, json: bool, quiet: bool) -> String {
    if !json {
        let name = &turn.name;
        return match found {
            _ if quiet => String::new(),
            CheckedLoad::Planned(plan) => {
                format!("{name}: ready{}\n{}\n", order_words(turn), terminal::words(&plan.to_string()))
            }
            CheckedLoad::Refused(_) => format!("{name}: refused{}\n\n", order_words(turn)),
            CheckedLoad::NotAsked(why) => format!("{name}: {why}{}\n\n", order_words(turn)),
        };
    }
    let mut line = CheckLine {
        version: 1,
        job,
        load: &turn.name,
        state: "not_asked",
        after: &turn.after,
        behind: &turn.behind,
        table: None,
        creates: None,
        mode: None,
        why: None,
        hint: None,
        notes: &[],
    };
    match found {
        CheckedLoad::Planned(plan) => {
            line.state = "ready";
            line.table = Some(&plan.table);
            line.creates = plan.creates.as_deref();
            line.mode = Some(plan.mode_name);
            line.notes = &plan.notes;
        }
        CheckedLoad::Refused(error) => {
            line.state = "refused";
            line.why = Some(with_causes(error));
            line.hint = error.hint();
        }
        CheckedLoad::NotAsked(why) => line.why = Some((*why).to_owned()),
    }
    terminal::json(&line)
}

impl Turn {
    /// Each run would append the same records again, unless the table has a key.
    const fn may_append(&self) -> bool {
        self.args.target.key.is_none() && self.args.target.mode.is_none() && !self.has_windows
    }

    /// A source is from the network.
    fn asks_network(&self) -> bool {
        let asks = |word: &String| is_url(word) || is_database_server(word);
        !self.args.web.urls.is_empty() || self.args.sources.iter().any(asks)
    }
}
