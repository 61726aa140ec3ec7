//! Records to COPY text and back: each value arrives as it was written, each record is a row or a reject, one
//! of the two.
//!
//! The COPY text, array, row and hstore literals are read here by PostgreSQL's documentation, not by the
//! program's code.

use std::collections::HashMap;
use std::sync::Arc;

use dbload::internals::format::{Format, Layout};
use dbload::internals::map::{EncodedBlock, Extra, Mapping, Partitioner, Partitioning, encode_block};
use dbload::internals::map::{PRESENCE_WORD_BITS, Target, WhyNot};
use dbload::internals::schema::{
    Column, Equality, Ident, Identity, PgType, Relation, Table, TableName, Tree, UniqueIndex,
};

use super::{Dials, oracle, split};

fn column(name: &str, ty: PgType, sql: &str) -> Column {
    Column {
        name: Ident::new(name).expect("a name"),
        number: 1,
        type_name: sql.to_owned(),
        domain_base: None,
        domain_name: None,
        collation: None,
        ty,
        narrows: None,
        equal_is_alike: false,
        not_null: false,
        default: None,
        identity: Identity::No,
        generated: false,
        may_insert: true,
        may_update: true,
    }
}

/// The columns that values go to, with one of each kind that is encoded differently. The key is `id`.
pub fn table() -> Arc<Table> {
    let row = vec![("x".to_owned(), PgType::Int), ("note".to_owned(), PgType::Text)];
    Arc::new(Table {
        name: TableName { schema: None, name: Ident::new("fuzzed").expect("a name") },
        oid: 1,
        relfilenode: 1,
        columns_version: String::new(),
        tree: Tree::default(),
        relation: Relation::Table,
        has_children: false,
        columns: vec![
            column("id", PgType::Int, "numeric"),
            column("t", PgType::Text, "text"),
            column("j", PgType::Json, "json"),
            column("n", PgType::Other, "text"),
            column("a", PgType::Array(Box::new(PgType::Text), ','), "text[]"),
            column("c", PgType::Composite(row), "fuzzed_row"),
            column("h", PgType::Hstore, "hstore"),
            column("e", PgType::Json, "json"),
        ],
        unique: vec![UniqueIndex {
            name: "fuzzed_pkey".to_owned(),
            columns: vec![0],
            equality: vec![Equality::plain()],
            of_part: false,
            constraint: Some("t_pkey".to_owned()),
            primary: true,
            nulls_not_distinct: false,
            unusable: None,
        }],
        has_checks: false,
        checks: Vec::new(),
        has_foreign_keys: false,
        foreign_keys: Vec::new(),
        references_itself: false,
        has_exclusions: false,
        has_index_expressions: false,
        has_generated: false,
        has_before_row_triggers: false,
        has_row_triggers: false,
        has_insert_triggers: false,
        has_row_security: false,
        has_one_broken_bar: false,
        has_no_pages: false,
        counts_rows: true,
    })
}

/// A mapping onto it.
pub fn mapping(extra: Extra, partitions: u32) -> Mapping {
    Mapping::new(table(), &[0], false, extra, Partitioner { by: Partitioning::Key, count: partitions })
}

/// COPY text as rows of values, read as the server reads it.
pub fn rows(bytes: &[u8]) -> Vec<Vec<Option<String>>> {
    let lines = bytes.strip_suffix(b"\n").map_or(vec![], |all| all.split(|&b| b == b'\n').collect());
    lines.into_iter().map(|line| line.split(|&b| b == b'\t').map(value).collect()).collect()
}

