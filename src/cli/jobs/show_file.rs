//! `dbload show FILE`: the picture of what a record of events holds.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::args::ShowArgs;
use crate::cli::exit;
use crate::cli::picture::{self, EventRecord, LoadPage};
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal::{self, error_words};

/// Shows a record; the exit code.
pub(super) fn show_file(args: &ShowArgs, progress: &Progress) -> u8 {
    match show(args) {
        Ok(text) if print(&terminal::words(&text)) => exit::COMPLETE,
        Ok(_) => exit::UNEXPECTED,
        Err((words, hint)) => {
            progress.say(&error_words(&words, hint));
            exit::USAGE
        }
    }
}

type NotShown = (String, Option<&'static str>);

fn show(args: &ShowArgs) -> Result<String, NotShown> {
    let path = &args.run;
    if args.output.json {
        return Err((
            "--json is for a run of the ledger".to_owned(),
            Some("a file of events is JSON already"),
        ));
    }
    let file = File::open(path).map_err(|error| (format!("{path}: cannot be opened: {error}"), None))?;
    let recorded = picture::read(BufReader::new(file), args.only_run.as_deref());
    let mut recorded = recorded.map_err(|error| (format!("{path}: cannot be read: {error}"), None))?;
    if let Some(wanted) = &args.only_load {
        let is_it = |name: &str| name == wanted || name.rsplit('/').next() == Some(wanted);
        recorded.loads.retain(|load| load.name.as_deref().is_some_and(is_it));
    }
    if recorded.loads.is_empty() {
        let hint = "a load writes them with --events FILE; without --run and --load all of them are shown";
        return Err((format!("{path}: there are no events to be shown"), Some(hint)));
    }
    write_pictures(args, &recorded, None)?;
    let is_drawn = args.html.is_some() || args.trace.is_some();
    Ok(if is_drawn { String::new() } else { picture::text(&recorded) })
}

/// Writes what was asked for besides words.
pub(super) fn write_pictures(
    args: &ShowArgs,
    recorded: &EventRecord,
    page: Option<&LoadPage>,
) -> Result<(), NotShown> {
    if let Some(out) = &args.html {
        write(out, &args.run, picture::html(recorded, page).as_bytes())?;
    }
    if let Some(out) = &args.trace {
        if page.is_some() {
            let hint = "a load writes them with --events FILE, and show FILE --trace draws them";
            return Err(("--trace: the ledger keeps no batches".to_owned(), Some(hint)));
        }
        write(out, &args.run, picture::trace(recorded).to_string().as_bytes())?;
    }
    Ok(())
}

/// Writes a picture, and never over what it was drawn from.
fn write(out: &Path, from: &str, bytes: &[u8]) -> Result<(), NotShown> {
    let is_same = match (out.canonicalize(), Path::new(from).canonicalize()) {
        (Ok(out), Ok(from)) => out == from,
        _ => false,
    };
    if is_same {
        return Err((
            format!("{}: is the file that is to be drawn", out.display()),
            Some("name another one"),
        ));
    }
    std::fs::write(out, bytes)
        .map_err(|error| (format!("{}: cannot be written: {error}", out.display()), None))
}
