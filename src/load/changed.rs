//! Files that are not what they were, or not whole: looked for before a record of them is stored.
//!
//! A resume compares what was read of each file with what its checkpoints say, and refuses where that
//! differs, at every start, until the user says which content counts. Where he takes the new one, the run
//! goes on behind as many records as were dealt with before: places are found again by their number, since
//! bytes may have moved.
//!
//! All partitions go on from one place: a record of the new content may belong to another partition than that
//! of its number in the old one, and that may be past it. By keys, what some had read is applied again; an
//! append would have it twice, and is refused.

use std::collections::HashMap;

use crate::input::{Access, Begin, Change, Input, Passed, Readings, Recorded, SourceError, compare_with};
use crate::job::Job;
use crate::ledger::{Checkpoint, LedgerError, Rebase, StoredRun, rebase};
use crate::pg::Lease;
use crate::prepared::LoadError;
use crate::record::{PageToken, Place, Position};
use crate::schema::Mode;

use super::resume::{give_unstored, stored_inputs};
use super::slots::open;
use super::stored;

/// What a resume has found its files to be.
#[derive(Default)]
pub(super) struct Checked {
    /// What was read for that, by source.
    pub(super) passed: HashMap<u32, Vec<Passed>>,
    /// Sources with another content, which the user takes.
    pub(super) accepted: Vec<u32>,
}

/// Files that are still to be read must be what they were, as far as they were read, whatever size and time
/// say; or the user says that they count as they are.
pub(super) async fn check_sources(
    stored: &StoredRun,
    mode: Mode,
    named: &[Input],
    accept: &[String],
) -> Result<Checked, LoadError> {
    let from = stored.checkpoints.iter().filter(|c| !c.done).map(|c| c.at).min();
    let first = from.map_or(0, |from| from.source);
    let inputs = stored_inputs(stored, named)?;
    if let Some(name) = accept.iter().find(|name| !inputs.iter().any(|input| is_called(input, name))) {
        return Err(LedgerError::NoSuchSource { run: stored.run.clone(), name: name.clone() }.into());
    }
    let mut checked = Checked::default();
    // Of one that was set aside the rest is read, though the checkpoints are behind it.
    let is_read = |input: &&Input| {
        input.begin.source >= first || (input.set_aside.is_some() && input.moved_to.is_none())
    };
    for input in inputs.iter().filter(is_read).filter(|input| !input.is_unread()) {
        match compare(input, from, stored).await {
            Ok(passed) => {
                checked.passed.insert(input.begin.source, passed);
            }
            Err(_) if accept.iter().any(|name| is_called(input, name)) => {
                checked.accepted.push(input.begin.source);
            }
            Err(change) => {
                let (run, name, change) = (stored.run.clone(), input.name.clone(), change.to_string());
                let may_be_accepted =
                    mode != Mode::Append || again_from(stored, &[input.begin.source]).is_none();
                return Err(LedgerError::FileChanged { run, name, change, may_be_accepted }.into());
            }
        }
    }
    // A file may have two entries, the second for its rest: it has one content.
    let location = |source: &u32| inputs.get(*source as usize).map(Input::location);
    let of_accepted = inputs
        .iter()
        .filter(|input| checked.accepted.iter().any(|source| location(source) == Some(input.location())));
    checked.accepted = of_accepted.map(|input| input.begin.source).collect();
    refuse_append(stored, mode, again_from(stored, &checked.accepted))?;
    Ok(checked)
}

/// An append cannot read records again.
fn refuse_append(stored: &StoredRun, mode: Mode, again_from: Option<Position>) -> Result<(), LedgerError> {
    let Some(from) = again_from.filter(|_| mode == Mode::Append) else { return Ok(()) };
    let name =
        stored.sources.get(from.source as usize).map_or_else(String::new, |source| source.name.clone());
    Err(LedgerError::PlacesDiffer { run: stored.run.clone(), name, partitions: stored.partitions })
}

/// The first place in sources of another content that some partition has still to read, where another one is
/// behind it: from there on all of them read again. `None`: none is.
fn again_from(stored: &StoredRun, accepted: &[u32]) -> Option<Position> {
    let lowest = stored.checkpoints.iter().filter(|c| !c.done).map(|c| c.at).min()?;
    let unread = accepted.iter().filter(|source| **source >= lowest.source);
    let first = unread.map(|source| lowest.max(Position::start_of(*source))).min()?;
    stored.checkpoints.iter().any(|c| is_past(c, first)).then_some(first)
}

fn is_past(checkpoint: &Checkpoint, place: Position) -> bool {
    checkpoint.done || checkpoint.at.without_line() > place.without_line()
}

fn is_called(input: &Input, name: &str) -> bool {
    let Some(path) = input.location().on_disk() else { return false };
    input.name == name || std::path::absolute(name).is_ok_and(|named| named == path)
}

/// Reads as much of a file as was read before.
async fn compare(input: &Input, from: Option<Position>, stored: &StoredRun) -> Result<Vec<Passed>, Change> {
    let Some(Recorded { path, print }) = input.on_disk() else { return Ok(Vec::new()) };
    // Of one whose rest is another entry, that has the younger fingerprint.
    if input.moved_to.is_none() {
        let change = print.compare(path).await.unwrap_or(Change::Gone);
        if !change.keeps_recorded_part() {
            return Err(change);
        }
    }
    if input.location().member().is_some() {
        // What was read of it is compared on the way to its place.
        return Ok(Vec::new());
    }
    let begin = from.and_then(|from| input.begin_from(from, &Checkpoint::tokens(&stored.checkpoints)));
    let set_aside = input.set_aside.as_ref();
    let tokens = begin.iter().flat_map(|begin| begin.pages.iter().map(|(_, token)| token.clone()));
    let tokens: Vec<_> = tokens
        .chain(set_aside.and_then(|place| place.page.as_ref()).into_iter().flat_map(Readings::each))
        .collect();
    let until = begin.iter().map(|begin| begin.at.offset).chain(set_aside.map(|place| place.offset));
    let until: Vec<u64> = until.collect();
    compare_with(path, &tokens, &until).await.unwrap_or(Err(Change::Gone))
}

