//! The verdict on a load, and what to do about it: only what its figures say.

use super::escape::{count, time};
use super::figures::{Attempt, Loaded};
use crate::cli::events::WayName;

/// Where the time went, and what would have made it shorter.
#[derive(Debug, Default, Clone)]
pub(crate) struct BoundVerdict {
    pub(crate) sentence: String,
    pub(crate) advice: Vec<String>,
}

/// Shares of the time of a pipeline.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shares {
    pub(super) source: f64,
    pub(super) loader: f64,
    pub(super) server: f64,
    /// Of that of the source, waiting for a limit was most.
    pub(super) is_limit: bool,
}

/// Where the time went, by these seconds of a report.
pub(super) fn shares(spent: impl Fn(&str) -> Option<f64>) -> Option<Shares> {
    let pipeline = spent("pipeline").filter(|seconds| *seconds > 0.0)?;
    let share = |what: &str| (spent(what).unwrap_or(0.0) / pipeline).clamp(0.0, 1.0);
    let (source, server) = (share("waiting_for_source"), share("waiting_for_writer"));
    let is_limit = share("waiting_for_limit") > source / 2.0;
    Some(Shares { source, server, loader: (1.0 - source - server).max(0.0), is_limit })
}

/// The part of the server's work that took most of it: what, and its share.
fn most(spent: impl Fn(&str) -> Option<f64>) -> Option<(&'static str, f64)> {
    const PARTS: [(&str, &str); 3] = [
        ("copying", "sending the rows"),
        ("merging", "merging them into the table"),
        ("committing", "committing"),
    ];
    let of = |what: &str| spent(what).unwrap_or(0.0);
    let all: f64 = PARTS.iter().map(|(what, _)| of(what)).sum();
    let (what, words) = PARTS.into_iter().max_by(|a, b| of(a.0).total_cmp(&of(b.0)))?;
    (all > 0.0).then(|| (words, of(what) / all))
}

/// The sentence: who was the bound, and for how much of the time.
pub(super) fn bound_words(shares: Shares, spent: impl Fn(&str) -> Option<f64>) -> String {
    let Shares { source, loader, server, is_limit } = shares;
    if server >= source && server >= loader {
        let most = most(spent).map_or_else(String::new, |(what, share)| {
            format!(" Most of its work was {what} ({:.0}%).", share * 100.0)
        });
        return format!("The server was the bound for {:.0}% of the time.{most}", server * 100.0);
    }
    if loader >= source {
        return format!(
            "This program was the bound for {:.0}% of the time: neither source nor server kept it waiting.",
            loader * 100.0
        );
    }
    let who = if is_limit { "A limit on requests" } else { "The source" };
    format!("{who} was the bound for {:.0}% of the time.", source * 100.0)
}

/// The verdict on a load of a record.
pub(super) fn verdict(load: &Loaded) -> BoundVerdict {
    let Some(attempt) = load.last() else { return BoundVerdict::default() };
    let mut verdict = BoundVerdict::default();
    let spent = |what: &str| attempt.spent(what);
    match (&attempt.end, shares(spent)) {
        (None, _) => {
            verdict.sentence =
                "The record of this attempt has no end: it was killed, or is still running.".to_owned();
            verdict
                .advice
                .push("If it was killed: the same command goes on where the last commit was.".to_owned());
        }
        (Some(end), None) if end.code != 0 => {
            let code = end.sqlstate.as_ref().map_or_else(String::new, |code| format!(", SQLSTATE {code}"));
            verdict.sentence = format!("It ended with exit code {} ({}{code}).", end.code, end.outcome);
        }
        (Some(_), None) => "There was nothing to do.".clone_into(&mut verdict.sentence),
        (Some(end), Some(shares)) => {
            verdict.sentence = bound_words(shares, spent);
            if !matches!(end.outcome.as_str(), "complete" | "rejects") {
                let how = format!("It ended with exit code {} ({}). ", end.code, end.outcome);
                verdict.sentence.insert_str(0, &how);
            }
            of_bound(&mut verdict.advice, load, attempt, shares);
        }
    }
    of_server(&mut verdict.advice, attempt);
    let before = load.attempts.len() - 1;
    if before > 0 {
        let words = format!(
            "That is attempt {} alone. What the {} before it had committed was not done again.",
            attempt.number,
            if before == 1 { "one".to_owned() } else { count(before as u64) }
        );
        verdict.advice.insert(0, words);
    }
    verdict
}

