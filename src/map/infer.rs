//! Inference: the narrowest type that holds every value of a sample, for a table that does not exist yet.
//!
//! What comes later and does not fit is rejected, never changed. Strings of JSON stay text unless they are
//! dates, timestamps or UUIDs; a number with a leading zero is no number.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::format::{Fields, MendedValue, json};

use crate::shape::Shaping;

use super::doubts::{Suspects, ValueClass};
use super::wanted::WantedColumn;

/// A column of the table to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredColumn {
    /// Field name, as it stands in the source.
    pub name: String,
    /// Type as SQL text.
    pub type_name: Cow<'static, str>,
}

/// What has been seen of the fields so far.
#[derive(Debug, Default)]
pub struct Inference {
    columns: Vec<(String, Seen)>,
    by_name: HashMap<String, usize>,
}

/// The kinds of value, each a set of texts; a column's type must hold all of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bigint,
    Numeric,
    Double,
    /// Digits, an E and digits: `12E5` is a number, and may be a code.
    Exponent,
    /// Such beside digits alone: codes.
    Code,
    Boolean,
    Date,
    Timestamptz,
    Uuid,
    Jsonb,
    Text,
    /// Text, as a timestamp would keep less of it.
    FinerTime,
}

impl Kind {
    const fn class(self) -> ValueClass {
        match self {
            Self::Bigint | Self::Numeric | Self::Double | Self::Exponent | Self::Code => ValueClass::Number,
            Self::Date | Self::Timestamptz => ValueClass::Date,
            Self::Boolean | Self::Uuid | Self::Jsonb => ValueClass::Other,
            Self::Text => ValueClass::Text,
            Self::FinerTime => ValueClass::FinerTime,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Seen {
    kind: Option<Kind>,
    suspects: Suspects,
    /// Of some number a double would change the digits, or not hold it at all.
    exact: bool,
    /// The type that its sources say it has.
    declared: Declared,
}

/// What sources say of the type of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Declared {
    #[default]
    Nothing,
    As(String),
    /// In different words: its values count.
    Differently,
}

impl Inference {
    /// Takes note of one record.
    pub fn observe(&mut self, header: &[String], fields: &Fields<'_, '_>) {
        match fields {
            Fields::Positional(values) => {
                for (place, (name, value)) in header.iter().zip(values.iter()).enumerate() {
                    let seen = self.column(place, name);
                    // Of plain values text holds all.
                    if let Some(text) = value.filter(|_| !seen.is_known_text()) {
                        seen.note(kind_of_text(text), text);
                    }
                }
            }
            Fields::Named(members) => {
                for (place, (name, raw)) in members.iter().enumerate() {
                    let seen = self.column(place, name);
                    // And so of strings.
                    let is_text = seen.is_known_text() && raw.starts_with('"');
                    if *raw != "null" && !is_text {
                        seen.note(kind_of_json(raw), raw);
                    }
                }
            }
            Fields::Mended(members) => {
                for (place, (name, value)) in members.iter().enumerate() {
                    let seen = self.column(place, name);
                    match value {
                        MendedValue::Text(text) => seen.note(kind_of_text(text), text),
                        MendedValue::Json(raw) => seen.note(kind_of_json(raw), raw),
                        MendedValue::Null => {}
                    }
                }
            }
        }
    }

    /// What was unsure about the columns, in words.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let is_text = |seen: &Seen| {
            let is_declared = matches!(seen.declared, Declared::As(_));
            !is_declared && matches!(seen.kind, Some(Kind::Text | Kind::FinerTime))
        };
        let texts = self.columns.iter().filter(|(_, seen)| is_text(seen));
        texts.filter_map(|(name, seen)| seen.suspects.words(name.trim())).collect()
    }

    /// Makes sure that these columns exist, also without a record.
    pub fn declare(&mut self, header: &[String]) {
        for (place, name) in header.iter().enumerate() {
            self.column(place, name);
        }
    }

