//! What was appended before is known by what a file is, and not by the text of its path: it is left out, and
//! said. What cannot be known is refused until the user says that it is to be appended.

use crate::format::RecordsPath;
use crate::input::{Change, Description, Input, Recorded, SourceError, StoreObject};
use crate::job::{EarlierRuns, Reading};
use crate::ledger::{Appended, AppendedState, AppendedTo, Ledger, LedgerError};
use crate::prepared::LoadError;
use crate::schema::Table;

use super::emptiness::{SeenRows, look_for};

/// What an earlier append means for a file that is to be appended.
enum Before {
    /// Nothing: it is another one, or what it had appended is gone.
    Nothing,
    /// All of it is in the table.
    AllOfIt,
}

/// Whether what was appended is in the table.
enum Presence {
    There,
    Gone,
    /// It cannot be told, and why.
    Doubtful(&'static str),
}

impl Presence {
    /// What a whole append means, of which this is left.
    fn judge(self, name: String) -> Result<Before, LoadError> {
        match self {
            Self::There => Ok(Before::AllOfIt),
            Self::Gone => Ok(Before::Nothing),
            Self::Doubtful(why) => Err(LedgerError::AppendedInDoubt { name, why }.into()),
        }
    }
}

/// The table that is appended to.
pub(super) struct AppendTarget<'t> {
    pub(super) table: &'t Table,
    /// The role may read it.
    pub(super) may_select: bool,
    /// How sources are read.
    pub(super) reading: &'t Reading,
}

/// Leaves out what earlier appends have put into the table.
pub(super) async fn skip_appended(
    inputs: &mut Vec<Input>,
    ledger: &mut Ledger,
    target: &AppendTarget<'_>,
    runs: &EarlierRuns,
) -> Result<Vec<String>, LoadError> {
    refuse_same_files(inputs).await?;
    let before = ledger.appended(target.table.oid, &target.table.name).await?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let records = target.reading.records.as_deref();
    let mut skipped = Vec::new();
    let mut left = Vec::with_capacity(inputs.len());
    for input in inputs.drain(..) {
        let mut leave_out = false;
        if !runs.appends_again(&input.name) {
            for earlier in before.iter().filter(|earlier| are_same(earlier.records.as_deref(), records)) {
                if let Before::AllOfIt = judge(&input, earlier, &before, ledger, target).await? {
                    leave_out = true;
                    break;
                }
            }
        }
        if leave_out { skipped.push(input.name) } else { left.push(input) }
    }
    *inputs = left;
    if inputs.is_empty() && !skipped.is_empty() {
        return Err(LedgerError::LoadedBefore { names: skipped }.into());
    }
    for (ordinal, input) in inputs.iter_mut().enumerate() {
        input.begin.source = u32::try_from(ordinal).unwrap_or(u32::MAX);
    }
    Ok(skipped)
}

/// Whether two paths lead to the same records, however they are spelt.
pub(super) fn are_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.map(RecordsPath::of) == other.map(RecordsPath::of)
}

/// An append of a file under two names would store its records twice.
async fn refuse_same_files(inputs: &[Input]) -> Result<(), LoadError> {
    let mut seen = std::collections::HashMap::new();
    for input in inputs {
        let Some(Recorded { print, .. }) = input.on_disk() else { continue };
        let part = input.description.part();
        if let Some(other) = seen.insert((print.device, print.inode, part), &input.name) {
            let (name, other) = (input.name.clone(), other.clone());
            return Err(SourceError::SameFile { name, other }.into());
        }
    }
    Ok(())
}

async fn judge(
    input: &Input,
    earlier: &Appended,
    all: &[Appended],
    ledger: &mut Ledger,
    target: &AppendTarget<'_>,
) -> Result<Before, LoadError> {
    if !is_complete(earlier) && earlier.read == 0 && !may_go_on(earlier) {
        return Ok(Before::Nothing);
    }
    let Ok(description) = serde_json::from_value::<Description>(earlier.description.clone()) else {
        return Ok(Before::Nothing);
    };
    if let (Some(then), Some(now)) = (description.spec.location.object(), input.location().object()) {
        if !then.is_at(now) {
            return Ok(Before::Nothing);
        }
        let present = whereabouts(&input.name, earlier, all, ledger, target).await?;
        return present.map_or(Ok(Before::Nothing), |present| judge_object(then, now, present));
    }
    if description.spec.location.member().is_some() || input.location().member().is_some() {
        return judge_member(input, &description, earlier, all, ledger, target).await;
    }
    let (Some(then), Some(now)) = (description.file(), input.file()) else { return Ok(Before::Nothing) };
    if description.part() != input.description.part() {
        // Another sheet of what may be the same workbook.
        return Ok(Before::Nothing);
    }
    let name = || input.name.clone();
    if !then.is_same_file(now).await {
        // Without records there is nothing that could be stored twice, now or when the run goes on.
        let same = (earlier.read > 0 || (may_go_on(earlier) && now.print.size > 0))
            && (then.has_content_of(now).await || input.is_repacked(then, target.reading).await);
        return match same && !matches!(presence(earlier, ledger, target).await?, Presence::Gone) {
            true => {
                Err(LedgerError::AppendedElsewhere { name: name(), earlier: earlier.name.clone() }.into())
            }
            false => Ok(Before::Nothing),
        };
    }
    let change = then.print.compare(now.path).await.unwrap_or(Change::Gone);
    if then.path != now.path && is_another(&change) {
        return Ok(Before::Nothing);
    }
    let Some(present) = whereabouts(&input.name, earlier, all, ledger, target).await? else {
        return Ok(Before::Nothing);
    };
    if let Change::Same | Change::Touched { .. } = change {
        return present.judge(name());
    }
    let change = change.to_string();
    Err(LedgerError::AppendedAndChanged { name: name(), change }.into())
}

