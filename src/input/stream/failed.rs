//! What has gone wrong in a stream, in the terms of its source.

use std::io;

use super::Stream;
use super::decompress::too_much_memory;
use super::of_member::{is_of_member, of_member};
use crate::format::Compression;
use crate::input::end_mark::EndMarkError;
use crate::input::error::SourceError;
use crate::input::web;

impl Stream {
    pub(super) fn behind_end(&self, offset: u64, length: u64) -> SourceError {
        SourceError::BehindEnd { name: self.spec.name.clone(), offset, length }
    }

    /// The decompressor's own errors carry no number of the operating system.
    pub(super) fn read_error(&self, source: io::Error) -> SourceError {
        let name = self.spec.name.clone();
        if let Some(source) = EndMarkError::of(&source) {
            return SourceError::EndMark { name, source };
        }
        let source = match web::cause(source) {
            web::ReadCause::Http(source) => return SourceError::Http { source },
            web::ReadCause::Changed(source) => return SourceError::BodyChanged { name, source },
            web::ReadCause::Other(source) => source,
        };
        let offset = self.offset + self.buffer.len() as u64;
        if self.spec.location.member().is_some()
            && (is_of_member(&source) || self.compression == Compression::None)
        {
            return of_member(source, &name, offset);
        }
        if self.compression == Compression::None || source.raw_os_error().is_some() {
            return SourceError::Read { name, offset, source };
        }
        if let Some(source) = too_much_memory(&source, self.window) {
            return SourceError::Inflated { name, source };
        }
        SourceError::Decompress { name, compression: self.compression, offset, source }
    }
}
