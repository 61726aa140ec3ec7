//! The report for people: a short summary on stdout, what was refused on stderr.

use std::fmt::Write as _;

use dbload::internals::input::is_mysql;
use dbload::internals::map::has_day_and_month;
use dbload::internals::pg::sqlstate::is_bad_date;
use dbload::internals::reject_codes::is_of_text;
use dbload::internals::report::{HttpReport, Reason, Report, SourceState};
use dbload::internals::shape::proposal;
use dbload::internals::shell::shell_value;
use indicatif::{HumanBytes, HumanCount};

use super::reload::Reload;
use super::terminal;

/// Kinds of rejects that are shown.
const REASONS_SHOWN: usize = 5;

/// The summary.
pub(crate) fn summary(report: &Report) -> String {
    let mut out = String::new();
    let names: Vec<&str> = report.sources.iter().map(|source| source.name.as_str()).collect();
    let sources = match names.as_slice() {
        [one] => terminal::line(one).into_owned(),
        many => format!("{} sources", many.len()),
    };
    let state = if report.complete { "loaded" } else { "not finished:" };
    let rate = match report.rows_per_second {
        0 => String::new(),
        n => format!(", {} records a second", HumanCount(n)),
    };
    let _ = writeln!(
        out,
        "{state} {sources} into {} ({}) in {:.2} s{rate}",
        terminal::line(&report.table),
        report.database,
        report.elapsed_seconds
    );
    let rows = &report.rows;
    let books = [
        ("read", rows.read),
        ("inserted", rows.inserted),
        ("updated", rows.updated),
        ("unchanged", rows.unchanged),
        ("deleted", rows.deleted),
        ("deduplicated", rows.deduplicated),
        ("skipped", rows.skipped),
        ("rejected", rows.rejected),
    ];
    // What a load without --delete-when is not about is not said of it.
    for (name, count) in books.into_iter().filter(|(name, count)| *name != "deleted" || *count > 0) {
        let _ = writeln!(out, "  {name:<13}{:>15}", HumanCount(count).to_string());
    }
    if let Some(removed) = report.removed {
        let _ = writeln!(out, "  {:<13}{:>15}", "removed", HumanCount(removed).to_string());
    }
    if report.ignored_fields > 0 {
        let _ =
            writeln!(out, "  {} fields without a column were left out", HumanCount(report.ignored_fields));
    }
    if let Some(narrowed) = &report.narrowed {
        let _ = writeln!(
            out,
            "  narrowed values: {}, the first in column {} at {}",
            HumanCount(narrowed.values),
            terminal::line(&narrowed.column),
            terminal::line(&narrowed.first)
        );
    }
    if let Some(http) = &report.http {
        let _ = writeln!(out, "  {}", http_words(http));
    }
    if let Some(words) = bottleneck_words(report) {
        let _ = writeln!(out, "  {words}");
    }
    let skipped = report.sources.iter().filter(|source| source.state == SourceState::Skipped).count();
    if skipped > 0 {
        let _ = writeln!(
            out,
            "  {skipped} {} appended by an earlier load and left out",
            if skipped == 1 { "source was" } else { "sources were" }
        );
    }
    let run = if report.run.is_empty() { "no ledger".to_owned() } else { format!("run {}", report.run) };
    let attempts = if report.attempts > 1 { format!(", start {}", report.attempts) } else { String::new() };
    let _ = writeln!(out, "  {}, mode {}, {run}{attempts}", report.guarantee.name(), report.mode);
    out
}

/// What stood in the way of a faster load, where it took long enough to ask.
fn bottleneck_words(report: &Report) -> Option<String> {
    const WORTH_ASKING_SECONDS: f64 = 1.0;
    let seconds = &report.seconds;
    let bottleneck = report.bottleneck.filter(|_| seconds.pipeline >= WORTH_ASKING_SECONDS)?;
    let shares =
        seconds.shares().map(|(which, share)| format!("{} {:.0}%", which.name(), share * 100.0)).join(", ");
    Some(format!("bottleneck: the {} (of the time: {shares})", bottleneck.name()))
}