fn value(field: &[u8]) -> Option<String> {
    if field == b"\\N" {
        return None;
    }
    assert_ne!(field, b"\\.", "an end of data in the middle");
    let (mut out, mut bytes) = (Vec::new(), field.iter());
    while let Some(&byte) = bytes.next() {
        assert!(!matches!(byte, b'\r' | 0), "what COPY takes for a line end, or cannot hold");
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'\\') => b'\\',
                other => panic!("an escape that is not ours: {other:?}"),
            },
            byte => byte,
        });
    }
    Some(String::from_utf8(out).expect("COPY text is UTF-8"))
}

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let extra = dials.pick(&[Extra::Refuse, Extra::Ignore, Extra::Jsonb("e".to_owned())]);
    let mapping = mapping(extra, 3);
    let text = dials.rest();
    let Some(block) = split::block(&Format::Jsonl, text, 100) else { return };
    let encoded = encode_block(
        &mapping,
        &Layout { format: Format::Jsonl, header: Vec::new(), constants: Vec::new() },
        &[],
        Arc::new(block),
        &[],
    );
    check(&mapping, &encoded);
}

/// Each record is one row or one reject; a row says what the record said.
pub fn check(mapping: &Mapping, encoded: &EncodedBlock) {
    let block = &encoded.block;
    let mut fate = vec![0; block.len()];
    let mut homes: HashMap<String, usize> = HashMap::new();
    for (partition, part) in encoded.parts.iter().enumerate() {
        let rows = rows(&part.bytes);
        assert_eq!(rows.len(), part.rows.len(), "a row is a line");
        for (row, meta) in rows.iter().zip(&part.rows) {
            fate[meta.i as usize] += 1;
            assert_eq!(row[0], Some((block.first_seq + u64::from(meta.i)).to_string()));
            let line = std::str::from_utf8(block.raw(meta.i as usize)).expect("what was decoded is UTF-8");
            let Ok(members) = oracle::object(line) else {
                assert_eq!(
                    oracle::object(line),
                    Err(oracle::Bad::Deep),
                    "a row of what is no object: {line:?}"
                );
                continue;
            };
            one_row(mapping, encoded, row, &members);
            let key = row[encoded_words(encoded) + 1].clone().expect("a key");
            assert_eq!(*homes.entry(key).or_insert(partition), partition, "a key has one partition");
        }
        for note in &part.notes {
            fate[note.i as usize] += 1;
            let WhyNot::Refused { reason, .. } = &note.why else { panic!("nothing is left out") };
            let line = std::str::from_utf8(block.raw(note.i as usize)).unwrap_or_default();
            if let Ok(members) = oracle::object(line) {
                assert!(is_excused(mapping, &members), "{line:?} was refused: {reason}");
            }
            assert!(!reason.chars().any(char::is_control), "a reason steers no terminal: {reason:?}");
        }
        let order = |is: Vec<u32>| assert!(is.is_sorted_by(|a, b| a < b), "in source order");
        order(part.rows.iter().map(|row| row.i).collect());
        order(part.notes.iter().map(|note| note.i).collect());
    }
    assert!(fate.iter().all(|&fates| fates == 1), "each record is one row or one reject: {fate:?}");
}

fn encoded_words(encoded: &EncodedBlock) -> usize {
    let mut words: Vec<usize> = encoded.columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect();
    words.dedup();
    words.len()
}

type Members<'t> = [(Option<String>, &'t str)];

fn one_row(mapping: &Mapping, encoded: &EncodedBlock, row: &[Option<String>], members: &Members<'_>) {
    let presence: u64 = row[1].as_ref().and_then(|word| word.parse().ok()).expect("a presence word");
    assert_eq!(row.len(), 2 + encoded.columns.len(), "one field a column");
    let target = |name: &Option<String>| mapping.target(name.as_deref().unwrap_or_default()).0;
    for (&slot, cell) in encoded.columns.iter().zip(&row[2..]) {
        let ty = &mapping.table.columns[slot].ty;
        let own = members.iter().find(|(name, _)| target(name) == Target::Slot(slot));
        let extra =
            mapping.extra_slot == Some(slot) && members.iter().any(|(name, _)| target(name) == Target::Extra);
        assert_eq!(presence >> slot & 1 == 1, own.is_some() || extra, "present is present, absent is absent");
        match own {
            _ if extra => {
                let object = cell.as_deref().expect("collected fields");
                let found = oracle::object(object).expect("an object");
                let expected: Vec<_> =
                    members.iter().filter(|(name, _)| target(name) == Target::Extra).collect();
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{object:?}");
            }
            None | Some((_, "null")) => assert_eq!(*cell, None),
            Some((name, raw)) => {
                let cell = cell.as_deref().unwrap_or_else(|| panic!("{name:?} became NULL"));
                assert!(arrived(ty, raw, cell), "{name:?}: {raw:?} became {cell:?}");
            }
        }
    }
}

