//! Why no more records can be found in a source.

/// Why no more records can be found in a source, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (line {line}, byte {offset})")]
pub struct SplitError {
    /// What is wrong with the text.
    pub kind: SplitErrorKind,
    /// Bytes of the decoded stream before the place.
    pub offset: u64,
    /// Line (1-based) of the place.
    pub line: u64,
}

/// What a [`SplitError`] is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitErrorKind {
    /// The source ends although a bracket is still open.
    #[error("the JSON text ends before its last bracket is closed")]
    UnexpectedEnd,
    /// The source ends inside a record.
    #[error("the JSON text ends inside the record that begins here: a bracket or a quote is never closed")]
    CutOff,
    /// A byte that cannot stand where it stands.
    #[error("found {} where {expected} must stand", show_byte(*.found))]
    Unexpected {
        /// The byte that was found instead.
        found: u8,
        /// What could have stood there.
        expected: &'static str,
    },
    /// `--records` names a member that is not there.
    #[error("found no member {missing:?} on the way to the records at {path:?}")]
    PathNotFound {
        /// The path as the user gave it.
        path: String,
        /// The way to the object that lacks it; empty at the top level.
        at: String,
        /// The member that is missing.
        missing: String,
        /// Members of that object, as far as they were seen.
        seen: Vec<String>,
    },
    /// A member on the way to the records is there twice, so that there are other records beside them.
    #[error("found a second member {name:?} on the way to the records at {path:?}")]
    PathTwice {
        /// The path as the user gave it.
        path: String,
        /// The member.
        name: String,
    },
    /// `--records` leads to, or through, something else.
    #[error("expected {expected} at {at}, found {found}")]
    PathNotRecords {
        /// Where on the path.
        at: String,
        /// What must stand there.
        expected: &'static str,
        /// What stands there instead of it.
        found: &'static str,
    },
    /// A member name on the way to the records is longer than a record may be.
    #[error("found a member name longer than a record may be on the way to the records")]
    NameTooLong,
    /// The source ends although an element is still open.
    #[error("the XML text ends before its root element does")]
    XmlEnd,
    /// The source ends inside a record.
    #[error("the XML text ends inside the record that begins here")]
    XmlCutOff,
    /// What cannot stand where it stands.
    #[error("found {0}")]
    XmlUnexpected(&'static str),
    /// Entities, or what else a document type can declare.
    #[error(
        "found declarations in a document type: entities are not read, for they make much of little, and name files"
    )]
    XmlDeclares,
    /// A tag or a marked text that no record can hold, or elements in elements without end.
    #[error("found elements that are nested too deep, or a tag that is longer than a record may be")]
    XmlTooDeep,
    /// No element is where the records should be.
    #[error("found no element at {path:?}")]
    XmlNoRecords {
        /// The path as the user gave it.
        path: String,
        /// Elements that there are.
        seen: Vec<String>,
    },
    /// COPY's text goes on behind the line that ends it.
    #[error("found more behind `\\.`, the line that ends the data of COPY")]
    BehindEnd,
}

impl SplitError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.kind {
            SplitErrorKind::UnexpectedEnd
            | SplitErrorKind::CutOff
            | SplitErrorKind::XmlEnd
            | SplitErrorKind::XmlCutOff => {
                Some("the source seems to be cut off; fetch it again, then run the same command".into())
            }
            SplitErrorKind::XmlUnexpected(_) => {
                Some("if this is not XML, say what it is with --format; a fragment needs a root element around it".into())
            }
            SplitErrorKind::XmlDeclares => {
                Some("write it without its document type: xmllint --noent --dropdtd FILE".into())
            }
            SplitErrorKind::XmlTooDeep => Some("--max-record-bytes allows longer ones".into()),
            SplitErrorKind::XmlNoRecords { seen, .. } => {
                let seen: Vec<String> = seen.iter().map(|name| name.escape_debug().to_string()).collect();
                Some(format!("--records //NAME says which elements are the records; it has {}", seen.join(", ")))
            }
            SplitErrorKind::Unexpected { .. } => {
                Some("if this is not JSON text, say what it is with --format".into())
            }
            SplitErrorKind::PathTwice { .. } => Some(
                "which of them is meant, the document does not say; have whoever writes it give each name once"
                    .into(),
            ),
            SplitErrorKind::BehindEnd => Some(
                "the rows in front of it are read; what follows is of other data, and is loaded from a file of \
                 its own"
                    .into(),
            ),
            SplitErrorKind::PathNotFound { seen, .. } if seen.is_empty() => None,
            SplitErrorKind::PathNotFound { seen, at, .. } => {
                let names: Vec<String> = seen.iter().map(|name| name.escape_debug().to_string()).collect();
                let is_refusal =
                    names.iter().any(|name| matches!(name.as_str(), "error" | "errors" | "message"));
                let look = if is_refusal { "; it seems to be an error: look at it" } else { "" };
                let of =
                    if at.is_empty() { "the document".to_owned() } else { at.escape_debug().to_string() };
                Some(format!("{of} has these members: {}{look}", names.join(", ")))
            }
            SplitErrorKind::PathNotRecords { .. } | SplitErrorKind::NameTooLong => Some(
                "--records takes the path to an array of objects, such as data.items or /data/items".into(),
            ),
        }
    }
}

fn show_byte(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("`{}`", byte as char) } else { format!("byte 0x{byte:02x}") }
}
