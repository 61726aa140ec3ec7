//! How a case's records are dressed: under other names, nested, among fields that nobody wants, written as
//! people write them; and the flags that undress them. What a record means stays what it is, so the reference
//! needs to know nothing of it: dbload alone must find its way back.

use super::{
    case::Column,
    table::Table,
    values::{Cell, Kind, Quality},
};
use crate::{reference::Mode, support::Rng};
use std::collections::BTreeMap;

/// How parts of nested values are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    Path,
    Pointer,
    Flattened,
}

#[derive(Debug, Clone, Default)]
pub struct Dress {
    /// Of columns whose fields are called otherwise: the field, and the member of `o` that it is, if it is
    /// one.
    names: BTreeMap<String, (String, Option<String>)>,
    parsed: BTreeMap<String, &'static str>,
    pub flattens: bool,
    pub trims: bool,
    null_words: bool,
    pub junk: bool,
    /// Records stand within others, each in a list of its own.
    pub wraps: bool,
    /// A column whose values are masked as null.
    nulled: Option<String>,
    /// Records with a word in the field that nobody wants are left out.
    pub filters: bool,
    /// Records with another word there delete, ..
    pub deletes: bool,
    /// .. or mark.
    pub marks: bool,
    /// Columns that are set to what their fields are.
    set: Vec<String>,
    pub flags: Vec<String>,
}

/// The object that nested fields are members of.
pub const OBJECT: &str = "o";
/// In a field that nobody wants, what leaves a record out.
pub const LEFT_OUT: &str = "left 'out'";
/// There too, what deletes the row.
pub const DELETES: &str = "gone";
/// The column that marks rows.
pub const MARK: &str = "gone_for_now";
const NULLS: [&str; 2] = ["NULL", ""];

impl Dress {
    /// Half of the cases are as they always were.
    pub fn draw(rng: &mut Rng, table: &Table, mode: Mode) -> Self {
        let mut dress = Self::default();
        if rng.one_in(2) {
            return dress;
        }
        let nesting = rng.pick(&[Nesting::Path, Nesting::Pointer, Nesting::Flattened]);
        let mut plain = vec![];
        for (i, column) in table.loaded().enumerate() {
            let member = format!("m{i}");
            let field = match (rng.below(4), nesting) {
                (0, _) => Some((format!("f {i}"), None)),
                (1, Nesting::Path) => Some((format!("{OBJECT}.{member}"), Some(member))),
                (1, Nesting::Pointer) => Some((format!("/{OBJECT}/{member}"), Some(member))),
                (1, Nesting::Flattened) => Some((format!("{OBJECT}_{member}"), Some(member))),
                _ => None,
            };
            match field {
                Some(field) => {
                    dress.flags.push(format!("--map={}={}", field.0, column.name));
                    dress.names.insert(column.name.clone(), field);
                }
                None => plain.push(column.name.clone()),
            }
            if let Some(format) = format_of(column.kind).filter(|_| rng.one_in(3)) {
                dress.flags.push(format!("--parse={}={format}", column.name));
                dress.parsed.insert(column.name.clone(), format);
            }
        }
        dress.flattens = nesting == Nesting::Flattened;
        if dress.flattens {
            dress.flags.push("--flatten".to_owned());
        }
        dress.wraps = rng.one_in(5);
        if dress.wraps {
            dress.flags.push("--unnest=p.e".to_owned());
        }
        let is_free = |name: &&String| !table.key.contains(name) && !dress.parsed.contains_key(*name);
        let free: Vec<String> = plain.iter().filter(is_free).cloned().collect();
        if !free.is_empty() && rng.one_in(4) {
            let column = free[rng.index(free.len())].clone();
            dress.flags.push(format!("--mask={column}=null"));
            dress.nulled = Some(column);
        }
        dress.trims = rng.one_in(3);
        if dress.trims {
            dress.flags.push("--trim".to_owned());
        }
        dress.null_words = rng.one_in(3);
        if dress.null_words {
            dress.flags.extend(NULLS.map(|word| format!("--null-as={word}")));
            dress.flags.push("--null-strings".to_owned());
        }
        dress.junk = rng.one_in(2);
        if dress.junk {
            // Of an object in place of a number, what it is flattened to would be left out.
            let only = rng.one_in(2) && !plain.is_empty() && nesting != Nesting::Flattened;
            dress.flags.push(if only {
                format!("--only={}", plain.join(","))
            } else {
                "--drop=junk".to_owned()
            });
            dress.filters = rng.one_in(2);
            if dress.filters {
                let text = LEFT_OUT.replace('\'', "''");
                dress.flags.push(format!("--where=junk is distinct from '{text}'"));
            }
            if matches!(mode, Mode::Upsert | Mode::Update) {
                dress.draw_deletions(rng);
            }
        }
        // What a field of text is set to, the field would be.
        let is_number = |column: &&Column| matches!(column.kind, Kind::Int4 | Kind::Int8 | Kind::Numeric);
        for column in table.loaded().filter(is_number) {
            let name = &column.name;
            if plain.contains(name) && !dress.parsed.contains_key(name) && !dress.masks(name) && rng.one_in(4)
            {
                dress.flags.push(format!("--set={name}=record.{}", crate::support::database::ident(name)));
                dress.set.push(name.clone());
            }
        }
        dress
    }

