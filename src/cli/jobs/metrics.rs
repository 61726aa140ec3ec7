//! The metrics file: what monitoring reads of a job, in Prometheus' text format. Written anew at the end of a
//! run and renamed into place, so that nobody reads half of it; what loads say that did not run this time
//! stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dbload::internals::account::Books;
use dbload::internals::ledger::StoredMark;
use dbload::internals::schedule::{LoadState, MarkOrder};
use rustix::fs::{FlockOperation, flock};

use super::line;
use super::peaks::LoadPeaks;
use super::turn::TurnEnd;
use crate::cli::events::{cpu, most_resident_bytes};

/// A metric of a load: its name, and what it says.
struct Metric {
    name: &'static str,
    help: &'static str,
}

const LAST_SUCCESS: Metric = Metric {
    name: "dbload_load_last_success_timestamp_seconds",
    help: "When the load last came to a good end: complete, rejected within its budget, or nothing new.",
};
const LAST_RUN: Metric = Metric {
    name: "dbload_load_last_run_timestamp_seconds",
    help: "When the load was last run to an end, whichever.",
};
const DURATION: Metric =
    Metric { name: "dbload_load_duration_seconds", help: "How long the last run of the load took." };
const STATE: Metric =
    Metric { name: "dbload_load_state", help: "1 for the state that the load ended in, 0 for the others." };
const RECORDS: Metric = Metric {
    name: "dbload_load_records",
    help: "Records of the last run of the load, by what became of them.",
};
const WATERMARK: Metric = Metric {
    name: "dbload_load_watermark",
    help: "Up to where the load has come: an integer, or seconds since 1970.",
};
const CONNECTIONS: Metric = Metric {
    name: "dbload_load_max_connections",
    help: "The most connections that were open at once, of the pool that the loads share.",
};
const BUSY: Metric = Metric {
    name: "dbload_load_connections_busy_ratio",
    help: "Of the connections that were open, the share that the load was using.",
};
const IN_FLIGHT: Metric = Metric {
    name: "dbload_load_max_requests_in_flight",
    help: "The most requests that were waited for at once.",
};
const BLOCKS: Metric = Metric {
    name: "dbload_load_max_blocks_waiting",
    help: "The most blocks of records that waited to be decoded at once.",
};
const BATCHES: Metric = Metric {
    name: "dbload_load_max_batches_waiting",
    help: "The most batches that waited for a connection at once.",
};
const ALL: [Metric; 11] = [
    LAST_SUCCESS,
    LAST_RUN,
    DURATION,
    STATE,
    RECORDS,
    WATERMARK,
    CONNECTIONS,
    BUSY,
    IN_FLIGHT,
    BLOCKS,
    BATCHES,
];
const JOB_DURATION: Metric =
    Metric { name: "dbload_job_last_run_duration_seconds", help: "How long the last run of the job took." };
const CPU: Metric = Metric {
    name: "dbload_job_last_run_cpu_seconds",
    help: "CPU time that the last run of the job took, of all its loads.",
};
const MEMORY: Metric = Metric {
    name: "dbload_job_last_run_max_resident_bytes",
    help: "The most memory that the last run of the job had at once, of all its loads.",
};
const BUILD: Metric = Metric { name: "dbload_build_info", help: "The version that has written this file." };

/// How long another process may have the file.
const LOCKED_MAX: Duration = Duration::from_secs(2);

/// What is said of a load that has ended.
pub(super) struct LoadFacts {
    state: LoadState,
    ended_at: f64,
    elapsed: f64,
    books: Option<Books>,
    peaks: Option<LoadPeaks>,
}

impl LoadFacts {
    /// What there is to be said of it; nothing where another process is at it.
    pub(super) fn of(end: &TurnEnd) -> Option<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (end.state != LoadState::RunningElsewhere).then(|| Self {
            state: end.state,
            ended_at: now.as_secs_f64(),
            elapsed: end.elapsed.as_secs_f64(),
            books: line::books(end),
            peaks: end.parts.iter().map(|part| part.peaks).reduce(|mut all, other| {
                all.add(&other);
                all
            }),
        })
    }

    /// It was run, to whatever end.
    const fn was_run(&self) -> bool {
        !matches!(self.state, LoadState::Skipped | LoadState::NotStarted)
    }
}

/// Lines of a metrics file, each a sample, by metric and load.
type Samples = BTreeMap<(&'static str, String), Vec<String>>;

/// A metrics file, and what goes into it.
pub(super) struct MetricsFile<'a> {
    pub(super) path: &'a Path,
    pub(super) job: &'a str,
    pub(super) elapsed: Duration,
    /// All loads of the file: what is there of others goes.
    pub(super) loads: &'a BTreeSet<String>,
    pub(super) facts: &'a BTreeMap<String, LoadFacts>,
    /// The watermarks, if the ledger could be asked.
    pub(super) marks: &'a [StoredMark],
}

