//! A job: what is to be loaded, from where, into what, how. An inert description, validated but not acted on.

use std::path::PathBuf;
use std::time::Duration;

use crate::feed::Feed;
use crate::format::{Compression, DecodeLimits, Encoding, FixedWidth, HeaderRule, Inflation};
use crate::http::{self, Paginate, PostBody};
use crate::map::{Extra, Narrowing};
use crate::mysql::{MysqlServer, ZeroDates};
use crate::pg::{ConnInfo, TableName};
use crate::schema::{ColumnDefinition, MergePolicies, Mode, Removals, Rest};
use crate::shape::Shaping;
use crate::store;

/// Memory of the whole process unless `--max-memory` says otherwise.
pub const MAX_MEMORY_BYTES: u64 = 64 << 20;
/// Rows of a batch: the merge is fastest near 20,000; more only costs memory and repeats more on a fault.
pub const BATCH_ROWS: u64 = 20_000;
/// Connections, unless said otherwise: more than the server has cores do not help, and we do not know its
/// cores.
pub const POOL_SIZE: usize = 4;
/// How long to wait for a server that is away.
pub const RETRY_FOR: Duration = Duration::from_secs(300);

/// A format by name, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatName {
    /// One JSON object a line.
    Jsonl,
    /// JSON of any shape: one object, an array of them, or objects one behind the other.
    Json,
    /// JSON by columns: an object, or the one at the path of records, of lists that are equally long.
    JsonColumns,
    /// Elements of an XML text.
    Xml,
    /// Elasticsearch's bulk format: an action on a line, its document on the next.
    Bulk,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// The text format of COPY.
    Copy,
    /// Parquet.
    Parquet,
    /// A file or a stream of Arrow (IPC, Feather).
    Arrow,
    /// An object container file of Avro.
    Avro,
}

/// Whether compressed files are decoded once only to see that they are whole, before a record of them is
/// stored: checksums come behind what they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum VerifySource {
    /// Where that is cheap: by compression and size.
    #[default]
    Auto,
    /// Every compressed file is decoded once before its first record is stored.
    Always,
    /// No compressed file is decoded before its records are stored.
    Never,
}

/// The order of day and month in dates that do not show it, as PostgreSQL's DateStyle has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DateOrder {
    /// Year first: a date such as 01/02/2024 is refused.
    #[default]
    YearMonthDay,
    /// `31/12/2024`: the day first (`DMY`).
    DayMonthYear,
    /// `12/31/2024`: the month first (`MDY`).
    MonthDayYear,
}

impl DateOrder {
    /// Its name in DateStyle.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::YearMonthDay => "YMD",
            Self::DayMonthYear => "DMY",
            Self::MonthDayYear => "MDY",
        }
    }
}

/// How the sources are written, as far as the user said it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Format of all sources; by name and content otherwise.
    pub format: Option<FormatName>,
    /// Compression of all sources; by name and content otherwise.
    pub compression: Option<Compression>,
    /// Path to the records in a JSON text.
    pub records: Option<String>,
    /// The byte between fields of CSV; `None`: found in the file.
    pub delimiter: Option<u8>,
    /// Quote of CSV; `Some(None)`: no quoting.
    pub quote: Option<Option<u8>>,
    /// What stands before a character of CSV that is data.
    pub escape: Option<u8>,
    /// A line of CSV that begins with it is no record.
    pub comment: Option<u8>,
    /// What becomes of a header with gaps and doubles.
    pub header: HeaderRule,
    /// Names of the columns of CSV without a header.
    pub columns: Option<Vec<String>>,
    /// An unquoted CSV field equal to one of these is NULL; without any, the empty one.
    pub null_as: Vec<String>,
    /// Fields at fixed places of lines.
    pub fixed: Option<FixedWidth>,
    /// The sheet of a workbook; the first one that is to be seen otherwise.
    pub sheet: Option<String>,
    /// The part of a sheet, such as `B2:F100`.
    pub range: Option<String>,
    /// Lines of CSV, or rows of a sheet, before the header.
    pub skip_lines: Option<u32>,
    /// Longest record in bytes.
    pub record_bytes: Option<usize>,
    /// Encoding of sources without a byte order mark, if it is not UTF-8.
    pub encoding: Option<Encoding>,
    /// Fields, depth, and what becomes of NUL.
    pub decode: DecodeLimits,
    /// What becomes of the fields of records.
    pub shaping: Shaping,
    /// Longest header in bytes.
    pub header_bytes: Option<usize>,
    /// What decompression is held to.
    pub inflation: Inflation,
    /// The last line of a pipe that is whole.
    pub end_mark: Option<String>,
    /// Whether compressed files are looked through first.
    pub verify_source: VerifySource,
}

