//! Values of a column as text, one by one: what they are written as is looked up once a column.

use std::fmt::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType, OffsetSizeTrait, UnionArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};

use super::below::SubMicroseconds;
use super::sql_type::JsonKind;
use super::{moment, sql_type};

type Push<'a> = Box<dyn Fn(&mut String, usize) + 'a>;

/// Writes the values of a column.
pub(super) struct ValueWriter<'a> {
    push: Push<'a>,
    kind: JsonKind,
    nulls: Option<NullBuffer>,
}

impl<'a> ValueWriter<'a> {
    pub(super) fn of(field: &Field, array: &'a dyn Array, below: SubMicroseconds) -> Self {
        let nulls = array.logical_nulls();
        let (kind, push) = match array.data_type() {
            DataType::Dictionary(..) => dictionary(field, array, below),
            DataType::RunEndEncoded(ends, _) => match ends.data_type() {
                DataType::Int16 => runs::<Int16Type>(field, array, below),
                DataType::Int32 => runs::<Int32Type>(field, array, below),
                _ => runs::<Int64Type>(field, array, below),
            },
            of => (sql_type::kind(of), push_of(field, array, below)),
        };
        Self { push, kind, nulls }
    }

    pub(super) fn is_null(&self, i: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(i))
    }

    /// The `i`th value, which is not NULL.
    pub(super) fn push(&self, out: &mut String, i: usize) {
        (self.push)(out, i);
    }

    /// The `i`th value as JSON.
    fn push_json(&self, out: &mut String, i: usize) {
        if self.is_null(i) {
            return out.push_str("null");
        }
        match self.kind {
            JsonKind::Bare | JsonKind::Json => self.push(out, i),
            JsonKind::Float | JsonKind::Text => {
                let mut text = String::new();
                self.push(&mut text, i);
                let is_number = self.kind == JsonKind::Float && text.ends_with(|c: char| c.is_ascii_digit());
                if is_number { out.push_str(&text) } else { push_quoted(out, &text) }
            }
        }
    }
}

/// A text as a string of JSON.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

fn push_of<'a>(field: &Field, array: &'a dyn Array, below: SubMicroseconds) -> Push<'a> {
    use DataType as T;
    match array.data_type() {
        T::Null => Box::new(|_, _| {}),
        T::Boolean => {
            let array = array.as_boolean();
            Box::new(|out, i| out.push_str(if array.value(i) { "true" } else { "false" }))
        }
        T::Int8 => integer::<Int8Type>(array),
        T::Int16 => integer::<Int16Type>(array),
        T::Int32 => integer::<Int32Type>(array),
        T::Int64 => integer::<Int64Type>(array),
        T::UInt8 => integer::<UInt8Type>(array),
        T::UInt16 => integer::<UInt16Type>(array),
        T::UInt32 => integer::<UInt32Type>(array),
        T::UInt64 => integer::<UInt64Type>(array),
        T::Float16 => {
            let array = array.as_primitive::<Float16Type>();
            Box::new(|out, i| push_f32(out, array.value(i).to_f32()))
        }
        T::Float32 => {
            let array = array.as_primitive::<Float32Type>();
            Box::new(|out, i| push_f32(out, array.value(i)))
        }
        T::Float64 => {
            let array = array.as_primitive::<Float64Type>();
            Box::new(|out, i| push_f64(out, array.value(i)))
        }
        T::Decimal32(..) => decimal::<Decimal32Type>(array),
        T::Decimal64(..) => decimal::<Decimal64Type>(array),
        T::Decimal128(..) => decimal::<Decimal128Type>(array),
        T::Decimal256(..) => decimal::<Decimal256Type>(array),
        T::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(|out, i| out.push_str(array.value(i)))
        }
        T::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Box::new(|out, i| out.push_str(array.value(i)))
        }
        T::Utf8View => {
            let array = array.as_string_view();
            Box::new(|out, i| out.push_str(array.value(i)))
        }
        T::Binary => {
            let array = array.as_binary::<i32>();
            Box::new(|out, i| push_bytes(out, array.value(i)))
        }
        T::LargeBinary => {
            let array = array.as_binary::<i64>();
            Box::new(|out, i| push_bytes(out, array.value(i)))
        }
        T::BinaryView => {
            let array = array.as_binary_view();
            Box::new(|out, i| push_bytes(out, array.value(i)))
        }
        T::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            match sql_type::is_uuid(field) {
                true => Box::new(|out, i| push_uuid(out, array.value(i))),
                false => Box::new(|out, i| push_bytes(out, array.value(i))),
            }
        }
        T::List(_)
        | T::LargeList(_)
        | T::ListView(_)
        | T::LargeListView(_)
        | T::FixedSizeList(..)
        | T::Struct(_)
        | T::Map(..)
        | T::Union(..)
        | T::Dictionary(..)
        | T::RunEndEncoded(..) => nested(array, below),
        _ => temporal(array, below),
    }
}

