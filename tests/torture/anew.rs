//! Loads that begin anew, since somebody says so or since a hint does; and sources that are damaged and
//! mended.

use super::play::Play;
use crate::support::Outcome;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// A run is given up within this time, or its successor has ended.
const GIVEN_UP: Duration = Duration::from_secs(20);

/// A load that begins anew, from when that is known.
#[derive(Debug, Default, Clone)]
pub struct Anew {
    /// Runs of before.
    pub former: Vec<String>,
    /// Rows that were in the table then.
    pub held: u64,
    /// The table is emptied first: what it holds is worth nothing.
    empties: bool,
}

impl Play<'_> {
    /// From now on, until the unfinished run is given up, a start is one that begins anew.
    pub fn must_begin_anew(&mut self, empties: bool) {
        let sql = format!("SELECT run FROM _dbload.run WHERE target_oid = '{}'::regclass", self.load.table);
        self.anew = Some(Anew { former: self.control.lines(&sql), held: 0, empties });
    }

    /// Whether a run of before is still to be given up.
    pub fn is_to_begin_anew(&self) -> bool {
        let Some(anew) = &self.anew else { return false };
        let sql = format!(
            "SELECT run FROM _dbload.run WHERE state = 'running' AND target_oid = '{}'::regclass",
            self.load.table
        );
        self.control.lines(&sql).iter().any(|run| anew.former.contains(run))
    }

    /// What a start needs so that it begins anew: the flags.
    pub fn prepare_anew(&mut self) -> &'static str {
        self.load.wait_for_backends(&self.control);
        let (table, keyed) = (self.load.table.clone(), self.load.keyed);
        let Some(anew) = &mut self.anew else { return "" };
        if anew.empties || !keyed {
            self.control.sql(&format!("TRUNCATE {table}"));
        }
        // No crash takes these away.
        self.control.sql("CHECKPOINT");
        anew.held = self.control.count(&table);
        if keyed { "--restart" } else { "--restart --again" }
    }

    /// Somebody begins anew. Over rows of an append this is refused.
    pub fn begin_anew(&mut self) -> u64 {
        if self.is_alive() {
            let killed = self.end_by(Signal::KILL, 137);
            self.tally.count("kill", u64::from(killed));
        }
        if self.done.is_some() {
            return 0;
        }
        self.load.wait_for_backends(&self.control);
        let sql = format!(
            "SELECT coalesce(sum(inserted), 0) FROM _dbload.checkpoint JOIN _dbload.run USING (run) \
             WHERE state = 'running' AND target_oid = '{}'::regclass",
            self.load.table
        );
        let inserted =
            self.control.try_rows(&sql).map_or(0, |(rows, _)| rows[0][0].as_ref().unwrap().parse().unwrap());
        if inserted == 0_u64 || self.is_to_begin_anew() {
            return 0;
        }
        if !self.load.keyed {
            let outcome = self.spawn("--restart", None).wait();
            if [5, 7].contains(&outcome.code()) {
                self.ended(outcome);
                return 0;
            }
            let outcome = outcome.exits(8).says("--restart");
            self.note(&outcome.stderr);
            return 1;
        }
        self.must_begin_anew(false);
        self.running = Some(self.spawn("", None));
        let until = Instant::now() + GIVEN_UP;
        while self.is_to_begin_anew() && self.is_alive() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        u64::from(!self.is_to_begin_anew())
    }

    /// A bit of the last file flips; a start reads it; the whole file is put back. (Were it another one, its
    /// rest would come behind the files after it, and win over them.)
    pub fn damage(&mut self, flags: &str) -> u64 {
        if self.is_alive() {
            let killed = self.end_by(Signal::KILL, 137);
            self.tally.count("kill", u64::from(killed));
        }
        let path = self.load.last_file(&self.folder);
        if self.done.is_some() || path.extension().is_none_or(|ending| ending != "gz") {
            return 0;
        }
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[self.rng.index(whole.len())] ^= 1 << self.rng.below(8);
        std::fs::write(&path, damaged).unwrap();
        let outcome = self.spawn(flags, None).wait();
        std::fs::write(&path, whole).unwrap();
        self.judge_damaged(outcome)
    }

    fn judge_damaged(&mut self, outcome: Outcome) -> u64 {
        let said = &outcome.stderr;
        if outcome.code() == 6 && said.contains("has no column for") {
            // The name of a field was hit, and the plan refused it: nothing was loaded.
            self.note(said);
            return 1;
        }
        let is_noticed = match outcome.code() {
            4 => true,
            8 => said.contains("changed since the unfinished run"),
            _ => false,
        };
        if !is_noticed {
            // A bit that means nothing, a file that was read already, or no start at all.
            self.ended(outcome);
            return 0;
        }
        assert!(said.contains(".jsonl.gz"), "which file? {outcome}");
        assert!(!said.contains("panicked"), "it panicked: {outcome}");
        if said.contains("may be wrong") {
            self.must_begin_anew(true);
        }
        self.note(&outcome.stderr);
        1
    }
}
