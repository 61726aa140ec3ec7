//! One case: its ways in turn, round after round, each checked against what the file says.

use crate::{
    Outcome, Wish,
    cases::{Case, Program, Way, Who},
    lab::Lab,
    measure::{Weight, weigh},
    note,
    proxy::Proxy,
};
use serde_json::Value;
use std::{ffi::OsString, fs, time::Duration};

/// Far above the noise of this machine, so that what was sent unasked is not taken for an answer.
const COUNTING_ROUND_TRIP: Duration = Duration::from_millis(4);

/// What one run took.
pub(crate) struct Figure {
    pub(crate) weight: Weight,
    pub(crate) wal_bytes: f64,
    pub(crate) server_seconds: Option<f64>,
    /// What dbload reported.
    pub(crate) report: Option<Value>,
    /// The table did not hold what the file has.
    pub(crate) wrong: bool,
}

/// What the runs of one way took.
pub(crate) struct Measured<'c> {
    pub(crate) way: &'c Way,
    pub(crate) figures: Vec<Figure>,
    pub(crate) round_trips: Option<usize>,
}

/// What the ways of one case took, in their order.
pub(crate) struct Finished<'c> {
    pub(crate) case: &'c Case,
    pub(crate) ways: Vec<Measured<'c>>,
}

impl Measured<'_> {
    /// A program that must be right was not.
    pub(crate) fn is_wrong(&self) -> bool {
        !matches!(self.way.program, Program::Tool(_)) && self.differs()
    }

    /// The table did not hold what the file has.
    pub(crate) fn differs(&self) -> bool {
        self.figures.iter().any(|figure| figure.wrong)
    }
}

/// About how long a case will take: for whoever waits.
pub(crate) fn expected_seconds(wish: &Wish, case: &Case) -> f64 {
    /// Processes, psql's and the programs', and waiting for backends to end.
    const RUN_SECONDS: f64 = 0.4;
    /// Preparing and loading; of the table: vacuum and digest.
    const ROW_SECONDS: f64 = 6e-6;
    const TABLE_ROW_SECONDS: f64 = 1.6e-6;
    let rounds =
        wish.rounds.min(case.rounds_max) * case.repeats + usize::from(counts_round_trips(wish, case));
    let of = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let run = RUN_SECONDS + of(case.rows) * ROW_SECONDS + of(case.table_rows) * TABLE_ROW_SECONDS;
    // So many round trips has a load by default.
    let run = run + case.round_trip.as_secs_f64() * 40.0;
    of(rounds * case.ways.len()) * run
}

/// One more run for them, behind a proxy.
fn counts_round_trips(wish: &Wish, case: &Case) -> bool {
    !wish.quick && case.rounds_max > 1
}

pub(crate) fn run<'c>(lab: &Lab, wish: &Wish, case: &'c Case) -> Outcome<Finished<'c>> {
    let mut ways: Vec<Measured<'c>> =
        case.ways.iter().map(|way| Measured { way, figures: Vec::new(), round_trips: None }).collect();
    let proxy =
        (!case.round_trip.is_zero()).then(|| Proxy::start(&lab.socket(), case.round_trip)).transpose()?;
    for round in 0..wish.rounds.min(case.rounds_max) {
        for turn in 0..ways.len() {
            // Another goes first in each round, so that none has always the same before it.
            let at = (turn + round) % case.ways.len();
            let measured = &mut ways[at];
            for _ in 0..case.repeats {
                measured.figures.push(figure(lab, wish, measured.way, proxy.as_ref())?);
            }
            let last = measured.figures.last().map_or(0.0, |figure| figure.weight.seconds);
            note(&format!("{}, round {}: {}: {last:.3} s", case.name, round + 1, measured.way.name));
        }
    }
    if counts_round_trips(wish, case) {
        let countable = |way: &Way| way.check.is_some() && !matches!(way.program, Program::Tool(_));
        for measured in ways.iter_mut().filter(|measured| countable(measured.way)) {
            let proxy = Proxy::start(&lab.socket(), COUNTING_ROUND_TRIP)?;
            figure(lab, wish, measured.way, Some(&proxy))?;
            measured.round_trips = Some(proxy.round_trips());
        }
    }
    Ok(Finished { case, ways })
}

fn figure(lab: &Lab, wish: &Wish, way: &Way, proxy: Option<&Proxy>) -> Outcome<Figure> {
    lab.sql(&way.prepare)?;
    if wish.statements {
        lab.statements()?;
    }
    let dsn = proxy.map_or_else(|| lab.dsn(), |proxy| lab.dsn_through(proxy.dir()));
    let command = command(lab, &way.program, &dsn)?;
    let wal = lab.wal()?;
    let server = lab.cpu_seconds();
    let (weight, stdout) = weigh(&command)?;
    let server_seconds = lab.cpu_seconds().zip(server).map(|(after, before)| after - before);
    let wal_bytes = lab.wal()? - wal;
    let is_load = matches!(way.program, Program::Dbload(_));
    if wish.statements && is_load {
        note(&format!("{}:\n{}", way.name, lab.statements()?));
    }
    let mut wrong = false;
    if let Some((table, base)) = &way.check {
        let (is, must) = (lab.digest(table)?, lab.expected(base)?);
        wrong = is != must;
        if wrong {
            note(&format!("WRONG: {}: {table} holds {is}, not {must} as {base}: {stdout}", way.name));
        }
    }
    let report = if is_load { Some(serde_json::from_str(&stdout)?) } else { None };
    Ok(Figure { weight, wal_bytes, server_seconds, report, wrong })
}

fn command(lab: &Lab, program: &Program, dsn: &str) -> Outcome<Vec<OsString>> {
    let mut words: Vec<OsString> = Vec::new();
    match program {
        Program::Psql(script) => {
            let path = crate::data::Data::dir().join("script.sql");
            fs::write(&path, script)?;
            words.push(lab.psql().into());
            words.extend(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f"].map(Into::into));
            words.push(path.into());
        }
        Program::Dbload(args) => {
            words.push(lab.dbload.clone().into());
            words.extend(args.iter().cloned());
            words.extend(["--dsn", dsn].map(Into::into));
        }
        Program::Tool(command) => {
            let dsn = lab.tcp_dsn()?;
            words.extend(command.iter().map(|word| word.to_string_lossy().replace("{dsn}", &dsn).into()));
        }
        Program::Version(who) => {
            words.push(match who {
                Who::Psql => lab.psql().into(),
                Who::Dbload => lab.dbload.clone().into(),
            });
            words.push("--version".into());
        }
    }
    Ok(words)
}
