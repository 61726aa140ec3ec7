//! What can be said on the command line. Parsing validates, never acts.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use dbload::internals::format::FixedWidth;
use dbload::internals::job::{RejectBudget, VerifySource};
use dbload::internals::schema::{ColumnDefinition, Mode, Rest};
use dbload::internals::{map::Extra, pg::TableName};

use super::choices::{CompressionArg, FormatArg, OnNulArg, SubMicrosecondsArg, ZeroDatesArg};
use super::parse;

/// Where from, where to, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadArgs {
    /// Files, 'globs', directories, URLs ({1..1000} and {a,b} stand for many), objects ('s3://BUCKET/KEY*'),
    /// tables ('postgres://HOST/DB?table=NAME', mysql:// likewise, 'sqlite://FILE?table=NAME'), or - for
    /// standard input; read in this order
    #[arg(value_name = "SOURCE", required_unless_present = "urls")]
    pub(crate) sources: Vec<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) removals: super::removal_args::RemovalArgs,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    #[command(flatten)]
    pub(crate) web: super::web::WebArgs,
    #[command(flatten)]
    pub(crate) shape: super::shape_args::ShapeArgs,
    #[command(flatten)]
    pub(crate) stores: super::stores::StoreArgs,
    #[command(flatten)]
    pub(crate) mapping: MappingArgs,
    #[command(flatten)]
    pub(crate) rejects: RejectArgs,
    #[command(flatten)]
    pub(crate) runs: RunArgs,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Append what happens to this file, as one line of JSON an event (docs/events.md): dbload show FILE
    /// draws it
    #[arg(long, value_name = "FILE", env = "DBLOAD_EVENTS", help_heading = "Output")]
    pub(crate) events: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// libpq URL or key=value text, env:NAME, file:PATH, or local; else DATABASE_URL, else PG*, else the
    /// local server
    #[arg(short, long, value_name = "DSN", env = "DBLOAD_DSN", hide_env_values = true)]
    pub(crate) dsn: Option<String>,
    /// Target table; by default the first source's name without its extension
    #[arg(short, long, value_name = "[SCHEMA.]NAME", env = "DBLOAD_TABLE", value_parser = parse::table)]
    pub(crate) table: Option<TableName>,
    /// Columns of the conflict target; by default the table's primary key
    #[arg(short, long, value_name = "A,B", env = "DBLOAD_KEY", value_delimiter = ',')]
    pub(crate) key: Option<Vec<String>>,
    /// What happens to a record whose key is stored already; by default upsert with a key, else append
    #[arg(long, env = "DBLOAD_MODE", value_enum)]
    pub(crate) mode: Option<ModeArg>,
    /// Only a record with a greater value in this column replaces a stored row
    #[arg(long, value_name = "COLUMN", env = "DBLOAD_NEWER_BY")]
    pub(crate) newer_by: Option<String>,
    /// Write these columns where a row is inserted, and leave them alone where one is stored
    #[arg(long, value_name = "A,B", env = "DBLOAD_INSERT_ONLY", value_delimiter = ',')]
    pub(crate) insert_only: Vec<String>,
    /// What becomes of a column of a stored row: overwrite, keep (what is stored and not null), fill (a null
    /// changes nothing), greatest or least of the two, add, append (texts and arrays), union (arrays) or
    /// patch (jsonb, by RFC 7396). With add or append no load is done twice, unless --again says so. May be
    /// repeated
    #[arg(long, value_name = "COLUMN=POLICY", env = "DBLOAD_MERGE", value_delimiter = '\n', value_parser = parse::merge)]
    pub(crate) merge: Vec<String>,
    /// Behind the load, set the sequences of identity and serial columns that it wrote, where they are
    /// behind: else the next insert without an id fails. Those who write to the table wait meanwhile
    #[arg(long, env = "DBLOAD_FIX_SEQUENCES", value_parser = parse::switch("DBLOAD_FIX_SEQUENCES"))]
    pub(crate) fix_sequences: bool,
    /// Show the plan (columns, key, partitions, path) and write nothing
    #[arg(long, env = "DBLOAD_DRY_RUN", value_parser = parse::switch("DBLOAD_DRY_RUN"))]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sources")]
