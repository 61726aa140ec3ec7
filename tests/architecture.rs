//! The map of docs/ARCHITECTURE.md, kept: each invariant that is stated there as an absence is a test that
//! reads the sources. Comments and tests do not count; of strings only SQL does.
//!
//! A rule is never widened for a place that breaks it. Such a place stands in [`DEBTS`] with what should
//! happen to it, and leaves the list when it is mended: a debt that is no longer there fails too.

mod hints;
mod imports;
mod source;
mod words;

use source::{Source, mentions, sources};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Lines of a file before its tests; a file that grows beyond has become two rooms.
const FILE_LINES_MAX: usize = 500;

/// The map is read whole.
const MAP_BYTES_MAX: usize = 10 * 1024;

/// The rooms, from the bottom up, and the rooms that each may name. `cli` is the program and may name all.
const ROOMS: &[(&str, &[&str])] = &[
    // Empty functions in a release build.
    ("fault", &[]),
    ("causes", &[]),
    ("calendar", &[]),
    ("feature", &[]),
    ("account", &[]),
    ("record", &[]),
    ("event", &["account"]),
    ("schema", &[]),
    // SQLSTATEs of rejects of our own.
    ("reject_codes", &[]),
    ("format", &["calendar", "feature", "record", "reject_codes"]),
    ("report", &["account"]),
    ("rejects", &["fault", "reject"]),
    ("secret", &[]),
    ("exit", &[]),
    ("schedule", &["calendar", "exit"]),
    ("feed", &[]),
    ("pg", &["causes", "fault", "feature", "schema", "secret"]),
    ("http", &["calendar", "causes", "secret"]),
    ("reject", &["format", "record"]),
    ("shape", &["calendar", "format", "reject_codes", "secret"]),
    ("map", &["calendar", "format", "record", "reject", "reject_codes", "schema", "shape"]),
    ("batch", &["map", "record"]),
    ("plan", &["map", "pg", "schema", "shape"]),
    ("store", &["format", "http", "secret"]),
    ("job", &["feed", "format", "http", "map", "mysql", "pg", "schema", "shape", "store"]),
    ("input", &["event", "feature", "feed", "format", "http", "job", "map", "record", "shape", "store"]),
    ("process", &[]),
    ("row_text", &[]),
    ("sqlite", &["row_text"]),
    ("mysql", &["row_text", "secret"]),
    ("shell", &[]),
    ("ledger", &["account", "feature", "pg", "process", "record", "reject", "schema", "shell"]),
    (
        "write",
        &["account", "batch", "fault", "ledger", "map", "pg", "record", "reject", "schedule", "schema"],
    ),
    ("local", &["pg"]),
    ("fixtures", &["format", "map", "schema"]),
    ("seed", &["fixtures", "format", "pg", "schema"]),
    ("testing", &["causes", "fixtures", "local", "pg", "schema", "seed"]),
    ("engine", &["http", "job", "ledger", "pg", "record"]),
    (
        "prepared",
        &[
            "feature", "input", "job", "ledger", "map", "pg", "plan", "reject", "rejects", "report",
            "schema", "write",
        ],
    ),
    ("pipeline", OF_THE_PIPELINE),
    ("load", EVERY_STAGE),
    (
        "face",
        &[
            "account", "engine", "error", "event", "feed", "format", "http", "job", "load", "map", "mysql",
            "pg", "prepared", "report", "schema", "shape", "store",
        ],
    ),
    ("error", &["exit", "input", "ledger", "load", "pg", "prepared", "report", "write"]),
];

/// Where bytes come from is `input`'s: no kind of source has a name here.
const OF_THE_PIPELINE: &[&str] = &[
    "account", "batch", "causes", "engine", "event", "fault", "format", "input", "job", "ledger", "load",
    "map", "pg", "plan", "prepared", "record", "reject", "report", "schema", "write",
];

const EVERY_STAGE: &[&str] = &[
    "account", "batch", "causes", "engine", "event", "fault", "feature", "format", "http", "input", "job",
    "ledger", "map", "mysql", "pg", "pipeline", "plan", "prepared", "record", "reject", "rejects", "report",
    "schedule", "schema", "sqlite", "write",
];