fn of_bound(advice: &mut Vec<String>, load: &Loaded, attempt: &Attempt, shares: Shares) {
    let spent = |what: &str| attempt.spent(what).unwrap_or(0.0);
    let pipeline = spent("pipeline");
    let partitions = f64::from(attempt.partitions().max(1));
    let busy: f64 = attempt.batches.iter().map(|batch| (batch.ended - batch.began).max(0.0)).sum();
    let busy = (busy / (pipeline * partitions)).clamp(0.0, 1.0);
    let plan = load.plan();
    let cores = plan.map_or(1, |plan| plan.cores);
    if shares.server >= shares.source.max(shares.loader) {
        if let Some(why) = plan.and_then(|plan| plan.one_partition.as_ref()) {
            advice.push(format!("One connection did all of the writing, and more would not help: {why}."));
        } else if busy > 0.75 {
            let now = attempt.partitions();
            let who = match now {
                1 => "The one connection was".to_owned(),
                now => format!("All {now} connections were"),
            };
            advice.push(format!(
                "{who} at work for {:.0}% of the time: --pool-size {} may be faster where the server has cores to \
                 spare, and its disk too.",
                busy * 100.0,
                now * 2
            ));
        }
        return;
    }
    // Fewer connections would have been as fast.
    let needed = (busy * partitions * 1.5).ceil().max(1.0);
    if partitions >= 2.0 && needed < partitions && pipeline > 1.0 {
        advice.push(format!(
            "The {partitions} connections were at work for {:.0}% of the time: --pool-size {needed} would have \
             been as fast.",
            busy * 100.0
        ));
    }
    if shares.loader >= shares.source {
        let decoding = spent("decoding") / pipeline.max(1e-9);
        let by_clock: f64 = attempt.blocks.iter().map(|block| block.decoded[1] - block.decoded[0]).sum();
        if by_clock > 2.0 * spent("decoding") && by_clock > 1.0 {
            advice.push(format!(
                "Decoding took {} by the clock and {} of CPU time: other programs had the cores of this machine.",
                time(by_clock),
                time(spent("decoding"))
            ));
        } else if spent("reading") > 0.7 * pipeline {
            advice.push(
                "One loop reads, and it was at work all the time: decompressing and finding records is its \
                 part, so a cheaper compression, or none, would help most."
                    .to_owned(),
            );
        } else if decoding > 0.6 * cores as f64 {
            advice.push(format!("Decoding took {decoding:.1} of {cores} cores: more cores would help."));
        }
    } else if shares.is_limit {
        advice.push(
            "Requests waited for --rate or for what the servers allow: raise it where they allow more."
                .to_owned(),
        );
    } else if attempt.samples.iter().any(|(_, sample)| sample.requests.is_some()) {
        advice.push(
            "The servers were waited for: --concurrency asks for more at the same time, where they allow it."
                .to_owned(),
        );
    } else {
        advice.push(
            "Bytes came too slowly: a faster disk, a compressed source, or one that is nearer.".to_owned(),
        );
    }
}

/// What the batches show of the server, whoever was the bound.
fn of_server(advice: &mut Vec<String>, attempt: &Attempt) {
    let took = |batch: &&crate::cli::events::BatchLine| batch.ended - batch.began;
    let all: f64 = attempt.batches.iter().map(|batch| took(&batch)).sum();
    let careful = attempt.batches.iter().filter(|batch| batch.way == WayName::Careful);
    let (batches, seconds) = careful.fold((0_u64, 0.0), |(n, sum), batch| (n + 1, sum + took(&batch)));
    if batches > 0 && seconds > 0.1 * all {
        advice.push(format!(
            "{} of {} batches went record by record, {:.0}% of the writers' time: the server refused records, or \
             keys repeat where that can be seen. Mended sources load faster.",
            count(batches),
            count(attempt.batches.len() as u64),
            seconds / all * 100.0
        ));
    }
    let when = if attempt.ticks.is_empty() { "" } else { ": the marks on the axis say when" };
    let waited: f64 = attempt.batches.iter().map(crate::cli::events::BatchLine::waited).sum();
    if waited > 0.3 * all && waited > 1.0 {
        advice.push(format!(
            "Beside sending, merging and committing, batches waited {} in sum: for a connection, a lock, a server \
             that was away, or a core of this machine{when}.",
            time(waited)
        ));
    }
}
