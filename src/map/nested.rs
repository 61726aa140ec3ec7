//! JSON values to the text forms of arrays, composite types and hstore.
//!
//! The text goes into a scratch string; escaping for COPY comes after. What does not fit the type is passed
//! on as JSON text, so that the server refuses it with its own words.

use std::borrow::Cow;

use crate::format::json::{self, StringError};
use crate::schema::PgType;

use super::copy_text::push_integer;

/// Why a JSON value has no text form for a type.
#[derive(Debug, thiserror::Error)]
pub(super) enum NestedError {
    /// A string that PostgreSQL cannot hold.
    #[error(transparent)]
    String(#[from] StringError),
    /// An object has a member that the composite type lacks: nothing is dropped in silence.
    #[error("the composite type has no attribute {0:?}")]
    UnknownAttribute(String),
    /// Which of the two is meant, nobody knows.
    #[error("an object for a composite type has two members {0:?}")]
    DuplicateMember(String),
    /// Beyond the limit, the inner arrays would arrive as texts of the outer ones: another value than was
    /// sent.
    #[error("an array of more than {ARRAY_DIMENSIONS_MAX} dimensions")]
    TooManyDimensions,
}

/// PostgreSQL's own limit on the dimensions of an array.
const ARRAY_DIMENSIONS_MAX: u32 = 6;

/// Appends the text form of a JSON value for a column of this type.
pub(super) fn push_text(out: &mut String, raw: &str, ty: &PgType) -> Result<(), NestedError> {
    push(out, raw, ty, 0)
}

fn push(out: &mut String, raw: &str, ty: &PgType, depth: u32) -> Result<(), NestedError> {
    match (raw.as_bytes().first(), ty) {
        (Some(b'['), PgType::Array(..)) if depth >= ARRAY_DIMENSIONS_MAX => {
            Err(NestedError::TooManyDimensions)
        }
        (Some(b'['), PgType::Array(element, delimiter)) => push_array(out, raw, element, *delimiter, depth),
        (Some(b'{'), PgType::Composite(attributes)) => push_composite(out, raw, attributes, depth),
        (Some(b'{'), PgType::Hstore) => push_hstore(out, raw),
        (Some(b'"'), ty) if *ty != PgType::Json => Ok(json::unescape(raw, out)?),
        // As in a column of integers: 1.0 is one.
        (_, PgType::Int) => {
            let mut digits = Vec::new();
            let is_integer = push_integer(&mut digits, raw);
            out.push_str(std::str::from_utf8(&digits).ok().filter(|_| is_integer).unwrap_or(raw));
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
) -> Result<(), NestedError> {
    out.push('{');
    for (i, item) in json::elements(raw).enumerate() {
        let item = item?;
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
) -> Result<(), NestedError> {
    let members = json::members(raw).collect::<Result<Vec<(Cow<'_, str>, &str)>, StringError>>()?;
    let unknown = members.iter().find(|(member, _)| !attributes.iter().any(|(name, _)| name == member));
    if let Some((member, _)) = unknown {
        return Err(NestedError::UnknownAttribute(member.to_string()));
    }
    let is_there_before = |(i, (member, _)): &(usize, &(Cow<'_, str>, &str))| {
        members[..*i].iter().any(|(before, _)| before == member)
    };
    // Each is an attribute: one more member than those has one twice.
    if let Some((_, (member, _))) =
        members.iter().take(attributes.len() + 1).enumerate().find(is_there_before)
    {
        return Err(NestedError::DuplicateMember(member.to_string()));
    }
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

fn push_hstore(out: &mut String, raw: &str) -> Result<(), NestedError> {
    for (i, member) in json::members(raw).enumerate() {
        let (name, value) = member?;
        if i > 0 {
            out.push(',');
        }
        if name.contains('\0') {
            return Err(StringError::Nul.into());
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
        let (six, seven) = (format!("{}1{}", "[".repeat(6), "]".repeat(6)), "[[[[[[[1]]]]]]]");
        check(&six, &texts, "{{{{{{\"1\"}}}}}}");
        let refused = push_text(&mut String::new(), seven, &texts);
        assert!(matches!(refused, Err(NestedError::TooManyDimensions)));
        let jsons = PgType::Array(Box::new(PgType::Json), ',');
        check(r#"[{"a":1},[2]]"#, &jsons, r#"{"{\"a\":1}","[2]"}"#);
        let point = PgType::Composite(vec![("x".into(), PgType::Int), ("note".into(), PgType::Text)]);
        check(r#"{"note":"a \"q\" \\","x":1}"#, &point, r#"("1","a ""q"" \\")"#);
        check(r#"{"x":null}"#, &point, "(,)");
        check(r#"{"x":1.0}"#, &point, r#"("1",)"#);
        check("[1.0,2e1,1.5]", &PgType::Array(Box::new(PgType::Int), ','), r#"{"1","20","1.5"}"#);
        let points = PgType::Array(Box::new(point.clone()), ',');
        for (raw, ty) in [(r#"{"x":1,"x":1}"#, &point), (r#"[{"x":1},{"x":1,"\u0078":null}]"#, &points)] {
            let refused = push_text(&mut String::new(), raw, ty);
            assert!(matches!(refused, Err(NestedError::DuplicateMember(name)) if name == "x"), "{raw}");
        }
        check(r#"{"a":"1","b":null,"c\"d":2}"#, &PgType::Hstore, r#""a"=>"1","b"=>NULL,"c\"d"=>"2""#);
        check(r#"{"a": 1}"#, &PgType::Text, r#"{"a": 1}"#);
    }
}
