//! What makes two starts the same load, and what a resume must share with the first start.

use crate::format::{DecodeLimits, HeaderRule};
use crate::http::{Paginate, unsigned};
use crate::input::Word;
use crate::job::{EarlierRuns, HttpSources, Job, NamedLoad, Pooler, Reading, RowSource};
use crate::ledger::{
    ACCUMULATES, KEY_TYPES, MADE, RunSettings, SHARED_FETCH, StoredRun, TARGET_COLUMNS, identity_of,
    identity_of_named,
};
use crate::map::{Narrowing, neighbour_bits};
use crate::mysql::ZeroDates;
use crate::pg::TableName;
use crate::pg::server_info::ServerInfo;
use crate::plan::{Plan, Refusal};
use crate::prepared::LoadError;
use crate::schema::{Mode, Rest};
use crate::write::{Staging, staging_fits};

use super::appended::are_same;
use super::databases::word_without_password;
use super::marks::{BACKFILL, BEGUN_AT};

/// The same words are the same load: what they leave out does not count, so that it is found again even where
/// the table has gone meanwhile. First as it is stored, then as 0.1.0 stored it, where that is another: with
/// the signatures of URLs.
pub(super) fn identities(job: &Job, table: &TableName) -> Result<Vec<String>, LoadError> {
    if let Some(identity) = identity_of_job(job) {
        return Ok(vec![identity]);
    }
    let mut identities = vec![identity(job, table, unsigned)?, identity(job, table, str::to_owned)?];
    identities.dedup();
    Ok(identities)
}

fn identity(job: &Job, table: &TableName, of_url: fn(&str) -> String) -> Result<String, LoadError> {
    let mut words = Vec::with_capacity(job.sources.len());
    let each = match &job.web.each {
        Some(RowSource::List(list)) => Some(list.word.clone()),
        Some(RowSource::Query(query)) => {
            words.push(format!("each {}", query.sql));
            None
        }
        None => None,
    };
    let lists = job.web.urls.iter().map(|path| path.to_string_lossy().into_owned()).chain(each);
    let posted = job.web.body.iter().map(|body| format!("POST {}", body.identity().reveal()));
    words.extend(posted);
    for word in job.sources.iter().cloned().chain(lists) {
        let identity = Word::parse(&word)?.identity(of_url);
        words.push(identity.map_err(|error| Refusal { message: format!("{word}: {error}"), hint: None })?);
    }
    let mode = match job.rest {
        Rest::Stays => job.mode.map_or("default", Mode::name),
        rest @ (Rest::Removed | Rest::Replaced) => rest.mode_name(Mode::Upsert),
    };
    let key = job.key.as_deref().unwrap_or_default();
    Ok(identity_of(job.runs.load_id.as_deref(), &table.to_string(), mode, key, &words))
}

/// The setting that says which partition a record belongs to.
const PARTITIONING: &str = "partitioning";

/// The setting that says where the records are in a JSON text.
const RECORDS: &str = "records";

/// Parser and mapping, as a resume must share them.
///
/// Every option is named: a new one does not compile before it is said here whether it changes what a
/// source's records are, or where they go. Those that do are set below; the reason for the others stands
/// beside them.
pub(super) fn settings(job: &Job, plan: &Plan, partitions: u32) -> RunSettings {
    let Job {
        // The identity of the load, or of the place that its ledger is in.
        dsn: _,
        sources: _,
        // Their words are among the sources; how they are reached makes no other rows.
        databases: _,
        zero_dates,
        feed: _,
        table: _,
        // As the plan has them.
        key: _,
        mode: _,
        rest: _,
        extra: _,
        // The table says what was made of them.
        column_definitions: _,
        narrowing,
        newer_by: _,
        policies,
        reading,
        web,
        time_zone,
        date_style,
        runs,
        named,
        // Behind the load, and not of its records.
        fix_sequences: _,
        min_records: _,
        // How much at once and for how long; partitions are the plan's.
        resources: _,
        pooler: _,
        // When rows are in no source, and what may be done about it: known at the end alone.
        removals: _,
        // What becomes of rejects changes none of them.
        max_rejects: _,
        rejects_file: _,
        is_recorded: _,
    } = job;
    let HttpSources { paginate, each_fields, http: _, urls: _, each: _, body: _, partition_columns, store } =
        web;
    let EarlierRuns {
        skip_records,
        restart: _,
        again: _,
        again_files: _,
        wait: _,
        take_over: _,
        load_id: _,
        no_ledger: _,
        accept_changed: _,
    } = runs;
    let value = |text: String| serde_json::Value::from(text);
    let mut settings = RunSettings::new();
    let mut set = |name: &str, v: serde_json::Value| _ = settings.insert(name.to_owned(), v);
    set("mode", value(plan.mode_name().to_owned()));
    set("key", plan.key_names().into());
    set(PARTITIONING, value(partitioning(plan, partitions)));
    set("extra", serde_json::to_value(&plan.extra).unwrap_or_default());
    set("newer-by", plan.newer_by.clone().into());
    let policies = policies.words();
    if !policies.is_empty() {
        set("merge", policies.into());
    }
    set("paginate", paginate.as_ref().map(Paginate::flag).into());
    set("each-fields", each_fields.clone().into());
    set("skip-records", (*skip_records).into());
    // As with what is read: the usual is not spelt out.
    if *narrowing != Narrowing::default() {
        set("narrowing", narrowing.words().into());
    }
    if *zero_dates == ZeroDates::Null {
        set("zero-dates", value("null".to_owned()));
    }
    if *partition_columns {
        set("partition-columns", true.into());
    }
    // The same word is another object at another server. Who reads it may change.
    if let Some(endpoint) = &store.endpoint {
        set("endpoint", value(endpoint.clone()));
    }
    set("timezone", value(time_zone.clone()));
    set("datestyle", value(date_style.clone()));
    of_reading(reading, &mut set);
    if let Some(named) = named {
        of_named(named, plan, &mut set);
    }
    settings
}

