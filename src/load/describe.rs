//! The plan of a load, for callers and for people.

use std::fmt;

use crate::job::Job;
use crate::map::{AskedExpressions, Extra};
use crate::schema::Mode;

use crate::prepared::Prepared;
use crate::report::Guarantee;

use super::start::unlogged_words;

/// What a load would do.
///
/// Shown, it is the plan in words, with all the fields and where they go.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadPlan {
    /// The database, as `host:port/name` for people.
    pub database: String,
    /// The table, quoted where SQL needs it.
    pub table: String,
    /// The statement that would create the table, if it does not exist.
    pub creates: Option<String>,
    /// What happens to a record whose key is stored already.
    pub mode: Mode,
    /// The mode, by the name that users write.
    pub mode_name: &'static str,
    /// The columns of the key.
    pub key: Vec<String>,
    /// Parts that are written side by side.
    pub partitions: u32,
    /// How often a record may be applied.
    pub guarantee: Guarantee,
    /// The sources, in order.
    pub sources: Vec<String>,
    /// What is worth knowing, in words.
    pub notes: Vec<String>,
    words: String,
}

impl fmt::Display for LoadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Prepared {
    /// The plan as it is shown to users.
    #[must_use]
    pub(super) fn load_plan(&self, job: &Job) -> LoadPlan {
        LoadPlan {
            database: self.pool.place(),
            table: self.plan.table.name.to_string(),
            creates: self.ddl.clone(),
            mode: self.plan.mode,
            mode_name: self.plan.mode_name(),
            key: self.plan.key_names(),
            partitions: self.plan.partitioner.count,
            guarantee: self.guarantee,
            sources: self.inputs.iter().map(|input| input.name.clone()).collect(),
            notes: self.plan.notes.clone(),
            words: self.describe(job),
        }
    }

    /// The plan in words.
    fn describe(&self, job: &Job) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let table = &self.plan.table;
        let mut line = |name: &str, text: &str| {
            // A name may hold a line end: it stays in its line.
            let text: String = text
                .chars()
                .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() })
                .collect();
            let _ = writeln!(out, "{name:<12}{text}");
        };
        line("database", &format!("{} (PostgreSQL {})", self.pool.place(), self.facts.version_name));
        let state = if self.ddl.is_some() { "to be created" } else { "exists" };
        line("table", &format!("{} ({state})", table.name));
        line("mode", self.plan.mode_name());
        let key = self.plan.key_names();
        line("key", &if key.is_empty() { "none".to_owned() } else { key.join(", ") });
        let partitions = match self.plan.one_partition {
            Some(why) => format!("1 ({why})"),
            None => {
                format!("{} by {:?}", self.plan.partitioner.count, self.plan.partitioner.by).to_lowercase()
            }
        };
        line("partitions", &partitions);
        let connections = match (job.resources.pool_size, self.plan.one_partition) {
            (size @ 2.., Some(_)) => {
                format!("{size} (one partition is written by one of them: --pool-size 1 would be as fast)")
            }
            (size, _) => size.to_string(),
        };
        line("connections", &connections);
        line("path", &self.path_words());
        line("session", &format!("TimeZone {}, DateStyle {}", job.time_zone, job.date_style));
        line("guarantee", self.guarantee.name());
        line("sources", &self.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", "));
        if let Some(paginate) = &job.web.paginate {
            line("pages", &paginate.to_string());
        }
        for expression in self.plan.asked.iter().flat_map(|asked| &asked.expressions) {
            let (flag, words) = expression.words.split_once(' ').unwrap_or_default();
            line(flag.trim_start_matches('-'), words);
        }
        let mark = self.plan.asked.iter().find_map(|asked| asked.mark.as_ref());
        if let Some(mark) = mark {
            line("soft-delete", mark);
        }
        let is_set = |name: &str| {
            let sets = |asked: &AskedExpressions| asked.sets().any(|(set, _)| set == name);
            mark.is_some_and(|mark| mark == name) || self.plan.asked.iter().any(|asked| sets(asked))
        };
        let is_asked = |name: &str| self.plan.asked.iter().any(|asked| asked.names(name));
        for (field, target) in &self.plan.fields {
            let to = match target {
                // Said already: no field goes there.
                crate::map::Target::Slot(_) if is_set(field) => continue,
                crate::map::Target::Dropped if is_asked(field) => "for expressions alone".to_owned(),
                crate::map::Target::Slot(slot) => {
                    let column = &table.columns[self.mapping.slots[*slot]];
                    format!("{} {}", column.name, column.type_name)
                }
                crate::map::Target::Generated => "left out: the column is generated".to_owned(),
                crate::map::Target::Dropped => "left out, as it was asked for".to_owned(),
                crate::map::Target::Extra => match &self.plan.extra {
                    Extra::Jsonb(column) => format!("collected in {column:?}"),
                    Extra::Add => "no column, until it has a value".to_owned(),
                    Extra::Ignore | Extra::Refuse => "left out: no such column".to_owned(),
                },
            };
            line("field", &format!("{field:?} -> {to}"));
        }
        if let Some(text) = unlogged_words(table) {
            line("note", &text);
        }
        for note in &self.plan.notes {
            line("note", note);
        }
        if let Some(ddl) = &self.ddl {
            let _ = writeln!(out, "\n{ddl};");
        }
        out
    }

    fn path_words(&self) -> String {
        let paths = &self.plan.paths;
        if let Some(why) = paths.always_careful {
            return format!("careful, record by record: {why}");
        }
        let new = match (self.plan.mode, paths.straight) {
            (Mode::Update, _) => String::new(),
            (_, Ok(())) => "straight into the table while all rows of a batch are new; else ".to_owned(),
            (_, Err(why)) => format!("never straight into the table ({why}); "),
        };
        let sets = match (self.plan.mode, self.write.merges_at_once()) {
            (Mode::Upsert, true) => "set-based, by one MERGE",
            (Mode::Upsert, false) => "set-based, by an insert and an update",
            _ => "set-based",
        };
        let rest = match (self.plan.key.columns.is_empty(), paths.folding_shows) {
            (false, Some(why)) => format!("record by record where a key repeats in a batch: {why}"),
            _ => "record by record where the server refuses something".to_owned(),
        };
        format!("{new}{sets}; {rest}")
    }
}
