//! Each hint text of the program stands in a test: words of it are in a string there. Whether it is true when
//! followed is the business of those tests (`tests/hints` and others).
//!
//! A text without one is a debt in [`UNTESTED`], which only gets shorter.

use super::source::{Source, before_tests, scan, sources, test_modules, walk};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How hints without a test begin, and why they have none.
const UNTESTED: &[(&str, &str)] = &[
    ("a load is the asset SCHEMA/TABLE", "the real Dagster: examples/dagster"),
    ("an endpoint without records should say so", "an empty answer is refused before, by its judge"),
    ("another process has taken this load over", "a writer says that it is fenced, in other words"),
    ("begin anew with --restart (what an append", "a body that is another version: web::places"),
    ("leave the host out with NO_PROXY", "a credential that an open proxy would see"),
    ("make a user for it", "a machine without a user for the server"),
    ("name the columns of another unique index", "WITHOUT OVERLAPS, from PostgreSQL 18 on"),
    ("no such schema; create it", "a schema that goes between two looks: one that is missing is made"),
    ("no such table; check --table", "a table that goes between two looks"),
    ("set HOME, or give a server", "nobody without a home, who is not root"),
    ("set the variable {name}, or give file", "flags say what is wrong with their values themselves"),
    ("start it again", "twenty races lost one after the other"),
    ("supported are SCRAM-SHA-256", "a server that wants Kerberos"),
    ("the certificate must be X.509 version 3", "a certificate of version 1"),
    ("the database was dropped while in use", "walked by its code: hints"),
    ("the server has given another refresh token", "a file that cannot be written"),
    ("the server reports damaged data", "walked by its code: hints"),
    ("the server was shut down", "walked by its code: hints"),
    ("to begin anew, {}", "a frame around other hints"),
];

/// Words as short as these are in many strings.
const WORDS_MIN: usize = 10;

/// Functions that make hints without being called so.
const MAKERS: [&str; 3] = ["advice", "delete_first", "did_you_mean"];

#[test]
fn each_hint_has_a_test() {
    let hints: BTreeSet<String> = sources().iter().flat_map(hints_of).collect();
    assert!(hints.len() > 150, "the hints are not where they are looked for: {}", hints.len());
    let tested = strings_of_tests();
    let lacking: Vec<&String> = hints.iter().filter(|hint| !stands_in(hint, &tested)).collect();
    let is_debt = |hint: &str| UNTESTED.iter().any(|(begins, _)| hint.starts_with(begins));
    let new: Vec<_> = lacking.iter().filter(|hint| !is_debt(hint)).collect();
    assert!(new.is_empty(), "no test has words of these hints: {new:#?}");
    for (begins, why) in UNTESTED {
        let is_lacking = lacking.iter().any(|hint| hint.starts_with(begins));
        assert!(is_lacking, "{begins:?} ({why}) has a test, or is gone: take it off UNTESTED");
    }
}

/// Words of a hint are in one of these strings: all that stands between two values, or some of it.
fn stands_in(hint: &str, tested: &BTreeSet<String>) -> bool {
    let pieces = || hint.split('{').map(|piece| piece.rsplit('}').next().unwrap_or_default().trim());
    let longest = pieces().max_by_key(|piece| piece.len()).unwrap_or_default();
    let whole = |test: &String| {
        pieces().any(|piece| piece.len() >= WORDS_MIN.min(longest.len()) && test.contains(piece))
    };
    let part = |test: &String| test.len() >= WORDS_MIN && pieces().any(|piece| piece.contains(test.as_str()));
    tested.iter().any(|test| whole(test) || part(test))
}

/// Strings in functions that make hints, and where one is given away.
fn hints_of(source: &Source) -> Vec<String> {
    let spans = spans(&source.code);
    let places = source.code.match_indices("\"\"").map(|(at, _)| at);
    let is_hint = |at: usize, text: &str| {
        text.contains("hint: ") || spans.iter().any(|(from, to)| (*from..*to).contains(&at))
    };
    let found = places.zip(&source.strings).filter(|(at, text)| is_hint(*at, text));
    let texts = found.map(|(_, text)| plain(text)).map(|text| text.trim_start_matches("hint: ").to_owned());
    // What is left of a format string without its values.
    texts.filter(|text| text.split(['{', '}']).step_by(2).any(says_something)).collect()
}