/// Rooms that are arithmetic on what they are given: no runtime, no files, no environment, no clock.
const PURE: &[&str] = &[
    "feature",
    "reject",
    "reject_codes",
    "account",
    "causes",
    "calendar",
    "record",
    "row_text",
    "event",
    "exit",
    "schedule",
    "schema",
    "secret",
    "shell",
    "format",
    "report",
    "shape",
    "map",
    "fixtures",
    "batch",
    "plan",
    "job",
];

/// Rooms that write SQL. `local` makes servers and speaks to them as an administrator.
const SPEAK_SQL: [&str; 8] = ["mysql", "pg", "write", "ledger", "local", "seed", "sqlite", "testing"];

/// `src/` files whose SQL is for people to run, not for the program: hints, and the statement that the plan
/// shows.
const SQL_FOR_PEOPLE: [(&str, &str); 5] = [
    ("src/plan/create.rs", "the CREATE TABLE that the plan shows; the wiring runs it"),
    ("src/plan/deletions.rs", "hints: the column or the right that is missing"),
    ("src/plan/exchange.rs", "hints: the right that is missing"),
    ("src/plan/key.rs", "hints: the index that is missing"),
    ("src/plan/refuse.rs", "hints: the column or the right that is missing"),
];

/// Places that break a rule: file, what the rule found, and what should happen to it.
const DEBTS: &[(&str, &str, &str)] = &[];

/// Files that import each other in a circle. What both need moves into a file of its own.
const IN_A_CIRCLE: &[&str] = &[];

/// Fails with every place that breaks the rule and is no known debt.
fn check(rule: &str, broken: Vec<(String, String)>) {
    let debt = |(path, what): &&(String, String)| DEBTS.iter().any(|(p, w, _)| p == path && w == what);
    let new = broken.iter().filter(|place| !debt(place)).fold(String::new(), |mut text, (path, what)| {
        let _ = write!(text, "\n  {path} {what}");
        text
    });
    assert!(new.is_empty(), "{rule}:{new}");
}

fn broken(all: &[Source], rule: impl Fn(&Source) -> Vec<String>) -> Vec<(String, String)> {
    all.iter().flat_map(|source| rule(source).into_iter().map(|what| (source.path.clone(), what))).collect()
}

fn foreign_rooms(source: &Source) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == source.room) else { return Vec::new() };
    let known = |name: &String| name == "cli" || ROOMS.iter().any(|(room, _)| room == name);
    source::rooms_named(&source.code)
        .into_iter()
        .filter(|name| known(name) && *name != source.room && !allowed.contains(&name.as_str()))
        .map(|name| format!("names crate::{name}"))
        .collect()
}

fn touched(source: &Source, words: &[&str]) -> Vec<String> {
    words.iter().filter(|word| mentions(&source.code, word)).map(|word| format!("touches {word}")).collect()
}

fn drivers(source: &Source) -> Vec<String> {
    match source.room.as_str() {
        "pg" => Vec::new(),
        // sqlx migrates and answers the ledger's questions before the writers start, on a connection that pg
        // opened.
        "ledger" => touched(source, &["tokio_postgres", "deadpool_postgres", "deadpool"]),
        // Its driver of MySQL, and nothing of PostgreSQL.
        "mysql" => touched(source, &["tokio_postgres", "deadpool_postgres", "deadpool", "sqlx::postgres"]),
        "sqlite" => touched(source, &["tokio_postgres", "deadpool_postgres", "deadpool", "sqlx"]),
        _ => touched(source, &["tokio_postgres", "deadpool_postgres", "deadpool", "sqlx", "rusqlite"]),
    }
}

fn impurities(source: &Source) -> Vec<String> {
    const WORLD: [&str; 8] =
        ["tokio", "std::fs", "std::env", "std::net", "std::process", "Instant", "SystemTime", "std::thread"];
    if !PURE.contains(&source.room.as_str()) {
        return Vec::new();
    }
    WORLD.iter().filter(|word| mentions(&source.code, word)).map(|word| format!("touches {word}")).collect()
}

fn files(source: &Source) -> Vec<String> {
    if ["input", "local", "mysql", "pg", "process", "http", "cli", "rejects", "seed", "store", "testing"]
        .contains(&source.room.as_str())
    {
        return Vec::new();
    }
    touched(source, &["std::fs", "tokio::fs"])
}

