//! The command that loads a reject file as the load that rejected its records would have loaded them: same
//! table, key, mode and rules for values. What says how the sources were written is left out, since the file
//! is dbload's own.

use dbload::internals::map::Extra;
use dbload::internals::pg::dsn::without_password;
use dbload::internals::report::Report;
use dbload::internals::shell::{shell_value, shell_word};

use super::args::{LoadArgs, MappingArgs, ModeArg, PoolerArg, ReadingArgs, TargetArgs};
use super::choices::OnNulArg;
use super::shape_args::ShapeArgs;

/// Longest record by default.
const RECORD_BYTES: u64 = 8 << 20;

/// Defaults of flags that are always there.
const FIELDS: usize = 10_000;
const DEPTH: usize = 1_000;

/// Variables that say how other sources are written, or what to do about other runs.
const NOT_OF_REJECTS: [&str; 18] = [
    "DBLOAD_FORMAT",
    "DBLOAD_COMPRESSION",
    "DBLOAD_RECORDS",
    "DBLOAD_ENCODING",
    "DBLOAD_SKIP_RECORDS",
    "DBLOAD_LOAD_ID",
    "DBLOAD_RESTART",
    "DBLOAD_TAKE_OVER",
    "DBLOAD_URLS",
    "DBLOAD_EACH",
    "DBLOAD_EACH_FIELDS",
    "DBLOAD_PAGINATE",
    "DBLOAD_BODY",
    "DBLOAD_DRY_RUN",
    "DBLOAD_MODE",
    "DBLOAD_ALLOW_EMPTY",
    "DBLOAD_ALLOW_CASCADE",
    "DBLOAD_MAX_REMOVALS",
];

/// A command, and what it does not say.
pub(crate) struct Reload {
    /// The command, for a shell.
    pub(crate) command: String,
    /// Its connection string is without the password.
    pub(crate) lacks_password: bool,
}

/// The command that loads this reject file.
pub(crate) fn reload(args: &LoadArgs, report: &Report, file: &str) -> Reload {
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let unset: Vec<_> =
        NOT_OF_REJECTS.iter().filter(|name| set(name)).map(|name| format!("-u {name} ")).collect();
    let env = if unset.is_empty() { String::new() } else { format!("env {}", unset.concat()) };
    let mut words = format!("{env}dbload {} --table {}", file_word(file), shell_word(&report.table_sql));
    let lacks_password = target(&mut words, &args.target);
    shape(&mut words, &args.shape, &args.reading.null_as);
    mapping(&mut words, &args.mapping);
    reading(&mut words, &args.reading, report.rejects.longest_bytes);
    if args.runs.no_ledger {
        words.push_str(" --no-ledger");
    }
    match args.resources.pooler {
        PoolerArg::Auto => {}
        PoolerArg::None => words.push_str(" --pooler none"),
        PoolerArg::Transaction => words.push_str(" --pooler transaction"),
    }
    Reload { command: words, lacks_password }
}

/// True if a password was left out.
fn target(words: &mut String, args: &TargetArgs) -> bool {
    let TargetArgs { dsn, table: _, key, mode, newer_by, insert_only, merge, fix_sequences, dry_run: _ } =
        args;
    if let Some(key) = key {
        flag(words, "key", &key.join(","));
    }
    // Rejects are a part of the sources: whatever else the load did, they go into the table by their keys.
    if let Some(mode) = mode.and_then(ModeArg::of_records) {
        flag(words, "mode", mode.name());
    }
    if let Some(column) = newer_by {
        flag(words, "newer-by", column);
    }
    if !insert_only.is_empty() {
        flag(words, "insert-only", &insert_only.join(","));
    }
    merge.iter().for_each(|merge| flag(words, "merge", merge));
    if *fix_sequences {
        words.push_str(" --fix-sequences");
    }
    // What a variable says it says again.
    let Some(dsn) = dsn.as_ref().filter(|dsn| std::env::var("DBLOAD_DSN").ok().as_ref() != Some(dsn)) else {
        return false;
    };
    let (shown, lacks_password) = without_password(dsn);
    flag(words, "dsn", &shown);
    lacks_password
}

