//! Formats of values: how they are written in the source, and what the server reads in their place. Exact:
//! what does not fit is refused, and nothing is rounded, cut or guessed.

mod date;
mod epoch;
mod number;
mod words;
mod zones;

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::format::{DecodeLimits, MendedValue, clean_json, json};
use crate::reject_codes;

use super::value::{ValueMisfit, text_of};
use date::DateFormat;
use epoch::EpochUnit;
use number::NumberFormat;
use words::TruthWords;
pub(super) use zones::Zones;

/// How the values of a column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseFormat {
    /// A date, a time of day or both, by directives.
    Date(DateFormat),
    /// Seconds, or milliseconds, since 1970.
    Epoch(EpochUnit),
    /// Digits with marks, as in an example.
    Number(NumberFormat),
    /// TruthWords for true and false.
    Bool(TruthWords),
    /// Bytes in base64.
    Base64,
    /// JSON in a text.
    Json,
}

impl ParseFormat {
    /// Of words as the command line has them.
    ///
    /// # Errors
    /// In words, when there is no such format, or it does not say enough.
    pub fn of(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("date", directives)) => DateFormat::of(directives).map(Self::Date),
            Some(("number", example)) => NumberFormat::of(example).map(Self::Number),
            Some(("bool", words)) => TruthWords::of(words).map(Self::Bool),
            None if text == "epoch" => Ok(Self::Epoch(EpochUnit::Seconds)),
            None if text == "epoch_ms" => Ok(Self::Epoch(EpochUnit::Milliseconds)),
            None if text == "base64" => Ok(Self::Base64),
            None if text == "json" => Ok(Self::Json),
            _ => Err(format!(
                "{text:?} is no format: they are date:%d.%m.%Y, epoch, epoch_ms, number:1.234,56, bool:yes/no, base64 and json"
            )),
        }
    }

    /// The type of a new column with such values.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Date(format) => format.type_name(),
            Self::Epoch(_) => "timestamp with time zone",
            Self::Number(_) => "numeric",
            Self::Bool(_) => "boolean",
            Self::Base64 => "bytea",
            Self::Json => "jsonb",
        }
    }

    /// Whether a text is so written.
    pub(super) fn reads(&self, text: &str) -> bool {
        let value = MendedValue::Text(Cow::Borrowed(text));
        self.read(value, Zones::Written, &DecodeLimits::default()).is_ok()
    }

    /// The value as the server reads it.
    pub(super) fn read<'v>(
        &self,
        value: MendedValue<'v>,
        zones: Zones,
        limits: &DecodeLimits,
    ) -> Result<MendedValue<'v>, ValueMisfit> {
        match (self, &value) {
            (Self::Json, MendedValue::Json(raw)) if !raw.starts_with('"') => return Ok(value),
            // A number and a boolean of JSON are what they are.
            (Self::Number(_), MendedValue::Json(raw))
                if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) =>
            {
                return Ok(value);
            }
            (Self::Bool(_), MendedValue::Json(raw)) if matches!(raw.as_ref(), "true" | "false") => {
                return Ok(value);
            }
            _ => {}
        }
        let Some(text) = text_of(&value)? else { return Err(self.misfit()) };
        let read = match self {
            Self::Date(format) => format.read(&text),
            Self::Epoch(unit) => unit.read(&text, zones),
            Self::Number(format) => format.read(&text),
            Self::Bool(words) => words.read(&text),
            Self::Base64 => STANDARD.decode(text.as_bytes()).ok().map(|bytes| hex(&bytes)),
            Self::Json => return self.json(&text, limits),
        };
        read.map(|text| MendedValue::Text(text.into())).ok_or_else(|| self.misfit())
    }

    fn json<'v>(&self, text: &str, limits: &DecodeLimits) -> Result<MendedValue<'v>, ValueMisfit> {
        let cleaned = clean_json(text.as_bytes(), limits.on_nul);
        let cleaned = std::str::from_utf8(&cleaned).map_err(|_| self.misfit())?;
        let raw: &serde_json::value::RawValue = serde_json::from_str(cleaned).map_err(|_| self.misfit())?;
        if json::depth(raw.get()) > limits.depth {
            return Err((reject_codes::BEYOND_LIMITS, format!("nested deeper than {} levels", limits.depth)));
        }
        Ok(match raw.get() {
            "null" => MendedValue::Null,
            raw => MendedValue::Json(Cow::Owned(raw.to_owned())),
        })
    }

    /// What is said of a value that is not so written.
    fn misfit(&self) -> ValueMisfit {
        let sqlstate = match self {
            Self::Date(_) => reject_codes::NO_DATE,
            Self::Epoch(_) => reject_codes::NO_TIME,
            Self::Number(_) | Self::Bool(_) | Self::Base64 => reject_codes::NO_VALUE,
            Self::Json => reject_codes::NO_JSON,
        };
        (sqlstate, format!("the value is not written as --parse {self} says"))
    }
}

impl fmt::Display for ParseFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(format) => write!(f, "date:{format}"),
            Self::Epoch(EpochUnit::Seconds) => f.write_str("epoch"),
            Self::Epoch(EpochUnit::Milliseconds) => f.write_str("epoch_ms"),
            Self::Number(format) => write!(f, "number:{format}"),
            Self::Bool(words) => write!(f, "bool:{words}"),
            Self::Base64 => f.write_str("base64"),
            Self::Json => f.write_str("json"),
        }
    }
}

/// Bytes as the server reads them.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(2 * bytes.len() + 2);
    out.push_str("\\x");
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}
