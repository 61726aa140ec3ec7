//! Why an archive, or a member of one, cannot be read.

use std::fmt;
use std::io;

use crate::format::Inflated;

/// Why an archive or a member of it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// A part was chosen of what has none.
    #[error("it is neither an archive nor a workbook, and has no part {0:?}")]
    NoParts(String),
    /// It is none.
    #[error("it is no {0} archive")]
    Other(&'static str),
    /// Its end is not there.
    #[error("it is not complete: {0}")]
    Incomplete(&'static str),
    /// What it says of itself does not add up.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Its rest is in other files.
    #[error("it is one part of an archive of several files")]
    Split,
    /// There is nothing in it.
    #[error("the archive has no files in it")]
    Empty,
    /// Which one is meant is not said.
    #[error("the archive has {names}")]
    Several {
        /// Their names.
        names: MemberNames,
    },
    /// None is called so.
    #[error("nothing in the archive is called {wanted:?}; it has {names}")]
    NoMember {
        /// Name or pattern.
        wanted: String,
        /// MemberNames of those that there are.
        names: MemberNames,
    },
    /// More than the limit.
    #[error("it names more than {0} members of the archive")]
    TooMany(usize),
    /// No pattern.
    #[error("{wanted:?} is no pattern")]
    BadPattern {
        /// As the user wrote it.
        wanted: String,
        /// The error that lies behind it.
        source: globset::Error,
    },
    /// It can be read with a password alone.
    #[error("{0:?} is encrypted")]
    Encrypted(String),
    /// Packed in a way that is not known here.
    #[error("{member:?} is compressed by {method}, which is not read")]
    Method {
        /// Its name.
        member: String,
        /// What that is called.
        method: String,
    },
    /// An archive within.
    #[error("{0:?} is an archive within the archive")]
    Nested(String),
    /// What has no content of its own.
    #[error("{member:?} is {what}, and has no content of its own there")]
    NoContent {
        /// Its name.
        member: String,
        /// What it is.
        what: &'static str,
    },
    /// Two that share their bytes.
    #[error("{0:?} and another member lie in the same bytes, as in archives that are made to do harm")]
    Overlap(String),
    /// Another one lies there.
    #[error("another member lies where it was")]
    Moved,
    /// Its end is not there.
    #[error("it is cut off: its content ends before its {0} bytes")]
    Short(u64),
    /// It goes on behind its end.
    #[error("its content is longer than the {0} bytes that the archive says")]
    Longer(u64),
    /// Its content is another one.
    #[error("the checksum of its content is not the one that the archive says")]
    Checksum,
    /// A bomb, or like one.
    #[error("{0}")]
    Inflated(Inflated),
    /// The operating system fails.
    #[error("{0}")]
    Read(#[source] io::Error),
    /// There are many that lie elsewhere.
    #[error("there are more than {0} archives that lie elsewhere, and each is read of a copy")]
    Copies(usize),
    /// There is no room for a copy of it.
    #[error("it is read of a copy, and that cannot be stored: {0}")]
    Copy(#[source] io::Error),
}

/// MemberNames of members, the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberNames {
    /// The first ones, as they are shown.
    pub(in crate::input) first: Vec<String>,
    /// How many there are.
    pub(in crate::input) count: u64,
}

impl fmt::Display for MemberNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.count == 1 { "file" } else { "files" };
        write!(f, "{} {files}", self.count)?;
        if self.first.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.first.join(", "))?;
        if self.count > self.first.len() as u64 { write!(f, ", ..") } else { Ok(()) }
    }
}

impl MemberError {
    /// What was read of it may be wrong too.
    pub(in crate::input) const fn is_about_content(&self) -> bool {
        match self {
            Self::Damaged(_)
            | Self::Moved
            | Self::Short(_)
            | Self::Longer(_)
            | Self::Checksum
            | Self::Incomplete(_) => true,
            Self::NoParts(_)
            | Self::Other(_)
            | Self::Split
            | Self::Empty
            | Self::Several { .. }
            | Self::NoMember { .. }
            | Self::TooMany(_)
            | Self::BadPattern { .. }
            | Self::Encrypted(_)
            | Self::Method { .. }
            | Self::Nested(_)
            | Self::NoContent { .. }
            | Self::Overlap(_)
            | Self::Inflated(_)
            | Self::Copies(_)
            | Self::Copy(_)
            | Self::Read(_) => false,
        }
    }

    /// What the user can do about it. `name`: of the archive, or of the source that is a member.
    pub(in crate::input) fn hint(&self, name: &str) -> Option<String> {
        let archive = name.split('#').next().unwrap_or(name);
        Some(match self {
            Self::Several { names } => {
                let one = names.first.first().map_or("NAME", String::as_str);
                format!(
                    "say which: '{archive}#{one}' for one of them, '{archive}#*' for all; patterns have * ? [0-9] {{a,b}}"
                )
            }
            Self::NoParts(_) => {
                "FILE.zip#NAME is a member of an archive, BOOK.xlsx#SHEET a sheet; a file of the whole name is not there"
                    .to_owned()
            }
            Self::NoMember { .. } => format!("'{archive}#*' is all of them"),
            Self::BadPattern { .. } => {
                "in a pattern each [ and { is closed; [[] and [{] stand for those characters themselves"
                    .to_owned()
            }
            Self::Incomplete(_) | Self::Damaged(_) | Self::Checksum | Self::Short(_) | Self::Longer(_) => {
                "it was cut off, damaged on the way, or is still being written: fetch it again".to_owned()
            }
            Self::Other(_) => "is its name right? What it is, its first bytes say: file NAME".to_owned(),
            Self::Split => "put its parts together first: zip -s 0 PARTS.zip --out WHOLE.zip".to_owned(),
            Self::Encrypted(_) => format!("pipe it in: unzip -p {archive} NAME | dbload - --table T"),
            Self::Method { .. } => {
                "write the archive anew with Deflate, or take the file out first".to_owned()
            }
            Self::Nested(_) => "take it out first, and load it by itself".to_owned(),
            Self::NoContent { .. } => "choose the file that it stands for, or patterns without it".to_owned(),
            Self::Overlap(_) => "take what you need out with a tool that you trust".to_owned(),
            Self::TooMany(_) => "load them in several runs".to_owned(),
            Self::Moved => "whoever writes the archive should be done before it is loaded".to_owned(),
            Self::Inflated(inflated) => inflated.hint().to_owned(),
            Self::Copies(_) => "load them in several runs, or fetch them into a folder first".to_owned(),
            Self::Copy(_) => "TMPDIR=FOLDER says where files may be that are as large as it is".to_owned(),
            Self::Empty | Self::Read(_) => return None,
        })
    }
}
