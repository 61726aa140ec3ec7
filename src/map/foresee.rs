//! What a sample shows of values that their columns would not hold as they are: it is said before the first
//! row.

use std::collections::{BTreeMap, HashMap};

use crate::format::{Fields, Layout};
use crate::record::Block;

use super::cell::Cell;
use super::column::ColumnEncoder;
use super::mapping::{Mapping, Slot, Target};

/// Characters of a value that are shown.
const SHOWN_CHARS_MAX: usize = 40;
/// A shorter text may be base64 by chance.
const BASE64_BYTES_MIN: usize = 8;

/// What a sample has shown.
#[derive(Debug, Clone, Default)]
pub struct Foreseen {
    /// Records that were looked at.
    pub records: u64,
    /// Those that would be rejects.
    pub refused: u64,
    losses: BTreeMap<Slot, ForeseenLoss>,
    spellings: BTreeMap<Slot, ForeseenSpelling>,
}

/// A column whose values would become others.
#[derive(Debug, Clone)]
pub struct ForeseenLoss {
    /// Name of the column whose values would be narrowed.
    pub column: String,
    /// Type of the column, as SQL has it.
    pub type_name: String,
    /// Values of the sample that would.
    pub values: u64,
    /// What the first of them would lose, in words.
    pub words: &'static str,
    /// The first, as far as it is shown.
    pub first: String,
    /// Place of its record: `file:line`.
    pub place: String,
}

/// A column of bytea whose values look like bytes in another spelling than those that the server reads.
#[derive(Debug, Clone)]
pub struct ForeseenSpelling {
    /// Name of the column.
    pub column: String,
    /// Which spelling that is, in words.
    pub spelling: &'static str,
    /// The first value, as far as it is shown.
    pub first: String,
    /// Place of its record: `file:line`.
    pub place: String,
}

impl Foreseen {
    /// The columns whose values would become others.
    pub fn losses(&self) -> impl Iterator<Item = &ForeseenLoss> {
        self.losses.values()
    }

    /// The columns of bytea whose values look like bytes in another spelling.
    pub fn spellings(&self) -> impl Iterator<Item = &ForeseenSpelling> {
        self.spellings.values()
    }
}

impl Mapping {
    /// Looks at records of a sampled source.
    pub fn foresee(&self, source: &str, layout: &Layout, block: &Block, foreseen: &mut Foreseen) {
        let columns: Vec<Option<ColumnEncoder<'_>>> = (0..self.slots.len())
            .map(|slot| {
                Some(ColumnEncoder::new(self, slot)).filter(|column| column.refuses() || column.is_bytes())
            })
            .collect();
        if columns.iter().all(Option::is_none) {
            return;
        }
        let slots: Vec<Option<Slot>> = layout.names().iter().map(|name| self.slot_of(name)).collect();
        let mut named: HashMap<String, Option<Slot>> = HashMap::new();
        let mut slot_named = |name: &str| match named.get(name) {
            Some(slot) => *slot,
            None => *named.entry(name.to_owned()).or_insert(self.slot_of(name)),
        };
        let mut shaper = self.shaper(layout);
        layout.decode(block, &self.limits, &mut |i, fields| {
            let Ok(fields) = fields else { return };
            let shaped;
            let fields = match &mut shaper {
                None => fields,
                Some(shaper) => match shaper.shape(&fields) {
                    Ok(members) => {
                        shaped = members;
                        Fields::Mended(&shaped)
                    }
                    Err(_) => return,
                },
            };
            let mut look =
                Look { columns: &columns, foreseen: &mut *foreseen, refuses: false, source, block, i };
            match fields {
                Fields::Positional(values) => {
                    for (slot, value) in slots.iter().zip(values) {
                        look.at(*slot, value.map_or(Cell::Null, Cell::Text));
                    }
                }
                Fields::Named(members) => {
                    for (name, raw) in members {
                        look.at(slot_named(name), Cell::of_json(raw));
                    }
                }
                Fields::Mended(members) => {
                    for (name, value) in members {
                        look.at(slot_named(name), Cell::of(value));
                    }
                }
            }
            let refused = u64::from(look.refuses);
            foreseen.records += 1;
            foreseen.refused += refused;
        });
    }

    fn slot_of(&self, field: &str) -> Option<Slot> {
        match self.target(field).0 {
            Target::Slot(slot) => Some(slot),
            Target::Extra | Target::Generated | Target::Dropped => None,
        }
    }
}

/// At one record.
struct Look<'l, 'm> {
    columns: &'l [Option<ColumnEncoder<'m>>],
    foreseen: &'l mut Foreseen,
    refuses: bool,
    source: &'l str,
    block: &'l Block,
    i: usize,
}

impl Look<'_, '_> {
    fn at(&mut self, slot: Option<Slot>, cell: Cell<'_>) {
        let Some(column) = slot.and_then(|slot| self.columns.get(slot)?.as_ref()) else { return };
        let mut room = String::new();
        let Some((text, loss)) = column.foreseen(cell, &mut room) else { return };
        let place = || format!("{}:{}", self.source, self.block.line_of(self.i));
        if let Some(loss) = loss {
            self.refuses = true;
            let seen = self.foreseen.losses.entry(column.slot).or_insert_with(|| ForeseenLoss {
                column: column.name().to_owned(),
                type_name: column.type_name().to_owned(),
                values: 0,
                words: loss.words(),
                first: shown(text),
                place: place(),
            });
            seen.values += 1;
        } else if column.is_bytes()
            && let Some(spelling) = other_spelling(text)
        {
            self.foreseen.spellings.entry(column.slot).or_insert_with(|| ForeseenSpelling {
                column: column.name().to_owned(),
                spelling,
                first: shown(text),
                place: place(),
            });
        }
    }
}

fn shown(text: &str) -> String {
    let beginning: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let more = if beginning.len() < text.len() { ".." } else { "" };
    format!("{beginning:?}{more}")
}

/// How bytes are spelt in this text, if not as the server reads them.
fn other_spelling(text: &str) -> Option<&'static str> {
    let is_even = |n: usize| n > 0 && n.is_multiple_of(2);
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return (is_even(hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .then_some("hexadecimal behind 0x");
    }
    let letters = text.trim_end_matches('=');
    let is_padded = letters.len() < text.len();
    let has = |is: fn(&u8) -> bool| letters.as_bytes().iter().any(is);
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let is_base64 = text.len() >= BASE64_BYTES_MIN
        && text.len().is_multiple_of(4)
        && text.len() - letters.len() <= 2
        && letters.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    (is_base64 && (is_padded || is_mixed)).then_some("base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_other_spellings_are_told() {
        let hex = Some("hexadecimal behind 0x");
        let base64 = Some("base64");
        let cases = [
            ("0x48656c6c6f", hex),
            ("0x486", None),
            ("SGVsbG8=", base64),
            ("3q2+7w==", base64),
            ("SGVsbG8gd29ybGQ4", base64),
            ("\\x48656c6c6f", None),
            ("plainwords", None),
            ("abcdefgh", None),
            ("Abc1", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(other_spelling(text), expected, "{text}");
        }
    }

    #[test]
    fn long_values_are_shown_in_part() {
        assert_eq!(shown("a\tb"), "\"a\\tb\"");
        assert_eq!(shown(&"x".repeat(41)), format!("\"{}\"..", "x".repeat(40)));
    }
}
