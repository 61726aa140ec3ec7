//! What came out: the table on stdout, and the page and the plot in docs/ (of a part of a run: beside the data).

use crate::{
    Outcome, Wish,
    cases::Target,
    data::{Data, ORDERS},
    lab::Lab,
    note, plot,
    rounds::{Figure, Finished, Measured},
};
use std::{fmt::Write as _, fs, path::Path, process::Command};

const HEAD: &str = "| case | program | time, s | min - max | ratio | target | rows/s | CPU, s | µs a row | peak RSS, MiB | WAL, MB | server CPU, s | round trips | batches (careful) |\n\
                    |---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
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
        median(self.figures.iter().map(|figure| figure.weight.seconds))
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the bench is for")]
pub(crate) fn write(lab: &Lab, data: &Data, wish: &Wish, results: &[Finished<'_>]) -> Outcome<()> {
    let mut table = HEAD.to_owned();
    for result in results {
        for measured in &result.ways {
            table += &row(result, measured)?;
        }
    }
    println!("{table}");
    let whole = wish.cases.is_none() && !wish.quick;
    let dir = if whole { Path::new(env!("CARGO_MANIFEST_DIR")).join("docs") } else { Data::dir() };
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("benchmarks.svg"), plot::svg(results)?)?;
    let page = dir.join("benchmarks.md");
    fs::write(&page, format!("{}\n{table}\n{}", head(lab, data, wish)?, notes(results)))?;
    note(&format!("written: {}", page.display()));
    Ok(())
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
         the table's content is compared with psql's, by count and digest: a wrong one ends the run.\n\n\
         - Machine: {} cores ({}), {:.0} GiB, {} {}; everything on it: server, psql and dbload share the cores.\n\
         - {}, on a Unix socket, a throwaway cluster.\n\
         - dbload: {} at {}, `--pool-size 2`, {}; psql: {}.\n\
         - Data: TPC-H orders ({ORDERS} records, 9 columns) and lineitem (16 columns) of the tpchgen crate{}.\n\
         - Date: {}.\n\n\
         *psql staged*: `\\copy` into a temporary table, then INSERT .. ON CONFLICT DO UPDATE without WHERE, in one transaction; it reads \
         the CSV also where dbload reads JSONL. *psql \\copy*: into the table itself, which upserts nothing. *CPU* and *peak RSS* are the \
         program's own, *server CPU* is all of the server's processes together. *Round trips*: times that the program had to \
         wait for an answer, over all connections, counted in one more run. *n ms away*: a proxy delays both ways by half of that.\n\n\
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
        lab.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"')")?,
    ))
}

fn row(result: &Finished<'_>, measured: &Measured<'_>) -> Outcome<String> {
    let of = |pick: &dyn Fn(&Figure) -> f64| median(measured.figures.iter().map(pick));
    let seconds = measured.seconds();
    let ratio = seconds / result.ways[0].seconds();
    let all = || measured.figures.iter().map(|figure| figure.weight.seconds);
    let (min, max) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let target = match measured.way.target {
        None => String::new(),
        Some(Target::Ratio(most)) => format!("{most:.2}{}", met(ratio <= most)),
        Some(Target::Seconds(most)) => format!("{most:.3} s{}", met(seconds <= most)),
    };
    let rows = f64::from(u32::try_from(result.case.rows)?);
    let cpu = of(&|figure| figure.weight.cpu_seconds);
    let (rate, cpu_a_row) = if result.case.rows == 1 {
        (String::new(), String::new())
    } else {
        (format!("{:.0}", rows / seconds), format!("{:.2}", cpu * 1e6 / rows))
    };
    let server = of(&|figure| figure.server_seconds.unwrap_or(f64::NAN));
    let number = |report: &serde_json::Value, name: &str| report["pool"][name].as_u64().unwrap_or(0);
    let batches = measured.figures.last().and_then(|figure| figure.report.as_ref());
    let batches =
        batches.map_or_else(String::new, |r| format!("{} ({})", number(r, "batches"), number(r, "careful")));
    let mut text = String::new();
    writeln!(
        text,
        "| {} | {} | {seconds:.3} | {min:.3} - {max:.3} | {ratio:.2} | {target} | {rate} | {cpu:.3} | {cpu_a_row} | {:.1} | {:.3} | {server:.2} | {} | {batches} |",
        result.case.name,
        measured.way.name,
        of(&|figure| figure.weight.peak_bytes) / MIB,
        of(&|figure| figure.wal_bytes) / 1e6,
        measured.round_trips.map_or_else(String::new, |n| n.to_string()),
    )?;
    Ok(text)
}

const fn met(met: bool) -> &'static str {
    if met { " ✓" } else { " ✗" }
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
            text += &format!("- {}, {}: `{report}`\n", result.case.name, measured.way.name);
        }
    }
    text
}