/// What says to which of so many partitions a record belongs.
fn partitioning(plan: &Plan, partitions: u32) -> String {
    let placing = plan.table.placing(plan.key.index, &plan.key.columns);
    let names: Vec<&str> = placing.iter().map(|&c| plan.table.columns[c].name.raw()).collect();
    let mut words = format!("{:?} of {partitions} by {}", plan.partitioner.by, names.join(","));
    if plan.key.columns.len() > 1 {
        let bits = neighbour_bits(plan.key.columns.len(), placing.len());
        words += &format!(", but for {bits} low bits of numbers");
    }
    if plan.table.hashes_bars(&placing) {
        words += ", of one broken bar";
    }
    words
}

/// Those of a load of a job file. They are no part of its identity, which is its name: so they are compared.
fn of_named(named: &NamedLoad, plan: &Plan, set: &mut impl FnMut(&str, serde_json::Value)) {
    set("source", named.words.iter().map(|word| storable(word)).collect::<Vec<_>>().into());
    set("table", plan.target().name.to_string().into());
    if let Some(field) = &named.watermark {
        set("watermark", field.clone().into());
    }
}

/// What the ledger knows a load of a job file by; nothing of another.
#[must_use]
pub fn identity_of_job(job: &Job) -> Option<String> {
    let named = job.named.as_ref()?;
    Some(identity_of_named(&named.job, &named.load, &part_of(named)))
}

/// What of a load of a job file is loaded in one run: nothing of it is said where that is all there is.
fn part_of(named: &NamedLoad) -> String {
    match &named.window {
        Some(window) => format!("/{}..{}", window.starts_at, window.ends_at),
        None if named.is_full => "/full".to_owned(),
        None => String::new(),
    }
}