/// Where the rows come from that fill in the names of templates.
#[derive(Debug, Clone)]
pub enum RowSource {
    /// A file or a URL.
    List(EachList),
    /// A question to a database.
    Query(EachQuery),
}

/// A list of rows: a file, or what a server gives page after page.
#[derive(Debug, Clone)]
pub struct EachList {
    /// The file or the URL.
    pub word: String,
    /// How its pages lead to each other.
    pub paginate: Option<Paginate>,
    /// Path to the rows in a JSON text.
    pub records: Option<String>,
}

/// Rows of a database.
#[derive(Debug, Clone)]
pub struct EachQuery {
    /// The question.
    pub sql: String,
    /// The database; otherwise that of the target.
    pub dsn: Option<ConnInfo>,
}

/// Sources from the network: which they are, beside the words that are URLs, and how they are asked.
#[derive(Debug, Clone, Default)]
pub struct HttpSources {
    /// How to speak to servers.
    pub http: http::Settings,
    /// How pages lead to each other; each URL is one body otherwise.
    pub paginate: Option<Paginate>,
    /// Files that list one URL a line (`--urls`).
    pub urls: Vec<PathBuf>,
    /// Rows whose columns fill in the names of templates: each row is a source.
    pub each: Option<RowSource>,
    /// Columns of those rows that become fields of the records.
    pub each_fields: Vec<String>,
    /// A body: requests are POST.
    pub body: Option<PostBody>,
    /// Folders that are named `field=value` are fields of what is in them.
    pub partition_columns: bool,
    /// How to speak to object stores.
    pub store: store::StoreSettings,
}

/// A source that is a table of a database.
#[derive(Debug, Clone)]
pub struct SourceDatabase {
    /// Its word, without a password.
    pub word: String,
    /// How its database is reached.
    pub server: SourceServer,
}

/// How a database that is a source is reached.
#[derive(Debug, Clone)]
pub enum SourceServer {
    /// PostgreSQL, as a target is.
    Postgres(Box<ConnInfo>),
    /// MySQL or MariaDB.
    Mysql(Box<MysqlServer>),
}

/// When too many records are rejected.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RejectBudget {
    /// Rejects never end a load.
    Unlimited,
    /// The load ends when more records than this are rejected.
    Count(u64),
    /// Above this share of what was read (0 to 1), judged from 1,000 records on.
    Share(f64),
}

impl RejectBudget {
    /// A share says nothing about the first few records.
    const SHARE_FROM_RECORDS: u64 = 1_000;

    /// Whether so many rejects of so many records are too many.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of so many records needs no more precision")]
    pub fn is_exceeded(self, rejected: u64, read: u64) -> bool {
        match self {
            Self::Unlimited => false,
            Self::Count(n) => rejected > n,
            Self::Share(share) => read >= Self::SHARE_FROM_RECORDS && rejected as f64 > share * read as f64,
        }
    }
}

/// What a start does about earlier ones.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, independent of the others"
)]
pub struct EarlierRuns {
    /// Give an unfinished run up and begin anew.
    pub restart: bool,
    /// Append files again that were appended before.
    pub again: bool,
    /// The same of these files alone.
    pub again_files: Vec<String>,
    /// Wait this long for a running owner.
    pub wait: Duration,
    /// Take a running owner's load over.
    pub take_over: bool,
    /// Identity of the load.
    pub load_id: Option<String>,
    /// Keep no ledger: the load cannot be resumed, and promises less.
    pub no_ledger: bool,
    /// Records to pass over at the start of the first source.
    pub skip_records: u64,
    /// Sources that a resume goes on with though their content is another one.
    pub accept_changed: Vec<String>,
}