/// More than what stands between two hints.
fn says_something(piece: &str) -> bool {
    piece.trim().contains(' ') && piece.chars().filter(|c| c.is_alphabetic()).count() >= 6
}

/// Where hints are made in this code.
fn spans(code: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.contains("hint") || MAKERS.contains(&name.as_str()) {
            let body = at + code[at..].find('{').unwrap_or_default();
            spans.push((body, end_of(code, body)));
        }
    }
    for call in ["Refusal::new(", ".hinting("] {
        for (at, _) in code.match_indices(call) {
            let open = at + call.len() - 1;
            let end = end_of(code, open);
            // Of a refusal the message comes first.
            let begin = if call.starts_with('.') { open } else { second(code, open, end) };
            spans.push((begin, end));
        }
    }
    for (at, _) in code.match_indices("let hint =").chain(code.match_indices("let mut hint =")) {
        spans.push((at, statement_end(code, at)));
    }
    spans
}

/// Behind the bracket that closes the one here.
fn end_of(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code[open..].char_indices() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        if depth == 0 {
            return open + at;
        }
    }
    code.len()
}

/// Where the second argument begins.
fn second(code: &str, open: usize, end: usize) -> usize {
    let mut depth = 0_i32;
    let comma = code[open..end].char_indices().find(|&(_, c)| {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        depth == 1 && c == ','
    });
    comma.map_or(end, |(at, _)| open + at)
}

fn statement_end(code: &str, at: usize) -> usize {
    let mut depth = 0_i32;
    let end = code[at..].char_indices().find(|&(_, c)| {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        depth == 0 && c == ';'
    });
    end.map_or(code.len(), |(end, _)| at + end)
}

/// A string as it is, in one line.
fn plain(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let text = lines.fold(first, |text, line| text + line.trim_start());
    let text = text.replace("\\n", " ").replace("\\\"", "\"").replace("\\\\", "\\");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The strings of all tests: in `tests`, and in the modules of tests of `src`.
fn strings_of_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut tests, mut code) = (Vec::new(), Vec::new());
    walk(&root.join("tests"), &mut tests);
    walk(&root.join("src"), &mut code);
    let of_src: BTreeSet<_> =
        code.iter().flat_map(|path| test_modules(path, &fs::read_to_string(path).unwrap())).collect();
    let is_own = |path: &Path| path.ends_with("architecture/hints.rs");
    let mut strings = BTreeSet::new();
    for path in tests.iter().filter(|path| !is_own(path)).chain(&code) {
        let text = fs::read_to_string(path).unwrap();
        let is_test = path.starts_with(root.join("tests"))
            || of_src.iter().any(|test| path == test || path.starts_with(test.with_extension("")));
        let from = if is_test { 0 } else { before_tests(&text).len() };
        let texts = scan(&text[from..]).1;
        strings.extend(texts.iter().map(|text| plain(text).trim_start_matches("hint: ").to_owned()));
    }
    strings
}

#[test]
fn hints_are_found_where_they_are_made() {
    let text = "fn hint(&self) -> S { match self { A => \"do this now\", _ => \"no\" } }\n\
                fn x() { Refusal::new(f(\"not this one\", b), \"but this one\"); let hint = g(\"and this too\"); \"not that\"; \
                e.hinting(Some(\"this as well\")); say(\"error\\nhint: say so\") }";
    let (code, strings) = scan(text);
    let source = Source { path: String::new(), room: String::new(), text: text.to_owned(), code, strings };
    let found = hints_of(&source);
    assert_eq!(found, ["do this now", "but this one", "and this too", "this as well", "error hint: say so"]);
    let tested =
        BTreeSet::from(["rename the key --again=a.csv and more".to_owned(), "no such schema".to_owned()]);
    assert!(!stands_in("{} then --again={} appends", &BTreeSet::from(["appends a".to_owned()])));
    assert!(stands_in("no such schema; create it", &tested));
    assert!(stands_in("rename the key {}", &tested));
    assert!(!stands_in("rename the table {}", &tested));
}