    /// Of three cases two delete, and one of them marks.
    fn draw_deletions(&mut self, rng: &mut Rng) {
        self.deletes = !rng.one_in(3);
        if self.deletes {
            self.flags.push(format!("--delete-when=junk = '{DELETES}'"));
            self.marks = rng.one_in(2);
            self.flags.extend(self.marks.then(|| format!("--soft-delete={MARK}")));
        }
    }

    /// The name of a column's field, where records are flat.
    pub fn field(&self, column: &str) -> String {
        self.names.get(column).map_or_else(|| column.to_owned(), |(field, _)| field.clone())
    }

    /// Its values are masked.
    pub fn masks(&self, column: &str) -> bool {
        self.nulled.as_deref() == Some(column)
    }

    /// Something is asked of the server first.
    pub fn asks(&self) -> bool {
        self.filters || self.deletes || !self.set.is_empty()
    }

    /// A column is set by an expression.
    pub fn sets(&self, column: &str) -> bool {
        self.set.iter().any(|name| name == column)
    }

    /// The member of [`OBJECT`] that a column's field is, where records are nested.
    pub fn member(&self, column: &str) -> Option<&str> {
        self.names.get(column)?.1.as_deref()
    }

    /// A JSON value as it is written.
    pub fn json(&self, column: &Column, cell: Cell, rng: &mut Rng) -> Cell {
        let mut cell = match self.parsed.get(&column.name) {
            Some(_) if cell.literal.is_some() || cell.quality != Quality::Good => {
                respelt(column.kind, cell, true, rng)
            }
            _ => cell,
        };
        if self.nulled.as_ref() == Some(&column.name) {
            // What no decoder reads is refused whatever becomes of it.
            let is_odd = cell.quality != Quality::Good || self.flattens && cell.json.starts_with('{');
            let json = if is_odd { "\"x\"".to_owned() } else { cell.json };
            return Cell { json, ..Cell::null() };
        }
        if self.flattens && cell.quality == Quality::Unreadable && cell.json.starts_with('{') {
            // A field without a column, which a sample refuses: another value that is none of the type.
            cell.json = "true".to_owned();
        }
        if !cell.json.starts_with('"') || cell.quality == Quality::Unreadable {
            return cell;
        }
        if self.trims {
            let text: String = serde_json::from_str(&cell.json).unwrap();
            if rng.one_in(3) {
                cell.json = serde_json::to_string(&format!(" {text}\t")).unwrap();
            }
            cell.literal = cell.literal.map(|literal| literal.trim().to_owned());
        }
        let text: String = serde_json::from_str(&cell.json).unwrap();
        let text = if self.trims { text.trim() } else { &text };
        if self.null_words && NULLS.contains(&text) {
            cell = Cell { json: cell.json, ..Cell::null() };
        }
        cell
    }

