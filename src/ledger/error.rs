//! What can be wrong with the ledger, sorted by what the caller can do.

use crate::pg::{DbError, PgError};
use crate::shell::{shell_value, shell_word};

use super::anew::{Anew, counted};

/// An error of this room.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The server refused a statement, or went away under it.
    #[error("{doing}")]
    Server {
        /// What was being done.
        doing: &'static str,
        /// The error that lies behind it.
        source: DbError,
    },
    /// No connection to the server could be had.
    #[error(transparent)]
    Connect(#[from] PgError),
    /// The role may not create or use the ledger.
    #[error("the role {role} may not {what} dbload's ledger (schema _dbload)")]
    NoRights {
        /// The role that lacks the right.
        role: String,
        /// What is done with it: `create` or `use`.
        what: &'static str,
    },
    /// The ledger, or something in it, belongs to somebody who could act with the rights of whoever loads.
    #[error(
        "dbload's ledger is not to be trusted: {what} belongs to the role {owner}, which is neither a superuser, nor the owner \
             of the database, nor the role that loads"
    )]
    Untrusted {
        /// The object that cannot be trusted.
        what: String,
        /// The role that it belongs to.
        owner: String,
    },
    /// The ledger was made by a newer dbload.
    #[error("the ledger has version {found}, this dbload knows {known}")]
    TooNew {
        /// Version in the database.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// Another process owns the run.
    #[error("this load is running already: {owner}, {heartbeat}")]
    Running {
        /// The owner of the run, for people.
        owner: String,
        /// When it last gave a sign of life.
        heartbeat: String,
    },
    /// A watermark, or windows, are of a table that is not there any more.
    #[error("the ledger knows how far the table was loaded, but the table {what}")]
    MarkOfAnother {
        /// What has become of the table.
        what: String,
    },
    /// Another process has completed the load that this one waited for.
    #[error("another process has completed this very load meanwhile{}", if .run.is_empty() { String::new() } else { format!(" (run {run})") })]
    CompletedMeanwhile {
        /// The id of that run.
        run: String,
    },
    /// Another process began, ended or took over the same load between two of our looks at the ledger.
    #[error("another process began or ended this very load at the same moment")]
    Raced,
    /// The run is no longer ours.
    #[error("this load was taken over by another process")]
    Fenced,
    /// The ledger has no such run, or the server no ledger: lost by a failover, or deleted.
    #[error("the server knows nothing of this run")]
    Forgotten,
    /// The unfinished run has other settings.
    #[error("the unfinished run {run} was started with other settings: {}", .differences.join("; "))]
    OtherSettings {
        /// The id of the run.
        run: String,
        /// Each setting with both values.
        differences: Vec<String>,
    },
    /// The target is the same table, and its columns are not those that the unfinished run has written to.
    #[error("the target of the unfinished run {run} has other columns since: {what}")]
    OtherColumns {
        /// The id of the run.
        run: String,
        /// What has become of a column.
        what: String,
        /// How it is put right, if it can be.
        back: Option<&'static str>,
    },
    /// The target is no longer what the unfinished run has written to.
    #[error("the target of the unfinished run {run} {what} since")]
    TargetChanged {
        /// The id of the run.
        run: String,
        /// What happened to it.
        what: String,
    },
    /// The load went by a key, of which the target has no index any more.
    #[error(
        "the table has no unique index on ({key}) any more, by which run {run} of this load went: all records would be \
         appended"
    )]
    KeyGone {
        /// The id of the run.
        run: String,
        /// The key, by commas.
        key: String,
    },
    /// There is no target any more of the name that the unfinished run has written to.
    #[error("the target of the unfinished run {run} was dropped or renamed since")]
    TargetGone {
        /// The id of the run.
        run: String,
    },
    /// The target has another version than was expected of it.
    #[error("the target was changed meanwhile")]
    AnotherVersion,
    /// A source is no longer what the unfinished run has read.
    #[error("{name} changed since the unfinished run {run} read it: {change}")]
    SourceChanged {
        /// The id of the run.
        run: String,
        /// Name of the source, for people.
        name: String,
        /// In which way it has changed.
        change: String,
    },
    /// A file is no longer what the unfinished run has read of it.
    #[error("{name} changed since the unfinished run {run} read it: {change}")]
    FileChanged {
        /// The id of the run.
        run: String,
        /// The file that the error is about.
        name: String,
        /// In which way it has changed.
        change: String,
        /// The run can go on with the new content, if the user says so.
        may_be_accepted: bool,
    },
    /// A file has another content, and is to be gone on with; but an append has several places in it.
    #[error(
        "{name} cannot be gone on with as it is now: the {partitions} writers of the unfinished run {run} were at different places of \
         it, and between those records would be appended twice or not at all"
    )]
    PlacesDiffer {
        /// The id of the run.
        run: String,
        /// The file that the error is about.
        name: String,
        /// Partitions of the run.
        partitions: u32,
    },
    /// `--accept-changed` for what is no source of the run.
    #[error("the unfinished run {run} has no file called {name}")]
    NoSuchSource {
        /// The id of the run.
        run: String,
        /// As the user said it.
        name: String,
    },
    /// The unfinished run cannot be gone on with.
    #[error("{why}")]
    NotResumed {
        /// The error, in words for people.
        why: Box<Self>,
        /// What it takes to begin anew.
        anew: Anew,
    },
    /// An append is to begin anew, and what it has inserted so far would be there twice.
    #[error(
        "--restart would append all sources once more: {} that the unfinished run {} has inserted {} in {}",
        counted(.anew.rows), .anew.run, if .anew.is_sure { "are" } else { "may be" }, .anew.table
    )]
    RowsStay {
        /// The unfinished run that would be left behind.
        anew: Anew,
    },
    /// Every source was appended before.
    #[error("all sources were appended to this table before: {}", .names.join(", "))]
    LoadedBefore {
        /// Names of the sources.
        names: Vec<String>,
    },
    /// A source was appended before and has changed since.
    #[error("{name} was appended to this table before and changed since: {change}")]
    AppendedAndChanged {
        /// Name of the source, for people.
        name: String,
        /// In which way it has changed.
        change: String,
    },
    /// The content of a file was appended before, under another path.
    #[error("{name} has the content of {earlier}, which was appended to this table before")]
    AppendedElsewhere {
        /// The file that the error is about.
        name: String,
        /// Name of the other file.
        earlier: String,
    },
    /// A part of a source is in the table, or will be: of a run that is not finished, or was given up.
    #[error("{}", in_part(.name, .run, *.read, *.given_up))]
    AppendedInPart {
        /// Name of the source, for people.
        name: String,
        /// The id of the run.
        run: String,
        /// The names of the run's sources.
        sources: Vec<String>,
        /// The number of records that were read.
        read: u64,
        /// It was given up, and cannot be finished.
        given_up: bool,
    },
    /// A source was appended before, and whether its rows are there cannot be told.
    #[error(
        "{name} was appended to this table before, and it cannot be told whether it is still in there: {why}"
    )]
    AppendedInDoubt {
        /// Name of the source, for people.
        name: String,
        /// What stands in the way.
        why: &'static str,
    },
    /// A source was appended to a part of the table, or to what the table is a part of.
    #[error("{name} was appended before to {table}, which {}", if *.is_part { "is a part of this table" } else { "this table is, or was, a part of" })]
    AppendedToKin {
        /// Name of the source, for people.
        name: String,
        /// That table, as SQL has it.
        table: String,
        /// It is the part.
        is_part: bool,
    },
    /// Another run has appended a source that an unfinished one has not read to its end.
    #[error("{name} was appended to this table by run {other} after the unfinished run {run} began")]
    AppendedSince {
        /// Name of the source, for people.
        name: String,
        /// The id of the unfinished run.
        run: String,
        /// The id of the other one.
        other: String,
        /// Records of the source that the unfinished run has read.
        read: u64,
        /// Rows that it has inserted, of all its sources.
        rows: u64,
    },
    /// The books do not balance: the server refused to complete the run.
    #[error("the books of run {run} do not balance")]
    Unbalanced {
        /// The id of the run.
        run: String,
    },
}