/// A word of a job file about where records come from, as it may be stored: what may hold a secret is there
/// as a digest.
fn storable(word: &str) -> String {
    let digest = || format!("{:08x}", xxhash_rust::xxh3::xxh3_64(word.as_bytes()) >> 32);
    match Word::parse(word) {
        Ok(Word::Url(url)) => {
            let (place, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
            let (scheme, host) = place.split_once("://").unwrap_or_default();
            let (login, host) = host.rsplit_once('@').map_or((false, host), |(_, host)| (true, host));
            match login || !rest.is_empty() {
                true => format!("{scheme}://{host}?{}", digest()),
                false => url.to_owned(),
            }
        }
        Ok(Word::Table(word)) => word_without_password(word),
        _ if word.starts_with(['{', '[']) => format!("body {}", digest()),
        _ => word.to_owned(),
    }
}

/// Those that say how a source is read.
fn of_reading(reading: &Reading, set: &mut impl FnMut(&str, serde_json::Value)) {
    let Reading {
        format,
        compression,
        records,
        delimiter,
        quote,
        escape,
        comment,
        header,
        columns,
        null_as,
        skip_lines,
        record_bytes,
        encoding,
        decode,
        shaping,
        fixed,
        sheet,
        range,
        // A source that is refused by these fails; none of its records becomes another one.
        header_bytes: _,
        inflation: _,
        end_mark: _,
        verify_source: _,
    } = reading;
    // Blanks around NULL are trimmed where values are: that is of the shaping.
    let DecodeLimits { depth, fields, on_nul, sub_microseconds, trims_nulls: _ } = decode;
    let value = |text: String| serde_json::Value::from(text);
    set("format", value(format.map_or("by name and content".to_owned(), |f| format!("{f:?}"))));
    set("compression", value(compression.map_or("by name and content".to_owned(), |c| format!("{c:?}"))));
    set(RECORDS, records.clone().into());
    set("delimiter", delimiter.map(|d| char::from(d).to_string()).into());
    set("quote", value(format!("{:?}", quote.map(|quote| quote.map(char::from)))));
    set("columns", columns.clone().into());
    // One is stored as it was when there could be no more.
    set("null-as", if let [one] = null_as.as_slice() { one.clone().into() } else { several(null_as) });
    set("max-record-bytes", (*record_bytes).into());
    // What most loads leave alone is not spelt out: runs of before it was there go on.
    let usual = DecodeLimits::default();
    if let Some(encoding) = encoding {
        set("encoding", value(encoding.name().to_owned()));
    }
    for (name, mark) in [("escape", escape), ("comment", comment)] {
        if let Some(mark) = mark {
            set(name, value(char::from(*mark).to_string()));
        }
    }
    if *header != HeaderRule::default() {
        set("header", serde_json::to_value(header).unwrap_or_default());
    }
    for (name, part) in [("sheet", sheet), ("range", range)] {
        if let Some(part) = part {
            set(name, value(part.clone()));
        }
    }
    if let Some(fixed) = fixed {
        set("fixed", value(fixed.to_string()));
    }
    if let Some(lines) = skip_lines {
        set("skip-lines", (*lines).into());
    }
    for (flag, words) in shaping.settings() {
        set(flag, words.into());
    }
    if *on_nul != usual.on_nul {
        set("on-nul", serde_json::to_value(on_nul).unwrap_or_default());
    }
    if *sub_microseconds != usual.sub_microseconds {
        set("sub-microseconds", serde_json::to_value(sub_microseconds).unwrap_or_default());
    }
    if *fields != usual.fields {
        set("max-fields", (*fields).into());
    }
    if *depth != usual.depth {
        set("max-depth", (*depth).into());
    }
}

/// Whether a zone of sessions is UTC, by the names that are used for it.
pub(super) fn is_utc(zone: &str) -> bool {
    const NAMES: [&str; 8] = ["utc", "etc/utc", "gmt", "etc/gmt", "uct", "zulu", "universal", "0"];
    NAMES.iter().any(|name| zone.eq_ignore_ascii_case(name))
}

/// Several texts; none is null.
fn several(texts: &[String]) -> serde_json::Value {
    if texts.is_empty() { serde_json::Value::Null } else { texts.into() }
}

/// A table of so many columns has no staging table.
pub(super) fn refuse_wide(plan: &Plan) -> Result<(), LoadError> {
    let columns = plan.mapping().slots.len();
    if staging_fits(columns) {
        return Ok(());
    }
    let message = format!(
        "table {} has {columns} columns to load into, and a staging table cannot have as many and its own",
        plan.table.name.plain()
    );
    Err(Refusal::new(message, "load into a table of fewer columns, and copy the rows from there").into())
}

/// Answers of servers that are kept as they came have what is to be masked.
pub(super) fn refuse_kept_answers(job: &Job) -> Result<(), Refusal> {
    if !job.reading.shaping.masks() || job.web.http.save_raw.is_none() {
        return Ok(());
    }
    Err(Refusal::new(
        "--mask and --save-raw: what a server answers is kept as it came, with the values that are masked",
        "leave one of them out",
    ))
}

/// The settings of a stored run as this version would store them: 0.1.0 wrote the paging otherwise. What is
/// no wish is left out. One partition has all records, whatever they are partitioned by `now`.
pub(super) fn as_stored_now(mut stored: StoredRun, job: &Job, now: &RunSettings) -> StoredRun {
    stored.settings.remove(MADE);
    stored.settings.remove(ACCUMULATES);
    if stored.partitions == 1
        && let (Some(setting), Some(now)) = (stored.settings.get_mut(PARTITIONING), now.get(PARTITIONING))
    {
        *setting = now.clone();
    }
    // The same path in other words.
    if let (Some(setting), Some(now)) = (stored.settings.get_mut(RECORDS), now.get(RECORDS))
        && are_same(setting.as_str(), now.as_str())
    {
        *setting = now.clone();
    }
    stored.settings.remove(BEGUN_AT);
    stored.settings.remove(BACKFILL);
    stored.settings.remove(SHARED_FETCH);
    stored.settings.remove(TARGET_COLUMNS);
    stored.settings.remove(KEY_TYPES);
    if let Some(paginate) = &job.web.paginate
        && let Some(setting) = stored.settings.get_mut("paginate")
        && paginate.stored_before().is_some_and(|before| *setting == before)
    {
        *setting = paginate.flag().into();
    }
    stored
}

/// How batches are staged: behind a pooler the next transaction has another backend.
pub(super) fn staging(job: &Job, facts: &ServerInfo) -> Staging {
    match (job.pooler, facts.is_pooled) {
        (Pooler::Transaction, _) | (Pooler::Detect, true) => Staging::Transaction,
        (Pooler::None, _) | (Pooler::Detect, false) => Staging::Session,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_secret_is_stored_as_a_digest_that_tells_two_apart() {
        for plain in ["exports/*.csv", "env:URL", "https://a.example/items"] {
            assert_eq!(storable(plain), plain);
        }
        let [one, other] =
            ["canary1", "canary2"].map(|key| storable(&format!("https://a.example/i?key={key}")));
        assert!(
            one.starts_with("https://a.example/i?") && !one.contains("canary") && one != other,
            "{one} {other}"
        );
        let login = storable("https://me:canary@a.example/i");
        assert!(login.starts_with("https://a.example/i?") && !login.contains("canary"), "{login}");
        assert!(!storable("{\"token\":\"canary\"}").contains("canary"));
    }
}
