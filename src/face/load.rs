//! A load from sources, described step by step.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Dsn;
use super::options::{LoadOptions, common_options};
use crate::engine::Engine;
use crate::error::Error;
use crate::event::{Event, Totals};
use crate::format::{Compression, Encoding, HeaderRule, OnNul, SubMicroseconds};
use crate::job::{DateOrder, FormatName, Pooler, RejectBudget, VerifySource};
use crate::load::{self, LoadPlan, Verification};
use crate::map::{Extra, Narrowing};
use crate::report::Report;
use crate::schema::{ColumnDefinition, MergePolicy, Mode, RemovalLimit, Rest, TableName};
use crate::shape::Shaping;

/// A load from files, patterns, folders, URLs or standard input into a table.
///
/// Nothing happens before [`run`](Load::run), [`plan`](Load::plan) or [`verify`](Load::verify) is awaited.
/// The same load, run again after it was interrupted or has failed, goes on behind what is committed.
///
/// Dropped while it runs, it ends as in a crash: what is committed stays, and the same load goes on there. To
/// let it finish what is in flight, cancel the token of [`stop`](Load::stop).
#[derive(Debug)]
#[must_use = "a load does nothing until it is run"]
pub struct Load {
    sources: Vec<String>,
    pub(super) options: LoadOptions,
}

impl Load {
    /// From these sources, read in this order: files, 'patterns', folders, `http(s)://` URLs, or `-` for
    /// standard input.
    pub fn from<S: Into<String>>(sources: impl IntoIterator<Item = S>) -> Self {
        Self { sources: sources.into_iter().map(Into::into).collect(), options: LoadOptions::default() }
    }

    /// The table, as `name` or `schema.name`; by default it is named after the first source.
    pub fn into_table(mut self, name: &str) -> Self {
        self.options.table = self.options.take("table", TableName::parse(name));
        self
    }

    common_options!();

    /// Format of all sources; by default by name and content.
    pub fn format(mut self, format: FormatName) -> Self {
        self.options.reading.format = Some(format);
        self
    }

