//! The types that a new table has for columns of a schema.

use arrow_schema::extension::{EXTENSION_TYPE_NAME_KEY, ExtensionType as _, Json, Uuid};
use arrow_schema::{DataType, Field, Schema};

/// How a value stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonKind {
    /// As it is: a number, true or false.
    Bare,
    /// As it is, if it is finite.
    Float,
    /// As a string.
    Text,
    /// It is JSON.
    Json,
}

/// Names and types, as SQL has them.
pub(crate) fn sql_types(schema: &Schema) -> Vec<(String, String)> {
    schema.fields().iter().map(|field| (field.name().clone(), sql_type(field))).collect()
}

/// Values of it are JSON.
pub(super) fn is_nested(of: &DataType) -> bool {
    match of {
        DataType::Dictionary(_, value) => is_nested(value),
        DataType::RunEndEncoded(_, value) => is_nested(value.data_type()),
        _ => kind(of) == JsonKind::Json,
    }
}

/// How values of a type stand in JSON.
pub(super) const fn kind(of: &DataType) -> JsonKind {
    use DataType as T;
    match of {
        T::List(_)
        | T::LargeList(_)
        | T::ListView(_)
        | T::LargeListView(_)
        | T::FixedSizeList(..)
        | T::Struct(_)
        | T::Map(..)
        | T::Union(..) => JsonKind::Json,
        T::Null
        | T::Boolean
        | T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::UInt8
        | T::UInt16
        | T::UInt32
        | T::UInt64
        | T::Decimal32(..)
        | T::Decimal64(..)
        | T::Decimal128(..)
        | T::Decimal256(..) => JsonKind::Bare,
        T::Float16 | T::Float32 | T::Float64 => JsonKind::Float,
        _ => JsonKind::Text,
    }
}

/// The name of an extension of a field's type.
pub(super) fn extension(field: &Field) -> Option<&str> {
    field.metadata().get(EXTENSION_TYPE_NAME_KEY).map(String::as_str)
}

/// Its 16 bytes are a UUID.
pub(super) fn is_uuid(field: &Field) -> bool {
    matches!(field.data_type(), DataType::FixedSizeBinary(16))
        && (extension(field) == Some(Uuid::NAME)
            || field.metadata().get("logicalType").is_some_and(|name| name == "uuid"))
}

/// Levels of nesting of a type: of JSON, brackets open at once.
pub(super) fn depth_of(of: &DataType) -> usize {
    match of {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::RunEndEncoded(_, field) => 1 + depth_of(field.data_type()),
        DataType::Map(field, _) => 2 + depth_of(field.data_type()),
        DataType::Struct(fields) => {
            1 + fields.iter().map(|field| depth_of(field.data_type())).max().unwrap_or(0)
        }
        DataType::Union(fields, _) => {
            1 + fields.iter().map(|(_, field)| depth_of(field.data_type())).max().unwrap_or(0)
        }
        DataType::Dictionary(_, value) => depth_of(value),
        _ => 0,
    }
}

fn sql_type(field: &Field) -> String {
    if extension(field) == Some(Json::NAME) {
        return "jsonb".to_owned();
    }
    if is_uuid(field) {
        return "uuid".to_owned();
    }
    of_type(field.data_type())
}

fn of_type(of: &DataType) -> String {
    use DataType as T;
    let name = match of {
        T::Boolean => "boolean",
        T::Int8 | T::Int16 | T::UInt8 => "smallint",
        T::Int32 | T::UInt16 => "integer",
        T::Int64 | T::UInt32 => "bigint",
        T::UInt64 => "numeric(20,0)",
        T::Float16 | T::Float32 => "real",
        T::Float64 => "double precision",
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => return format!("numeric({precision},{scale})"),
        T::Date32 | T::Date64 => "date",
        T::Timestamp(_, None) => "timestamp",
        T::Timestamp(_, Some(_)) => "timestamp with time zone",
        T::Time32(_) | T::Time64(_) => "time",
        T::Duration(_) | T::Interval(_) => "interval",
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "bytea",
        T::List(item)
        | T::LargeList(item)
        | T::ListView(item)
        | T::LargeListView(item)
        | T::FixedSizeList(item, _) => {
            return match is_nested(item.data_type()) {
                true => "jsonb".to_owned(),
                false => format!("{}[]", sql_type(item)),
            };
        }
        T::Struct(_) | T::Map(..) | T::Union(..) => "jsonb",
        T::Dictionary(_, value) => return of_type(value),
        T::RunEndEncoded(_, value) => return sql_type(value),
        T::Null | T::Utf8 | T::LargeUtf8 | T::Utf8View => "text",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::TimeUnit;

    use super::*;

    #[test]
    fn each_type_has_its_column() {
        let list = |of| DataType::List(Arc::new(Field::new("item", of, true)));
        for (of, expected) in [
            (DataType::UInt32, "bigint"),
            (DataType::UInt64, "numeric(20,0)"),
            (DataType::Decimal128(38, -3), "numeric(38,-3)"),
            (DataType::Decimal256(76, 10), "numeric(76,10)"),
            (DataType::Timestamp(TimeUnit::Nanosecond, None), "timestamp"),
            (DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into())), "timestamp with time zone"),
            (DataType::FixedSizeBinary(16), "bytea"),
            (list(DataType::Int32), "integer[]"),
            (list(list(DataType::Int32)), "jsonb"),
            (DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)), "text"),
            (DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into()), "jsonb"),
        ] {
            assert_eq!(sql_type(&Field::new("c", of.clone(), true)), expected, "{of}");
        }
        let mut uuid = Field::new("c", DataType::FixedSizeBinary(16), true);
        uuid.try_with_extension_type(Uuid).unwrap();
        assert_eq!(sql_type(&uuid), "uuid");
    }
}