fn integer<'a, T>(array: &'a dyn Array) -> Push<'a>
where
    T: ArrowPrimitiveType,
    T::Native: itoa::Integer,
{
    let array = array.as_primitive::<T>();
    Box::new(|out, i| out.push_str(itoa::Buffer::new().format(array.value(i))))
}

fn decimal<T: DecimalType>(array: &dyn Array) -> Push<'_> {
    let array = array.as_primitive::<T>();
    Box::new(|out, i| {
        push_decimal(out, &T::format_decimal(array.value(i), T::MAX_PRECISION, 0), array.scale())
    })
}

/// Digits with a point so many places before their end.
fn push_decimal(out: &mut String, digits: &str, scale: i8) {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    out.push_str(sign);
    let places = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        out.push_str(digits);
        if digits != "0" {
            out.extend(std::iter::repeat_n('0', places));
        }
        return;
    }
    match digits.len().checked_sub(places) {
        Some(whole) if whole > 0 => {
            let (whole, fraction) = digits.split_at(whole);
            let _ = write!(out, "{whole}.{fraction}");
        }
        _ => {
            let _ = write!(out, "0.{digits:0>places$}");
        }
    }
}

fn push_f32(out: &mut String, value: f32) {
    let is_short = value == 0.0 || (1e-5..1e9).contains(&value.abs());
    let _ = match value {
        value if value.is_nan() => write!(out, "NaN"),
        value if value.is_infinite() => write!(out, "{}Infinity", if value < 0.0 { "-" } else { "" }),
        value if is_short => write!(out, "{value}"),
        value => write!(out, "{value:e}"),
    };
}