    /// Takes note of what a source says of the types of its fields.
    pub fn declare_types(&mut self, types: &[(String, String)]) {
        for (place, (name, type_name)) in types.iter().enumerate() {
            let seen = self.column(place, name);
            seen.declared = match &seen.declared {
                Declared::Nothing if seen.kind.is_none() => Declared::As(type_name.clone()),
                Declared::As(known) if known == type_name => continue,
                _ => Declared::Differently,
            };
        }
    }

    /// The column of a field. Records mostly look alike: it is looked for at the field's place first.
    fn column(&mut self, place: usize, name: &str) -> &mut Seen {
        let at = if self.columns.get(place).is_some_and(|(known, _)| known == name) {
            place
        } else if let Some(&at) = self.by_name.get(name) {
            at
        } else {
            self.columns.push((name.to_owned(), Seen::default()));
            self.by_name.insert(name.to_owned(), self.columns.len() - 1);
            self.columns.len() - 1
        };
        &mut self.columns[at].1
    }

    /// No column is made of fields of these names.
    pub fn forget(&mut self, names: &HashSet<String>) {
        self.columns.retain(|(name, _)| !names.contains(name));
        self.by_name = self.columns.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
    }

    /// The columns of fields that go to others than those of their names, or nowhere.
    #[must_use]
    pub fn shaped_columns(&self, shaping: &Shaping) -> Vec<InferredColumn> {
        let mut columns = self.shaped(shaping).columns();
        for column in &mut columns {
            let name = column.name.trim_matches(super::names::BLANKS);
            column.type_name = shaping.type_of(name).map_or(column.type_name.clone(), Cow::Borrowed);
        }
        columns
    }

    /// Fields that have a value, or a type that their source says, each with the type of its column.
    #[must_use]
    pub fn wanted(&self, shaping: &Shaping) -> Vec<WantedColumn> {
        let columns = self.shaped_columns(shaping);
        let shaped = self.shaped(shaping);
        let is_known = |seen: &Seen| seen.kind.is_some() || matches!(seen.declared, Declared::As(_));
        let wanted = |(field, _): &(String, Seen)| {
            let at = *shaped.by_name.get(shaping.column_of(field)?)?;
            let type_name = columns.get(at)?.type_name.clone();
            is_known(&shaped.columns[at].1).then(|| WantedColumn { field: field.clone(), type_name })
        };
        self.columns.iter().filter_map(wanted).collect()
    }

    /// What has been seen of columns, by the names that their fields go to.
    fn shaped(&self, shaping: &Shaping) -> Self {
        let mut shaped = Self::default();
        for (name, seen) in &self.columns {
            let Some(column) = shaping.column_of(name) else { continue };
            let is_new = !shaped.by_name.contains_key(column);
            let known = shaped.column(usize::MAX, column);
            known.declared = match (&known.declared, &seen.declared) {
                (one, other) if one == other => seen.declared.clone(),
                (Declared::Nothing, _) if is_new => seen.declared.clone(),
                _ => Declared::Differently,
            };
            known.suspects = seen.suspects.clone();
            known.exact |= seen.exact;
            known.kind = match (known.kind, seen.kind) {
                (Some(before), Some(kind)) => Some(join(before, kind)),
                (before, kind) => before.or(kind),
            };
        }
        shaped
    }

    /// The columns, in the order in which they were first seen.
    #[must_use]
    pub fn columns(&self) -> Vec<InferredColumn> {
        let column = |(name, seen): &(String, Seen)| InferredColumn {
            name: name.clone(),
            type_name: seen.type_name(),
        };
        self.columns.iter().map(column).collect()
    }
}

/// Names that would be values of another type than text.
#[must_use]
pub fn names_like_values(names: &[String]) -> Vec<&str> {
    let is_value = |name: &&str| !matches!(kind_of_text(name), Kind::Text | Kind::Boolean);
    names.iter().map(|name| name.trim()).filter(is_value).collect()
}

