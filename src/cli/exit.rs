//! Exit codes of this program: those of the library's classes, and what a signal makes of one.

use dbload::internals::exit::ExitClass;
use dbload::internals::load::Outcome;

/// The load is complete, and no record was rejected.
pub(crate) const COMPLETE: u8 = ExitClass::Complete.code();
/// A defect of dbload.
pub(crate) const UNEXPECTED: u8 = ExitClass::Unexpected.code();
/// A wrong word on the command line.
pub(crate) const USAGE: u8 = ExitClass::Usage.code();
/// The load is complete, and some records were rejected.
pub(crate) const REJECTS: u8 = ExitClass::Rejects.code();
/// At least one source failed for good.
pub(crate) const SOURCE: u8 = ExitClass::Source.code();
/// The database could not be reached, or failed.
pub(crate) const DATABASE: u8 = ExitClass::Database.code();
/// What was asked for does not fit the tables, or may not be done.
pub(crate) const REFUSED: u8 = ExitClass::Refused.code();
/// Stopped by Ctrl-C, as shells have it.
pub(crate) const SIGINT: u8 = ExitClass::Interrupted.code();
/// The program was stopped by SIGTERM.
pub(crate) const SIGTERM: u8 = 143;

/// The code of a load. `interrupted` is the signal's own.
pub(crate) fn code_of(outcome: &Outcome, interrupted: u8) -> u8 {
    match outcome.exit_class() {
        ExitClass::Interrupted => interrupted,
        class => class.code(),
    }
}

/// The table of `--help`.
pub(crate) fn table() -> String {
    const WIDTH: usize = 72;
    let mut out = String::from("Exit codes:\n");
    for class in ExitClass::ALL {
        let codes = match class {
            ExitClass::Interrupted => format!("{SIGINT}, {SIGTERM}"),
            class => class.code().to_string(),
        };
        let again = if class.again().is_empty() { String::new() } else { format!(" ({})", class.again()) };
        let mut line = format!("{codes:>5} ");
        for word in format!("{}{again}", class.meaning()).split(' ') {
            if line.len() + 1 + word.len() > WIDTH {
                out.push_str(line.trim_end());
                out.push('\n');
                line = " ".repeat(6);
            }
            line.push(' ');
            line.push_str(word);
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}
