//! The sources as the rules see them: code without comments and tests, and its strings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src/`, without comments and tests.
pub(super) struct Source {
    /// `src/map/encode.rs`.
    pub(super) path: String,
    /// `map`; `lib` and `main` for those two.
    pub(super) room: String,
    /// Its text as it is.
    pub(super) text: String,
    /// Code without comments, tests and the insides of strings.
    pub(super) code: String,
    /// The strings of that code.
    pub(super) strings: Vec<String>,
}

pub(super) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    paths.sort();
    assert!(paths.len() > 50, "the sources are not where they are looked for");
    let texts: Vec<(PathBuf, String)> = paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect();
    let tests: BTreeSet<PathBuf> = texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    texts
        .into_iter()
        // A module of tests, and all that is below it.
        .filter(|(path, _)| {
            !tests.iter().any(|test| path == test || path.starts_with(test.with_extension("")))
        })
        .map(|(path, text)| {
            let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let room =
                path.trim_start_matches("src/").split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let (code, strings) = scan(before_tests(&text));
            Source { path, room, text, code, strings }
        })
        .collect()
}

pub(super) fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// Files that a file declares as `#[cfg(test)] mod NAME;`, for others to see or not.
pub(super) fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let dir = match path.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs" | "main.rs") => path.parent().unwrap().to_owned(),
        _ => path.with_extension(""),
    };
    let declared = text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| {
        rest.trim_start_matches("pub(crate) ").strip_prefix("mod ")?.split_once([';', ' ', '{'])
    });
    declared.map(|(name, _)| dir.join(format!("{name}.rs"))).collect()
}

/// A file up to `#[cfg(test)] mod NAME {`, which by convention ends it.
pub(super) fn before_tests(text: &str) -> &str {
    let starts = text.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at);
    let end =
        starts.into_iter().find(|&at| text[at..].lines().nth(1).is_some_and(|line| line.ends_with('{')));
    &text[..end.unwrap_or(text.len())]
}

/// Splits code from its strings, and drops comments.
pub(super) fn scan(text: &str) -> (String, Vec<String>) {
    let (mut code, mut strings) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
        } else if c == '"' {
            let length = string_length(&rest[1..]);
            strings.push(rest[1..=length].to_owned());
            code.push_str("\"\"");
            rest = &rest[length + 2..];
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = &rest[hashes + 2..];
            let (inside, after) = body.split_once(&end).unwrap();
            strings.push(inside.to_owned());
            code.push_str("\"\"");
            rest = after;
        } else if let Some(length) = char_literal(rest) {
            code.push_str("' '");
            rest = &rest[length..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    (code, strings)
}

pub(super) fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().find(|&(_, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.unwrap().0
}

/// The number of `#` of a raw string that starts here.
pub(super) fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a character literal (not a lifetime) that starts here.
pub(super) fn char_literal(text: &str) -> Option<usize> {
    let mut chars = text.strip_prefix('\'')?.char_indices();
    match chars.next()?.1 {
        '\\' => {
            let escape = chars.next()?;
            let end = text[escape.0 + 2..].find('\'')?;
            Some(escape.0 + 2 + end + 1)
        }
        c => text[1 + c.len_utf8()..].starts_with('\'').then_some(c.len_utf8() + 2),
    }
}

/// Whether the code mentions this path or crate as a word.
pub(super) fn mentions(code: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(part_of_word) && !code[at + word.len()..].starts_with(part_of_word)
    })
}

/// Rooms of this crate that the code names: `crate::room` and `use crate::{room, ..}`, in `main` and `cli`
/// `dbload::`.
pub(super) fn rooms_named(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let groups =
            rest.strip_prefix('{').map(|group| group.split_once('}').map_or(group, |(inside, _)| inside));
        for path in groups.unwrap_or(rest).split(',').take(if groups.is_some() { usize::MAX } else { 1 }) {
            let name: String = path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            named.insert(name);
        }
    }
    named
}

#[test]
fn the_scanner_sees_code_strings_and_comments_as_they_are() {
    let (code, strings) = scan(
        "use a; // crate::x\n/* tokio */ let s = \"SELECT \\\" 1\"; let c = '\"'; let l: &'a str = r#\"x\"y\"#;",
    );
    assert_eq!(strings, ["SELECT \\\" 1", "x\"y"]);
    assert!(code.contains("&'a str") && !code.contains("tokio") && !code.contains("crate::x"), "{code}");
    let named: Vec<String> =
        rooms_named("use crate::{map::X, pg}; crate::write::Y; mycrate::z").into_iter().collect();
    assert_eq!(named, ["map", "pg", "write"]);
    assert!(mentions("use tokio::io;", "tokio") && !mentions("tokio_util::x", "tokio"));
}
