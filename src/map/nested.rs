//! JSON values to the text forms of arrays, composite types and hstore.
//!
//! The text goes into a scratch string; escaping for COPY comes after. What does not fit the type is passed on as
//! JSON text, so that the server refuses it with its own words.

use std::borrow::Cow;

use crate::format::json::{self, StringError};
use crate::schema::PgType;

/// PostgreSQL's own limit on the dimensions of an array.
const ARRAY_DIMENSIONS_MAX: u32 = 6;

/// Appends the text form of a JSON value for a column of this type.
pub(super) fn push_text(out: &mut String, raw: &str, ty: &PgType) -> Result<(), StringError> {
    push(out, raw, ty, 0)
}

fn push(out: &mut String, raw: &str, ty: &PgType, depth: u32) -> Result<(), StringError> {
    match (raw.as_bytes().first(), ty) {
        (_, PgType::Json) => {
            json::check_strings(raw)?;
            out.push_str(raw);
            Ok(())
        }
        (Some(b'['), PgType::Array(element, delimiter)) if depth < ARRAY_DIMENSIONS_MAX => {
            push_array(out, raw, element, *delimiter, depth)
        }
        (Some(b'{'), PgType::Composite(attributes)) => push_composite(out, raw, attributes, depth),
        (Some(b'{'), PgType::Hstore) => push_hstore(out, raw),
        (Some(b'"'), _) => json::unescape(raw, out),
        (Some(b'{' | b'['), _) => {
            json::check_strings(raw)?;
            out.push_str(raw);
            Ok(())
        }
        _ => {
            out.push_str(raw);
            Ok(())
        }
    }
}

fn push_array(
    out: &mut String,
    raw: &str,
    element: &PgType,
    delimiter: char,
    depth: u32,
) -> Result<(), StringError> {
    out.push('{');
    for (i, item) in json::elements(raw).enumerate() {
        if i > 0 {
            out.push(delimiter);
        }
        if item == "null" {
            out.push_str("NULL");
        } else if item.starts_with('[') && !matches!(element, PgType::Json) {
            let again = PgType::Array(Box::new(element.clone()), delimiter);
            push(out, item, &again, depth + 1)?;
        } else {
            let mut text = String::new();
            push(&mut text, item, element, depth + 1)?;
            push_quoted(out, &text, '\\');
        }
    }
    out.push('}');
    Ok(())
}

fn push_composite(
    out: &mut String,
    raw: &str,
    attributes: &[(String, PgType)],
    depth: u32,
) -> Result<(), StringError> {
    let members: Vec<(Cow<'_, str>, &str)> = json::members(raw).collect();
    out.push('(');
    for (i, (name, ty)) in attributes.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match members.iter().find(|(member, _)| member == name) {
            Some((_, value)) if *value != "null" => {
                let mut text = String::new();
                push(&mut text, value, ty, depth + 1)?;
                push_quoted(out, &text, '"');
            }
            // An empty place is NULL in a row literal.
            _ => {}
        }
    }
    out.push(')');
    Ok(())
}

fn push_hstore(out: &mut String, raw: &str) -> Result<(), StringError> {
    for (i, (name, value)) in json::members(raw).enumerate() {
        if i > 0 {
            out.push(',');
        }
        if name.contains('\0') {
            return Err(StringError::Nul);
        }
        push_quoted(out, &name, '\\');
        out.push_str("=>");
        if value == "null" {
            out.push_str("NULL");
        } else {
            let mut text = String::new();
            push(&mut text, value, &PgType::Other, 0)?;
            push_quoted(out, &text, '\\');
        }
    }
    Ok(())
}

/// Quotes an element: array and hstore escape a quote by a backslash, row literals by doubling it.
fn push_quoted(out: &mut String, text: &str, quote_escape: char) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => {
                out.push(quote_escape);
                out.push('"');
            }
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, ty: &PgType, expected: &str) {
        let mut out = String::new();
        push_text(&mut out, raw, ty).unwrap();
        assert_eq!(out, expected, "{raw}");
    }

    #[test]
    fn json_reaches_arrays_rows_and_hstore() {
        let texts = PgType::Array(Box::new(PgType::Text), ',');
        check(r#"["a","b\"c",null,1.50,true]"#, &texts, r#"{"a","b\"c",NULL,"1.50","true"}"#);
        check("[[1,2],[3,4]]", &PgType::Array(Box::new(PgType::Int), ','), r#"{{"1","2"},{"3","4"}}"#);
        check("[]", &texts, "{}");
        check(r#""{1,2}""#, &texts, "{1,2}");
        let jsons = PgType::Array(Box::new(PgType::Json), ',');
        check(r#"[{"a":1},[2]]"#, &jsons, r#"{"{\"a\":1}","[2]"}"#);
        let point = PgType::Composite(vec![("x".into(), PgType::Int), ("note".into(), PgType::Text)]);
        check(r#"{"note":"a \"q\" \\","x":1}"#, &point, r#"("1","a ""q"" \\")"#);
        check(r#"{"x":null}"#, &point, "(,)");
        check(r#"{"a":"1","b":null,"c\"d":2}"#, &PgType::Hstore, r#""a"=>"1","b"=>NULL,"c\"d"=>"2""#);
        check(r#"{"a": 1}"#, &PgType::Text, r#"{"a": 1}"#);
    }
}