impl LedgerError {
    /// The run cannot go on as it is, but the same command could begin anew.
    pub(super) const fn offers_restart(&self) -> bool {
        matches!(
            self,
            Self::OtherSettings { .. }
                | Self::OtherColumns { .. }
                | Self::TargetChanged { .. }
                | Self::TargetGone { .. }
                | Self::SourceChanged { .. }
                | Self::FileChanged { .. }
                | Self::PlacesDiffer { .. }
        )
    }

    /// The target is not what the unfinished run has written to.
    #[must_use]
    pub fn is_of_target(&self) -> bool {
        match self {
            Self::NotResumed { why, .. } => why.is_of_target(),
            Self::OtherColumns { .. } | Self::TargetChanged { .. } | Self::TargetGone { .. } => true,
            _ => false,
        }
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server { source, .. } => return source.hint().map(ToOwned::to_owned),
            Self::Connect(error) => return error.hint().map(ToOwned::to_owned),
            Self::NoRights { role, .. } => {
                // A role may be called anything.
                let role = shell_value(role);
                format!(
                    "an administrator runs once: dbload ledger sql --role={role} | psql (or use --no-ledger, without resume)"
                )
            }
            Self::Untrusted { .. } => "an administrator looks at what stands in schema _dbload; if it is all in order: REASSIGN OWNED, or \
                 ALTER SCHEMA _dbload OWNER TO the owner of the database, and likewise its tables and functions; else DROP SCHEMA \
                 _dbload CASCADE (or use --no-ledger, without resume)"
                .to_owned(),
            Self::TooNew { .. } => "use the newer dbload".to_owned(),
            Self::Running { .. } => "wait for it with --wait 10m, or stop it and use --take-over".to_owned(),
            Self::MarkOfAnother { .. } => "--full loads it from the beginning; windows are loaded again by --from and --to".to_owned(),
            Self::Raced => "start it again".to_owned(),
            Self::Fenced => "the other process goes on; nothing is lost".to_owned(),
            Self::NotResumed { why, anew } => match why.hint() {
                Some(hint) => format!("{hint}; or {}", anew.advice()),
                None => anew.advice(),
            },
            Self::RowsStay { anew } => format!(
                "the same command without --restart goes on where it stopped; or {}",
                anew.delete_first()
            ),
            // What beginning anew takes is added by who knows the run.
            Self::OtherSettings { .. } => "use the same settings to finish it".to_owned(),
            Self::OtherColumns { back, .. } => return back.map(ToOwned::to_owned),
            Self::TargetChanged { .. } => return None,
            Self::KeyGone { .. } => "create the index again, and the same command goes on; or --mode append adds all records to \
                 the rows that are there"
                .to_owned(),
            Self::TargetGone { .. } => "once the table has its name again, the same command goes on".to_owned(),
            Self::SourceChanged { .. } => "put the file back".to_owned(),
            Self::FileChanged { name, may_be_accepted: true, .. } => changed_hint(name),
            Self::FileChanged { may_be_accepted: false, .. } | Self::PlacesDiffer { .. } => {
                "put the file back as it was, and the same command goes on".to_owned()
            }
            Self::NoSuchSource { .. } => "name it as the command does".to_owned(),
            Self::LoadedBefore { .. } => "--again appends them once more".to_owned(),
            Self::AppendedAndChanged { name, .. } => format!(
                "{} appends all of it once more; to add only what is new, put that into a file of its own",
                again(name)
            ),
            Self::AppendedElsewhere { name, .. } | Self::AppendedToKin { name, .. } => format!(
                "if its records are to be there twice, {} appends them; else leave it out",
                again(name)
            ),
            Self::AppendedSince { name, rows: 0, .. } => format!(
                "--restart gives the unfinished run up and leaves out what is there; {} goes on with it, and appends all \
                 of this one beside it",
                again(name)
            ),
            Self::AppendedSince { name, read, .. } => format!(
                "to have its records once, leave the unfinished run as it is, and delete what that has put there of them \
                 ({read} records); {} goes on with it all the same",
                again(name)
            ),
            Self::AppendedInPart { name, sources, given_up: false, .. } => {
                let sources: Vec<String> = sources.iter().map(|source| shell_word(source)).collect();
                format!(
                    "finish that run first, by the command that began it (its sources: {}); {} appends all of this one beside it",
                    sources.join(" "),
                    again(name)
                )
            }
            Self::AppendedInPart { name, given_up: true, .. } => format!(
                "delete those rows; then {} appends all of it",
                again(name)
            ),
            Self::AppendedInDoubt { name, .. } => format!(
                "look whether its rows are there: if not, {} appends them; if so, leave it out",
                again(name)
            ),
            Self::CompletedMeanwhile { .. } | Self::AnotherVersion | Self::Forgotten | Self::Unbalanced { .. } => return None,
        })
    }
}

