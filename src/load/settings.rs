//! What makes two starts the same load, and what a resume must share with the first start.

use crate::format::DecodeLimits;
use crate::http::urls;
use crate::job::{Job, Pooler};
use crate::ledger::{Settings, identity_of};
use crate::map::neighbour_bits;
use crate::pg::TableName;
use crate::pg::facts::ServerFacts;
use crate::plan::{Plan, Refusal};
use crate::schema::Mode;
use crate::write::Staging;

use super::error::LoadError;

/// The same words are the same load: what they leave out does not count, so that it is found again even where the
/// table has gone meanwhile.
pub(super) fn identity(job: &Job, table: &TableName) -> Result<String, LoadError> {
    let mut words = Vec::with_capacity(job.sources.len());
    let lists = job.web.urls.iter().chain(&job.web.each).map(|path| path.to_string_lossy().into_owned());
    let posted = job.web.body.iter().map(|body| format!("POST {body}"));
    words.extend(posted);
    for word in job.sources.iter().cloned().chain(lists) {
        let as_it_is = word == "-" || urls::is_http(&word);
        let absolute = if as_it_is { Ok(word.clone().into()) } else { std::path::absolute(&word) };
        let path = absolute.map_err(|error| Refusal { message: format!("{word}: {error}"), hint: None })?;
        words.push(path.to_string_lossy().into_owned());
    }
    let mode = job.mode.map_or("default", Mode::name);
    let key = job.key.as_deref().unwrap_or_default();
    Ok(identity_of(job.runs.load_id.as_deref(), &table.to_string(), mode, key, &words))
}

/// Parser and mapping, as a resume must share them.
pub(super) fn settings(job: &Job, plan: &Plan, partitions: u32) -> Settings {
    let reading = &job.reading;
    let hashed: Vec<&str> = plan
        .key
        .columns
        .iter()
        .filter(|&&c| plan.table.columns[c].is_hashable())
        .map(|&c| plan.table.columns[c].name.raw())
        .collect();
    let value = |text: String| serde_json::Value::from(text);
    let mut settings = Settings::new();
    let mut set = |name: &str, v: serde_json::Value| settings.insert(name.to_owned(), v);
    set("mode", value(plan.mode.name().to_owned()));
    set("key", plan.key_names().into());
    let mut partitioning = format!("{:?} of {partitions} by {}", plan.partitioner.by, hashed.join(","));
    if plan.key.columns.len() > 1 {
        let bits = neighbour_bits(plan.key.columns.len(), hashed.len());
        partitioning += &format!(", but for {bits} low bits of numbers");
    }
    set("partitioning", value(partitioning));
    set("extra", serde_json::to_value(&plan.extra).unwrap_or_default());
    set("newer-by", plan.newer_by.clone().into());
    set("format", value(reading.format.map_or("by name and content".to_owned(), |f| format!("{f:?}"))));
    set(
        "compression",
        value(reading.compression.map_or("by name and content".to_owned(), |c| format!("{c:?}"))),
    );
    set("records", reading.records.clone().into());
    set("delimiter", reading.delimiter.map(|d| char::from(d).to_string()).into());
    set("quote", value(format!("{:?}", reading.quote.map(|quote| quote.map(char::from)))));
    set("paginate", job.web.paginate.as_ref().map(|paginate| format!("{paginate:?}")).into());
    set("each-fields", job.web.each_fields.clone().into());
    set("columns", reading.columns.clone().into());
    set("null-as", reading.null_as.clone().into());
    set("max-record-bytes", reading.record_bytes.into());
    set("skip-records", job.runs.skip_records.into());
    set("timezone", value(job.time_zone.clone()));
    set("datestyle", value(job.date_style.clone()));
    // What most loads leave alone is not spelt out: runs of before it was there go on.
    let (decode, usual) = (&reading.decode, DecodeLimits::default());
    if let Some(encoding) = reading.encoding {
        set("encoding", value(encoding.name().to_owned()));
    }
    if let Some(lines) = reading.skip_lines {
        set("skip-lines", lines.into());
    }
    if decode.on_nul != usual.on_nul {
        set("on-nul", serde_json::to_value(decode.on_nul).unwrap_or_default());
    }
    if decode.fields != usual.fields {
        set("max-fields", decode.fields.into());
    }
    if decode.depth != usual.depth {
        set("max-depth", decode.depth.into());
    }
    settings
}

/// How batches are staged: behind a pooler the next transaction has another backend.
pub(super) fn staging(job: &Job, facts: &ServerFacts) -> Staging {
    match (job.pooler, facts.is_pooled) {
        (Pooler::Transaction, _) | (Pooler::Detect, true) => Staging::Transaction,
        (Pooler::None, _) | (Pooler::Detect, false) => Staging::Session,
    }
}
