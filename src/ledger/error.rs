//! What can be wrong with the ledger, sorted by what the caller can do.

use crate::pg::{ErrorView, PgError};

/// An error of this room.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The server failed.
    #[error("{doing}: {}", .view.message)]
    Server {
        /// What was being done.
        doing: &'static str,
        /// What the server said.
        view: ErrorView,
    },
    /// No connection.
    #[error(transparent)]
    Connect(#[from] PgError),
    /// The role may not create or use the ledger.
    #[error("the role {role} may not {what} dbload's ledger (schema _dbload)")]
    NoRights {
        /// Who.
        role: String,
        /// `create` or `use`.
        what: &'static str,
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
        /// Who.
        owner: String,
        /// When it last gave a sign of life.
        heartbeat: String,
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
        /// The run.
        run: String,
        /// Each setting with both values.
        differences: Vec<String>,
    },
    /// The target is no longer what the unfinished run has written to.
    #[error("the target of the unfinished run {run} {what} since")]
    TargetChanged {
        /// The run.
        run: String,
        /// What happened to it.
        what: &'static str,
    },
    /// A source is no longer what the unfinished run has read.
    #[error("{name} changed since the unfinished run {run} read it: {change}")]
    SourceChanged {
        /// The run.
        run: String,
        /// The source.
        name: String,
        /// How.
        change: String,
    },
    /// Every source was appended before.
    #[error("all sources were appended to this table before: {}", .names.join(", "))]
    LoadedBefore {
        /// Their names.
        names: Vec<String>,
    },
    /// A source was appended before and has changed since.
    #[error("{name} was appended to this table before and changed since: {change}")]
    AppendedAndChanged {
        /// The source.
        name: String,
        /// How.
        change: String,
    },
    /// The books do not balance: the server refused to complete the run.
    #[error("the books of run {run} do not balance")]
    Unbalanced {
        /// The run.
        run: String,
    },
}

impl LedgerError {
    pub(super) fn server(doing: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| Self::Server { doing, view: ErrorView::from(&error) }
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server { view, .. } => return view.hint().map(ToOwned::to_owned),
            Self::Connect(error) => return error.hint().map(ToOwned::to_owned),
            Self::NoRights { role, .. } => {
                let simple = role.chars().all(|c| c.is_alphanumeric() || c == '_');
                // A role may be called anything; the shell takes it as one word.
                let role = if simple { role.clone() } else { format!("'{}'", role.replace('\'', "'\\''")) };
                format!(
                    "an administrator runs once: dbload ledger sql --role={role} | psql (or use --no-ledger, without resume)"
                )
            }
            Self::TooNew { .. } => "use the newer dbload".to_owned(),
            Self::Running { .. } => "wait for it with --wait 10m, or stop it and use --take-over".to_owned(),
            Self::Raced => "start it again".to_owned(),
            Self::Fenced => "the other process goes on; nothing is lost".to_owned(),
            Self::OtherSettings { .. } => {
                "use the same settings to finish it, or --restart to begin anew".to_owned()
            }
            Self::TargetChanged { .. } => "--restart loads all sources again from their start".to_owned(),
            Self::SourceChanged { .. } => "put the file back, or --restart to begin anew".to_owned(),
            Self::LoadedBefore { .. } => "--again appends them once more".to_owned(),
            Self::AppendedAndChanged { .. } => {
                "--again appends all of it once more; to add only what is new, put that into a file of its own"
                    .to_owned()
            }
            Self::Forgotten | Self::Unbalanced { .. } => return None,
        })
    }
}