impl Anew {
    /// The error of a start that would double them.
    #[must_use]
    pub fn refused(self) -> LedgerError {
        LedgerError::RowsStay { anew: self }
    }

    /// An error that keeps the run from going on, with what beginning anew takes.
    #[must_use]
    pub fn advise(self, why: LedgerError) -> LedgerError {
        if why.offers_restart() { LedgerError::NotResumed { why: Box::new(why), anew: self } } else { why }
    }
}

/// What can be done about a file that is another one than was read, but for beginning anew.
fn changed_hint(name: &str) -> String {
    format!(
        "put the file back as it was; or --accept-changed {} goes on with the new content, behind as many records as are \
         loaded",
        shell_word(name)
    )
}

/// What is in the table of a source that a run has not read to its end.
fn in_part(name: &str, run: &str, read: u64, given_up: bool) -> String {
    let state = if given_up { "given-up" } else { "unfinished" };
    match read {
        0 => format!(
            "{name} is a source of the {state} run {run}, which appends it to this table when it goes on"
        ),
        read => format!(
            "{read} records of {name} are in this table already: the {state} run {run} has appended them"
        ),
    }
}

/// The flag that appends a file whatever was appended before. A bare word may be one that switches.
fn again(name: &str) -> String {
    let is_bare = !name.contains(['/', '.']);
    format!("--again={}{}", if is_bare { "./" } else { "" }, shell_value(name))
}
