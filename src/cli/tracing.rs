//! What is said on stderr: words for people, or one JSON object a line.

use std::io::{self, IsTerminal as _, Write};

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::{LogFormat, OutputArgs};
use super::terminal;

/// Standard error, of which a terminal acts on nothing but our own colours. (In colour the subscriber itself
/// escapes what stands in values.)
struct Harmless {
    colour: bool,
}

impl Write for Harmless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let words = if self.colour { terminal::coloured(&text) } else { terminal::words(&text) };
        // Nobody reads it, or its disk is full: nothing to be done. The subscriber would say so on stderr,
        // and panic.
        let _ = io::stderr().write_all(words.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sets the subscriber up, once.
pub(crate) fn init(output: &OutputArgs) {
    let level = match (output.quiet, output.verbose) {
        // What is said to people is said as objects too.
        (true, _) => "error,dbload::cli::progress=warn",
        // The pool warns of each connection that broke; we say what comes of it.
        (false, 0) => "warn,deadpool=error",
        (false, 1) => "dbload=debug,warn,deadpool=error",
        (false, _) => "dbload=trace,info",
    };
    // For developers: in place of -v, and of what dbload itself says; others are heard when they warn.
    let asked = std::env::var("RUST_LOG").ok().filter(|asked| !asked.trim().is_empty());
    let filter =
        asked.and_then(|asked| EnvFilter::try_new(asked).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let ours = filter_fn(|about| about.target().starts_with("dbload") || *about.level() <= Level::WARN);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    match output.log_format {
        LogFormat::Json => {
            tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_env_filter(filter)
                .with_writer(|| Harmless { colour: false })
                .finish()
                .with(ours)
                .init();
        }
        LogFormat::Text => {
            let format =
                tracing_subscriber::fmt::format().without_time().with_target(false).with_ansi(colour);
            tracing_subscriber::fmt()
                .event_format(format)
                .with_ansi(colour)
                .with_env_filter(filter)
                .with_writer(move || Harmless { colour })
                .finish()
                .with(ours)
                .init();
        }
    }
}
