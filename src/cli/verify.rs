//! `dbload verify SOURCE..`: do the sources and the table agree, record by record.

use dbload::internals::causes::with_causes;
use dbload::internals::load::{Verification, verify};
use indicatif::HumanCount;
use tokio_util::sync::CancellationToken;

use super::args::LoadArgs;
use super::load::job;
use super::progress::Progress;
use super::stdout::print;
use super::terminal::error_words;
use super::{exit, target, terminal};

/// Runs a comparison; the exit code: 0 if the table holds what the sources say, 3 if not, 4 if a source could
/// not be read.
pub(crate) async fn run(args: LoadArgs) -> u8 {
    let progress = Progress::new(&args.output);
    let resolved = match target::resolve(args.target.dsn.as_deref(), &|words| progress.say(words)).await {
        Ok(resolved) => resolved,
        Err(error) => {
            progress.say(&error_words(&error.to_string(), error.hint().as_deref()));
            return error.exit_code();
        }
    };
    let job = match job(&args, resolved.dsn) {
        Ok(job) => job,
        Err(words) => {
            progress.say(&error_words(&words, None));
            return exit::USAGE;
        }
    };
    let listener = |event: &dbload::internals::event::Event, tally: &dbload::internals::event::Totals| {
        progress.on(event, tally)
    };
    let found = Box::pin(verify(None, &job, &listener, &CancellationToken::new())).await;
    progress.finish();
    match found {
        Ok(found) => {
            let text = if args.output.json {
                terminal::json(&found)
            } else {
                terminal::words(&words(&found)).into_owned()
            };
            match (print(&text), found.failed.is_empty(), found.holds() && found.rejected == 0) {
                (false, ..) => exit::UNEXPECTED,
                // What differs stands above; what was not compared is graver.
                (true, false, _) => exit::SOURCE,
                (true, true, true) => exit::COMPLETE,
                (true, true, false) => exit::REJECTS,
            }
        }
        Err(error) => {
            progress.say(&error_words(&with_causes(&error), error.hint().as_deref()));
            error.kind().exit_class().code()
        }
    }
}

fn words(found: &Verification) -> String {
    let verdict = match (found.holds(), found.different + found.missing) {
        (true, _) => "holds what the sources say",
        (false, 0) => "holds what could be read of the sources",
        (false, _) => "does not hold what the sources say",
    };
    let mut out = format!("{} ({}) {verdict}\n", found.table, found.database);
    for (name, count) in [
        ("read", found.read),
        ("equal", found.equal),
        ("different", found.different),
        ("missing", found.missing),
        ("superseded", found.superseded),
        ("rejected", found.rejected),
    ] {
        out.push_str(&format!("  {name:<13}{:>15}\n", HumanCount(count).to_string()));
    }
    if found.skipped > 0 {
        out.push_str(&format!("  {:<13}{:>15}\n", "skipped", HumanCount(found.skipped).to_string()));
    }
    if !found.not_compared.is_empty() {
        let columns = found.not_compared.join(", ");
        out.push_str(&format!("  not compared, for their merge policy: {}\n", terminal::line(&columns)));
    }
    for example in &found.examples {
        out.push_str(&format!("  {}:{}  {}\n", terminal::line(&example.source), example.line, example.what));
    }
    out
}