/// The shortest digits that read back: a whole number without a point; with an exponent where they are more
/// than every double keeps, which says that they are a double's.
fn push_f64(out: &mut String, value: f64) {
    const SURE_BYTES: usize = 15;
    let is_short = value == 0.0 || (1e-5..1e15).contains(&value.abs());
    let start = out.len();
    let _ = match value {
        value if value.is_nan() => write!(out, "NaN"),
        value if value.is_infinite() => write!(out, "{}Infinity", if value < 0.0 { "-" } else { "" }),
        value if is_short => write!(out, "{value}"),
        value => write!(out, "{value:e}"),
    };
    if is_short && out.len() - start > SURE_BYTES {
        out.truncate(start);
        let _ = write!(out, "{value:e}");
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn push_hex(out: &mut String, bytes: &[u8]) {
    out.reserve(2 * bytes.len());
    for byte in bytes {
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// The hex form of bytea.
fn push_bytes(out: &mut String, bytes: &[u8]) {
    out.push_str("\\x");
    push_hex(out, bytes);
}

fn push_uuid(out: &mut String, bytes: &[u8]) {
    let mut rest = bytes;
    for (n, length) in [4, 2, 2, 2, 6].into_iter().enumerate() {
        let (part, behind) = rest.split_at(length.min(rest.len()));
        if n > 0 {
            out.push('-');
        }
        push_hex(out, part);
        rest = behind;
    }
}

fn temporal<'a>(array: &'a dyn Array, below: SubMicroseconds) -> Push<'a> {
    use DataType as T;
    match array.data_type() {
        T::Date32 => {
            let array = array.as_primitive::<Date32Type>();
            Box::new(|out, i| moment::push_date(out, array.value(i).into()))
        }
        T::Date64 => {
            let array = array.as_primitive::<Date64Type>();
            Box::new(|out, i| moment::push_date64(out, array.value(i)))
        }
        T::Timestamp(unit, zone) => {
            let (unit, is_instant, value) =
                (*unit, zone.is_some(), of_unit(array, *unit, UnitsOf::Timestamp));
            Box::new(move |out, i| moment::push_timestamp(out, value(i), unit, is_instant, below))
        }
        T::Time32(unit) | T::Time64(unit) => {
            let (unit, value) = (*unit, of_unit(array, *unit, UnitsOf::Time));
            Box::new(move |out, i| moment::push_time(out, value(i), unit, below))
        }
        T::Duration(unit) => {
            let (unit, value) = (*unit, of_unit(array, *unit, UnitsOf::Duration));
            Box::new(move |out, i| moment::push_duration(out, value(i), unit, below))
        }
        T::Interval(IntervalUnit::YearMonth) => {
            let array = array.as_primitive::<IntervalYearMonthType>();
            Box::new(move |out, i| moment::push_interval(out, array.value(i), 0, 0, below))
        }
        T::Interval(IntervalUnit::DayTime) => {
            let array = array.as_primitive::<IntervalDayTimeType>();
            Box::new(move |out, i| {
                let value = array.value(i);
                let nanos = i64::from(value.milliseconds) * 1_000_000;
                moment::push_interval(out, 0, value.days, nanos, below);
            })
        }
        T::Interval(IntervalUnit::MonthDayNano) => {
            let array = array.as_primitive::<IntervalMonthDayNanoType>();
            Box::new(move |out, i| {
                let value = array.value(i);
                moment::push_interval(out, value.months, value.days, value.nanoseconds, below);
            })
        }
        // Each other type is handled before.
        _ => Box::new(|_, _| {}),
    }
}

/// What a count of units is of.
enum UnitsOf {
    Timestamp,
    Time,
    Duration,
}

fn of_unit<'a>(array: &'a dyn Array, unit: TimeUnit, span: UnitsOf) -> Box<dyn Fn(usize) -> i64 + 'a> {
    fn value<'a, T>(array: &'a dyn Array) -> Box<dyn Fn(usize) -> i64 + 'a>
    where
        T: ArrowPrimitiveType,
        T::Native: Into<i64>,
    {
        let array = array.as_primitive::<T>();
        Box::new(|i| array.value(i).into())
    }
    match (span, unit) {
        (UnitsOf::Timestamp, TimeUnit::Second) => value::<TimestampSecondType>(array),
        (UnitsOf::Timestamp, TimeUnit::Millisecond) => value::<TimestampMillisecondType>(array),
        (UnitsOf::Timestamp, TimeUnit::Microsecond) => value::<TimestampMicrosecondType>(array),
        (UnitsOf::Timestamp, TimeUnit::Nanosecond) => value::<TimestampNanosecondType>(array),
        (UnitsOf::Time, TimeUnit::Second) => value::<Time32SecondType>(array),
        (UnitsOf::Time, TimeUnit::Millisecond) => value::<Time32MillisecondType>(array),
        (UnitsOf::Time, TimeUnit::Microsecond) => value::<Time64MicrosecondType>(array),
        (UnitsOf::Time, TimeUnit::Nanosecond) => value::<Time64NanosecondType>(array),
        (UnitsOf::Duration, TimeUnit::Second) => value::<DurationSecondType>(array),
        (UnitsOf::Duration, TimeUnit::Millisecond) => value::<DurationMillisecondType>(array),
        (UnitsOf::Duration, TimeUnit::Microsecond) => value::<DurationMicrosecondType>(array),
        (UnitsOf::Duration, TimeUnit::Nanosecond) => value::<DurationNanosecondType>(array),
    }
}

fn dictionary<'a>(field: &Field, array: &'a dyn Array, below: SubMicroseconds) -> (JsonKind, Push<'a>) {
    let dictionary = array.as_any_dictionary();
    let values = ValueWriter::of(field, dictionary.values().as_ref(), below);
    let keys = if dictionary.values().is_empty() { Vec::new() } else { dictionary.normalized_keys() };
    (values.kind, Box::new(move |out, i| values.push(out, keys[i])))
}

fn runs<'a, R: RunEndIndexType>(
    field: &Field,
    array: &'a dyn Array,
    below: SubMicroseconds,
) -> (JsonKind, Push<'a>) {
    let Some(runs) = array.as_run_opt::<R>() else { return (JsonKind::Bare, Box::new(|_, _| {})) };
    let values = ValueWriter::of(field, runs.values().as_ref(), below);
    (values.kind, Box::new(move |out, i| values.push(out, runs.get_physical_index(i))))
}