impl Seen {
    fn type_name(&self) -> Cow<'static, str> {
        if let Declared::As(name) = &self.declared {
            return Cow::Owned(name.clone());
        }
        let name = match self.kind {
            Some(Kind::Bigint) => "bigint",
            Some(Kind::Numeric) => "numeric",
            // It holds NaN and the infinities too.
            Some(Kind::Double | Kind::Exponent) if self.exact => "numeric",
            Some(Kind::Double | Kind::Exponent) => "double precision",
            Some(Kind::Boolean) => "boolean",
            Some(Kind::Date) => "date",
            Some(Kind::Timestamptz) => "timestamp with time zone",
            Some(Kind::Uuid) => "uuid",
            Some(Kind::Jsonb) => "jsonb",
            Some(Kind::Text | Kind::FinerTime | Kind::Code) | None => "text",
        };
        Cow::Borrowed(name)
    }

    /// It is text, and no further text says anything new.
    const fn is_known_text(&self) -> bool {
        matches!(self.kind, Some(Kind::Text)) && self.suspects.are_known()
    }

    fn note(&mut self, kind: Kind, text: &str) {
        self.suspects.note(kind.class(), text);
        self.kind = Some(self.kind.map_or(kind, |before| join(before, kind)));
        if matches!(kind, Kind::Bigint | Kind::Numeric | Kind::Double | Kind::Exponent) {
            self.exact = self.exact || is_changed_by_a_double(text);
        }
    }
}

/// The narrowest kind that holds both.
fn join(a: Kind, b: Kind) -> Kind {
    use Kind::{Bigint, Code, Date, Double, Exponent, Jsonb, Numeric, Text, Timestamptz};
    match (a, b) {
        (a, b) if a == b => a,
        (Bigint, Numeric) | (Numeric, Bigint) => Numeric,
        (Bigint | Exponent | Code, Bigint | Exponent | Code) => Code,
        (Bigint | Numeric | Double | Exponent | Code, Numeric | Double)
        | (Numeric | Double, Bigint | Exponent | Code) => Double,
        (Date, Timestamptz) | (Timestamptz, Date) => Timestamptz,
        // Nested values beside plain ones: only jsonb holds both, and text would lose which was which.
        (Jsonb, _) | (_, Jsonb) => Jsonb,
        _ => Text,
    }
}

fn kind_of_json(raw: &str) -> Kind {
    match raw.as_bytes().first() {
        Some(b'{' | b'[') => Kind::Jsonb,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'"') => {
            let mut text = String::new();
            match json::unescape(raw, &mut text) {
                Ok(()) => match kind_of_text(&text) {
                    kind @ (Kind::Date | Kind::Timestamptz | Kind::FinerTime | Kind::Uuid) => kind,
                    _ => Kind::Text,
                },
                Err(_) => Kind::Text,
            }
        }
        _ => number(raw).unwrap_or(Kind::Numeric),
    }
}

fn kind_of_text(text: &str) -> Kind {
    if let Some(kind) = number(text) {
        let is_plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'e' | b'E'));
        return if is_plain && text.contains(['e', 'E']) { Kind::Exponent } else { kind };
    }
    if matches!(text, "true" | "false" | "TRUE" | "FALSE" | "True" | "False") {
        return Kind::Boolean;
    }
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return Kind::Double;
    }
    if is_date(text) {
        return Kind::Date;
    }
    if is_timestamp(text) {
        return if keeps_all(text) { Kind::Timestamptz } else { Kind::FinerTime };
    }
    if is_uuid(text) { Kind::Uuid } else { Kind::Text }
}

/// Whether PostgreSQL's numeric has room for `whole.fraction * 10^exponent`.
fn is_numeric(whole: &str, fraction: &str, exponent: &str) -> bool {
    /// Digits in front of the point and behind it, as PostgreSQL documents them.
    const WHOLE_MAX: usize = 131_072;
    const FRACTION_MAX: usize = 16_383;
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let shift = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    let (left, right) = if exponent < 0 { (0, shift) } else { (shift, 0) };
    whole.len().saturating_add(left) <= WHOLE_MAX && fraction.len().saturating_add(right) <= FRACTION_MAX
}

