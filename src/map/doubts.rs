//! What inference was unsure of: the few values that kept a column from being numbers, dates in an order that
//! nobody knows. Said when a table is made, for who knows better.

/// So few values are an accident: a total, a unit, a word for nothing. More are what the column holds.
const FEW: u32 = 3;

/// Characters of a value that a note shows.
const SHOWN: usize = 40;

/// Words for nothing, which `--null-as` takes.
const NOTHING: [&str; 12] = ["na", "n/a", "null", "\\n", "nan", "none", "nil", "-", "--", "?", ".", "#n/a"];

/// What a value is by itself, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueClass {
    Number,
    Date,
    Other,
    Text,
    /// Text, as a timestamp would keep less of it.
    FinerTime,
}

/// What was seen of the values of one column, beside their kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspects {
    /// The first value that is nothing but text.
    first: Option<Box<str>>,
    /// Values that are nothing but text, as far as it matters.
    texts: u32,
    /// Those of them that may be dates.
    dates: u32,
    /// Those that are times of which the server would keep less.
    finer: u32,
    /// The order of day and month, where a date has shown it.
    order: Option<DayAndMonth>,
    /// Values that are more than text.
    others: u32,
    /// What they are; `None`: of several kinds.
    class: Option<ValueClass>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayAndMonth {
    DayFirst,
    MonthFirst,
}

impl Suspects {
    /// Nothing more is to be learned of the values of a column.
    pub(super) const fn are_known(&self) -> bool {
        self.texts > FEW
    }

    /// Takes note of a value, as it stands in the source.
    pub(super) fn note(&mut self, class: ValueClass, text: &str) {
        if matches!(class, ValueClass::Text | ValueClass::FinerTime) {
            let text = text.trim_matches('"');
            self.texts += 1;
            self.first.get_or_insert_with(|| text.into());
            if let Some(order) = day_and_month(without_clock(text)) {
                self.dates += 1;
                self.order = self.order.or(order);
            }
            self.finer += u32::from(class == ValueClass::FinerTime);
        } else {
            self.others += 1;
            self.class =
                if self.others == 1 { Some(class) } else { self.class.filter(|known| *known == class) };
        }
    }

    /// What is worth saying of a column that has become text.
    pub(super) fn words(&self, column: &str) -> Option<String> {
        let first: String = self.first.as_deref()?.chars().take(SHOWN).collect();
        if self.dates == self.texts && self.others == 0 {
            let order = match self.order {
                Some(DayAndMonth::DayFirst) => "DMY",
                Some(DayAndMonth::MonthFirst) => "MDY",
                None => "DMY or MDY",
            };
            return Some(format!(
                "column {column:?} is text: its values look like dates, such as {first:?}; in a table with a date there, \
                 --datestyle {order} reads them"
            ));
        }
        if self.finer == self.texts && (self.others == 0 || self.class == Some(ValueClass::Date)) {
            return Some(format!(
                "column {column:?} is text: of times such as {first:?} a timestamp would keep less; in a table with one there, \
                 --narrowing {column}=allow stores what it keeps"
            ));
        }
        let kinds = match self.class.filter(|_| self.texts <= FEW && self.others > self.texts)? {
            ValueClass::Number => "numbers",
            ValueClass::Date => "dates",
            ValueClass::Other | ValueClass::Text | ValueClass::FinerTime => return None,
        };
        let what_to_do = if NOTHING.contains(&first.trim().to_lowercase().as_str()) {
            format!("if that is no value, --null-as '{first}' --null-as '' makes it NULL")
        } else if kinds == "numbers" && has_leading_zero(&first) {
            "a number would lose the zero it begins with; digits that are a code are well kept so".to_owned()
        } else {
            "if that is a total or a unit, take its line out first".to_owned()
        };
        Some(format!("column {column:?} is text for {first:?} among {kinds}: {what_to_do}"))
    }
}

/// Digits alone that begin with a zero, as codes do.
fn has_leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a date of day, month and a year of four digits, or of month, day and year.
#[must_use]
pub fn has_day_and_month(text: &str) -> bool {
    day_and_month(text).is_some()
}

/// A date without the time of day behind it.
fn without_clock(text: &str) -> &str {
    let is_clock =
        |rest: &str| rest.contains(':') && rest.bytes().all(|b| b"0123456789:. aApPmM".contains(&b));
    text.trim().split_once(' ').filter(|(_, rest)| is_clock(rest)).map_or(text, |(date, _)| date)
}

/// Whether a text may be a date in numbers with the year behind, and the order that it shows.
fn day_and_month(text: &str) -> Option<Option<DayAndMonth>> {
    let mut parts = text.trim().split(['/', '.', '-']);
    let (Some(first), Some(second), Some(year), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        part.parse::<u32>().ok().filter(|_| digits.contains(&part.len()))
    };
    let (first, second, _) = (number(first, 1..=2)?, number(second, 1..=2)?, number(year, 4..=4)?);
    match (first, second) {
        (13..=31, 1..=12) => Some(Some(DayAndMonth::DayFirst)),
        (1..=12, 13..=31) => Some(Some(DayAndMonth::MonthFirst)),
        (1..=12, 1..=12) => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kept_a_column_from_being_numbers_is_said() {
        let words = |values: &[&str]| {
            let mut suspects = Suspects::default();
            for value in values {
                let class = match value.as_bytes() {
                    _ if value.len() > 26 => ValueClass::FinerTime,
                    [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..] => ValueClass::Date,
                    _ if value.parse::<f64>().is_ok_and(f64::is_finite) => ValueClass::Number,
                    b"true" => ValueClass::Other,
                    _ => ValueClass::Text,
                };
                suspects.note(class, value);
                if suspects.are_known() {
                    break;
                }
            }
            suspects.words("c").unwrap_or_default()
        };
        let total = "column \"c\" is text for \"Total\" among numbers: if that is a total or a unit, take its line out first";
        assert_eq!(words(&["1", "2", "Total"]), total);
        assert!(words(&["EUR", "1.5", "2.5"]).contains("\"EUR\" among numbers"));
        assert!(words(&["1", "NA", "2", "NA", "3"]).ends_with("--null-as 'NA' --null-as '' makes it NULL"));
        assert!(words(&["2024-01-01", "n/a", "2024-01-02"]).contains("among dates"));
        assert!(words(&["31/12/2024", "01/02/2024"]).contains("--datestyle DMY reads"));
        assert!(words(&["1/2/2024"]).contains("--datestyle DMY or MDY reads"));
        assert!(words(&["01.02.1998 00:00:00", "31.12.2004 07:05:00"]).contains("--datestyle DMY reads"));
        assert!(words(&["1/2/2024 10:05 PM"]).contains("--datestyle DMY or MDY reads"));
        assert_eq!(words(&["1/2/2024 at noon"]), "");
        let fine = "2024-05-01T10:00:00.123456789Z";
        assert!(
            words(&[fine, "2024-05-01 10:00:00", fine]).ends_with("--narrowing c=allow stores what it keeps")
        );
        for plain in [&["a", "b", "1"][..], &["1", "a"], &["a"], &["99/99/2024"], &["1", "true", "x", "2"]] {
            assert_eq!(words(plain), "", "{plain:?}");
        }
    }
}