impl MetricsFile<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(super) fn write(&self) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Tasks of an orchestrator end at the same moment: each keeps what the others have written.
        let locked = fs::File::open(folder)?;
        let since = Instant::now();
        while flock(locked.as_fd(), FlockOperation::NonBlockingLockExclusive).is_err() {
            if since.elapsed() > LOCKED_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another process has its folder locked",
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let before = match fs::read_to_string(self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let text = self.text(&before);
        // No collector reads a name that does not end in .prom.
        let mut temporary = self.path.as_os_str().to_owned();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let written = fs::File::create(&temporary)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&temporary, self.path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// What it says then. `before`: what it said.
    fn text(&self, before: &str) -> String {
        let mut samples = self.kept(before);
        for (load, facts) in self.facts {
            self.put(&mut samples, load, facts);
        }
        for mark in self.marks.iter().filter(|mark| self.loads.contains(&mark.load)) {
            let kind = MarkOrder::guess(&mark.value);
            if let Some(value) = kind.and_then(|kind| Some(number(kind, kind.order_of(&mark.value)?))) {
                samples.insert(
                    (WATERMARK.name, mark.load.clone()),
                    vec![self.sample(&WATERMARK, &mark.load, "", &value)],
                );
            }
        }
        let mut text = String::new();
        // Files of several jobs are collected together: none may say the same of another.
        let build = format!(",version=\"{}\"", env!("CARGO_PKG_VERSION"));
        let build = (&BUILD, build.as_str(), Some("1".to_owned()));
        let of_process = [
            build,
            (&JOB_DURATION, "", Some(format!("{:.3}", self.elapsed.as_secs_f64()))),
            (&CPU, "", Some(format!("{:.3}", cpu().as_secs_f64()))),
            (&MEMORY, "", most_resident_bytes().map(|bytes| bytes.to_string())),
        ];
        for (metric, more, value) in of_process {
            if let Some(value) = value {
                let sample = format!("{}{{job_name=\"{}\"{more}}} {value}\n", metric.name, self.job);
                text.push_str(&(head(metric) + &sample));
            }
        }
        for metric in &ALL {
            let lines: Vec<&String> = samples
                .iter()
                .filter(|((name, _), _)| *name == metric.name)
                .flat_map(|(_, lines)| lines)
                .collect();
            if !lines.is_empty() {
                text.push_str(&head(metric));
                lines.into_iter().for_each(|line| {
                    text.push_str(line);
                    text.push('\n');
                });
            }
        }
        text
    }

    /// What the file says of this job's loads.
    fn kept(&self, before: &str) -> Samples {
        let mut samples = Samples::new();
        for line in before.lines() {
            let Some(metric) = ALL
                .iter()
                .find(|metric| line.strip_prefix(metric.name).is_some_and(|rest| rest.starts_with('{')))
            else {
                continue;
            };
            let of = |load: &&String| line.contains(&format!("{{{}", self.labels(load)));
            if let Some(load) = self.loads.iter().find(of) {
                samples.entry((metric.name, load.clone())).or_default().push(line.to_owned());
            }
        }
        samples
    }

    fn put(&self, samples: &mut Samples, load: &str, facts: &LoadFacts) {
        let mut set = |metric: &Metric, lines: Vec<String>| {
            samples.insert((metric.name, load.to_owned()), lines);
        };
        let states = LoadState::ALL.into_iter().map(|state| {
            let more = format!(",state=\"{}\"", state.name());
            self.sample(&STATE, load, &more, if state == facts.state { "1" } else { "0" })
        });
        set(&STATE, states.collect());
        if !facts.was_run() {
            return;
        }
        let at = format!("{:.3}", facts.ended_at);
        set(&LAST_RUN, vec![self.sample(&LAST_RUN, load, "", &at)]);
        set(&DURATION, vec![self.sample(&DURATION, load, "", &format!("{:.3}", facts.elapsed))]);
        if facts.state.is_good() {
            set(&LAST_SUCCESS, vec![self.sample(&LAST_SUCCESS, load, "", &at)]);
        }
        if let Some(books) = &facts.books {
            let lines = line::fates(books).into_iter().map(|fate| {
                let more = format!(",outcome=\"{}\"", fate.name);
                self.sample(&RECORDS, load, &more, &fate.count.to_string())
            });
            set(&RECORDS, lines.collect());
        }
        if let Some(peaks) = &facts.peaks {
            for (metric, value) in peak_values(peaks) {
                // What there was none of this time says nothing of the time before.
                set(metric, value.iter().map(|value| self.sample(metric, load, "", value)).collect());
            }
        }
    }

    /// Names of jobs and loads need no escapes. `job` is a label of Prometheus' own.
    fn labels(&self, load: &str) -> String {
        format!("job_name=\"{}\",load=\"{load}\"", self.job)
    }

    fn sample(&self, metric: &Metric, load: &str, more: &str, value: &str) -> String {
        format!("{}{{{}{more}}} {value}", metric.name, self.labels(load))
    }
}

fn peak_values(peaks: &LoadPeaks) -> [(&'static Metric, Option<String>); 5] {
    [
        (&CONNECTIONS, Some(peaks.connections.to_string())),
        (&BUSY, peaks.busy_share().map(|share| format!("{share:.3}"))),
        (&IN_FLIGHT, peaks.requests_in_flight.map(|count| count.to_string())),
        (&BLOCKS, Some(peaks.blocks_waiting.to_string())),
        (&BATCHES, Some(peaks.batches_waiting.to_string())),
    ]
}

fn head(metric: &Metric) -> String {
    format!("# HELP {} {}\n# TYPE {} gauge\n", metric.name, metric.help, metric.name)
}

/// A watermark as a number.
fn number(kind: MarkOrder, order: i128) -> String {
    match kind {
        MarkOrder::Integer => order.to_string(),
        MarkOrder::Moment => {
            let millis = order.div_euclid(1_000_000);
            format!("{}.{:03}", millis.div_euclid(1_000), millis.rem_euclid(1_000))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(state: LoadState, ended_at: f64, read: u64) -> LoadFacts {
        let mut books = Books::default();
        (books.read, books.inserted) = (read, read);
        LoadFacts { state, ended_at, elapsed: 1.5, books: Some(books), peaks: Some(LoadPeaks::default()) }
    }

    #[test]
    fn loads_that_did_not_run_keep_what_was_said_of_them_and_failures_the_last_success() {
        let loads: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        let mut facts_of = BTreeMap::new();
        facts_of.insert("a".to_owned(), facts(LoadState::Complete, 100.0, 3));
        facts_of.insert("b".to_owned(), facts(LoadState::Complete, 101.0, 4));
        let text = |facts: &BTreeMap<String, LoadFacts>, before: &str| {
            let marks = [StoredMark {
                load: "a".to_owned(),
                value: "1970-01-01T00:01:00.5Z".to_owned(),
                target_oid: 1,
                run: String::new(),
                moved_at: String::new(),
            }];
            let elapsed = Duration::from_secs(2);
            MetricsFile { path: Path::new("x.prom"), job: "j", elapsed, loads: &loads, facts, marks: &marks }
                .text(before)
        };
        let first = text(
            &facts_of,
            "dbload_load_records{job_name=\"j\",load=\"gone\",outcome=\"read\"} 7\nrubbish\n",
        );
        assert!(!first.contains("gone") && !first.contains("rubbish"), "{first}");
        assert!(first.contains("dbload_load_watermark{job_name=\"j\",load=\"a\"} 60.500\n"), "{first}");
        let second = BTreeMap::from([("b".to_owned(), facts(LoadState::Failed, 200.0, 1))]);
        let second = text(&second, &first);
        for line in [
            "dbload_load_last_success_timestamp_seconds{job_name=\"j\",load=\"a\"} 100.000",
            "dbload_load_last_success_timestamp_seconds{job_name=\"j\",load=\"b\"} 101.000",
            "dbload_load_last_run_timestamp_seconds{job_name=\"j\",load=\"b\"} 200.000",
            "dbload_load_records{job_name=\"j\",load=\"a\",outcome=\"inserted\"} 3",
            "dbload_load_records{job_name=\"j\",load=\"b\",outcome=\"read\"} 1",
            "dbload_load_state{job_name=\"j\",load=\"b\",state=\"failed\"} 1",
            "dbload_load_state{job_name=\"j\",load=\"b\",state=\"complete\"} 0",
        ] {
            assert!(second.lines().any(|other| other == line), "{line}: {second}");
        }
        let skipped = BTreeMap::from([(
            "b".to_owned(),
            LoadFacts { books: None, ..facts(LoadState::Skipped, 300.0, 0) },
        )]);
        let third = text(&skipped, &second);
        assert!(third.contains("last_run_timestamp_seconds{job_name=\"j\",load=\"b\"} 200.000"), "{third}");
        assert_eq!(third.matches("load_state{job_name=\"j\",load=\"b\"").count(), LoadState::ALL.len());
    }
}
