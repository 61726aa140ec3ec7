//! What the sample shows of values that their columns would hold as others, in words.

use std::fmt::Write as _;

use crate::map::{Foreseen, ForeseenLoss};

use super::refusal::Refusal;

/// Of fewer records nothing is concluded.
const RECORDS_MIN: u64 = 5;

/// Worth saying before the first row.
#[must_use]
pub fn foreseen_notes(foreseen: &Foreseen) -> Vec<String> {
    let losses = foreseen.losses().map(|loss| {
        let records = foreseen.records;
        format!(
            "{}: {} of {records} sampled records are rejects (--narrowing {}=allow leaves such values to the server)",
            words(loss),
            loss.values,
            loss.column
        )
    });
    let spellings = foreseen.spellings().map(|seen| {
        format!(
            "column {}: {} at {} looks like {}: bytea reads bytes as hexadecimal behind \\x, and stores this as its letters",
            seen.column, seen.first, seen.place, seen.spelling
        )
    });
    losses.chain(spellings).collect()
}

/// Refuses where most of the sample would be rejects.
pub fn refuse_narrowed(foreseen: &Foreseen) -> Result<(), Refusal> {
    if foreseen.records < RECORDS_MIN || foreseen.refused * 2 <= foreseen.records {
        return Ok(());
    }
    let losses: Vec<String> = foreseen.losses().map(words).collect();
    let message = format!(
        "{} of the first {} records would be rejects: {}",
        foreseen.refused,
        foreseen.records,
        losses.join("; ")
    );
    let mut hint = String::new();
    for loss in foreseen.losses() {
        let _ = write!(hint, "--narrowing {}=allow ", loss.column);
    }
    Err(Refusal::new(
        message,
        hint + "leaves them to the server, as it reads them; or give the column a type that holds them",
    ))
}

fn words(loss: &ForeseenLoss) -> String {
    let ForeseenLoss { column, type_name, words, first, place, .. } = loss;
    format!("column {column}: {words} as {type_name}, first of {first} at {place}")
}