/// Requests, and what they came to.
fn http_words(http: &HttpReport) -> String {
    let what = if http.requests == 1 { "request" } else { "requests" };
    let mut words = format!("{} {what}, {}", HumanCount(http.requests), HumanBytes(http.bytes));
    let counts = [
        (http.retried, "retried"),
        (http.refused, "refused for now"),
        (http.mended, "bodies went on where they broke"),
        (http.failed, "failed"),
    ];
    for (count, what) in counts {
        if count > 0 {
            let _ = write!(words, ", {} {what}", HumanCount(count));
        }
    }
    if http.waited_seconds >= 1.0 {
        let _ = write!(words, ", {:.1} s waited", http.waited_seconds);
    }
    words
}

/// What was rejected, where, and what to do.
///
/// `reload` makes the command that loads a reject file. `comes_again`: the next start meets the same records.
pub(crate) fn rejects(report: &Report, comes_again: bool, reload: &dyn Fn(&str) -> Reload) -> Option<String> {
    if report.rows.rejected == 0 {
        return None;
    }
    let mut out = format!(
        "error: {} {}{} rejected\n",
        HumanCount(report.rows.rejected),
        if report.rows.rejected == 1 { "record" } else { "records" },
        match report.sources.as_slice() {
            [one] if report.rows.rejected == 1 => format!(" of {} was", terminal::line(&one.name)),
            [one] => format!(" of {} were", terminal::line(&one.name)),
            _ if report.rows.rejected == 1 => " was".to_owned(),
            _ => " were".to_owned(),
        }
    );
    for reason in report.rejects.reasons.iter().take(REASONS_SHOWN) {
        let column = reason.column.as_ref().map_or(String::new(), |column| {
            let type_name =
                reason.type_name.as_ref().map_or(String::new(), |name| format!(" {}", terminal::line(name)));
            format!("column {column:?}{type_name}: ")
        });
        let more = match reason.count {
            0 | 1 => String::new(),
            n => format!(", and {} more like it", HumanCount(n - 1)),
        };
        let _ = writeln!(
            out,
            "  {}  {column}{}  ({}{more})",
            terminal::line(&reason.first),
            one_line(&reason.example),
            reason.sqlstate
        );
    }
    let kinds = report.rejects.reasons.len();
    if kinds > REASONS_SHOWN {
        let _ = writeln!(out, "  and {} more kinds", kinds - REASONS_SHOWN);
    }
    if report.rejects.reasons.iter().take(REASONS_SHOWN).any(is_date) {
        out.push_str("hint: dates such as 31.12.2024 need --datestyle DMY, and 12/31/2024 needs MDY\n");
    }
    if is_of_mysql(report) && report.rejects.reasons.iter().take(REASONS_SHOWN).any(is_zero_date) {
        out.push_str("hint: --zero-dates null makes dates of MySQL such as 0000-00-00 null\n");
    }
    for reason in report.rejects.reasons.iter().take(REASONS_SHOWN) {
        if let Some(words) = format_words(reason) {
            let _ = writeln!(out, "hint: such values are read with {words}");
        }
    }
    where_they_are(&mut out, report, comes_again, reload);
    out.truncate(out.trim_end().len());
    Some(out)
}

