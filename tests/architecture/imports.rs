//! Who imports whom, file by file: what a file names is followed, through re-exports, to the file that
//! defines it.
//!
//! A file that hands out what others define imports nothing by that. The arrows are those of names: a method
//! that is called without its type being named draws none.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, mentions};

/// The files that each file imports.
pub(super) type Imports = BTreeMap<String, BTreeSet<String>>;

/// A file as a module.
struct Module {
    path: String,
    /// `["write", "merge"]`; the crate itself is empty.
    name: Vec<String>,
    /// Names that `use` brings into it, and what each stands for.
    used: BTreeMap<String, Vec<String>>,
    /// Modules of which it uses everything.
    globs: Vec<Vec<String>>,
    /// Paths that its code names outside of what it only hands out.
    named: Vec<Vec<String>>,
    code: String,
}

pub(super) fn imports(all: &[Source]) -> Imports {
    let modules: BTreeMap<Vec<String>, Module> =
        all.iter().map(module).map(|m| (m.name.clone(), m)).collect();
    let drawn = modules.values().map(|from| {
        let found = from.named.iter().filter_map(|path| definer(&modules, from, path, 0));
        (from.path.clone(), found.filter(|to| *to != from.path).collect())
    });
    drawn.collect()
}

/// Circles: the sets of files each of which imports every other, by way of others.
pub(super) fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&str, BTreeSet<String>> =
        imports.keys().map(|file| (file.as_str(), reachable(imports, file))).collect();
    let mut circles: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (file, others) in &reached {
        let back =
            others.iter().filter(|other| reached.get(other.as_str()).is_some_and(|r| r.contains(*file)));
        let circle: BTreeSet<String> = back.cloned().collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// The shortest way from a file back to itself.
pub(super) fn shortest_circle(imports: &Imports, file: &str) -> Vec<String> {
    let mut ways = vec![vec![file.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in imports.get(&way[way.len() - 1]).into_iter().flatten() {
                if next == file {
                    return way;
                }
                if seen.insert(next.clone()) {
                    longer.push(way.iter().cloned().chain([next.clone()]).collect());
                }
            }
        }
        ways = longer;
    }
    Vec::new()
}

fn reachable(imports: &Imports, file: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = imports.get(file).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next.clone()) {
            open.extend(imports.get(next).into_iter().flatten());
        }
    }
    reached
}

fn module(source: &Source) -> Module {
    let name = source.path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut name: Vec<String> = name.split('/').map(str::to_owned).collect();
    if name.last().is_some_and(|last| last == "mod" || name == ["lib"]) {
        name.pop();
    }
    // Rooms under the names that the tests of the repository know them by: they are followed as rooms.
    let code = source.code.split("pub mod internals").next().unwrap_or_default();
    let (used, rest) = split_uses(&without_tests(code));
    let mut module = Module {
        path: source.path.clone(),
        name,
        used: BTreeMap::new(),
        globs: Vec::new(),
        named: paths(&rest),
        code: rest,
    };
    for Use { tree, hands_out } in used {
        for (path, name) in leaves(&tree) {
            if name == "*" {
                module.globs.push(path);
                continue;
            }
            if !hands_out || mentions(&module.code, &name) {
                module.named.push(path.clone());
            }
            module.used.insert(name, path);
        }
    }
    module
}

/// Code without the items that are there for tests alone.
fn without_tests(code: &str) -> String {
    let mut parts = code.split("#[cfg(test)]");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| {
        let ends_at = match (part.find(';'), part.find("\n}")) {
            (Some(semicolon), Some(brace)) if part[..semicolon].contains('{') => semicolon.max(brace),
            (Some(semicolon), _) => semicolon,
            (None, brace) => brace.unwrap_or(0),
        };
        kept + &part[ends_at..]
    })
}

struct Use {
    tree: String,
    /// `pub use`, to whomever.
    hands_out: bool,
}

/// The `use` items of a code, and the code without them.
fn split_uses(code: &str) -> (Vec<Use>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut code = code;
    while let Some(at) = code.find("use ") {
        let (before, item) = code.split_at(at);
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            rest.push_str(&code[..at + 4]);
            code = &code[at + 4..];
            continue;
        }
        rest.push_str(before);
        let (tree, after) = item[4..].split_once(';').unwrap_or((&item[4..], ""));
        let line = before.rsplit('\n').next().unwrap_or_default();
        uses.push(Use {
            tree: tree.split_whitespace().collect::<Vec<_>>().join(" "),
            hands_out: line.contains("pub"),
        });
        code = after;
    }
    rest.push_str(code);
    (uses, rest)
}

/// Each path of a tree of `use`, and the name under which it is known from then on.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    let (prefix, group) = match tree.split_once('{') {
        Some((prefix, group)) => (prefix, Some(group.trim_end().trim_end_matches('}'))),
        None => (tree, None),
    };
    let mut path: Vec<String> =
        prefix.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    if let Some(group) = group {
        let below = parts_of(group).into_iter().flat_map(leaves);
        return below.map(|(rest, name)| ([path.clone(), rest].concat(), name)).collect();
    }
    let Some(last) = path.pop() else { return Vec::new() };
    let (what, name) = last.split_once(" as ").unwrap_or((&last, &last));
    match what {
        "*" => return vec![(path, "*".to_owned())],
        "self" => {}
        what => path.push(what.to_owned()),
    }
    let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name.trim().to_owned() };
    vec![(path, name)]
}