/// Whether the text of a cell says what the JSON said.
pub fn arrived(ty: &PgType, raw: &str, cell: &str) -> bool {
    match (ty, raw.as_bytes()[0]) {
        (PgType::Json, _) => cell == raw,
        (PgType::Array(..), b'[') => {
            let mut literal = Literal { text: cell, at: 0 };
            literal.array_says(raw) && literal.at == cell.len()
        }
        (PgType::Composite(attributes), b'{') => row_says(attributes, raw, cell),
        (PgType::Hstore, b'{') => hstore_says(raw, cell),
        (PgType::Int, _) => {
            let text = plain(raw);
            match integral(&text) {
                // It may be passed on as it stands.
                Some(digits) => digits == cell || (digits.len() > NOBODYS_DIGITS && text == cell),
                None => text == cell,
            }
        }
        (_, _) => plain(raw) == cell,
    }
}

/// A string's text; anything else as it stands.
fn plain(raw: &str) -> String {
    if raw.starts_with('"') {
        oracle::string(raw).expect("a string that can be stored")
    } else {
        raw.to_owned()
    }
}

fn depth(raw: &str) -> usize {
    oracle::elements(raw)
        .into_iter()
        .map(|item| if item.starts_with('[') { depth(item) } else { 0 })
        .max()
        .unwrap_or(0)
        + 1
}

/// No type of integers has so many digits.
const NOBODYS_DIGITS: usize = 60;

/// The digits of a number without a fraction, however it is written, by moving the point digit by digit.
fn integral(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (mut whole, mut fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
        None => (mantissa.to_owned(), String::new()),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(&whole) || !digits(&fraction) {
        return None;
    }
    let zero = whole.bytes().chain(fraction.bytes()).all(|byte| byte == b'0');
    let exponent: i32 = exponent.parse().ok()?;
    if zero {
        return Some("0".to_owned());
    }
    for _ in 0..exponent.min(70_000) {
        whole.push(if fraction.is_empty() { '0' } else { fraction.remove(0) });
    }
    for _ in exponent.max(-70_000)..0 {
        fraction.insert(0, whole.pop().unwrap_or('0'));
    }
    if !fraction.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let digits = whole.trim_start_matches('0');
    Some(format!("{}{digits}", if negative { "-" } else { "" }))
}

struct Literal<'t> {
    text: &'t str,
    at: usize,
}

impl Literal<'_> {
    fn take(&mut self, c: char) -> bool {
        let there = self.text[self.at..].starts_with(c);
        self.at += if there { c.len_utf8() } else { 0 };
        there
    }

    /// A quoted element: a backslash before any character stands for it.
    fn quoted(&mut self) -> Option<String> {
        let (mut out, mut chars) = (String::new(), self.text[self.at..].char_indices());
        if chars.next()?.1 != '"' {
            return None;
        }
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Some(out);
                }
                '\\' => out.push(chars.next()?.1),
                c => out.push(c),
            }
        }
        None
    }

    fn array_says(&mut self, raw: &str) -> bool {
        if !self.take('{') {
            return false;
        }
        for (i, item) in oracle::elements(raw).into_iter().enumerate() {
            if i > 0 && !self.take(',') {
                return false;
            }
            let same = match item.as_bytes()[0] {
                b'n' => "NULL".chars().all(|c| self.take(c)),
                b'[' => self.array_says(item),
                _ => self.quoted().is_some_and(|text| text == plain(item)),
            };
            if !same {
                return false;
            }
        }
        self.take('}')
    }
}