    /// Compression of all sources; by default by name and content.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.options.reading.compression = Some(compression);
        self
    }

    /// Whether compressed files are decoded once before a record of them is stored; by default where that is
    /// cheap.
    pub fn verify_source(mut self, rule: VerifySource) -> Self {
        self.options.reading.verify_source = rule;
        self
    }

    /// Where the records are in a JSON text: `data.items` or `/data/items`.
    pub fn records(mut self, path: impl Into<String>) -> Self {
        self.options.reading.records = Some(path.into());
        self
    }

    /// The delimiter of CSV, an ASCII character.
    pub fn delimiter(mut self, delimiter: char) -> Self {
        self.options.reading.delimiter = self.options.take("delimiter", ascii(delimiter));
        self
    }

    /// The quote of CSV, an ASCII character; `None`: nothing is quoted.
    pub fn quote(mut self, quote: Option<char>) -> Self {
        let checked = quote.map(ascii).transpose();
        self.options.reading.quote = self.options.take("quote", checked);
        self
    }

    /// What stands before a quote, a delimiter or a line end of CSV that is data, an ASCII character.
    pub fn escape(mut self, escape: char) -> Self {
        self.options.reading.escape = self.options.take("escape", ascii(escape));
        self
    }

    /// A line of CSV that begins with this ASCII character is no record.
    pub fn comment(mut self, comment: char) -> Self {
        self.options.reading.comment = self.options.take("comment", ascii(comment));
        self
    }

    /// What becomes of a header of CSV with gaps, doubles or names that are too long.
    pub fn header_rule(mut self, rule: HeaderRule) -> Self {
        self.options.reading.header = rule;
        self
    }

    /// Names of the fields of CSV without a header.
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.options.reading.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The sheet of a workbook (xlsx, xlsb, xls, ods); by default the first one that is to be seen.
    pub fn sheet(mut self, name: impl Into<String>) -> Self {
        self.options.reading.sheet = Some(name.into());
        self
    }

    /// The part of a sheet that is read, with its header, such as `B2:F100` or `B:F`; by default all of it.
    pub fn range(mut self, range: impl Into<String>) -> Self {
        self.options.reading.range = Some(range.into());
        self
    }

    /// Lines of CSV to pass over before the header.
    pub fn skip_lines(mut self, lines: u32) -> Self {
        self.options.reading.skip_lines = Some(lines);
        self
    }

    /// An unquoted field of CSV with this text is NULL, instead of the empty one; said again, each of the
    /// texts is.
    pub fn null_as(mut self, text: impl Into<String>) -> Self {
        self.options.reading.null_as.push(text.into());
        self
    }

    /// The encoding of text without a byte order mark, by its name on the web; by default UTF-8.
    pub fn encoding(mut self, name: &str) -> Self {
        self.options.reading.encoding = self.options.take("encoding", Encoding::named(name)).flatten();
        self
    }

    /// The most fields of a record or header; by default 10,000.
    pub fn max_fields(mut self, fields: usize) -> Self {
        self.options.reading.decode.fields = fields;
        self
    }

    /// The deepest nesting of a JSON value; by default 1,000.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.options.reading.decode.depth = levels;
        self
    }

    /// The longest header of CSV, in bytes; by default 1 MiB.
    pub fn max_header(mut self, bytes: usize) -> Self {
        self.options.reading.header_bytes = Some(bytes);
        self
    }

    /// The most content of one compressed source, in bytes; by default 32 TiB.
    pub fn max_decompressed(mut self, bytes: u64) -> Self {
        self.options.reading.inflation.bytes = bytes;
        self
    }

    /// The most bytes of content for a byte of a compressed source, judged from 64 MiB on; by default 1,000.
    pub fn max_ratio(mut self, ratio: u64) -> Self {
        self.options.reading.inflation.ratio = ratio;
        self
    }

    /// The name of this load; by default it is made from sources, table, mode and key. Loads of one name are
    /// the same load: they resume each other, and do not run at the same time.
    pub fn load_id(mut self, id: impl Into<String>) -> Self {
        self.options.runs.load_id = Some(id.into());
        self
    }

    /// Gives an unfinished run of this load up, and begins anew.
    pub fn restart(mut self) -> Self {
        self.options.runs.restart = true;
        self
    }

    /// Appends files once more that an earlier load has appended.
    pub fn again(mut self) -> Self {
        self.options.runs.again = true;
        self
    }

    /// Appends this file once more, and no other that an earlier load has appended.
    pub fn again_file(mut self, name: impl Into<String>) -> Self {
        self.options.runs.again_files.push(name.into());
        self
    }

    /// Goes on with this source though its content is another one since the run began.
    pub fn accept_changed(mut self, name: impl Into<String>) -> Self {
        self.options.runs.accept_changed.push(name.into());
        self
    }

    /// How long another process that is at this load is waited for; by default not at all.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.options.runs.wait = limit;
        self
    }

    /// Takes the load over from another process, even if that seems alive.
    pub fn take_over(mut self) -> Self {
        self.options.runs.take_over = true;
        self
    }

    /// Passes over so many records at the start of the first source.
    pub fn skip_records(mut self, records: u64) -> Self {
        self.options.runs.skip_records = records;
        self
    }

    /// Loads: every record is committed or rejected when this returns a report.
    ///
    /// # Errors
    ///
    /// Whatever kept the load from its end. The error has the report of what was committed all the same.
    pub async fn run(self, dsn: &Dsn) -> Result<Report, Error> {
        let engine = self.options.engine.clone();
        let (job, watching) = self.options.into_job(dsn.0.clone(), self.sources)?;
        let listener = |event: &Event, totals: &Totals| watching.hear(event, totals);
        Box::pin(load::load(engine.as_ref(), &job, &listener, &watching.stop)).await.into_result()
    }

    /// Makes the plan and writes nothing.
    ///
    /// # Errors
    ///
    /// Whatever would keep the load from beginning.
    pub async fn plan(self, dsn: &Dsn) -> Result<LoadPlan, Error> {
        let engine = self.options.engine.clone();
        let (job, watching) = self.options.into_job(dsn.0.clone(), self.sources)?;
        let listener = |event: &Event, totals: &Totals| watching.hear(event, totals);
        Ok(Box::pin(load::plan(engine.as_ref(), &job, &listener, &watching.stop)).await?)
    }

    /// Reads the sources and compares them with the table, record by record, and writes nothing.
    ///
    /// # Errors
    ///
    /// Whatever kept the comparison from its end. A table that differs is no error: the result says what
    /// differs.
    pub async fn verify(self, dsn: &Dsn) -> Result<Verification, Error> {
        let engine = self.options.engine.clone();
        let (job, watching) = self.options.into_job(dsn.0.clone(), self.sources)?;
        let listener = |event: &Event, totals: &Totals| watching.hear(event, totals);
        Ok(Box::pin(load::verify(engine.as_ref(), &job, &listener, &watching.stop)).await?)
    }
}

fn ascii(c: char) -> Result<u8, &'static str> {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(byte),
        _ => Err("must be one ASCII character other than a line end"),
    }
}
