//! Values of flags: each a function from text to a value or to what is wrong with it.

use dbload::internals::format::{Encoding, FixedWidth, RecordsPath};
use dbload::internals::job::RejectBudget;
use dbload::internals::map::{Extra, Narrowing};
use dbload::internals::pg::TableName;
use dbload::internals::schema::{ColumnDefinition, MergePolicies, RemovalLimit};
use dbload::internals::shape::Shaping;

/// A quote character, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote(pub(crate) Option<u8>);

/// The encoding of sources; none is UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextEncoding(pub(crate) Option<Encoding>);

pub(crate) fn encoding(text: &str) -> Result<TextEncoding, String> {
    Encoding::named(text).map(TextEncoding).map_err(|error| error.to_string())
}

/// What the variable of a flag without a value says: the flag, however it says yes.
pub(crate) fn switch(variable: &'static str) -> impl Fn(&str) -> Result<bool, String> + Clone {
    move |text| match text.to_ascii_lowercase().as_str() {
        "" | "true" | "yes" | "y" | "t" | "on" | "1" => Ok(true),
        "false" | "no" | "n" | "f" | "off" | "0" => Ok(false),
        _ => Err(format!(
            "the variable {variable} must be yes (or 1, true, on, empty) or no (or 0, false, off)"
        )),
    }
}

/// What `--unnest` says.
pub(crate) fn unnest(text: &str) -> Result<String, String> {
    Shaping::default().unnest(text).map(|()| text.to_owned())
}

/// What `--parent` says.
pub(crate) fn parent(text: &str) -> Result<String, String> {
    let mut shaping = Shaping::default();
    shaping.unnest("a")?;
    shaping.parent(text).map(|()| text.to_owned())
}

/// What `--where` says.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    Shaping::default().filter(text).map(|()| text.to_owned())
}

/// What `--delete-when` says.
pub(crate) fn deletion(text: &str) -> Result<String, String> {
    Shaping::default().delete_when(text).map(|()| text.to_owned())
}

/// What `--set` says.
pub(crate) fn set(text: &str) -> Result<String, String> {
    Shaping::default().set(text).map(|()| text.to_owned())
}

/// What `--mask` says.
pub(crate) fn mask(text: &str) -> Result<String, String> {
    Shaping::default().mask(text).map(|()| text.to_owned())
}

/// A secret, by the name of its variable or file; it is in no error.
pub(crate) fn secret(flag: &str, text: &str) -> Result<String, String> {
    let found = match (text.strip_prefix("env:"), text.strip_prefix("file:")) {
        (Some(name), _) => {
            std::env::var(name).map_err(|_| format!("{flag}: the variable {name} is not set"))?
        }
        (_, Some(path)) => std::fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| format!("{flag}: {path}: {error}"))?,
        _ => return Err(format!("{flag}: say env:NAME or file:PATH, so that the key is in no command")),
    };
    if found.is_empty() { Err(format!("{flag}: the key is empty")) } else { Ok(found) }
}

/// What `--map` says.
pub(crate) fn map(text: &str) -> Result<String, String> {
    Shaping::default().map(text).map(|()| text.to_owned())
}

/// What `--parse` says.
pub(crate) fn format(text: &str) -> Result<String, String> {
    Shaping::default().parse(text).map(|()| text.to_owned())
}

/// What `--merge` says.
pub(crate) fn merge(text: &str) -> Result<String, String> {
    MergePolicies::default().merge(text).map(|()| text.to_owned())
}

/// A number that is not zero.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "must be a number from 1 on".to_owned())
}

/// A line.
pub(crate) fn end_mark(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains(['\n', '\r']) {
        true => Err("must be a line of text that is not empty".to_owned()),
        false => Ok(text.to_owned()),
    }
}

pub(crate) fn records(text: &str) -> Result<String, String> {
    RecordsPath::parse(text).map(|_| text.to_owned())
}

pub(crate) fn fixed(text: &str) -> Result<FixedWidth, String> {
    FixedWidth::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn table(text: &str) -> Result<TableName, String> {
    TableName::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        _ => character(text),
    }
}

pub(crate) fn quote(text: &str) -> Result<Quote, String> {
    match text {
        "" | "none" => Ok(Quote(None)),
        _ => character(text).map(|quote| Quote(Some(quote))),
    }
}

pub(crate) fn character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(*byte),
        _ => Err("must be one ASCII character other than a line end".to_owned()),
    }
}

/// A word of `--narrowing`, as it is.
pub(crate) fn narrowing(text: &str) -> Result<String, String> {
    Narrowing::of_words([text]).map(|_| text.to_owned())
}

pub(crate) fn column(text: &str) -> Result<ColumnDefinition, String> {
    ColumnDefinition::parse(text)
}

pub(crate) fn extra(text: &str) -> Result<Extra, String> {
    match text {
        "refuse" => Ok(Extra::Refuse),
        "ignore" => Ok(Extra::Ignore),
        "add" => Ok(Extra::Add),
        _ => match text.strip_prefix("jsonb:") {
            Some(column) if !column.is_empty() => Ok(Extra::Jsonb(column.to_owned())),
            _ => Err("must be refuse, ignore, add or jsonb:COLUMN".to_owned()),
        },
    }
}

pub(crate) fn budget(text: &str) -> Result<RejectBudget, String> {
    let bad = || "must be a number of records, or a share such as 5%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: f64 = percent.trim().parse().map_err(|_| bad())?;
            if (0.0..=100.0).contains(&percent) {
                Ok(RejectBudget::Share(percent / 100.0))
            } else {
                Err(bad())
            }
        }
        None => text.parse().map(RejectBudget::Count).map_err(|_| bad()),
    }
}

/// `100`, `5%`, of rows.
pub(crate) fn removals(text: &str) -> Result<RemovalLimit, String> {
    match budget(text) {
        Ok(RejectBudget::Count(rows)) => Ok(RemovalLimit::Count(rows)),
        Ok(RejectBudget::Share(share)) => Ok(RemovalLimit::Share(share)),
        Ok(_) | Err(_) => Err("must be a number of rows, or a share such as 5%".to_owned()),
    }
}

/// `64MiB`, `500kB`, `1048576`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let bad = || "must be a size such as 64MiB, 500kB or 1048576".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| bad())?;
    let unit: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "t" | "tib" => 1 << 40,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(bad()),
    };
    number.checked_mul(unit).filter(|&bytes| bytes > 0).ok_or_else(bad)
}

/// Likewise, or 0.
pub(crate) fn bytes_or_none(text: &str) -> Result<u64, String> {
    if text.trim() == "0" { Ok(0) } else { bytes(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_budgets_are_read_or_refused() {
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("500kB"), Ok(500_000));
        assert_eq!(bytes("7"), Ok(7));
        for text in ["", "MiB", "-1", "1.5MiB", "0", "99999999999999999999"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert_eq!(budget("5"), Ok(RejectBudget::Count(5)));
        assert_eq!(budget("50%"), Ok(RejectBudget::Share(0.5)));
        for text in ["", "%", "101%", "-1", "x", "NaN%"] {
            assert!(budget(text).is_err(), "{text}");
        }
        assert_eq!(delimiter("\\t"), Ok(b'\t'));
        assert!(delimiter("ab").is_err() && delimiter("é").is_err());
        assert_eq!(quote("none"), Ok(Quote(None)));
    }
}