impl EarlierRuns {
    /// Whether a file is to be appended whatever was appended before.
    #[must_use]
    pub fn appends_again(&self, name: &str) -> bool {
        // A name that is also a word for yes or no is said by its path.
        let bare = |name: &str| name.strip_prefix("./").unwrap_or(name).to_owned();
        self.again || self.again_files.iter().any(|file| bare(file) == bare(name))
    }
}

/// Bounds on what a load takes.
#[derive(Debug, Clone)]
pub struct Resources {
    /// All connections there ever are.
    pub pool_size: usize,
    /// Rows of a batch.
    pub batch_rows: u64,
    /// Bytes of a batch; from the memory otherwise.
    pub batch_bytes: Option<usize>,
    /// Memory of the process.
    pub max_memory_bytes: u64,
    /// How long to wait for a server that is away.
    pub retry_for: Duration,
    /// The server ends a statement that takes longer.
    pub statement_timeout: Duration,
    /// Longest wait for a lock.
    pub lock_timeout: Duration,
}

/// Beyond the server's own limit on a statement: the way there and back, and a server that is slow to cancel.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

impl Default for Resources {
    fn default() -> Self {
        Self {
            pool_size: POOL_SIZE,
            batch_rows: BATCH_ROWS,
            batch_bytes: None,
            max_memory_bytes: MAX_MEMORY_BYTES,
            retry_for: RETRY_FOR,
            // A stopped client must not hold locks for a minute.
            statement_timeout: Duration::from_secs(50),
            lock_timeout: Duration::from_secs(10),
        }
    }
}

impl Resources {
    /// The server cancels a statement at its limit; who has not answered a little later does not answer any
    /// more.
    #[must_use]
    pub fn answer_limit(&self) -> Option<Duration> {
        (!self.statement_timeout.is_zero()).then(|| self.statement_timeout + ANSWER_GRACE)
    }

    /// A wait for a lock must end as such: cut off by the limit on statements, it would look like a batch
    /// that is too large.
    #[must_use]
    pub fn lock_limit(&self) -> Duration {
        let limits = [self.statement_timeout / 2, self.lock_timeout];
        limits.into_iter().filter(|limit| !limit.is_zero()).min().unwrap_or_default()
    }

    /// Bytes of a batch: its COPY text and the input that it came from. Each partition has one batch filling,
    /// one waiting and one being written; the rest of the memory is for blocks on their way and the program.
    #[must_use]
    pub fn bytes_of_batch(&self) -> usize {
        const LEAST: u64 = 128 << 10;
        const MOST: u64 = 8 << 20;
        let share = self.max_memory_bytes / 32 * 13 / (self.pool_size as u64 * 3);
        self.batch_bytes.unwrap_or_else(|| usize::try_from(share.clamp(LEAST, MOST)).unwrap_or(1 << 20))
    }
}