/// Where the rejects are, and how they are loaded; a hint.
fn where_they_are(out: &mut String, report: &Report, comes_again: bool, reload: &dyn Fn(&str) -> Reload) {
    match &report.rejects.file {
        // Its last file has them all: who had loaded this one too would have appended them twice.
        Some(file) if report.rejects.is_file && report.mode == "append" && comes_again => {
            let _ = write!(
                out,
                "hint: they are in {}; the start that completes this append has them in a file of its own, with all others: \
                 mend and load that one alone",
                terminal::line(file)
            );
        }
        Some(file) if report.rejects.is_file => {
            let Reload { command, lacks_password } = reload(file);
            let _ = write!(out, "hint: mend them in {} and run: {command}", terminal::line(file));
            // Their first line in the file has no `record`.
            if report.rejects.reasons.iter().any(|reason| is_of_text(&reason.sqlstate)) {
                out.push_str(
                    "\nhint: where `record` is null the text could not be cut into fields: put them into `record`, by column, such as \
                     {\"id\":1}",
                );
            }
            if lacks_password {
                out.push_str("\nhint: the password is left out of that --dsn: put it in, or set PGPASSWORD");
            }
        }
        Some(file) if report.run.is_empty() => {
            let _ = write!(out, "hint: they went to {}, and are kept nowhere else", terminal::line(file));
        }
        Some(file) => {
            let query = dbload::internals::ledger::rejects_query(&report.run);
            let _ =
                write!(out, "hint: they went to {}; the ledger has them too: {query}", terminal::line(file));
        }
        // Without a ledger the error says what became of them.
        None if report.run.is_empty() => {}
        None => {
            let _ = write!(
                out,
                "hint: they are in the ledger: {}",
                dbload::internals::ledger::rejects_query(&report.run)
            );
        }
    }
}

/// What is in the table of sources that turned out to be damaged, or were changed while they were read, and
/// how to mend that in this mode.
pub(crate) fn doubtful(report: &Report) -> Option<String> {
    let mut out = String::new();
    for source in report.sources.iter().filter(|source| source.doubtful && source.read > 0) {
        let name = terminal::line(&source.name);
        let _ = writeln!(
            out,
            "error: {} of {name} are loaded already, and may be wrong: it was read before the damage or change was found",
            if source.read == 1 {
                "1 record".to_owned()
            } else {
                format!("{} records", HumanCount(source.read))
            },
        );
    }
    if out.is_empty() {
        return None;
    }
    out.push_str(if report.mode == "append" {
        "hint: no key mends an append: with the right file in its place, delete what this run has put into the table and \
         begin anew with --restart; the same command alone goes on only where what was read is still the same"
    } else {
        "hint: with the right file in its place --restart loads it anew by its keys; rows whose keys the damage made up \
         stay and are to be deleted; the same command alone goes on only where what was read is still the same"
    });
    Some(out)
}

/// A date in another order than PostgreSQL was told to read.
fn is_date(reason: &Reason) -> bool {
    let of_dates = |name: &String| name.starts_with("date") || name.starts_with("timestamp");
    is_bad_date(&reason.sqlstate)
        && reason.type_name.as_ref().is_some_and(of_dates)
        && has_date_in_other_order(&reason.example)
}

fn is_of_mysql(report: &Report) -> bool {
    report.sources.iter().any(|source| is_mysql(&source.name))
}

/// A date whose month or day is zero.
fn is_zero_date(reason: &Reason) -> bool {
    is_bad_date(&reason.sqlstate) && reason.example.contains("-00")
}

/// The flag that reads a refused value, where it has the look of a known format: the server quotes the value,
/// whatever its language.
fn format_words(reason: &Reason) -> Option<String> {
    let (column, type_name) = (reason.column.as_ref()?, reason.type_name.as_ref()?);
    let is_quote = |c: char| matches!(c, '"' | '„' | '“' | '”' | '«' | '»');
    let format = reason.example.split(is_quote).find_map(|value| proposal(type_name, value))?;
    Some(match format.split_once(" (") {
        Some((format, otherwise)) => {
            format!("--parse {} ({otherwise}", shell_value(&format!("{column}={format}")))
        }
        None => format!("--parse {}", shell_value(&format!("{column}={format}"))),
    })
}

/// Day, month and a year of four digits, or month, day and year: the server quotes the value, whatever its
/// language.
fn has_date_in_other_order(text: &str) -> bool {
    let is_separator = |c: char| matches!(c, '.' | '/' | '-');
    text.split(|c: char| !(c.is_ascii_digit() || is_separator(c)))
        .any(|word| has_day_and_month(word.trim_matches(is_separator)))
}

/// Text of records must not fill the screen either.
fn one_line(text: &str) -> String {
    const SHOWN_CHARS: usize = 160;
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let mut out = terminal::line(&shown).into_owned();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        out.push_str("..");
    }
    out
}
