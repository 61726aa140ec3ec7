//! Names and literals in SQL text: what is quoted reads back as itself by SQL's own rules, whatever it holds.

use dbload::internals::schema::{IDENT_LIMIT_BYTES, Ident, TableName, literal, quote_literal};

use super::Dials;

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let (first, second) = (dials.text(b'\n'), String::from_utf8_lossy(dials.rest()).into_owned());
    for name in [&first, &second] {
        ident(name);
        literals(name);
    }
    if let (Ok(schema), Ok(name)) = (Ident::new(first.clone()), Ident::new(second.clone())) {
        let table = TableName { schema: Some(schema), name };
        assert_eq!(TableName::parse(&table.to_string()), Ok(table.clone()));
        assert_eq!(
            TableName::parse(&table.plain()),
            Ok(table.clone()),
            "as people write it: {}",
            table.plain()
        );
    }
    match TableName::parse(&second) {
        Ok(table) => assert_eq!(TableName::parse(&table.plain()), Ok(table)),
        Err(error) => {
            let words = error.to_string();
            assert!(!words.chars().any(char::is_control) && words.len() < 1_500, "{words:?}");
        }
    }
}

fn ident(name: &str) {
    let Ok(ident) = Ident::new(name) else {
        assert!(name.is_empty() || name.contains('\0') || name.len() > IDENT_LIMIT_BYTES);
        return;
    };
    assert_eq!(ident.raw(), name);
    // SQL's rule: from the quote to the next that is not doubled.
    let text = ident.to_string();
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quotes around it");
    let (mut read, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        assert!(c != '"' || chars.next() == Some('"'), "a quote that ends the name: {text:?}");
        read.push(c);
    }
    assert_eq!(read, name);
}

fn literals(text: &str) {
    let Ok(quoted) = quote_literal(text) else {
        assert!(text.contains('\0'));
        assert_eq!(unquote(&literal(text)), text.replace('\0', "\u{fffd}"));
        return;
    };
    assert_eq!(unquote(&quoted), text, "{quoted:?}");
    assert_eq!(literal(text), quoted);
}

/// Reads a literal as the server does, with or without `standard_conforming_strings`.
fn unquote(quoted: &str) -> String {
    let (escapes, inner) = match quoted.strip_prefix(" E'") {
        Some(inner) => (true, inner),
        None => (false, quoted.strip_prefix('\'').expect("a quote in front")),
    };
    let inner = inner.strip_suffix('\'').expect("a quote behind");
    let (mut read, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => assert_eq!(chars.next(), Some('\''), "a quote that ends the literal: {quoted:?}"),
            '\\' => {
                assert!(escapes, "a backslash that the setting decides about: {quoted:?}");
                assert_eq!(chars.next(), Some('\\'), "an escape: {quoted:?}");
            }
            _ => {}
        }
        read.push(c);
    }
    read
}