/// The parts of a group, split at its own commas.
fn parts_of(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[from..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Paths of two names and more in a code.
fn paths(code: &str) -> Vec<Vec<String>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_part(c)).filter(|word| word.contains("::"));
    let split = words.map(|word| {
        word.split("::").map(|part| part.trim_matches(':').to_owned()).take_while(|part| !part.is_empty())
    });
    split.map(Iterator::collect).filter(|path: &Vec<String>| path.len() > 1).collect()
}

/// The file that defines what a path means in a module; none for other crates and for modules themselves.
fn definer(
    modules: &BTreeMap<Vec<String>, Module>,
    from: &Module,
    path: &[String],
    depth: usize,
) -> Option<String> {
    assert!(depth < 20, "{}: {path:?} leads in a circle of re-exports", from.path);
    let (first, rest) = path.split_first()?;
    let mut at = from.name.clone();
    let is_program = from.path == "src/main.rs" || from.path.starts_with("src/cli/");
    let rest = match first.as_str() {
        "self" => rest,
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            at.truncate(at.len().saturating_sub(up));
            &path[up..]
        }
        "crate" if is_program => {
            at =
                if rest.first().is_some_and(|room| room == "cli") { Vec::new() } else { vec!["main".into()] };
            rest
        }
        "crate" => {
            at = Vec::new();
            rest
        }
        "dbload" => {
            at = Vec::new();
            rest.strip_prefix(&["internals".to_owned()][..]).unwrap_or(rest)
        }
        _ if modules.contains_key(&[at.clone(), vec![first.clone()]].concat()) => path,
        _ => {
            // `use memchr::memchr` is of the crate, not of itself.
            let meant = from.used.get(first).filter(|meant| meant.first() != Some(first))?;
            return definer(modules, from, &[meant.as_slice(), rest].concat(), depth + 1);
        }
    };
    let mut rest = rest;
    while let Some((next, after)) = rest.split_first() {
        let below = [at.clone(), vec![next.clone()]].concat();
        if !modules.contains_key(&below) {
            break;
        }
        (at, rest) = (below, after);
    }
    let (name, _) = rest.split_first()?;
    let holder = modules.get(&at)?;
    if let Some(meant) = holder.used.get(name) {
        return definer(modules, holder, &[meant.as_slice(), &rest[1..]].concat(), depth + 1);
    }
    let through_glob = || {
        let wanted = holder.globs.iter().map(|glob| [glob.as_slice(), rest].concat());
        wanted.filter_map(|path| definer(modules, holder, &path, depth + 1)).next()
    };
    if defines(&holder.code, name) { Some(holder.path.clone()) } else { through_glob() }
}

fn defines(code: &str, name: &str) -> bool {
    const KINDS: [&str; 9] =
        ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "mod ", "macro_rules! "];
    KINDS.iter().any(|kind| mentions(code, &format!("{kind}{name}")))
}

#[test]
fn names_are_followed_to_the_file_that_defines_them() {
    let file = |path: &str, code: &str| Source {
        path: path.to_owned(),
        room: String::new(),
        text: String::new(),
        code: code.to_owned(),
        strings: Vec::new(),
    };
    let all = [
        file("src/lib.rs", "mod a; mod b;"),
        file("src/a/mod.rs", "mod x;\nmod y;\npub use x::X;\npub(crate) use y::{Y as Z, go};"),
        file("src/a/x.rs", "use super::y::Y;\npub struct X(Y);"),
        file("src/a/y.rs", "use std::fmt;\npub struct Y;\npub fn go() {}"),
        file("src/b.rs", "mod c;\nuse crate::{a, std::io};\nfn f(_: a::Z) { c::down() }\nstruct Own;"),
        file("src/b/c.rs", "use super::Own;\nfn down() -> crate::a::X {}\n#[cfg(test)]\nuse crate::a::go;"),
    ];
    let drawn = imports(&all);
    let of = |file: &str| drawn[file].iter().map(String::as_str).collect::<Vec<_>>();
    assert!(of("src/lib.rs").is_empty() && of("src/a/mod.rs").is_empty() && of("src/a/y.rs").is_empty());
    assert_eq!(of("src/a/x.rs"), ["src/a/y.rs"]);
    assert_eq!(of("src/b.rs"), ["src/a/y.rs", "src/b/c.rs"]);
    assert_eq!(of("src/b/c.rs"), ["src/a/x.rs", "src/b.rs"]);
    let circle: BTreeSet<String> = ["src/b.rs", "src/b/c.rs"].into_iter().map(str::to_owned).collect();
    assert_eq!(circles(&drawn), [circle]);
    assert_eq!(shortest_circle(&drawn, "src/b.rs"), ["src/b.rs", "src/b/c.rs"]);
}