/// Whether a number has more digits than every double keeps, or lies beyond what a double can hold.
pub(super) fn is_changed_by_a_double(text: &str) -> bool {
    /// Digits that survive, whatever the number.
    const DIGITS_KEPT: usize = 15;
    /// Digits of a double that is written so that it reads back: with an exponent the data says that it is
    /// one.
    const DIGITS_WRITTEN: usize = 17;
    let exponent = text.split_once(['e', 'E']);
    if exponent.is_none() && text.len() <= DIGITS_KEPT {
        return false;
    }
    let (mantissa, limit) = exponent.map_or((text, DIGITS_KEPT), |(mantissa, _)| (mantissa, DIGITS_WRITTEN));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_matches('0');
    if digits.is_empty() {
        return false;
    }
    digits.len() > limit || text.parse::<f64>().is_ok_and(|value| value == 0.0 || value.is_infinite())
}

/// Digits without a leading zero, perhaps with a fraction: exact. With an exponent the data itself says that
/// it is a float, unless it is beyond one.
fn number(text: &str) -> Option<Kind> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || whole.len() > 1 && whole.starts_with('0') || fraction.is_some_and(|f| !digits(f)) {
        return None;
    }
    match exponent {
        Some(e) if !digits(e.strip_prefix(['+', '-']).unwrap_or(e)) => None,
        _ if !is_numeric(whole, fraction.unwrap_or(""), exponent.unwrap_or("0")) => None,
        Some(_) => Some(match text.parse::<f64>() {
            Ok(value) if value.is_finite() && !is_changed_by_a_double(text) => Kind::Double,
            _ => Kind::Numeric,
        }),
        None if fraction.is_none() && text.parse::<i64>().is_ok() => Some(Kind::Bigint),
        None => Some(Kind::Numeric),
    }
}

/// `YYYY-MM-DD`, a day that exists.
fn is_date(text: &str) -> bool {
    let b = text.as_bytes();
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (decimal(&b[..4]), decimal(&b[5..7]), decimal(&b[8..])) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year > 0 && (1..=days).contains(&day)
}

/// ISO 8601: a date, `T` or a space, `HH:MM[:SS[.fraction]]`, perhaps a zone.
fn is_timestamp(text: &str) -> bool {
    if !text.is_ascii()
        || text.len() < 16
        || !is_date(&text[..10])
        || !matches!(text.as_bytes()[10], b'T' | b't' | b' ')
    {
        return false;
    }
    let rest = &text[11..];
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let mut parts = clock.trim_end().split(':');
    let (Some(hour), Some(minute), second, None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let two = |s: &str, max: u32| s.len() == 2 && decimal(s.as_bytes()).is_some_and(|n| n <= max);
    let second_ok = second.is_none_or(|s| {
        let (whole, fraction) = s.split_once('.').unwrap_or((s, "0"));
        two(whole, 60) && (1..=9).contains(&fraction.len()) && decimal(fraction.as_bytes()).is_some()
    });
    let zone_ok = match zone {
        "" | "Z" | "z" => true,
        z => {
            // `±HH`, `±HHMM`, `±HH:MM`, as far as PostgreSQL goes.
            let (hours, rest) = z[1..].split_at(z.len().min(3) - 1);
            let minutes = rest.strip_prefix(':').unwrap_or(rest);
            two(hours, 15) && (rest.is_empty() || two(minutes, 59))
        }
    };
    two(hour, 23) && two(minute, 59) && second_ok && zone_ok
}

/// Whether a timestamp keeps all of a text that is one: no digits below a microsecond, no second 60.
fn keeps_all(text: &str) -> bool {
    const MICROSECONDS: usize = 6;
    let clock = text[11..].split(['Z', 'z', '+', '-']).next().unwrap_or_default();
    let second = clock.splitn(3, ':').nth(2).unwrap_or_default();
    let (whole, fraction) = second.trim_end().split_once('.').unwrap_or((second, ""));
    !whole.starts_with('6') && fraction.bytes().skip(MICROSECONDS).all(|digit| digit == b'0')
}

fn decimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |n, d| d.is_ascii_digit().then(|| n * 10 + u32::from(d - b'0')))
}

