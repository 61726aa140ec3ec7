//! Rows as fields, and as the line of a reject.

use std::borrow::Cow;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::below::SubMicroseconds;
use super::sheet::SHEET;
use super::text::{self, ColumnText};
use super::{sql_type, writer};
use crate::format::decode::{DecodeError, DecodeErrorKind, DecodeLimits, Each};
use crate::format::kind::{Fields, MendedValue};
use crate::format::nul::OnNul;
use crate::record::Columns;

/// Whether rows of this schema are plain values, which go by their place.
pub(crate) fn is_flat(schema: &Schema) -> bool {
    schema.fields().iter().all(|field| !sql_type::is_nested(field.data_type()))
}

/// Whether no value of a batch needs an escape in COPY text.
pub(crate) fn is_verbatim(batch: &RecordBatch) -> bool {
    batch.columns().iter().all(|column| text::is_verbatim(column.as_ref()))
}

/// The error of a row, which has no bytes.
const fn of_row(kind: DecodeErrorKind) -> DecodeError {
    DecodeError { kind, offset: 0, line: 0, column: 0 }
}

/// Decodes the rows in order: `each` is called exactly once a row.
pub(in crate::format) fn decode(columns: &Columns, limits: &DecodeLimits, each: &mut Each<'_>) {
    let Some(batch) = batch_of(columns) else { return };
    let schema = batch.schema();
    if batch.num_columns() > limits.fields {
        return (0..columns.count)
            .for_each(|i| each(i, Err(of_row(DecodeErrorKind::TooManyFields(limits.fields)))));
    }
    let texts = column_texts(&batch, limits);
    let is_sheet = schema.metadata().contains_key(SHEET);
    if is_flat(&schema) {
        let mut values = Vec::with_capacity(texts.len());
        for i in 0..columns.count {
            if let Some(error) = is_sheet.then(|| cell_of_sheet(&texts, i, &schema)).flatten() {
                each(i, Err(error));
                continue;
            }
            if let Some(error) = refused(&texts, i, limits) {
                each(i, Err(error));
                continue;
            }
            if limits.on_nul != OnNul::Reject && texts.iter().any(|text| text.holds_nul(i)) {
                let cleaned: Vec<_> = texts.iter().map(|text| text.cleaned(i, limits.on_nul)).collect();
                let cleaned: Vec<Option<&str>> = cleaned.iter().map(Option::as_deref).collect();
                each(i, Ok(Fields::Positional(&cleaned)));
                continue;
            }
            values.clear();
            values.extend(texts.iter().map(|text| text.get(i)));
            each(i, Ok(Fields::Positional(&values)));
        }
        return;
    }
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut members = Vec::with_capacity(texts.len());
    for i in 0..columns.count {
        if let Some(error) = refused(&texts, i, limits) {
            each(i, Err(error));
            continue;
        }
        members.clear();
        for (name, text) in names.iter().zip(&texts) {
            let value = match text.cleaned(i, limits.on_nul) {
                None => MendedValue::Null,
                Some(Cow::Borrowed(json)) if text.is_json => MendedValue::Json(Cow::Borrowed(json)),
                Some(value) => MendedValue::Text(value),
            };
            members.push((Cow::Borrowed(*name), value));
        }
        each(i, Ok(Fields::Mended(&members)));
    }
}

/// The `i`th row as a JSON object that loads again with the values of text: for a reject.
pub(in crate::format) fn row_as_json(columns: &Columns, i: usize) -> Option<String> {
    let one = batch_of(columns)?.slice(i, 1);
    // Digit for digit, whatever the load does with them.
    let limits = DecodeLimits { sub_microseconds: SubMicroseconds::Keep, ..DecodeLimits::default() };
    let texts = column_texts(&one, &limits);
    let is_sheet = one.schema_ref().metadata().contains_key(SHEET);
    let mut out = String::from("{");
    for (field, text) in one.schema().fields().iter().zip(&texts) {
        if out.len() > 1 {
            out.push(',');
        }
        writer::push_quoted(&mut out, field.name());
        out.push(':');
        match text.get(0) {
            None => out.push_str("null"),
            Some(json) if text.is_json => out.push_str(json),
            Some(value) if is_sheet => writer::push_quoted(&mut out, value.trim_start_matches('\0')),
            Some(value) => writer::push_quoted(&mut out, value),
        }
    }
    out.push('}');
    Some(out)
}

fn batch_of(columns: &Columns) -> Option<RecordBatch> {
    let batch = columns.batch.downcast_ref::<RecordBatch>()?;
    Some(batch.slice(columns.from, columns.count))
}

fn column_texts<'b>(batch: &'b RecordBatch, limits: &DecodeLimits) -> Vec<ColumnText<'b>> {
    let schema = batch.schema_ref();
    let columns = schema.fields().iter().zip(batch.columns());
    columns.map(|(field, array)| ColumnText::of(field, array.as_ref(), limits.sub_microseconds)).collect()
}

/// What of the `i`th row of a sheet is no value: it begins with what no cell can hold.
fn cell_of_sheet(texts: &[ColumnText<'_>], i: usize, schema: &Schema) -> Option<DecodeError> {
    texts.iter().zip(schema.fields()).find_map(|(text, field)| {
        let what = text.get(i)?.strip_prefix('\0')?.to_owned();
        Some(of_row(DecodeErrorKind::Cell { name: field.name().clone(), what }))
    })
}

/// Why the `i`th row is refused.
fn refused(texts: &[ColumnText<'_>], i: usize, limits: &DecodeLimits) -> Option<DecodeError> {
    let has_nul = limits.on_nul == OnNul::Reject && texts.iter().any(|text| text.holds_nul(i));
    if has_nul {
        return Some(of_row(DecodeErrorKind::Nul));
    }
    let deep = texts.iter().position(|text| text.is_json && text.depth > limits.depth);
    deep.map(|column| {
        let name = format!("number {}", column + 1);
        of_row(DecodeErrorKind::TooDeep { name, limit: limits.depth })
    })
}
