//! What a type of MySQL becomes in a new table, and how its values are written.

use sqlx::mysql::{MySql, MySqlColumn};
use sqlx::{Column as _, TypeInfo as _};

use super::value::MysqlForm;

/// A column as the server's catalog has it.
#[derive(Debug, Default)]
pub(super) struct CatalogColumn {
    pub(super) name: String,
    /// Its type in one word, in lower case.
    pub(super) data_type: String,
    /// And with all that belongs to it.
    pub(super) full_type: String,
    pub(super) charset: Option<String>,
    pub(super) collation: Option<String>,
    pub(super) precision: Option<String>,
    pub(super) scale: Option<String>,
    /// A text that must be JSON.
    pub(super) is_json: bool,
}

/// The type of a new column, and the form of its values.
pub(super) fn of_catalog(column: &CatalogColumn) -> (String, MysqlForm) {
    let is_unsigned = column.full_type.contains("unsigned");
    let bits = column.precision.as_ref().and_then(|digits| digits.parse().ok());
    match (column.data_type.as_str(), &column.precision, &column.scale) {
        ("decimal", Some(precision), Some(scale)) => {
            (format!("numeric({precision},{scale})"), MysqlForm::Number)
        }
        ("bit", ..) => of_bits(bits),
        ("uuid", ..) => ("uuid".to_owned(), MysqlForm::Text),
        ("inet4" | "inet6", ..) => ("inet".to_owned(), MysqlForm::Text),
        _ if column.is_json => ("jsonb".to_owned(), MysqlForm::Text),
        (name, ..) => of_name(name, is_unsigned, column.charset.is_some()),
    }
}

/// The same of a column of a query, by what the server says before its rows.
pub(super) fn of_query(column: &MySqlColumn) -> (String, MysqlForm) {
    let info = column.type_info();
    let name = info.name().to_ascii_lowercase();
    let (name, is_unsigned) = name.strip_suffix(" unsigned").map_or((name.as_str(), false), |n| (n, true));
    if name == "bit" {
        // The width is known to the driver, and told by its form for stores alone.
        let width = serde_json::to_value(info).ok().and_then(|info| info.get("max_size")?.as_u64());
        return of_bits(width);
    }
    // By the character set: a text that is compared byte by byte calls itself binary.
    let is_text = <str as sqlx::Type<MySql>>::compatible(info);
    match name {
        "boolean" => of_name("tinyint", is_unsigned, is_text),
        name => of_name(name, is_unsigned, is_text),
    }
}

fn of_bits(width: Option<u64>) -> (String, MysqlForm) {
    match width.and_then(|width| usize::try_from(width).ok()).filter(|width| (1..=64).contains(width)) {
        Some(width) => (format!("bit({width})"), MysqlForm::Bits(width)),
        None => ("bit varying".to_owned(), MysqlForm::Bits(usize::MAX)),
    }
}

fn of_name(name: &str, is_unsigned: bool, is_text: bool) -> (String, MysqlForm) {
    let (type_name, form) = match (name, is_unsigned) {
        ("tinyint", _) | ("smallint", false) | ("year", _) => ("smallint", MysqlForm::Number),
        ("smallint", true) | ("mediumint", _) | ("int" | "integer", false) => ("integer", MysqlForm::Number),
        ("int" | "integer", true) | ("bigint", false) => ("bigint", MysqlForm::Number),
        ("bigint", true) => ("numeric(20,0)", MysqlForm::Number),
        ("decimal", _) => ("numeric", MysqlForm::Number),
        ("float", _) => ("real", MysqlForm::Float),
        ("double" | "real", _) => ("double precision", MysqlForm::Double),
        ("date", _) => ("date", MysqlForm::Date),
        ("datetime", _) => ("timestamp", MysqlForm::Date),
        ("timestamp", _) => ("timestamptz", MysqlForm::Instant),
        // It goes beyond a day, in both directions.
        ("time", _) => ("interval", MysqlForm::Text),
        ("json", _) => ("jsonb", MysqlForm::Text),
        ("enum" | "set" | "null", _) => ("text", MysqlForm::Text),
        _ if is_text => ("text", MysqlForm::Text),
        // Binary strings, geometries, and what came later than this.
        _ => ("bytea", MysqlForm::Bytes),
    };
    (type_name.to_owned(), form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_becomes_what_holds_all_its_values() {
        for (full_type, charset, new) in [
            ("tinyint(1)", None, "smallint"),
            ("tinyint(3) unsigned", None, "smallint"),
            ("smallint(5) unsigned zerofill", None, "integer"),
            ("mediumint(8) unsigned", None, "integer"),
            ("int(11)", None, "integer"),
            ("int unsigned", None, "bigint"),
            ("bigint(20)", None, "bigint"),
            ("bigint(20) unsigned", None, "numeric(20,0)"),
            ("float", None, "real"),
            ("double(10,2)", None, "double precision"),
            ("year(4)", None, "smallint"),
            ("date", None, "date"),
            ("datetime(6)", None, "timestamp"),
            ("timestamp", None, "timestamptz"),
            ("time(3)", None, "interval"),
            ("varchar(9)", Some("latin1"), "text"),
            ("enum('a')", Some("utf8mb4"), "text"),
            ("set('a')", Some("utf8mb4"), "text"),
            ("longtext", Some("utf8mb4"), "text"),
            ("json", None, "jsonb"),
            ("varbinary(9)", None, "bytea"),
            ("longblob", None, "bytea"),
            ("point", None, "bytea"),
            ("vector(3)", None, "bytea"),
            ("uuid", None, "uuid"),
            ("inet6", None, "inet"),
        ] {
            let column = CatalogColumn {
                data_type: full_type.split(['(', ' ']).next().unwrap().to_owned(),
                full_type: full_type.to_owned(),
                charset: charset.map(ToOwned::to_owned),
                ..CatalogColumn::default()
            };
            assert_eq!(of_catalog(&column).0, new, "{full_type}");
        }
        let digits = |n: &str| Some(n.to_owned());
        let (precision, scale) = (digits("65"), digits("30"));
        let decimal =
            CatalogColumn { data_type: "decimal".to_owned(), precision, scale, ..CatalogColumn::default() };
        assert_eq!(of_catalog(&decimal).0, "numeric(65,30)");
        let bit = CatalogColumn {
            data_type: "bit".to_owned(),
            precision: digits("64"),
            ..CatalogColumn::default()
        };
        assert_eq!(of_catalog(&bit), ("bit(64)".to_owned(), MysqlForm::Bits(64)));
        let json =
            CatalogColumn { data_type: "longtext".to_owned(), is_json: true, ..CatalogColumn::default() };
        assert_eq!(of_catalog(&json).0, "jsonb");
    }
}