fn is_uuid(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() == 36
        && b.iter()
            .enumerate()
            .all(|(i, c)| if matches!(i, 8 | 13 | 18 | 23) { *c == b'-' } else { c.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: &str) {
        let header = vec!["c".to_owned()];
        let mut inference = Inference::default();
        for value in values {
            let row = [if value.is_empty() { None } else { Some(*value) }];
            inference.observe(&header, &Fields::Positional(&row));
        }
        assert_eq!(inference.columns()[0].type_name, expected, "{values:?}");
    }

    #[test]
    fn the_narrowest_type_that_holds_every_value_is_taken() {
        check(&["1", "2"], "bigint");
        check(&["1", "", "-9223372036854775808"], "bigint");
        check(&["9223372036854775808"], "numeric");
        check(&["1", "1.50"], "numeric");
        check(&["1", "1e-3"], "double precision");
        check(&["1e400"], "numeric");
        check(&["1e-400"], "numeric");
        check(&["1e131071"], "numeric");
        check(&["1e131072"], "text");
        check(&["1e-16383"], "numeric");
        check(&["1e-16384"], "text");
        check(&["1e99999999999"], "text");
        check(&["1e+-1"], "text");
        check(&["1e400", "1e3"], "numeric");
        check(&["9007199254740993.5", "1e3"], "numeric");
        check(&["9007199254740993", "1e3"], "text");
        check(&["10000", "12E5", "10001"], "text");
        check(&["12E5", "10000"], "text");
        check(&["10000", "12E500"], "text");
        check(&["10000", "1e+05"], "double precision");
        check(&["12E5", "13E5"], "double precision");
        for order in [["10000", "12E5", "0.5"], ["0.5", "12E5", "10000"], ["12E5", "0.5", "10000"]] {
            check(&order, "double precision");
        }
        check(&["0.1234567890123456789", "NaN"], "numeric");
        check(&["2.2250738585072014e-308", "1"], "double precision");
        check(&["007", "1"], "text");
        check(&["+1"], "text");
        check(&["true", "False"], "boolean");
        check(&["true", "1"], "text");
        check(&["2024-02-29"], "date");
        check(&["2023-02-29"], "text");
        check(&["2024-02-29", "2024-03-01T10:00:00Z"], "timestamp with time zone");
        check(&["2024-03-01 10:00:00.123456+02:00"], "timestamp with time zone");
        check(&["2024-03-01 25:00:00"], "text");
        check(&["2024-03-01T10:00:00.123456789Z", "2024-03-01T10:00:00Z"], "text");
        check(&["2024-03-01T10:00:00.123456000Z"], "timestamp with time zone");
        check(&["2024-03-01 23:59:60"], "text");
        check(&["01/02/2024"], "text");
        check(&["2024-03-01 10:00+05:30", "2024-03-01 10:00-1559"], "timestamp with time zone");
        for zone in ["+16", "+99:00", "+05:60", "+5", "+05:", "+", "+0:530"] {
            check(&[&format!("2024-03-01 10:00{zone}")], "text");
        }
        check(&["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"], "uuid");
        check(&["", ""], "text");
        check(&["2024", "2024-01-01"], "text");
    }

    #[test]
    fn strings_of_json_are_no_numbers() {
        let mut inference = Inference::default();
        let members =
            [("a".into(), r#""12""#), ("b".into(), "12"), ("c".into(), r#"{"x":1}"#), ("d".into(), "null")];
        inference.observe(&[], &Fields::Named(&members));
        let types: Vec<_> = inference.columns().iter().map(|c| c.type_name.to_string()).collect();
        assert_eq!(types, ["text", "bigint", "jsonb", "text"]);
    }
}
