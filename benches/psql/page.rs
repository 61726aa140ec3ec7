//! What came out: the table on stdout, and the page and the plot in docs/ (of a part of a run: beside the
//! data).

use crate::{
    Outcome, Wish,
    cases::{Target, tools},
    data::{Data, ORDERS},
    lab::Lab,
    note, plot,
    rounds::{Figure, Finished, Measured},
};
use std::{fmt::Write as _, fs, path::Path, process::Command};

const HEAD: &str = "| case | program | time, s | min - max | ratio | rows/s | CPU, s | µs a row | peak RSS, MiB | WAL, MB | server CPU, s | round trips | batches (straight, careful) | bottleneck |\n\
                    |---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n";
const MIB: f64 = 1024.0 * 1024.0;

/// The middle one of the values.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

impl Measured<'_> {
    pub(crate) fn seconds(&self) -> f64 {
        self.median(|figure| figure.weight.seconds)
    }

    fn median(&self, pick: impl Fn(&Figure) -> f64) -> f64 {
        median(self.figures.iter().map(pick))
    }
}

/// How much of a run is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It goes on: kept beside the data.
    Some,
    /// A whole one is published in docs/, and any is printed.
    All,
}

#[expect(clippy::print_stdout, reason = "the table is what the bench is for")]
pub(crate) fn write(
    lab: &Lab,
    data: &Data,
    wish: &Wish,
    (results, part): (&[Finished<'_>], Part),
) -> Outcome<()> {
    let mut table = HEAD.to_owned();
    for result in results {
        for measured in &result.ways {
            table += &row(result, measured)?;
        }
    }
    let targets = targets(results)?;
    let whole = part == Part::All && wish.cases.is_none() && !wish.quick;
    let dir = if whole { Path::new(env!("CARGO_MANIFEST_DIR")).join("docs") } else { Data::dir() };
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("benchmarks.svg"), plot::svg(results)?)?;
    let page = dir.join("benchmarks.md");
    let head = wrapped(&head(lab, data, wish)?);
    fs::write(&page, format!("{head}\n{targets}\n## All figures\n\n{table}\n{}", notes(results)))?;
    if part == Part::All {
        println!("{targets}\n{table}");
        note(&format!("written: {}", page.display()));
    }
    Ok(())
}

/// What is allowed beside what was measured.
fn targets(results: &[Finished<'_>]) -> Outcome<String> {
    let mut text =
        "## Targets\n\n| case | program | figure | at most | measured | |\n|---|---|---|---:|---:|---|\n"
            .to_owned();
    for result in results {
        for measured in &result.ways {
            for target in &measured.way.targets {
                let (figure, most, is) = judged(result, measured, *target);
                let (name, way) = (result.case.name, &measured.way.name);
                let digits = if figure.ends_with("ms") || figure.ends_with("MiB") { 1 } else { 3 };
                let met = if is <= most { "✓" } else { "✗" };
                writeln!(text, "| {name} | {way} | {figure} | {most:.digits$} | {is:.digits$} | {met} |")?;
            }
        }
    }
    Ok(text)
}

/// A figure by name, what it may be at most, and what it is.
fn judged(result: &Finished<'_>, measured: &Measured<'_>, target: Target) -> (String, f64, f64) {
    let first = &result.ways[0];
    let wal = |way: &Measured<'_>| way.median(|figure| figure.wal_bytes);
    let peak = |way: &Measured<'_>| way.median(|figure| figure.weight.peak_bytes);
    let cpu = measured.median(|figure| figure.weight.cpu_seconds);
    let rows = f64::from(u32::try_from(result.case.rows).unwrap_or(u32::MAX));
    let to_first = |what: &str| format!("{what}, in times of {}", first.way.name);
    match target {
        Target::Ratio(most) => (to_first("time"), most, measured.seconds() / first.seconds()),
        Target::Seconds(most) => ("time, ms".to_owned(), most * 1e3, measured.seconds() * 1e3),
        Target::Wal(most) => (to_first("WAL"), most, wal(measured) / wal(first)),
        Target::Cpu(most) => ("its CPU a row, µs".to_owned(), most, cpu * 1e6 / rows),
        Target::Peak(most) => ("peak RSS, MiB".to_owned(), most, peak(measured) / MIB),
        Target::PeakRatio(most) => (to_first("peak RSS"), most, peak(measured) / peak(first)),
    }
}

/// Prose at the width that `scripts/check-prose` asks for; what goes on in a list is indented.
fn wrapped(text: &str) -> String {
    const COLUMNS: usize = 110;
    let mut out = String::new();
    for line in text.lines() {
        let indent = if line.starts_with("- ") { "  " } else { "" };
        let mut width = 0;
        for word in line.split(' ') {
            let length = word.chars().count();
            if width > 0 && width + 1 + length > COLUMNS {
                out += "\n";
                out += indent;
                width = indent.len();
            } else if width > 0 {
                out.push(' ');
                width += 1;
            }
            out += word;
            width += length;
        }
        out.push('\n');
    }
    out
}

fn head(lab: &Lab, data: &Data, wish: &Wish) -> Outcome<String> {
    let first = |program: &str, args: &[&str]| -> String {
        let output = Command::new(program).args(args).output();
        output.map_or_else(|_| "?".to_owned(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
    };
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: f64 =
        memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN);
    Ok(format!(
        "# dbload beside psql\n\nWritten by `make bench`. Each case prepares a table, and the programs load the same records into it in turn; the \
         medians of {} rounds (ten times as many for `one record` and `--version`), ratios to the first line of the case. After each load \
         the table's content is compared with psql's, by count and digest: a wrong one is marked, and fails the run (not of other loaders, which make tables of their own).\n\n\
         - Machine: {} cores ({}), {:.0} GiB, {} {}; everything on it: server, psql and dbload share the cores.\n\
         - {}, on a Unix socket, a throwaway cluster.\n\
         - dbload: {} at {}, `--pool-size 2`, {}; psql: {}.\n\
         - Data: TPC-H orders ({ORDERS} records, 9 columns) and lineitem (16 columns) of the tpchgen crate{}.\n\
         {}- Date: {}.\n\n\
         *psql staged*: `\\copy` into a temporary table, then INSERT .. ON CONFLICT DO UPDATE without WHERE, in one transaction; it reads \
         the CSV also where dbload reads JSONL. *psql \\copy*: into the table itself, which upserts nothing. *CPU* and *peak RSS* are the \
         program's own, *server CPU* is all of the server's processes together. *Round trips*: times that the program had to \
         wait for an answer, over all connections, counted in one more run. *n ms away*: a proxy delays both ways by half of that. *Bottleneck*: what dbload reported \
         ([report.md](report.md#seconds)).\n\n\
         ![plot](benchmarks.svg)\n",
        wish.rounds,
        std::thread::available_parallelism()?,
        model.map_or("?", |(_, name)| name),
        memory_kib / MIB,
        std::env::consts::OS,
        first("uname", &["-rm"]),
        lab.settings()?,
        first(&lab.dbload.to_string_lossy(), &["--version"]),
        first("git", &["describe", "--always", "--dirty"]),
        first("rustc", &["--version"]),
        first(&lab.psql().to_string_lossy(), &["--version"]),
        if wish.full { format!(", and a table of {} orders", data.big) } else { String::new() },
        if wish.tools { format!("- Other loaders: {}.\n", tools::versions()) } else { String::new() },
        lab.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"')")?,
    ))
}

fn row(result: &Finished<'_>, measured: &Measured<'_>) -> Outcome<String> {
    let seconds = measured.seconds();
    let ratio = seconds / result.ways[0].seconds();
    let all = || measured.figures.iter().map(|figure| figure.weight.seconds);
    let (min, max) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let rows = f64::from(u32::try_from(result.case.rows)?);
    let cpu = measured.median(|figure| figure.weight.cpu_seconds);
    let (rate, cpu_a_row) = if result.case.rows == 1 {
        (String::new(), String::new())
    } else {
        (format!("{:.0}", rows / seconds), format!("{:.2}", cpu * 1e6 / rows))
    };
    let server = measured.median(|figure| figure.server_seconds.unwrap_or(f64::NAN));
    let (mut batches, mut bottleneck) = (String::new(), String::new());
    if let Some(report) = measured.figures.last().and_then(|figure| figure.report.as_ref()) {
        let number = |name: &str| report["pool"][name].as_u64().unwrap_or(0);
        batches = format!("{} ({}, {})", number("batches"), number("direct"), number("careful"));
        report["bottleneck"].as_str().unwrap_or_default().clone_into(&mut bottleneck);
    }
    let name = &measured.way.name;
    let wrong = if measured.differs() { " (other content!)" } else { "" };
    let mut text = String::new();
    writeln!(
        text,
        "| {} | {name}{wrong} | {seconds:.3} | {min:.3} - {max:.3} | {ratio:.2} | {rate} | {cpu:.3} | {cpu_a_row} | {:.1} | {:.3} | {server:.2} | {} | {batches} | {bottleneck} |",
        result.case.name,
        measured.median(|figure| figure.weight.peak_bytes) / MIB,
        measured.median(|figure| figure.wal_bytes) / 1e6,
        measured.round_trips.map_or_else(String::new, |n| n.to_string()),
    )?;
    Ok(text)
}

/// What dbload's last report says about the time, case by case, where it says it.
fn notes(results: &[Finished<'_>]) -> String {
    let mut text = String::from("What dbload reported of the last round:\n\n");
    for result in results {
        for measured in &result.ways {
            let Some(mut report) = measured.figures.last().and_then(|figure| figure.report.clone()) else {
                continue;
            };
            if let Some(report) = report.as_object_mut() {
                for place in ["run", "database", "sources", "rejects"] {
                    report.remove(place);
                }
            }
            text += &format!("- {}, {}:\n  `{report}`\n", result.case.name, measured.way.name);
        }
    }
    text
}