/// What to load, and how.
#[derive(Debug, Clone)]
pub struct Job {
    /// The connection string of the target.
    pub dsn: ConnInfo,
    /// Source words as given.
    pub sources: Vec<String>,
    /// The databases of those that are tables.
    pub databases: Vec<SourceDatabase>,
    /// What becomes of dates of MySQL that are none.
    pub zero_dates: ZeroDates,
    /// Records that the caller hands over, in place of sources.
    pub feed: Option<Feed>,
    /// The target; the first source's stem otherwise.
    pub table: Option<TableName>,
    /// The key; the table's primary key otherwise.
    pub key: Option<Vec<String>>,
    /// The mode; by the key otherwise.
    pub mode: Option<Mode>,
    /// What becomes of rows that are in no source.
    pub rest: Rest,
    /// How much may be taken away with them.
    pub removals: Removals,
    /// How sources are written.
    pub reading: Reading,
    /// Sources from the network.
    pub web: HttpSources,
    /// Rule for fields without a column.
    pub extra: Extra,
    /// Columns as they are made, where they are.
    pub column_definitions: Vec<ColumnDefinition>,
    /// What becomes of values that their columns would not hold as they are.
    pub narrowing: Narrowing,
    /// What becomes of columns of stored rows.
    pub policies: MergePolicies,
    /// Only newer records replace stored ones.
    pub newer_by: Option<String>,
    /// Set the sequences of columns that were written, where they are behind.
    pub fix_sequences: bool,
    /// Time zone of the sessions, by which times without an offset are read.
    pub time_zone: String,
    /// DateStyle of the sessions, by which dates such as `1/2/2024` are read.
    pub date_style: String,
    /// Bounds of connections, memory, batches and time.
    pub resources: Resources,
    /// When too many records are rejected.
    pub max_rejects: RejectBudget,
    /// Where rejected records are written; `None`: a file named by table and run.
    pub rejects_file: Option<PathBuf>,
    /// What is done about runs of before.
    pub runs: EarlierRuns,
    /// Its place in a job file, if it is of one.
    pub named: Option<NamedLoad>,
    /// Fewer records are a failure, and the run is not completed.
    pub min_records: u64,
    /// What is between here and the server.
    pub pooler: Pooler,
    /// Somebody keeps a record of the load: each block and each batch is told.
    pub is_recorded: bool,
}

/// A load of a job file. Its names are what makes two starts the same load, whatever its words say today.
#[derive(Debug, Clone)]
pub struct NamedLoad {
    /// Name of the job, as the file has it.
    pub job: String,
    /// Name of the load in it.
    pub load: String,
    /// Where its records come from, in the words of the file: a resume must find the same.
    pub words: Vec<String>,
    /// The field whose greatest value the ledger keeps, if one is to be kept.
    pub watermark: Option<String>,
    /// The window of time that is loaded, of a load that has windows.
    pub window: Option<LoadWindow>,
    /// The table that the ledger knows to be loaded up to somewhere, by its number in the catalog, where a
    /// load builds on that.
    pub of_table: Option<u32>,
    /// When it was begun, in nanoseconds since 1970: what its records say of later moves no watermark.
    pub now: i128,
    /// All of it, from the beginning: an identity of its own, and the unfinished incremental run is given up.
    pub is_full: bool,
}

/// A window of time.
#[derive(Debug, Clone)]
pub struct LoadWindow {
    /// The instant that it starts at.
    pub starts_at: String,
    /// The instant that it ends at, which is the start of the next one.
    pub ends_at: String,
    /// It, or a part of it, is loaded although that is complete.
    pub is_again: bool,
    /// The windows between two moments that it is loaded with, and which time that is.
    pub backfill: Option<String>,
}

/// What is between here and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pooler {
    /// To be found out: any pooler is taken for one of transactions, which costs little where it is not.
    #[default]
    Detect,
    /// Nothing, or a pooler that keeps sessions.
    None,
    /// A pooler that may give each transaction another session.
    Transaction,
}

impl Job {
    /// A job with defaults for everything but where from and where to.
    #[must_use]
    pub fn new(dsn: ConnInfo, sources: Vec<String>) -> Self {
        Self {
            dsn,
            sources,
            databases: Vec::new(),
            zero_dates: ZeroDates::default(),
            feed: None,
            table: None,
            key: None,
            mode: None,
            rest: Rest::Stays,
            removals: Removals::default(),
            reading: Reading::default(),
            web: HttpSources::default(),
            extra: Extra::Refuse,
            column_definitions: Vec::new(),
            narrowing: Narrowing::default(),
            policies: MergePolicies::default(),
            newer_by: None,
            fix_sequences: false,
            time_zone: "UTC".to_owned(),
            date_style: "ISO, YMD".to_owned(),
            resources: Resources::default(),
            max_rejects: RejectBudget::Unlimited,
            rejects_file: None,
            runs: EarlierRuns::default(),
            named: None,
            min_records: 0,
            pooler: Pooler::Detect,
            is_recorded: false,
        }
    }
}
