//! Progress for people: a bar on a terminal, a line now and then elsewhere. Listens only; counts are the
//! load's.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dbload::internals::event::{Detail, Event, Requests, Totals};
use dbload::internals::report::Bottleneck;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{LogFormat, OutputArgs, ProgressForm};
use super::pace::{Pace, Rates};
use super::terminal;

/// Where stderr is no terminal, a long load says a line this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// As objects it is said this often.
const OBJECT_EVERY: Duration = Duration::from_secs(1);

/// Words on stderr about a load that is going on.
pub(crate) struct Progress {
    quiet: bool,
    /// Stands before each line: which of many loads it is about.
    prefix: String,
    /// Of one load among others: records so far, for whoever shows all of them.
    among: Option<Arc<AtomicU64>>,
    /// A line now and then, where there is no bar.
    lines: bool,
    json: bool,
    /// Progress as objects.
    objects: bool,
    pace: Mutex<Pace>,
    /// The run, once it is known.
    run: Mutex<Option<String>>,
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Mutex<Instant>,
    waiting: AtomicBool,
    /// SIGUSR1 asks for a line.
    pub(crate) asked: Arc<AtomicBool>,
}

impl Progress {
    pub(crate) fn new(output: &OutputArgs) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let json = output.log_format == LogFormat::Json;
        let wants_bar = output.progress == ProgressForm::Auto && !output.quiet && !output.no_progress;
        let bar = (terminal && !json && wants_bar).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style =
                ProgressStyle::with_template("{spinner} {bytes}/{total_bytes} {wide_bar} {msg} {eta}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        });
        Self {
            quiet: output.quiet,
            prefix: String::new(),
            among: None,
            lines: !output.no_progress && !output.quiet && output.progress != ProgressForm::Json,
            json,
            objects: output.progress == ProgressForm::Json && !output.no_progress,
            pace: Mutex::default(),
            run: Mutex::default(),
            bar,
            began: Instant::now(),
            last_line: Mutex::new(Instant::now()),
            waiting: AtomicBool::new(false),
            asked: Arc::default(),
        }
    }

    /// Of all loads of a file: how many of them have ended.
    pub(crate) fn of_job(output: &OutputArgs) -> Self {
        let progress = Self::new(output);
        let style = ProgressStyle::with_template("{spinner} {pos}/{len} loads {wide_bar} {msg}");
        if let (Some(bar), Ok(style)) = (&progress.bar, style) {
            bar.set_style(style);
        }
        progress
    }

    /// Of one load among those: what it says has its name, and how far it is says the one for all.
    pub(crate) fn of_load(&self, output: &OutputArgs, name: &str) -> Self {
        let among = Some(Arc::default());
        Self { prefix: format!("{name}: "), among, bar: self.bar.clone(), ..Self::new(output) }
    }

    /// Records so far, of one load among others.
    pub(crate) fn records(&self) -> Option<Arc<AtomicU64>> {
        self.among.clone()
    }

    /// How often the loads of a file are to be shown.
    pub(crate) const fn show_every(&self) -> Duration {
        Duration::from_millis(if self.bar.is_some() { 200 } else { 1_000 })
    }

    /// Shows how far the loads of a file are. `running`: their names, and records so far.
    pub(crate) fn show(&self, ended: usize, all: usize, running: &[(String, u64)]) {
        const SHOWN: usize = 3;
        let rows: u64 = running.iter().map(|(_, rows)| rows).sum();
        let mut words = format!("{} running, {} rows", running.len(), HumanCount(rows));
        let names = running.iter().take(SHOWN).map(|(name, rows)| format!("{name} {}", HumanCount(*rows)));
        let names = names.collect::<Vec<_>>().join(", ");
        if !names.is_empty() {
            let more = if running.len() > SHOWN { ", .." } else { "" };
            words.push_str(&format!(" ({names}{more})"));
        }
        if let Some(bar) = &self.bar {
            bar.set_length(all as u64);
            bar.set_position(ended as u64);
            bar.set_message(words);
            return;
        }
        let is_asked = self.asked.swap(false, Ordering::Relaxed);
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if is_asked || (self.lines && last.elapsed() >= LINE_EVERY) {
            *last = Instant::now();
            self.say(&format!("{ended} of {all} loads have ended, {words}"));
        }
    }