/// The number of a file is given again when that is gone: under another path, what has not even begun with
/// the same content is another file.
const fn is_another(change: &Change) -> bool {
    !matches!(change, Change::Same | Change::Touched { .. } | Change::Grew { .. })
}

/// The same where one of both is a member of an archive: it is known by its name there, and by its content.
async fn judge_member(
    input: &Input,
    description: &Description,
    earlier: &Appended,
    all: &[Appended],
    ledger: &mut Ledger,
    target: &AppendTarget<'_>,
) -> Result<Before, LoadError> {
    let name = || input.name.clone();
    let (Some(then), Some(now)) = (description.on_disk(), input.on_disk()) else {
        return Ok(Before::Nothing);
    };
    if !input.is_same_part(description).await {
        let same = earlier.read > 0 && input.has_content_of_member(description, target.reading).await;
        return match same && !matches!(presence(earlier, ledger, target).await?, Presence::Gone) {
            true => {
                Err(LedgerError::AppendedElsewhere { name: name(), earlier: earlier.name.clone() }.into())
            }
            false => Ok(Before::Nothing),
        };
    }
    let change = then.print.compare(now.path).await.unwrap_or(Change::Gone);
    let is_whole = matches!(change, Change::Same | Change::Touched { .. });
    // Other members may have come or gone.
    let is_kept = is_whole || input.has_content_of_member(description, target.reading).await;
    if !is_kept && then.path != now.path && is_another(&change) {
        return Ok(Before::Nothing);
    }
    let Some(present) = whereabouts(&input.name, earlier, all, ledger, target).await? else {
        return Ok(Before::Nothing);
    };
    if is_kept {
        return present.judge(name());
    }
    let change = change.to_string();
    Err(LedgerError::AppendedAndChanged { name: name(), change }.into())
}

/// The same of an object: it is known by its place and its version.
fn judge_object(then: &StoreObject, now: &StoreObject, present: Presence) -> Result<Before, LoadError> {
    let name = now.word.clone();
    if then.etag.is_none() || then.etag != now.etag {
        let known = |object: &StoreObject| object.etag.clone().unwrap_or_else(|| "unknown".to_owned());
        let change = format!("its ETag was {}, now it is {}", known(then), known(now));
        return Err(LedgerError::AppendedAndChanged { name, change }.into());
    }
    present.judge(name)
}

fn is_complete(earlier: &Appended) -> bool {
    earlier.state == AppendedState::Complete
}

/// A run of another table is not gone on with here.
fn may_go_on(earlier: &Appended) -> bool {
    earlier.state == AppendedState::Unfinished && earlier.relation != AppendedTo::Namesake
}

/// Where a whole append of the same source has left its records; `None`: nowhere. Of others, and of those to
/// another table, it is an error.
async fn whereabouts(
    name: &str,
    earlier: &Appended,
    all: &[Appended],
    ledger: &mut Ledger,
    target: &AppendTarget<'_>,
) -> Result<Option<Presence>, LoadError> {
    let name = || name.to_owned();
    let present = presence(earlier, ledger, target).await?;
    if matches!(present, Presence::Gone) && !may_go_on(earlier) {
        return Ok(None);
    }
    match earlier.relation {
        AppendedTo::Itself | AppendedTo::Renamed => {}
        AppendedTo::Namesake => {
            let Presence::Doubtful(why) = present else { return Ok(None) };
            return Err(LedgerError::AppendedInDoubt { name: name(), why }.into());
        }
        relation @ (AppendedTo::Part | AppendedTo::Whole) => {
            let (table, is_part) = (earlier.target.clone(), relation == AppendedTo::Part);
            return Err(LedgerError::AppendedToKin { name: name(), table, is_part }.into());
        }
    }
    if !is_complete(earlier) {
        let sources = all.iter().filter(|other| other.run == earlier.run).map(|other| other.name.clone());
        let (run, read) = (earlier.run.clone(), earlier.read);
        let given_up = earlier.state == AppendedState::GivenUp;
        let mut sources: Vec<String> = sources.collect();
        sources.dedup();
        return Err(LedgerError::AppendedInPart { name: name(), run, sources, read, given_up }.into());
    }
    Ok(Some(present))
}

/// Whether what was appended is in the table.
async fn presence(
    earlier: &Appended,
    ledger: &mut Ledger,
    target: &AppendTarget<'_>,
) -> Result<Presence, LoadError> {
    let table = target.table;
    if earlier.read == 0 {
        return Ok(Presence::There);
    }
    match look_for(ledger, table, target.may_select, &earlier.files).await? {
        SeenRows::Rows => {}
        SeenRows::Nothing => return Ok(Presence::Gone),
        SeenRows::Hidden(why) => return Ok(Presence::Doubtful(why)),
    }
    // Partitions that are gone are those of old records; one with another file was truncated or rewritten.
    let is_rewritten = earlier.files.iter().any(|(oid, file, _)| {
        table.tree.members.iter().any(|member| member.oid == *oid && member.file != *file)
    });
    let doubt = match earlier.relation {
        AppendedTo::Namesake => "another table has its name since: made anew, copied or restored",
        AppendedTo::Renamed => "it had another name then",
        AppendedTo::Itself | AppendedTo::Part | AppendedTo::Whole if !is_rewritten => {
            return Ok(Presence::There);
        }
        _ => "the table was truncated or rewritten since",
    };
    let is_proved = ledger.still_holds(&table.name, earlier).await?;
    Ok(if is_proved { Presence::There } else { Presence::Doubtful(doubt) })
}