pub(crate) struct ReadingArgs {
    /// Format; by default by name, then by content
    #[arg(long, env = "DBLOAD_FORMAT", value_enum)]
    pub(crate) format: Option<FormatArg>,
    /// Compression; by default by name, then by content
    #[arg(long, env = "DBLOAD_COMPRESSION", value_enum)]
    pub(crate) compression: Option<CompressionArg>,
    /// Where the records are in a JSON text: data.items or /data/items; edges[].node is a member of each
    /// element, rates.{date} the members of an object with their names in the field date, 1.items goes
    /// through an array. //item is each element of that name in an XML text
    #[arg(long, value_name = "PATH", env = "DBLOAD_RECORDS", value_parser = parse::records)]
    pub(crate) records: Option<String>,
    /// Field delimiter of CSV (one character, or \t)
    #[arg(long, value_name = "CHAR", env = "DBLOAD_DELIMITER", value_parser = parse::delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// Quote of CSV (one character, or none)
    #[arg(long, value_name = "CHAR", env = "DBLOAD_QUOTE", value_parser = parse::quote)]
    pub(crate) quote: Option<parse::Quote>,
    /// What stands before a quote, a delimiter or a line end of CSV that is data (a backslash, mostly);
    /// doubled quotes are read too
    #[arg(long, value_name = "CHAR", env = "DBLOAD_ESCAPE", value_parser = parse::character)]
    pub(crate) escape: Option<u8>,
    /// A line of CSV that begins with this character is no record
    #[arg(long, value_name = "CHAR", env = "DBLOAD_COMMENT", value_parser = parse::character)]
    pub(crate) comment: Option<u8>,
    /// Names of the fields of CSV without a header, or of the values of JSON rows ([1,"a"]): there also
    /// /POINTER to a list of names before the rows, or first-row
    #[arg(long, value_name = "A,B", env = "DBLOAD_COLUMNS", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
    /// Fields at fixed places of lines: names, and their first and last characters, from 1 on, as in
    /// id:1-8,name:9-40 (name:9- goes to the end of the line). Blanks at the end of a field are cut off, a
    /// blank one is NULL
    #[arg(long, value_name = "NAME:FROM-TO,..", env = "DBLOAD_FIXED", value_parser = parse::fixed, conflicts_with_all = ["format", "records", "delimiter", "quote", "escape", "comment", "columns", "sheet", "range"])]
    pub(crate) fixed: Option<FixedWidth>,
    /// Sheet of a workbook (xlsx, xlsb, xls, ods); otherwise the first one that is to be seen
    #[arg(long, value_name = "NAME", env = "DBLOAD_SHEET")]
    pub(crate) sheet: Option<String>,
    /// Part of a sheet, with its header: B2:F100, or B:F for all rows of these columns
    #[arg(long, value_name = "A1:B2", env = "DBLOAD_RANGE")]
    pub(crate) range: Option<String>,
    /// Lines of CSV or rows of a sheet to pass over before the header: a title, a date, units, or (with
    /// --columns) a header that is no use. A first line `sep=;` is known, and needs no flag
    #[arg(long, value_name = "N", env = "DBLOAD_SKIP_LINES")]
    pub(crate) skip_lines: Option<u32>,
    /// An unquoted CSV field with this text is NULL, instead of the empty one; a quoted field never is. May
    /// be repeated: '' is the empty one
    #[arg(long, value_name = "TEXT", env = "DBLOAD_NULL_AS", value_delimiter = '\n')]
    pub(crate) null_as: Vec<String>,
    /// Longest record (by default 8 MiB); a longer one is rejected, so that one line cannot fill the memory
    #[arg(long, value_name = "SIZE", env = "DBLOAD_MAX_RECORD_BYTES", value_parser = parse::bytes)]
    pub(crate) max_record_bytes: Option<u64>,
    /// Most fields of a record or header; far above the 1,600 columns of a table, and a bound on what one
    /// record costs
    #[arg(long, value_name = "N", env = "DBLOAD_MAX_FIELDS", default_value = "10000", value_parser = parse::count)]
    pub(crate) max_fields: usize,
    /// Deepest nesting of a JSON value; the server's own parser gives up at some thousand levels
    #[arg(long, value_name = "N", env = "DBLOAD_MAX_DEPTH", default_value = "1000", value_parser = parse::count)]
    pub(crate) max_depth: usize,
    /// Longest CSV header; the source fails above, for a file without line ends is no CSV
    #[arg(long, value_name = "SIZE", env = "DBLOAD_MAX_HEADER_BYTES", default_value = "1MiB", value_parser = parse::bytes)]
    pub(crate) max_header_bytes: u64,
    /// Most content of one compressed source; it fails above, so that a small file cannot fill the database
    /// (by default 32 TiB, the largest table)
    #[arg(long, value_name = "SIZE", env = "DBLOAD_MAX_DECOMPRESSED_BYTES", value_parser = parse::bytes)]
    pub(crate) max_decompressed_bytes: Option<u64>,
    /// Most bytes of content for a byte of a compressed source, judged from 64 MiB on; it fails above, as a
    /// bomb
    #[arg(long, value_name = "N", env = "DBLOAD_MAX_RATIO", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_ratio: u64,
    /// Decode a compressed file once before the first of its records is stored, to see that it is not
    /// damaged: always, never, or where that is cheap (gzip and zstd up to 1 GiB, xz up to 256 MiB, bzip2 up
    /// to 16 MiB)
    #[arg(long, value_name = "WHEN", env = "DBLOAD_VERIFY_SOURCE", value_enum, default_value = "auto")]
    pub(crate) verify_source: VerifySourceArg,
    /// The last line of a pipe that is whole, and no record: one that ends without it has failed (exit code
    /// 4), for a pipe also ends when whoever writes it is killed
    #[arg(long, value_name = "LINE", env = "DBLOAD_END_MARK", value_parser = parse::end_mark)]
    pub(crate) end_mark: Option<String>,
    /// Encoding of text without a byte order mark, by its name on the web: utf-16le, windows-1252, shift_jis,
    /// .. Places of rejects are those of the decoded text; a resume reads such a source from its start
    #[arg(long, value_name = "NAME", env = "DBLOAD_ENCODING", default_value = "utf-8", value_parser = parse::encoding)]
    pub(crate) encoding: parse::TextEncoding,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Values")]
pub(crate) struct MappingArgs {
    /// Fields without a column: refuse, ignore, add (a column for each), or jsonb:COLUMN to collect them
    #[arg(long, value_name = "RULE", env = "DBLOAD_EXTRA", default_value = "refuse", value_parser = parse::extra)]
    pub(crate) extra: Extra,
    /// A column of a table that is made, or that --extra add adds: its name, its type, and what else SQL says
    /// of a column, such as 'amount numeric(12,2) NOT NULL'. May be repeated
    #[arg(long, value_name = "DEFINITION", env = "DBLOAD_COLUMN", value_delimiter = '\n', value_parser = parse::column)]
    pub(crate) column: Vec<ColumnDefinition>,
    /// NUL and lone surrogates, which no text of PostgreSQL can hold: reject the record, strip them, or
    /// replace them by U+FFFD (in names and in nested values too)
    #[arg(long, value_name = "RULE", env = "DBLOAD_ON_NUL", value_enum, default_value = "reject")]
    pub(crate) on_nul: OnNulArg,
    /// Values that their column would hold as others (decimals beyond its scale, an offset into timestamp,
    /// `now`, ..): reject the record, or allow them and count them; COLUMN=allow for one column (may be
    /// repeated)
    #[arg(long, value_name = "[COLUMN=]RULE", env = "DBLOAD_NARROWING", value_delimiter = ',', value_parser = parse::narrowing)]
    pub(crate) narrowing: Vec<String>,
    /// Digits below the microsecond in times of Parquet, Arrow and Avro, which no time of PostgreSQL keeps:
    /// reject the record where they are not zero, truncate or round them
    #[arg(long, value_name = "RULE", env = "DBLOAD_SUB_MICROSECONDS", value_enum, default_value = "reject")]
    pub(crate) sub_microseconds: SubMicrosecondsArg,
    /// Dates of MySQL that are none (0000-00-00, and those whose month or day is zero): reject the record, or
    /// make them null
    #[arg(long, value_name = "RULE", env = "DBLOAD_ZERO_DATES", value_enum, default_value = "reject")]
    pub(crate) zero_dates: ZeroDatesArg,
    /// Time zone of timestamps that say none
    #[arg(long, value_name = "ZONE", env = "DBLOAD_TIMEZONE", default_value = "UTC")]
    pub(crate) timezone: String,
    /// Order of ambiguous dates, as PostgreSQL's DateStyle: YMD refuses 01/02/2024, DMY and MDY read it
    #[arg(long, value_name = "ORDER", env = "DBLOAD_DATESTYLE", default_value = "YMD", value_parser = ["YMD", "DMY", "MDY"])]
    pub(crate) datestyle: String,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rejects")]
pub(crate) struct RejectArgs {
    /// Stop above this many rejected records, or above this share of those read (judged from 1,000 on);
    /// resumable
    #[arg(long, value_name = "N|P%", env = "DBLOAD_MAX_REJECTS", value_parser = parse::budget)]
    pub(crate) max_rejects: Option<RejectBudget>,
    /// File for rejected records, made only when needed, never overwritten; by default
    /// TABLE.RUN.rejects.jsonl
    #[arg(long, value_name = "FILE", env = "DBLOAD_REJECTS")]
    pub(crate) rejects: Option<PathBuf>,
}

/// What is said once, about an earlier start.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Runs")]
pub(crate) struct OnceArgs {
    /// Give an unfinished run up and begin anew; where it has appended rows, which stay, only together with
    /// --again
    #[arg(long, env = "DBLOAD_RESTART", value_parser = parse::switch("DBLOAD_RESTART"))]
    pub(crate) restart: bool,
    /// Append files once more that an earlier load has appended: all of them, or by --again=FILE this one
    /// (may be repeated)
    #[arg(long, value_name = "FILE", env = "DBLOAD_AGAIN", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Append)]
    pub(crate) again: Vec<String>,
    /// Take the load over from another process, even if it seems alive
    #[arg(long, env = "DBLOAD_TAKE_OVER", value_parser = parse::switch("DBLOAD_TAKE_OVER"))]
    pub(crate) take_over: bool,
    /// Go on with this file though it is not what the unfinished run has read: behind as many records as are
    /// stored of it. May be repeated
    #[arg(long, value_name = "SOURCE", env = "DBLOAD_ACCEPT_CHANGED", value_delimiter = '\n')]
    pub(crate) accept_changed: Vec<String>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Runs")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) once: OnceArgs,
    /// If another process is at this load, wait this long for it to end
    #[arg(long, value_name = "DURATION", env = "DBLOAD_WAIT", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    /// Name of this load; by default made from sources, table, mode and key
    #[arg(long, value_name = "ID", env = "DBLOAD_LOAD_ID")]
    pub(crate) load_id: Option<String>,
    /// Keep no ledger: no resume, no schema _dbload, counts by this process only
    #[arg(long, env = "DBLOAD_NO_LEDGER", value_parser = parse::switch("DBLOAD_NO_LEDGER"))]
    pub(crate) no_ledger: bool,
    /// Pass over so many records at the start of the first source
    #[arg(long, value_name = "N", env = "DBLOAD_SKIP_RECORDS", default_value_t = 0)]
    pub(crate) skip_records: u64,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Resources")]
pub(crate) struct ResourceArgs {
    /// Connections; there are never more (by default 4, over a Unix socket at most one a core of this
    /// machine)
    #[arg(long, value_name = "N", env = "DBLOAD_POOL_SIZE", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) pool_size: Option<u16>,
    /// Rows of a batch at most (by default 20,000)
    #[arg(long, value_name = "N", env = "DBLOAD_BATCH_ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch_rows: Option<u64>,
    /// Bytes of a batch at most (by default what --max-memory allows, between 128 KiB and 8 MiB)
    #[arg(long, value_name = "SIZE", env = "DBLOAD_BATCH_BYTES", value_parser = parse::bytes)]
    pub(crate) batch_bytes: Option<u64>,
    /// Memory to get by with; batches are made to fit
    #[arg(long, value_name = "SIZE", env = "DBLOAD_MAX_MEMORY", default_value = "64MiB", value_parser = parse::bytes)]
    pub(crate) max_memory: u64,
    /// How long to wait for a server that is away or busy
    #[arg(long, value_name = "DURATION", env = "DBLOAD_RETRY_FOR", default_value = "5m", value_parser = humantime::parse_duration)]
    pub(crate) retry_for: Duration,
    /// Longest statement; a batch that takes longer is halved
    #[arg(long, value_name = "DURATION", env = "DBLOAD_STATEMENT_TIMEOUT", default_value = "50s", value_parser = humantime::parse_duration)]
    pub(crate) statement_timeout: Duration,
    /// Longest wait for a lock; the batch is then tried again
    #[arg(long, value_name = "DURATION", env = "DBLOAD_LOCK_TIMEOUT", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) lock_timeout: Duration,
    /// What is between here and the server
    #[arg(long, env = "DBLOAD_POOLER", value_enum, default_value = "auto")]
    pub(crate) pooler: PoolerArg,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Print the report as one line of JSON
    #[arg(long, env = "DBLOAD_JSON", value_parser = parse::switch("DBLOAD_JSON"))]
    pub(crate) json: bool,
    /// No summary, no notes: errors only
    #[arg(short, long, env = "DBLOAD_QUIET", value_parser = parse::switch("DBLOAD_QUIET"))]
    pub(crate) quiet: bool,
    /// Say more on stderr, twice still more; may quote records
    #[arg(short, long, env = "DBLOAD_VERBOSE", action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Form of what is said on stderr
    #[arg(long, value_name = "FORM", env = "DBLOAD_LOG_FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Form of progress on stderr: a bar on a terminal and a line now and then elsewhere, always lines, or a
    /// JSON object a second. SIGUSR1 asks for one at once
    #[arg(long, value_name = "FORM", env = "DBLOAD_PROGRESS", value_enum, default_value = "auto")]
    pub(crate) progress: ProgressForm,
    /// No progress on stderr
    #[arg(long, env = "DBLOAD_NO_PROGRESS", value_parser = parse::switch("DBLOAD_NO_PROGRESS"))]
    pub(crate) no_progress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// A bar on a terminal, a line now and then elsewhere
    Auto,
    /// Lines
    Lines,
    /// A JSON object a second
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifySourceArg {
    /// Where that is cheap
    Auto,
    /// All
    Always,
    /// None
    Never,
}

impl From<VerifySourceArg> for VerifySource {
    fn from(when: VerifySourceArg) -> Self {
        match when {
            VerifySourceArg::Auto => Self::Auto,
            VerifySourceArg::Always => Self::Always,
            VerifySourceArg::Never => Self::Never,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolerArg {
    /// Found out: behind a pooler the backend is another one than the login announced
    Auto,
    /// Nothing, or a pooler that keeps sessions
    None,
    /// A pooler that may give each transaction another session: PgBouncer in transaction mode
    Transaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Update the stored row, or insert
    Upsert,
    /// Update the stored row; skip a record without one
    Update,
    /// Keep the stored row; insert a record only where there is none
    Ignore,
    /// Insert every record
    Append,
    /// The sources become all that is in the table, at once and complete, or the old content stays
    Replace,
    /// Update the stored row, or insert; then remove the rows that no record was about
    Sync,
}

impl ModeArg {
    /// What becomes of records; `None`: the key decides.
    pub(crate) const fn of_records(self) -> Option<Mode> {
        match self {
            Self::Upsert | Self::Sync => Some(Mode::Upsert),
            Self::Update => Some(Mode::Update),
            Self::Ignore => Some(Mode::Ignore),
            Self::Append => Some(Mode::Append),
            Self::Replace => None,
        }
    }

    /// What becomes of rows that are in no source.
    pub(crate) const fn rest(self) -> Rest {
        match self {
            Self::Upsert | Self::Update | Self::Ignore | Self::Append => Rest::Stays,
            Self::Replace => Rest::Replaced,
            Self::Sync => Rest::Removed,
        }
    }
}