    /// The field of CSV as it is written, before it is quoted; `quoted`: it will be, whatever it is.
    pub fn text(&self, column: &Column, cell: Cell, rng: &mut Rng, quoted: &dyn Fn(&str) -> bool) -> Cell {
        let mut cell = match self.parsed.get(&column.name) {
            Some(_) if cell.text.is_some() => respelt(column.kind, cell, false, rng),
            _ => cell,
        };
        if self.nulled.as_ref() == Some(&column.name) {
            let text = if cell.quality == Quality::Good { cell.text } else { Some("x".to_owned()) };
            return Cell { text, ..Cell::null() };
        }
        let Some(text) = cell.text.clone() else {
            // NULL is an empty field: with words for it, that is one of them.
            return cell;
        };
        if self.trims {
            if rng.one_in(3) {
                cell.text = Some(format!(" {text} "));
            }
            cell.literal = cell.literal.map(|literal| literal.trim().to_owned());
        }
        let text = cell.text.clone().unwrap();
        let shown = if self.trims { text.trim() } else { &text };
        let is_null = if self.null_words { NULLS.contains(&shown) } else { shown.is_empty() };
        if is_null && !quoted(&text) {
            cell = Cell { text: cell.text, ..Cell::null() };
        }
        cell
    }
}

fn format_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Date => "date:%d.%m.%Y",
        Kind::Timestamp => "epoch",
        Kind::Int4 | Kind::Int8 | Kind::Positive | Kind::Numeric | Kind::Money => "number:1.234,56",
        Kind::Bool => "bool:ja,Ja/nein",
        Kind::Jsonb | Kind::Json | Kind::Ints => "json",
        _ => return None,
    })
}

/// A value as its column's format has it. What has no such form is refused.
fn respelt(kind: Kind, cell: Cell, json: bool, rng: &mut Rng) -> Cell {
    let is_string = cell.json.starts_with('"');
    let refused = || Cell { quality: Quality::Unreadable, ..Cell::string("x!") };
    let (true, Some(literal)) = (cell.quality == Quality::Good, cell.literal.clone()) else {
        return refused();
    };
    let written = |text: String| Cell { literal: Some(literal.clone()), ..Cell::string(&text) };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match kind {
        Kind::Date => {
            let plain = literal.replace('-', "");
            if plain.len() != 8 || !digits(&plain) || ![8, 10].contains(&literal.len()) {
                return refused();
            }
            let (day, month) = (&plain[6..], &plain[4..6]);
            written(format!("{day}.{month}.{}", &plain[..4]))
        }
        Kind::Timestamp => {
            let Some(day) = literal.strip_prefix("2024-03-").and_then(|rest| rest[..2].parse::<u64>().ok())
            else {
                return refused();
            };
            // All of them are ten o'clock in UTC, one a microsecond later.
            let seconds = 1_709_251_200 + (day - 1) * 86_400 + 36_000;
            let text = format!("{seconds}{}", if literal.contains(".000001") { ".000001" } else { "" });
            if json && rng.one_in(2) { Cell { json: text.clone(), ..written(text) } } else { written(text) }
        }
        Kind::Int4 | Kind::Int8 | Kind::Positive | Kind::Numeric | Kind::Money => {
            if json && !is_string {
                return cell;
            }
            let (sign, rest) = literal.strip_prefix('-').map_or(("", literal.as_str()), |rest| ("-", rest));
            let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
            if !digits(whole) || fraction.is_some_and(|f| !digits(f)) {
                return refused();
            }
            let mut grouped = String::new();
            let marks = rng.one_in(2) && !whole.starts_with('0');
            for (i, digit) in whole.chars().enumerate() {
                if marks && i > 0 && (whole.len() - i) % 3 == 0 {
                    grouped.push('.');
                }
                grouped.push(digit);
            }
            let fraction = fraction.map_or(String::new(), |f| format!(",{f}"));
            written(format!("{sign}{grouped}{fraction}"))
        }
        Kind::Bool => {
            if json && !is_string {
                return cell;
            }
            let yes = matches!(literal.as_str(), "true" | "t" | "yes" | "on" | "1");
            written(if yes { rng.pick(&["ja", "Ja"]) } else { "nein" }.to_owned())
        }
        Kind::Ints => {
            let array = literal.replace('{', "[").replace('}', "]").replace("NULL", "null");
            match rng.one_in(2) || !json {
                true => written(array),
                false => Cell { json: array.clone(), ..written(array) },
            }
        }
        _ => cell,
    }
}