fn nested<'a>(array: &'a dyn Array, below: SubMicroseconds) -> Push<'a> {
    use DataType as T;
    match array.data_type() {
        T::List(item) => list::<i32>(item, array, below),
        T::LargeList(item) => list::<i64>(item, array, below),
        T::ListView(item) => {
            let list = array.as_list_view::<i32>();
            let items = ValueWriter::of(item, list.values().as_ref(), below);
            Box::new(move |out, i| {
                let (from, count) = (index(list.value_offsets()[i]), index(list.value_sizes()[i]));
                push_list(out, &items, from..from + count);
            })
        }
        T::LargeListView(item) => {
            let list = array.as_list_view::<i64>();
            let items = ValueWriter::of(item, list.values().as_ref(), below);
            Box::new(move |out, i| {
                let (from, count) = (index(list.value_offsets()[i]), index(list.value_sizes()[i]));
                push_list(out, &items, from..from + count);
            })
        }
        T::FixedSizeList(item, _) => {
            let list = array.as_fixed_size_list();
            let items = ValueWriter::of(item, list.values().as_ref(), below);
            Box::new(move |out, i| {
                let (from, count) = (index(list.value_offset_at(i)), index(list.value_length()));
                push_list(out, &items, from..from + count);
            })
        }
        T::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let columns = columns.map(|(field, column)| {
                let mut name = String::new();
                push_quoted(&mut name, field.name());
                (name, ValueWriter::of(field, column.as_ref(), below))
            });
            let columns: Vec<_> = columns.collect();
            Box::new(move |out, i| {
                out.push('{');
                for (n, (name, column)) in columns.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    out.push_str(name);
                    out.push(':');
                    column.push_json(out, i);
                }
                out.push('}');
            })
        }
        T::Map(entries, _) => map(entries, array, below),
        T::Union(..) => union(array.as_union(), below),
        _ => Box::new(|_, _| {}),
    }
}

/// An offset, which arrays never have below 0.
fn index(offset: impl TryInto<usize>) -> usize {
    offset.try_into().unwrap_or_default()
}

fn list<'a, O: OffsetSizeTrait>(item: &Field, array: &'a dyn Array, below: SubMicroseconds) -> Push<'a> {
    let list = array.as_list::<O>();
    let items = ValueWriter::of(item, list.values().as_ref(), below);
    Box::new(move |out, i| {
        let offsets = list.value_offsets();
        push_list(out, &items, offsets[i].as_usize()..offsets[i + 1].as_usize());
    })
}

fn push_list(out: &mut String, items: &ValueWriter<'_>, range: std::ops::Range<usize>) {
    out.push('[');
    let first = range.start;
    for i in range {
        out.push_str(if i > first { "," } else { "" });
        items.push_json(out, i);
    }
    out.push(']');
}

/// With keys of text an object, else an array of pairs.
fn map<'a>(entries: &Field, array: &'a dyn Array, below: SubMicroseconds) -> Push<'a> {
    let map = array.as_map();
    let DataType::Struct(fields) = entries.data_type() else { return Box::new(|_, _| {}) };
    let (Some(key), Some(value)) = (fields.first(), fields.get(1)) else { return Box::new(|_, _| {}) };
    let keys = ValueWriter::of(key, map.keys().as_ref(), below);
    let values = ValueWriter::of(value, map.values().as_ref(), below);
    let is_object = matches!(key.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let [open, between, close] = if is_object { ["{", ":", "}"] } else { ["[", ",", "]"] };
    Box::new(move |out, i| {
        let offsets = map.value_offsets();
        let range = index(offsets[i])..index(offsets[i + 1]);
        out.push_str(open);
        for entry in range.clone() {
            out.push_str(if entry > range.start { "," } else { "" });
            out.push_str(if is_object { "" } else { "[" });
            keys.push_json(out, entry);
            out.push_str(between);
            values.push_json(out, entry);
            out.push_str(if is_object { "" } else { "]" });
        }
        out.push_str(close);
    })
}

/// Tagged with the name of its arm, as Avro's JSON has it.
fn union<'a>(array: &'a UnionArray, below: SubMicroseconds) -> Push<'a> {
    let DataType::Union(fields, _) = array.data_type() else { return Box::new(|_, _| {}) };
    let arms = fields.iter().map(|(id, field)| {
        let mut name = String::new();
        push_quoted(&mut name, field.name());
        (id, name, ValueWriter::of(field, array.child(id).as_ref(), below))
    });
    let arms: Vec<_> = arms.collect();
    Box::new(move |out, i| {
        let id = array.type_id(i);
        let Some((_, name, arm)) = arms.iter().find(|(of, ..)| *of == id) else {
            return out.push_str("null");
        };
        let at = array.value_offset(i);
        if arm.is_null(at) {
            return out.push_str("null");
        }
        out.push('{');
        out.push_str(name);
        out.push(':');
        arm.push_json(out, at);
        out.push('}');
    })
}