fn sql(source: &Source) -> Vec<String> {
    const STATEMENTS: [&str; 9] = [
        "SELECT ",
        "INSERT INTO ",
        "UPDATE ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "CREATE UNIQUE ",
        "ALTER TABLE ",
        "COPY ",
        "GRANT ",
    ];
    let speaks = SPEAK_SQL.contains(&source.room.as_str());
    if speaks || SQL_FOR_PEOPLE.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    let found = source.strings.iter().filter(|text| STATEMENTS.iter().any(|word| text.contains(word)));
    found.map(|text| format!("SQL in \"{text}\"")).collect()
}

fn too_long(source: &Source) -> Vec<String> {
    let lines = source::before_tests(&source.text).lines().count();
    if lines > FILE_LINES_MAX { vec!["is too long".to_owned()] } else { Vec::new() }
}

#[test]
fn every_room_names_only_the_rooms_below_it() {
    let all = sources();
    for source in &all {
        let known = ROOMS.iter().any(|(room, _)| *room == source.room)
            || ["cli", "lib", "main"].contains(&source.room.as_str());
        assert!(known, "{}: a new room; say in ROOMS and docs/ARCHITECTURE.md what it may name", source.path);
    }
    check("a room names what is not below it", broken(&all, foreign_rooms));
}

#[test]
fn each_room_has_its_row_on_the_map() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let first_columns = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let on_the_map: BTreeSet<&str> = first_columns
        .flat_map(|names| names.split(['`', ',', ' ']))
        .filter(|name| !name.is_empty())
        .collect();
    let missing: Vec<&str> =
        ROOMS.iter().map(|(room, _)| *room).filter(|room| !on_the_map.contains(room)).collect();
    assert!(missing.is_empty(), "no row in docs/ARCHITECTURE.md: {missing:?}");
    assert!(page.len() <= MAP_BYTES_MAX, "docs/ARCHITECTURE.md is too long to be read: {}", page.len());
}

#[test]
fn no_file_imports_itself_by_way_of_others() {
    let imports = imports::imports(&sources());
    let circles = imports::circles(&imports);
    let mut text = String::new();
    for circle in &circles {
        for file in circle.iter().filter(|file| !IN_A_CIRCLE.contains(&file.as_str())) {
            let way = imports::shortest_circle(&imports, file).join(" -> ");
            let _ = write!(text, "\n  {way} -> {file}");
        }
    }
    assert!(text.is_empty(), "a circle of imports; move what both need into a file of its own:{text}");
    let paid: Vec<&&str> =
        IN_A_CIRCLE.iter().filter(|file| !circles.iter().any(|circle| circle.contains(**file))).collect();
    assert!(paid.is_empty(), "in no circle any more; take them off IN_A_CIRCLE: {paid:?}");
}

#[test]
fn only_pg_knows_a_driver() {
    check("a driver outside of pg", broken(&sources(), drivers));
}

#[test]
fn the_pure_rooms_touch_no_runtime_file_environment_or_clock() {
    check("a pure room touches the world", broken(&sources(), impurities));
}

#[test]
fn the_protocol_decides_without_a_session_a_clock_or_a_channel() {
    let broken = broken(&sources(), |source| match source.path.as_str() {
        "src/write/commit/protocol.rs" => touched(
            source,
            &["tokio", "std::time", "Instant", "Duration", "Session", "Pool", "async", "backon"],
        ),
        _ => Vec::new(),
    });
    check("the protocol touches the world", broken);
}

#[test]
fn files_are_touched_by_sources_connection_files_landing_copies_the_local_server_and_the_program_alone() {
    check("a file is touched", broken(&sources(), files));
}

#[test]
fn only_the_program_knows_argv_the_terminal_and_the_exit_code() {
    const SHELL: [&str; 8] = [
        "clap",
        "indicatif",
        "std::env::args",
        "println!",
        "print!",
        "eprintln!",
        "std::process::exit",
        "std::io::stdout",
    ];
    let broken = broken(&sources(), |source| match source.room.as_str() {
        "cli" | "main" => touched(source, &["std::process::exit"]),
        _ => touched(source, &SHELL),
    });
    check("the library touches the terminal", broken);
}