fn shape(words: &mut String, args: &ShapeArgs, null_as: &[String]) {
    let ShapeArgs {
        unnest,
        parent,
        ordinal,
        map,
        drop,
        only,
        flatten,
        trim,
        null_strings,
        parse,
        filter,
        set,
        delete_when,
        soft_delete,
        mask,
        mask_key,
    } = args;
    mask.iter().for_each(|mask| flag(words, "mask", mask));
    // A name, or the path of a file: the parser takes nothing else.
    mask_key.iter().for_each(|key| flag(words, "mask-key", key));
    // Rejects are what was found there: it says which fields they have beside their own.
    unnest.iter().for_each(|path| flag(words, "unnest", path));
    parent.iter().for_each(|parent| flag(words, "parent", parent));
    ordinal.iter().for_each(|ordinal| flag(words, "ordinal", ordinal));
    map.iter().for_each(|map| flag(words, "map", map));
    for (name, fields) in [("drop", drop), ("only", only)] {
        if !fields.is_empty() {
            flag(words, name, &fields.join(","));
        }
    }
    match flatten.as_deref() {
        None => {}
        Some("_") => words.push_str(" --flatten"),
        Some(separator) => words.push_str(&format!(" --flatten={}", shell_value(separator))),
    }
    if *trim {
        words.push_str(" --trim");
    }
    if *null_strings {
        // Of delimited text they have done their work.
        null_as.iter().for_each(|text| flag(words, "null-as", text));
        words.push_str(" --null-strings");
    }
    parse.iter().for_each(|format| flag(words, "parse", format));
    filter.iter().for_each(|sql| flag(words, "where", sql));
    delete_when.iter().for_each(|sql| flag(words, "delete-when", sql));
    soft_delete.iter().for_each(|column| flag(words, "soft-delete", column));
    set.iter().for_each(|set| flag(words, "set", set));
}

fn mapping(words: &mut String, args: &MappingArgs) {
    // Rejects hold texts, with all their digits.
    let MappingArgs {
        extra,
        column,
        on_nul,
        narrowing,
        sub_microseconds: _,
        zero_dates: _,
        timezone,
        datestyle,
    } = args;
    if *extra != Extra::Refuse {
        flag(words, "extra", &extra.rule());
    }
    column.iter().for_each(|column| flag(words, "column", &column.to_string()));
    match on_nul {
        OnNulArg::Reject => {}
        OnNulArg::Strip => flag(words, "on-nul", "strip"),
        OnNulArg::Replace => flag(words, "on-nul", "replace"),
    }
    for word in narrowing {
        flag(words, "narrowing", word);
    }
    if timezone != "UTC" {
        flag(words, "timezone", timezone);
    }
    if datestyle != "YMD" {
        flag(words, "datestyle", datestyle);
    }
}

fn reading(words: &mut String, args: &ReadingArgs, longest_bytes: u64) {
    let ReadingArgs {
        max_fields,
        max_depth,
        max_record_bytes,
        // How the sources were written, and how much they may hold.
        format: _,
        compression: _,
        records: _,
        delimiter: _,
        quote: _,
        escape: _,
        comment: _,
        columns: _,
        fixed: _,
        sheet: _,
        range: _,
        skip_lines: _,
        null_as: _,
        max_header_bytes: _,
        max_decompressed_bytes: _,
        max_ratio: _,
        verify_source: _,
        encoding: _,
        end_mark: _,
    } = args;
    if *max_fields != FIELDS {
        flag(words, "max-fields", &max_fields.to_string());
    }
    if *max_depth != DEPTH {
        flag(words, "max-depth", &max_depth.to_string());
    }
    // A reject is longer than its record: escapes, and the reason.
    let of_variable = max_record_bytes.filter(|_| std::env::var_os("DBLOAD_MAX_RECORD_BYTES").is_some());
    if longest_bytes > of_variable.unwrap_or(RECORD_BYTES) {
        flag(words, "max-record-bytes", &format!("{}MiB", longest_bytes.div_ceil(1 << 20)));
    }
}

fn flag(words: &mut String, name: &str, value: &str) {
    // What begins with a dash is no value unless it is joined to its flag.
    let joint = if value.starts_with('-') { '=' } else { ' ' };
    words.push_str(&format!(" --{name}{joint}{}", shell_value(value)));
}

/// The file as a source: never a subcommand, a flag or a word that is kept for one.
fn file_word(file: &str) -> String {
    if file.contains(['/', '.']) { shell_word(file) } else { shell_word(&format!("./{file}")) }
}
