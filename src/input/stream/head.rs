//! The first bytes of the content: what format they show. Nothing is lost of them.

use super::super::content;
use super::Stream;
use crate::format::header::after_lines;
use crate::format::sniff::SourceHead;
use crate::format::{Detected, Encoding, detect, said_in_xml};
use crate::input::error::SourceError;
use crate::input::source::Reach;

/// Bytes in which a declaration of XML stands.
const DECLARATION_BYTES: usize = 256;

impl Stream {
    /// Says what format the content behind so many lines has; nothing is lost of it.
    ///
    /// # Errors
    /// When it cannot be read, or is nothing that dbload reads.
    pub async fn detect(&mut self, skip_lines: u32, comment: Option<u8>) -> Result<Detected, SourceError> {
        self.fill_head().await?;
        let head = &self.buffer[..self.buffer.len().min(detect::HEAD_BYTES)];
        let head = &head[after_lines(head, true, skip_lines).unwrap_or_default()..];
        if let Some(network) = self.network.as_ref().filter(|_| self.spec.location.object().is_none()) {
            let content_type = network.content_type.as_deref();
            return content::detect(&self.spec, content_type, head, comment, content::ContentOf::File);
        }
        let detected = detect::detect_beside(&self.spec.name, head, comment)
            .map_err(|source| SourceError::Detect { name: self.spec.name.clone(), source })?;
        if detected.format.has_header() && detect::by_name(self.spec.file_name()).is_none() {
            content::refuse_file(&self.spec, head)?;
        }
        Ok(detected)
    }

    /// The first bytes of the content; nothing is lost of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn beginning(&mut self) -> Result<SourceHead<'_>, SourceError> {
        self.fill_head().await?;
        Ok(SourceHead::of(&self.buffer, self.at_end))
    }

    /// Refuses a body from the network that cannot be records, whatever the user says that it is.
    ///
    /// # Errors
    /// When it is empty, or a page for people.
    pub async fn refuse_page(&mut self, is_xml: bool) -> Result<(), SourceError> {
        // An object is what was put there: a file, as far as its content goes.
        if self.network.is_some() && self.spec.location.object().is_none() {
            self.fill_head().await?;
            let head = &self.buffer[..self.buffer.len().min(detect::HEAD_BYTES)];
            content::refuse(&self.spec, head, is_xml)?;
        }
        Ok(())
    }

    /// The encoding that XML says of itself. One that is no superset of ASCII it is not: it could be read.
    pub(super) async fn said_in_xml(&mut self) -> Result<Option<Encoding>, SourceError> {
        while self.buffer.len() < DECLARATION_BYTES
            && !self.buffer.contains(&b'>')
            && self.read_more(DECLARATION_BYTES).await?
        {}
        let said = said_in_xml(&self.buffer).filter(|name| !name.to_ascii_lowercase().starts_with("utf-16"));
        Ok(said.and_then(|name| Encoding::named(name).ok().flatten()))
    }

    async fn fill_head(&mut self) -> Result<(), SourceError> {
        while self.buffer.len() < detect::HEAD_BYTES && self.read_more(detect::HEAD_BYTES).await? {
            // Who writes slowly into a pipe should not wait for its first records: a line has to do.
            if self.spec.location.reach() != Reach::AtHand && memchr::memchr(b'\n', &self.buffer).is_some() {
                break;
            }
        }
        Ok(())
    }
}
