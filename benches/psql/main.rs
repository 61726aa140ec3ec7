//! dbload beside psql on one throwaway server: `make bench`.
//!
//! Each case prepares a table, lets each program fill it in turn, and asks the table for a digest of its
//! content: where that is not what the file says, the run fails. Nothing that a program says about itself is
//! believed.
//!
//! `ROUNDS=n` (5) · `CASES=substring` · `QUICK=1` (one round, no round trips) · `FULL=1` (3 million lines,
//! other sizes of pool and batch, a table of 10 million: `BIG=rows`, over 8 GB of input) · `TOOLS=1` (sling
//! and dlt, where installed) · `FSYNC=1` (a server that syncs) · `STATEMENTS=1` (what the server did for
//! dbload, to stderr) · `DBLOAD=path` (another binary). A whole run writes docs/benchmarks.md and .svg, any
//! other target/bench-data/.

mod cases;
mod columns;
mod data;
mod lab;
mod measure;
mod page;
mod plot;
mod proxy;
mod rounds;
mod shape;

use std::{env, error::Error, path::PathBuf, process::ExitCode, time::Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the environment asks for.
struct Wish {
    rounds: usize,
    cases: Option<String>,
    quick: bool,
    full: bool,
    /// Other loaders, where they are installed.
    tools: bool,
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
            tools: on("TOOLS"),
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
    let cases = cases::all(&data, &wish)?;
    let expected: Vec<f64> = cases.iter().map(|case| rounds::expected_seconds(&wish, case)).collect();
    let minutes = |seconds: f64| (seconds / 60.0).ceil();
    let all: f64 = expected.iter().sum();
    note(&format!("{} cases: about {} minutes on a quiet machine", cases.len(), minutes(all)));
    lab.load_bases(&data, wish.full && cases.iter().any(|case| case.table_rows >= data.big))?;
    let began = Instant::now();
    let mut results = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        results.push(rounds::run(&lab, &wish, case)?);
        // What is there is kept, whatever becomes of the rest.
        page::write(&lab, &data, &wish, (&results[..], page::Part::Some))?;
        let done: f64 = expected[..=at].iter().sum();
        let left = (all - done) * began.elapsed().as_secs_f64() / done;
        note(&format!("{} of {} cases; about {} minutes left", at + 1, cases.len(), minutes(left)));
    }
    page::write(&lab, &data, &wish, (&results[..], page::Part::All))?;
    let wrong = results.iter().flat_map(|result| &result.ways).filter(|way| way.is_wrong()).count();
    if wrong > 0 {
        return Err(format!("{wrong} ways left a table with other content than the file has").into());
    }
    Ok(())
}

/// A line for whoever watches.
#[expect(clippy::print_stderr, reason = "a bench is a program of its own")]
fn note(line: &str) {
    eprintln!("{line}");
}
