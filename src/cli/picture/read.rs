//! A record of events, read back: attempts and what happened in them. What is no line is passed over, and
//! counted.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use crate::cli::events::{EventLine, What};

use super::figures::{Attempt, Loaded};

/// Longest line that is looked at; what is longer is none of ours.
const LINE_MAX: u64 = 64 << 20;

/// What stands in a record.
#[derive(Debug, Default)]
pub(crate) struct EventRecord {
    /// The loads, in the order in which they were first heard of: each with the attempts of its last run.
    pub(crate) loads: Vec<Loaded>,
    /// Lines that are none, or of a later version.
    pub(crate) passed_over: u64,
}

/// What makes attempts one load: its name in a job file; of one load alone there is none.
type AttemptKey = (Option<String>, Option<String>, u32, u32);

/// Reads a record. `run`: that one, instead of the last one of each load.
pub(crate) fn read(source: impl BufRead, run: Option<&str>) -> io::Result<EventRecord> {
    let mut recorded = EventRecord::default();
    let mut attempts: Vec<(AttemptKey, Attempt)> = Vec::new();
    let mut latest: BTreeMap<AttemptKey, usize> = BTreeMap::new();
    each_line(source, |bytes| {
        let line = serde_json::from_slice::<EventLine>(bytes).ok().filter(|line| line.v == 1);
        let Some(line) = line else {
            recorded.passed_over += 1;
            return;
        };
        let key: AttemptKey = (line.load.clone(), line.run.clone(), line.attempt, line.pid);
        let begins = matches!(line.what, What::Plan(_)) || !latest.contains_key(&key);
        if begins {
            latest.insert(key.clone(), attempts.len());
            attempts.push((key.clone(), Attempt::new(line.attempt)));
        }
        if let Some((_, attempt)) = latest.get(&key).and_then(|n| attempts.get_mut(*n)) {
            attempt.hear(line.t, line.what);
        }
    })?;
    recorded.loads = by_load(attempts, run);
    Ok(recorded)
}

fn by_load(attempts: Vec<(AttemptKey, Attempt)>, wanted: Option<&str>) -> Vec<Loaded> {
    let mut loads: Vec<Loaded> = Vec::new();
    for ((name, run, _, _), attempt) in attempts {
        if wanted.is_some() && run.as_deref() != wanted {
            continue;
        }
        let found = loads.iter().position(|load| load.name == name);
        let load = match found {
            Some(n) => &mut loads[n],
            None => {
                loads.push(Loaded { name, ..Loaded::default() });
                let last = loads.len() - 1;
                &mut loads[last]
            }
        };
        // Another run, or one without a ledger, begins: what was before is history.
        if load.run != run || run.is_none() {
            load.attempts.clear();
        }
        load.run = run;
        load.attempts.push(attempt);
    }
    loads
}

fn each_line(mut source: impl BufRead, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = io::Read::take(&mut source, LINE_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            take(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_lines_and_other_versions_are_passed_over_and_counted() {
        let text = "{\"v\":1,\"t\":0.5,\"run\":\"a\",\"attempt\":1,\"pid\":7,\"kind\":\"stop\"}\n\
                    {\"v\":1,\"t\":0.6,\"run\":\"a\",\"att\n\
                    {\"v\":2,\"t\":0.5,\"run\":\"a\",\"attempt\":1,\"pid\":7,\"kind\":\"stop\"}\n\
                    {\"v\":1,\"t\":0.9,\"run\":\"a\",\"attempt\":1,\"pid\":7,\"kind\":\"of_tomorrow\"}\n";
        let recorded = read(text.as_bytes(), None).unwrap();
        assert_eq!((recorded.loads.len(), recorded.passed_over), (1, 3));
        assert!(read(text.as_bytes(), Some("b")).unwrap().loads.is_empty());
    }
}
