//! One program run and weighed: wall time, CPU time, peak memory.
//!
//! A small process of our own runs it (this program again, with [`INNER`]), because the figures of waited-for
//! children are sums and peaks over all of them, and because a child starts with the peak memory of its
//! parent.

use crate::{Outcome, data::Data};
use nix::sys::resource::{UsageWho, getrusage};
use std::{
    env,
    ffi::OsString,
    fs,
    process::{Command, ExitCode},
    time::Instant,
};

/// The first argument of the process in between; the program and its arguments follow.
pub(crate) const INNER: &str = "--measure";
/// Where it leaves the figures: the outputs belong to the program.
const FIGURES: &str = "DBLOAD_BENCH_FIGURES";
/// The kernel's unit of peak memory.
const RSS_UNIT_BYTES: f64 = if cfg!(target_os = "macos") { 1.0 } else { 1024.0 };

/// What a run of a program took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weight {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_bytes: f64,
}

/// Runs a program and weighs it; returns what it wrote to stdout as well.
pub(crate) fn weigh(command: &[OsString]) -> Outcome<(Weight, String)> {
    let figures = Data::dir().join("figures");
    let mut inner = Command::new(env::current_exe()?);
    inner.arg(INNER).args(command).env(FIGURES, &figures).env_remove("PGOPTIONS");
    let output = inner.output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{command:?} failed: {words}{}", String::from_utf8_lossy(&output.stdout)).into());
    }
    let text = fs::read_to_string(&figures)?;
    let mut numbers = text.split(' ').map(str::parse::<f64>);
    let mut next = || numbers.next().ok_or("too few figures");
    let weight = Weight { seconds: next()??, cpu_seconds: next()??, peak_bytes: next()?? };
    Ok((weight, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The process in between.
pub(crate) fn inner() -> Outcome<ExitCode> {
    let mut words = env::args_os().skip(2);
    let program = words.next().ok_or("no program")?;
    let figures = env::var_os(FIGURES).ok_or("no place for the figures")?;
    let start = Instant::now();
    let status = Command::new(program).args(words).env_remove(FIGURES).status()?;
    let seconds = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = |time: nix::sys::time::TimeVal| Outcome::Ok(f64::from(i32::try_from(time.tv_usec())?) / 1e6);
    let cpu = f64::from(i32::try_from(user.tv_sec() + system.tv_sec())?) + micros(user)? + micros(system)?;
    #[expect(clippy::cast_precision_loss, reason = "kilobytes of memory")]
    let peak = usage.max_rss() as f64 * RSS_UNIT_BYTES;
    fs::write(figures, format!("{seconds} {cpu} {peak}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