    /// A line on stderr that does not disturb the bar.
    pub(crate) fn say(&self, words: &str) {
        self.say_as("message", words);
    }

    /// The same, of an event with a name that stays.
    fn say_as(&self, event: &'static str, words: &str) {
        let words = match self.prefix.as_str() {
            "" => Cow::Borrowed(words),
            prefix => {
                words.lines().map(|line| format!("{prefix}{line}")).collect::<Vec<_>>().join("\n").into()
            }
        };
        let words = words.as_ref();
        if self.json {
            let (run, load) = (self.run().clone(), self.load());
            tracing::warn!(run = run.as_deref(), load, event, "{}", terminal::words(words));
            return;
        }
        let write = || {
            // Nobody reads stderr any more: nothing to be done.
            let _ = writeln!(std::io::stderr(), "{}", terminal::words(words));
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Does what writes to the terminal, without disturbing the bar.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// The last thing that was heard: the database is waited for.
    pub(crate) fn waits(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    fn note(&self, words: &str) {
        if !self.quiet {
            self.say_as("note", words);
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Shows what an event changes.
    pub(crate) fn on(&self, event: &Event, tally: &Totals) {
        match event {
            Event::Resumed { run, records } => {
                self.waiting.store(false, Ordering::Relaxed);
                self.note(&format!("resuming run {run}: {} records are done", HumanCount(*records)));
            }
            Event::TableCreated { ddl } => self.note(&format!("created table:\n{}", terminal::block(ddl))),
            Event::ColumnsAdded { ddl } => self.note(&format!("added columns:\n{}", terminal::block(ddl))),
            Event::SourceSkipped { name } => {
                self.note(&format!("note: {} was appended by an earlier load: left out", terminal::line(name)));
            }
            Event::SourceDeferred { name, run } => self.note(&format!(
                "note: {} is new and waits for the next run: run {run} is finished first",
                terminal::line(name)
            )),
            Event::FieldMatched { field, column } => {
                self.note(&format!("note: field {field:?} goes to column {column:?}"));
            }
            Event::SequenceSet { name, column, value } => self.note(&format!(
                "note: sequence {} of column {column:?} is set to {value}",
                terminal::line(name)
            )),
            Event::SequenceBehind { name, column, greatest } => self.note(&format!(
                "note: sequence {} of column {column:?} is behind the greatest value, {greatest}: an insert that takes its \
                 value from it fails until then. hint: --fix-sequences sets it",
                terminal::line(name)
            )),
            Event::Note { text } => self.note(&format!("note: {}", terminal::line(text))),
            Event::SourceStarted { name } => tracing::debug!(source = name, "reading"),
            Event::SourceFailed { name, reason, hint } => {
                let (name, reason) = (terminal::line(name), terminal::line(reason));
                let mut words = format!("error: source {name} failed: {reason}");
                if let Some(hint) = hint {
                    words.push_str(&format!("\nhint: {hint}"));
                }
                self.say_as("source_failed", &words);
            }
            Event::Waiting { reason, .. } => {
                // Once, with the reason; then quietly.
                if !self.waiting.swap(true, Ordering::Relaxed) {
                    let words = format!("waiting for the database: {}", terminal::line(reason));
                    self.say_as("waiting", &words);
                }
            }
            Event::GoesOn { .. } => {
                if self.waiting.swap(false, Ordering::Relaxed) {
                    self.say_as("goes_on", "the database answers again; going on");
                }
            }
            Event::SourceRead { name, records, elapsed } => {
                tracing::debug!(source = name, records, seconds = elapsed.as_secs_f64(), "read");
            }
            Event::Detail(detail) => match detail.as_ref() {
                Detail::Begun(begun) => self.run().clone_from(&begun.run),
                Detail::Gauges(gauges) => {
                    let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
                    pace.hear(Instant::now(), gauges, tally);
                }
                // For those who keep a record.
                _ => {}
            },
            // Drawn by what was counted, whatever has happened.
            _ => self.draw(tally),
        }
    }

    fn draw(&self, tally: &Totals) {
        if self.objects {
            self.object(tally);
        }
        if let Some(records) = &self.among {
            records.store(tally.books.read, Ordering::Relaxed);
            return;
        }
        if !self.objects && self.asked.swap(false, Ordering::Relaxed) {
            self.say(&self.line(tally));
        }
        if let Some(bar) = &self.bar {
            if let Some(total) = tally.bytes_total {
                bar.set_length(total);
            }
            bar.set_position(tally.bytes_read);
            bar.set_message(self.rows(tally));
            return;
        }
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if self.lines && last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            self.say(&self.line(tally));
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    fn rows(&self, tally: &Totals) -> String {
        let all = tally.books.read as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let (rates, bound) = self.pace();
        let rate = rates.map_or(all as u64, |rates| rates.rows);
        let mut words = format!("{} rows, {}/s", HumanCount(tally.books.read), HumanCount(rate));
        let per_second =
            |rate: Option<u64>| rate.map_or_else(String::new, |n| format!(" ({}/s)", HumanCount(n)));
        if tally.books.rejected > 0 {
            let rate = per_second(rates.map(|rates| rates.rejected));
            words.push_str(&format!(", {} rejected{rate}", HumanCount(tally.books.rejected)));
        }
        if let Some(http) = &tally.http {
            words.push_str(&http_words(http, &per_second(rates.map(|rates| rates.requests))));
        }
        if let Some(bound) = bound {
            words.push_str(&format!(", bound: {}", bound.name()));
        }
        words
    }

    fn pace(&self) -> (Option<Rates>, Option<Bottleneck>) {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        (pace.rates(), pace.bound())
    }

    fn run(&self) -> MutexGuard<'_, Option<String>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The load, where there are several.
    fn load(&self) -> Option<&str> {
        self.prefix.strip_suffix(": ")
    }

    /// Progress as a line of JSON, once a second, and when it is asked for.
    fn object(&self, tally: &Totals) {
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < OBJECT_EVERY && !self.asked.swap(false, Ordering::Relaxed) {
            return;
        }
        *last = Instant::now();
        let (rates, bound) = self.pace();
        let object = serde_json::json!({
            "progress": 1,
            "run": *self.run(),
            "load": self.load(),
            "elapsed_seconds": self.began.elapsed().as_secs_f64(),
            "bytes": tally.bytes_read,
            "bytes_total": tally.bytes_total,
            "rows": tally.books,
            "rows_per_second": rates.map(|rates| rates.rows),
            "rejected_per_second": rates.map(|rates| rates.rejected),
            "requests": tally.http.map(|http| http.sent),
            "requests_per_second": tally.http.and(rates).map(|rates| rates.requests),
            "bound": bound.map(Bottleneck::name),
        });
        // Nobody reads stderr any more: nothing to be done.
        let _ = writeln!(std::io::stderr(), "{object}");
    }

    fn line(&self, tally: &Totals) -> String {
        let total = tally.bytes_total.map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
        format!("read {}{total}, committed {}", HumanBytes(tally.bytes_read), self.rows(tally))
    }
}

/// Requests, and what kept them waiting.
fn http_words(http: &Requests, rate: &str) -> String {
    let what = if http.sent == 1 { "request" } else { "requests" };
    let mut words = format!(", {} {what}{rate}", HumanCount(http.sent));
    for (count, what) in [(http.retried, "retried"), (http.failed, "failed")] {
        if count > 0 {
            words.push_str(&format!(", {} {what}", HumanCount(count)));
        }
    }
    if http.waited.as_secs() > 0 {
        words.push_str(&format!(", {} s waited", HumanCount(http.waited.as_secs())));
    }
    words
}