/// Finds the places of a run in files with another content again, and stores them with what the files are
/// now. The answer is the place from which records are read again, if there is one.
pub(super) async fn accept(
    job: &Job,
    pool: &Lease,
    stored: &mut StoredRun,
    mode: Mode,
    named: &[Input],
    accepted: &[u32],
) -> Result<Option<Position>, LoadError> {
    let again_from = again_from(stored, accepted);
    // Once more: whom the run was taken from may have gone on until then.
    refuse_append(stored, mode, again_from)?;
    let goes_back = |checkpoint: &Checkpoint| again_from.is_some_and(|first| is_past(checkpoint, first));
    let back: Vec<bool> = stored.checkpoints.iter().map(goes_back).collect();
    let (mut sources, mut moved, mut first) = (Vec::new(), Vec::new(), None);
    for source in accepted {
        let Some(entry) = stored.sources.get(*source as usize) else { continue };
        let Some(mut input) = stored::read(entry, *source as usize) else { continue };
        give_unstored(std::slice::from_mut(&mut input), named);
        if input.location().on_disk().is_none() {
            continue;
        }
        let found = rebase_input(job, &mut input, stored).await?;
        for (partition, checkpoint) in stored.checkpoints.iter().enumerate() {
            if checkpoint.at.source == *source
                && !checkpoint.done
                && !back[partition]
                && let Some((at, page)) = found.get(&checkpoint.at.record)
            {
                moved.push((partition, Checkpoint { at: *at, page: page.clone(), ..checkpoint.clone() }));
            }
        }
        if let Some(from) = again_from.filter(|from| from.source == *source) {
            first = found.get(&from.record).cloned();
        }
        let entry = stored::store(&input);
        stored.sources[*source as usize] = entry.clone();
        sources.push((*source, entry));
    }
    if let Some((at, page)) = first {
        for (partition, checkpoint) in stored.checkpoints.iter().enumerate().filter(|(n, _)| back[*n]) {
            moved.push((partition, Checkpoint { at, page: page.clone(), done: false, ..checkpoint.clone() }));
        }
    }
    let to =
        Rebase { run: &stored.run, epoch: stored.epoch, sources: &sources, partitions: &moved, again_from };
    let judged_again = rebase(&open(pool).await?, &to).await?;
    for (partition, checkpoint) in moved {
        stored.checkpoints[partition] = checkpoint;
    }
    for (partition, rejects) in judged_again {
        let books = &mut stored.checkpoints[partition].books;
        (books.read, books.rejected) =
            (books.read.saturating_sub(rejects), books.rejected.saturating_sub(rejects));
    }
    Ok(again_from)
}

/// Where so many records of a content end, by their number.
type RecordEnds = HashMap<u64, (Position, Option<PageToken>)>;

async fn rebase_input(job: &Job, input: &mut Input, stored: &StoredRun) -> Result<RecordEnds, LoadError> {
    let source = input.begin.source;
    let name = input.name.clone();
    input.describe_anew().await.map_err(|source| SourceError::Open { name, source })?;
    let here = stored.checkpoints.iter().filter(|c| c.at.source == source && !c.done);
    let mut wanted: Vec<u64> = here.map(|c| c.at.record).collect();
    wanted.push(input.begin.record);
    wanted.extend(input.set_aside.as_ref().map(|place| place.record));
    wanted.sort_unstable();
    wanted.dedup();
    let start = Position::start_of(source);
    let mut found = RecordEnds::from([(0, (start, None))]);
    wanted.retain(|record| *record > 0);
    let whole = Input { begin: start, begin_page: None, set_aside: None, moved_to: None, ..input.clone() };
    whole.check_whole(&job.reading, &Begin::at(start)).await?;
    let mut opened = whole.open(&job.reading, &Access::default(), &Begin::at(start)).await?;
    let (mut last, mut wanted) = (0, wanted.into_iter().peekable());
    while wanted.peek().is_some() {
        let Some((block, _)) = opened.next(&mut 0).await? else { break };
        last = block.start.record + block.len() as u64;
        while let Some(record) = wanted.next_if(|record| *record <= last) {
            let i = usize::try_from(record - block.start.record).unwrap_or(usize::MAX);
            let at = if record == last { block.end } else { block.after(i - 1) };
            found.insert(record, (at, block.page.clone()));
        }
    }
    if let Some(record) = wanted.next() {
        let change = format!("it has only {last} records, and {record} were read before");
        let (run, name) = (stored.run.clone(), input.name.clone());
        return Err(LedgerError::FileChanged { run, name, change, may_be_accepted: false }.into());
    }
    if let Some((at, page)) = found.get(&input.begin.record) {
        (input.begin, input.begin_page) = (*at, page.clone());
    }
    if let Some(place) = &mut input.set_aside
        && let Some((at, page)) = found.get(&place.record)
    {
        *place = Place::new(*at, page.clone());
    }
    Ok(found)
}
