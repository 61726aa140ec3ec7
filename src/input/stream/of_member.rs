//! What goes wrong in a member of an archive, in the terms of its source.

use std::io;

use crate::input::error::SourceError;
use crate::input::member::MemberError;

/// It was said by who reads the archive.
pub(super) fn is_of_member(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<MemberError>())
}

/// What fails in a member: an archive that is damaged, or the system.
pub(super) fn of_member(error: io::Error, name: &str, offset: u64) -> SourceError {
    let name = name.to_owned();
    if error.raw_os_error().is_some() {
        return SourceError::Read { name, offset, source: error };
    }
    let source = match error.downcast::<MemberError>() {
        Ok(error) => error,
        Err(error) => MemberError::Damaged(error.to_string()),
    };
    SourceError::Archive { name, source }
}
