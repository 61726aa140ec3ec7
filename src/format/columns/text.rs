//! The values of a column of a block, as text.

use std::borrow::Cow;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{Array, LargeStringArray, StringArray, StringViewArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};
use memchr::memchr;

use super::below::SubMicroseconds;
use super::sql_type::{self, JsonKind, depth_of};
use super::writer::ValueWriter;
use crate::format::nul::{OnNul, clean_json};

/// The values of a column, as text.
pub(super) struct ColumnText<'b> {
    values: TextArray<'b>,
    nulls: Option<NullBuffer>,
    /// Where each row's value is, if it is not at its own place.
    places: Option<Vec<usize>>,
    /// They are JSON.
    pub(super) is_json: bool,
    /// Brackets that are open at once in it.
    pub(super) depth: usize,
    /// Some value may hold a NUL.
    may_hold_nul: bool,
}

enum TextArray<'b> {
    Text(&'b StringArray),
    LargeText(&'b LargeStringArray),
    TextView(&'b StringViewArray),
    Made { text: String, ends: Vec<usize> },
}

impl<'b> ColumnText<'b> {
    pub(super) fn of(field: &Field, array: &'b dyn Array, below: SubMicroseconds) -> Self {
        let nulls = array.logical_nulls();
        let (array, places): (&'b dyn Array, _) = match array.data_type() {
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                let values = dictionary.values().as_ref();
                // Without values each row is NULL.
                (values, (!values.is_empty()).then(|| dictionary.normalized_keys()))
            }
            DataType::RunEndEncoded(ends, _) => match ends.data_type() {
                DataType::Int16 => runs::<Int16Type>(array),
                DataType::Int32 => runs::<Int32Type>(array),
                _ => runs::<Int64Type>(array),
            },
            _ => (array, None),
        };
        let is_json = sql_type::is_nested(array.data_type());
        let values = match array.data_type() {
            DataType::Utf8 => TextArray::Text(array.as_string()),
            DataType::LargeUtf8 => TextArray::LargeText(array.as_string()),
            DataType::Utf8View => TextArray::TextView(array.as_string_view()),
            _ => {
                let writer = ValueWriter::of(field, array, below);
                let (mut text, mut ends) = (String::new(), Vec::with_capacity(array.len()));
                for i in 0..array.len() {
                    if !writer.is_null(i) {
                        writer.push(&mut text, i);
                    }
                    ends.push(text.len());
                }
                TextArray::Made { text, ends }
            }
        };
        let may_hold_nul = match &values {
            TextArray::Text(array) => memchr(0, array.value_data()).is_some(),
            TextArray::LargeText(array) => memchr(0, array.value_data()).is_some(),
            TextArray::TextView(array) => {
                (0..array.len()).any(|i| memchr(0, array.value(i).as_bytes()).is_some())
            }
            // As an escape of JSON, where it is in any.
            TextArray::Made { .. } => is_json,
        };
        let depth = depth_of(array.data_type());
        Self { values, nulls, places, is_json, depth, may_hold_nul }
    }

    /// The `i`th value; `None`: NULL.
    #[inline]
    pub(super) fn get(&self, i: usize) -> Option<&str> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(i)) {
            return None;
        }
        let i = self.places.as_ref().map_or(i, |places| places[i]);
        Some(match &self.values {
            TextArray::Text(array) => array.value(i),
            TextArray::LargeText(array) => array.value(i),
            TextArray::TextView(array) => array.value(i),
            TextArray::Made { text, ends } => {
                let from = i.checked_sub(1).map_or(0, |before| ends[before]);
                &text[from..ends[i]]
            }
        })
    }

    /// The `i`th value holds a NUL, outside of JSON.
    pub(super) fn holds_nul(&self, i: usize) -> bool {
        self.may_hold_nul
            && !self.is_json
            && self.get(i).is_some_and(|text| memchr(0, text.as_bytes()).is_some())
    }

    /// The `i`th value, held to a rule.
    pub(super) fn cleaned(&self, i: usize, rule: OnNul) -> Option<Cow<'_, str>> {
        let text = self.get(i)?;
        if rule == OnNul::Reject || !self.may_hold_nul {
            return Some(Cow::Borrowed(text));
        }
        if self.is_json {
            return Some(match clean_json(text.as_bytes(), rule) {
                Cow::Borrowed(_) => Cow::Borrowed(text),
                Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned),
            });
        }
        let instead = if rule == OnNul::Replace { "\u{fffd}" } else { "" };
        Some(match memchr(0, text.as_bytes()) {
            Some(_) => Cow::Owned(text.replace('\0', instead)),
            None => Cow::Borrowed(text),
        })
    }
}

fn runs<R: RunEndIndexType>(array: &dyn Array) -> (&dyn Array, Option<Vec<usize>>) {
    match array.as_run_opt::<R>() {
        Some(runs) => {
            let places = (0..array.len()).map(|i| runs.get_physical_index(i)).collect();
            (runs.values().as_ref(), Some(places))
        }
        None => (array, None),
    }
}

/// Whether no value of a column needs an escape in COPY text.
pub(super) fn is_verbatim(array: &dyn Array) -> bool {
    const ESCAPED: [u8; 4] = *b"\\\t\n\r";
    let is_plain = |bytes: &[u8]| {
        let [a, b, c, d] = ESCAPED;
        !bytes
            .iter()
            .fold(false, |found, byte| found | (*byte == a) | (*byte == b) | (*byte == c) | (*byte == d))
    };
    match array.data_type() {
        DataType::Utf8 => {
            let array: &StringArray = array.as_string();
            is_plain(array.value_data())
        }
        DataType::LargeUtf8 => {
            let array: &LargeStringArray = array.as_string();
            is_plain(array.value_data())
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            (0..array.len()).all(|i| array.is_null(i) || is_plain(array.value(i).as_bytes()))
        }
        DataType::Dictionary(..) => is_verbatim(array.as_any_dictionary().values().as_ref()),
        other => sql_type::kind(other) == JsonKind::Bare || other.is_temporal(),
    }
}