#[test]
fn environment_variables_are_read_by_the_program_and_the_local_server_alone() {
    check("an environment variable is read", broken(&sources(), environment));
}

/// By the standard library, or by a crate that is told to.
fn environment(source: &Source) -> Vec<String> {
    const READERS: [&str; 6] =
        ["env::var", "env::var_os", "env::vars", "env::vars_os", "Matcher::from_env", "NoProxy::from_env"];
    match source.room.as_str() {
        "cli" | "local" => Vec::new(),
        _ => touched(source, &READERS),
    }
}

#[test]
fn sql_is_written_by_pg_write_ledger_and_local_alone() {
    check("SQL text", broken(&sources(), sql));
}

/// What the writers send runs where others may have planted functions before those of `pg_catalog`; what is
/// asked of the ledger and the catalog has a `search_path` of its own. (`coalesce` and its like are grammar.)
#[test]
fn statements_of_writers_leave_no_function_to_be_looked_up() {
    let bare = |text: &str| -> Vec<String> {
        let names = text.match_indices('(').filter_map(|(at, _)| {
            let before = text[..at].trim_end_matches(|c: char| c.is_ascii_lowercase() || c == '_');
            let is_bare = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || ".\"{}".contains(c));
            (before.len() < at && is_bare).then(|| text[before.len()..at].to_owned())
        });
        // One letter is an alias with its columns.
        let grammar = ["coalesce", "greatest", "least"];
        names.filter(|name| name.len() > 1 && !grammar.contains(&name.as_str())).collect()
    };
    assert_eq!(bare("SELECT count(*) FROM t"), ["count"]);
    assert!(bare("SELECT pg_catalog.count(*), coalesce(a, b) FROM (VALUES (1)) t").is_empty());
    let broken = broken(&sources(), |source| {
        // The comparison of `verify` and what is done over the whole table fix where names are looked up.
        let pinned = source.path == "src/write/verify.rs" || source.path.starts_with("src/write/contents/");
        let is_sql = |text: &&String| {
            ["SELECT", "INSERT", "UPDATE", "PERFORM", " := "].iter().any(|word| text.contains(word))
        };
        match source.room == "write" && !pinned {
            true => source.strings.iter().filter(is_sql).flat_map(|text| bare(text)).collect(),
            false => Vec::new(),
        }
    });
    check("a function without its schema", broken);
}

#[test]
fn sqlstates_are_judged_in_one_place_and_retries_of_batches_and_of_requests_pause_in_one_place_each() {
    let broken = broken(&sources(), |source| {
        let retries = ["src/write/commit/retry.rs", "src/http/retry.rs"].contains(&source.path.as_str());
        let mut found = if retries { Vec::new() } else { touched(source, &["backon"]) };
        if !NAMES_SQLSTATES.contains(&source.path.as_str()) {
            let words =
                source.strings.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
            found.extend(
                words.filter(|word| is_sqlstate(word)).map(|word| format!("has the SQLSTATE {word}")),
            );
        }
        found
    });
    check("a second place", broken);
}

/// Where a code stands as one: what the server's mean, and those that dbload gives rejects itself.
const NAMES_SQLSTATES: [&str; 2] = ["src/pg/sqlstate.rs", "src/reject_codes.rs"];

/// Five characters of a class that PostgreSQL or the ledger has.
fn is_sqlstate(word: &str) -> bool {
    const CLASSES: [&str; 43] = [
        "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22", "23", "24",
        "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53",
        "54", "55", "57", "58", "72", "F0", "HV", "XX", "DL",
    ];
    let is_code =
        word.len() == 5 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_size = word.ends_with("MB");
    is_code && !is_size && (word.starts_with("P0") || CLASSES.iter().any(|class| word.starts_with(class)))
}

#[test]
fn a_code_is_told_from_other_words() {
    for code in ["22P02", "DL001", "P0001", "XX001", "57014"] {
        assert!(is_sqlstate(code), "{code}");
    }
    for word in ["10000", "TOKEN", "22", "220211", "dl001", "ORDER"] {
        assert!(!is_sqlstate(word), "{word}");
    }
}

/// Names that the crate hands out; more of them are more promises.
const HANDED_OUT_MAX: usize = 40;