fn row_says(attributes: &[(String, PgType)], raw: &str, cell: &str) -> bool {
    let members = oracle::object(raw).unwrap_or_default();
    let Some(mut rest) = cell.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return false };
    for (i, (name, ty)) in attributes.iter().enumerate() {
        if i > 0 {
            let Some(after) = rest.strip_prefix(',') else { return false };
            rest = after;
        }
        let value = members.iter().find(|(member, _)| member.as_ref() == Some(name)).map(|(_, value)| *value);
        let Some(value) = value.filter(|value| *value != "null") else { continue };
        let Some(inner) = rest.strip_prefix('"') else { return false };
        let (mut text, mut chars) = (String::new(), inner.char_indices().peekable());
        let end = loop {
            match chars.next() {
                Some((_, '"')) if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    chars.next();
                    text.push('"');
                }
                Some((at, '"')) => break at + 1,
                Some((_, '\\')) => text.extend(chars.next().map(|(_, c)| c)),
                Some((_, c)) => text.push(c),
                None => return false,
            }
        };
        rest = &inner[end..];
        let same = if matches!(ty, PgType::Int) { text == plain(value) } else { arrived(ty, value, &text) };
        if !same {
            return false;
        }
    }
    rest.is_empty()
}

fn hstore_says(raw: &str, cell: &str) -> bool {
    let mut literal = Literal { text: cell, at: 0 };
    oracle::object(raw).unwrap_or_default().iter().enumerate().all(|(i, (name, value))| {
        (i == 0 || literal.take(','))
            && literal.quoted() == *name
            && literal.take('=')
            && literal.take('>')
            && if *value == "null" {
                "NULL".chars().all(|c| literal.take(c))
            } else {
                literal.quoted().is_some_and(|text| text == plain(value))
            }
    }) && literal.at == cell.len()
}

/// Whether there is a reason to refuse a record that is an object.
fn is_excused(mapping: &Mapping, members: &Members<'_>) -> bool {
    let mut seen = Vec::new();
    let mut key = None;
    for (name, raw) in members {
        let Some(name) = name else { return true };
        if raw.starts_with('[') && depth(raw) > 6 {
            return true;
        }
        // What text cannot hold: in a string of its own, in one of an array or row, or in a name.
        if raw.contains("\\u") || members.iter().filter(|(other, _)| other.as_ref() == Some(name)).count() > 1
        {
            return true;
        }
        let target = mapping.target(name).0;
        match target {
            Target::Slot(slot) => {
                let doubled = seen.contains(&target) || mapping.extra_slot == Some(slot) && *raw != "null";
                let row =
                    matches!(mapping.table.columns[slot].ty, PgType::Composite(_)) && raw.starts_with('{');
                if doubled || row && oracle::object(raw).is_ok_and(|row| strange(&row)) {
                    return true;
                }
                if slot == 0 {
                    key = Some(*raw);
                }
            }
            Target::Extra if mapping.extra == Extra::Refuse => return true,
            Target::Extra | Target::Generated | Target::Dropped => {}
        }
        seen.push(target);
    }
    // A nesting beyond the limit is a reason too.
    let deep = members.iter().any(|(_, raw)| raw.matches(['[', '{']).count() > 1_000);
    deep || key.is_none_or(|raw| {
        raw.starts_with(['{', '['])
            || integral(&plain(raw)).is_none_or(|digits| digits.len() > NOBODYS_DIGITS)
    })
}

/// Attributes that the row type of `c` lacks, or one twice.
fn strange(members: &Members<'_>) -> bool {
    let is_other = |(name, _): &(Option<String>, &str)| !matches!(name.as_deref(), Some("x" | "note"));
    let twice = (1..members.len()).any(|i| members[..i].iter().any(|(name, _)| *name == members[i].0));
    twice || members.iter().any(is_other)
}
