//! dbload beside psql on one throwaway server: `make bench`.
//!
//! Each case prepares a table, lets each program fill it in turn, asks the table for a digest of its content,
//! and ends at once where that is not what the file says. Nothing that a program says about itself is believed.
//!
//! `ROUNDS=n` (5) · `CASES=substring` · `QUICK=1` (one round, no round trips) · `FULL=1` (3 million lines, and a table
//! of 10 million: `BIG=rows`) · `FSYNC=1` (a server that syncs) · `STATEMENTS=1` (what the server did for dbload, to stderr) ·
//! `DBLOAD=path` (another binary). A whole run writes docs/benchmarks.md and .svg, any other target/bench-data/.

mod cases;
mod data;
mod lab;
mod measure;
mod page;
mod plot;
mod proxy;
mod rounds;

use std::{env, error::Error, path::PathBuf, process::ExitCode};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the environment asks for.
struct Wish {
    rounds: usize,
    cases: Option<String>,
    quick: bool,
    full: bool,
    /// Rows of the big table.
    big: Option<usize>,
    fsync: bool,
    statements: bool,
    dbload: PathBuf,
}

impl Wish {
    fn from_env() -> Outcome<Self> {
        let on = |name| env::var(name).is_ok_and(|value| !matches!(&*value, "" | "0"));
        let quick = on("QUICK");
        let rounds = match env::var("ROUNDS") {
            Ok(rounds) => rounds.parse().map_err(|_| "ROUNDS is no number")?,
            Err(_) if quick => 1,
            Err(_) => 5,
        };
        Ok(Self {
            rounds,
            quick,
            cases: env::var("CASES").ok().filter(|cases| !cases.is_empty()),
            full: on("FULL"),
            big: env::var("BIG").ok().map(|rows| rows.parse()).transpose().map_err(|_| "BIG is no number")?,
            fsync: on("FSYNC"),
            statements: on("STATEMENTS"),
            dbload: env::var_os("DBLOAD").map_or_else(|| env!("CARGO_BIN_EXE_dbload").into(), PathBuf::from),
        })
    }
}

fn main() -> ExitCode {
    let outcome = match env::args().nth(1) {
        Some(first) if first == measure::INNER => measure::inner(),
        _ => run().map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        note(&format!("error: {error}"));
        ExitCode::FAILURE
    })
}

fn run() -> Outcome<()> {
    let wish = Wish::from_env()?;
    let data = data::Data::ready(&wish)?;
    let lab = lab::Lab::start(&wish)?;
    let wanted = |case: &cases::Case| wish.cases.as_ref().is_none_or(|part| case.name.contains(&**part));
    let cases: Vec<_> = cases::all(&data, wish.full).into_iter().filter(wanted).collect();
    lab.load_bases(&data, wish.full && cases.iter().any(|case| case.name.contains("big table")))?;
    let mut results = Vec::new();
    for case in &cases {
        results.push(rounds::run(&lab, &wish, case)?);
    }
    page::write(&lab, &data, &wish, &results)
}

/// A line for whoever watches.
#[expect(clippy::print_stderr, reason = "a bench is a program of its own")]
fn note(line: &str) {
    eprintln!("{line}");
}