#[test]
fn the_library_hands_out_its_face_and_nothing_else() {
    let all = sources();
    let lib = all.iter().find(|source| source.path == "src/lib.rs").unwrap();
    let (face, internals) =
        lib.code.split_once("pub mod internals").expect("rooms for this repository, hidden");
    assert!(lib.text.contains("#[doc(hidden)]\npub mod internals"), "hidden");
    // Of all rooms one is a face of its own.
    let of_rooms = face.replacen("pub mod testing;", "", 1);
    assert!(!of_rooms.contains("pub mod"), "a room is public: hand out what is meant, by its name");
    assert!(internals.trim_end().ends_with('}') && !internals.contains("pub use self"));
    let names: Vec<&str> = face
        .split("pub use ")
        .skip(1)
        .filter_map(|used| used.split_once(';')?.0.split_once("::"))
        .flat_map(|(_, names)| names.trim_matches(['{', '}']).split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.contains("::"))
        .collect();
    assert!(names.contains(&"Load") && names.contains(&"Loader") && !names.contains(&"*"), "{names:?}");
    assert!(names.len() <= HANDED_OUT_MAX, "{} names: {names:?}", names.len());
    // An option, a field or a case that comes later must not break who uses the others.
    for name in names {
        let mut found = all.iter().flat_map(|source| is_open_to_change(&source.code, name)).peekable();
        assert!(found.peek().is_some(), "{name}: defined by `pub struct` or `pub enum`");
        assert!(found.any(|is_open| is_open), "{name} is not #[non_exhaustive]");
    }
}

/// For each definition of that name: it can get a field or a case without breaking anybody.
fn is_open_to_change(code: &str, name: &str) -> Vec<bool> {
    let of_kind = |kind: &str| {
        let defined = format!("pub {kind} {name}");
        let is_it = |at: &usize| code[at + defined.len()..].starts_with([' ', '(', '<', ';']);
        let found = code.match_indices(&defined).map(|(at, _)| at).filter(is_it);
        let is_open = |at: usize| {
            let body = code[at + defined.len()..].split(['}', ';']).next().unwrap();
            let hides = kind == "struct" && !body.contains("pub ");
            hides || code[..at].trim_end().ends_with("#[non_exhaustive]")
        };
        found.map(is_open).collect::<Vec<bool>>()
    };
    ["struct", "enum"].into_iter().flat_map(of_kind).collect()
}

/// Rooms that know what is in a block: its words, who reads it, and who finds records and fields in it.
const KNOW_CONTENT: [&str; 3] = ["record", "format", "input"];

#[test]
fn the_content_of_a_block_is_known_where_it_is_made_and_decoded_alone() {
    let broken = broken(&sources(), |source| match source.room.as_str() {
        room if KNOW_CONTENT.contains(&room) => Vec::new(),
        // The model of the protocol has a word of its own for a part of a batch.
        _ if source.path.starts_with("src/write/commit/protocol/") => Vec::new(),
        _ => touched(source, &["Span", "spans", "Content", "record::Text"]),
    });
    check("a room looks into a block", broken);
}

/// Where the user's word becomes a format: each arm is named there, and the compiler asks for a new one.
const CHOOSES_FORMAT: &str = "src/input/format.rs";

#[test]
fn a_format_answers_for_itself() {
    const ARMS: [&str; 4] = ["Format::Jsonl", "Format::Json", "Format::Csv", "Format::Rejects"];
    let broken = broken(&sources(), |source| match source.room.as_str() {
        "format" => Vec::new(),
        _ if source.path == CHOOSES_FORMAT => Vec::new(),
        _ => touched(source, &ARMS),
    });
    check("a room asks which format it is", broken);
}

#[test]
fn no_file_is_longer_than_it_can_be_read() {
    check("too long", broken(&sources(), too_long));
}

#[test]
fn a_debt_that_is_paid_leaves_the_list() {
    let all = sources();
    let found: Vec<(String, String)> =
        [foreign_rooms, drivers, impurities, files, environment, sql, too_long]
            .into_iter()
            .flat_map(|rule| broken(&all, rule))
            .collect();
    for (path, what, _) in DEBTS {
        let there = found.iter().any(|(p, w)| p == path && w == what);
        assert!(there, "{path} no longer {what}: take it off DEBTS");
    }
}
