//! One page: its records, and the places that they have among all of the endpoint.

use bytes::Bytes;

use super::Pages;
use crate::format::Splitter;
use crate::input::blocks::{ReaderOptions, fixed_words, with_head};
use crate::input::envelope::{Around, Said, beside, words_of};
use crate::input::error::SourceError;
use crate::record::{Position, Span, Text};

impl Pages {
    /// Hears what a page says beside its records, or instead of them.
    pub(super) fn listen(&self, bytes: &[u8], spans: &[Span]) -> Option<Said> {
        if !self.reading.format.is_document() {
            return None;
        }
        let of_page = Around::of(bytes, spans);
        match spans {
            [only] if of_page.is_blank() => Around::said_by(&bytes[only.start as usize..only.end as usize]),
            _ => of_page.said(),
        }
    }

    /// Says it: beside records it is a note, instead of them a failure.
    pub(super) async fn say(&mut self, said: Said) -> Result<(), SourceError> {
        let name = self.spec.name.clone();
        let words = self.client.redacted(&said.words, self.pager.request()).await;
        if said.instead {
            return Err(SourceError::Said { name, words });
        }
        if !self.said {
            self.said = true;
            self.client.note(beside(&name, &words));
        }
        Ok(())
    }

    /// What is wrong with a page that has no records where they should be: what it says, if it says anything.
    pub(super) async fn instead_of(&self, error: SourceError, bytes: &[u8]) -> SourceError {
        match words_of(bytes) {
            Some(words) if matches!(error, SourceError::Split { .. }) => {
                let words = self.client.redacted(&words, self.pager.request()).await;
                SourceError::Said { name: self.spec.name.clone(), words }
            }
            _ => error,
        }
    }

    /// Gives the records of a page their places, told by nothing but records; the place behind them. `line`:
    /// the last one of the page.
    pub(super) fn place(&self, spans: &mut [Span], line: u64) -> Position {
        let base = self.at;
        let mut end = Position { record: base.record + spans.len() as u64, ..base };
        // An envelope may have more or fewer lines the next time. Other formats have none.
        let is_json = self.reading.format.is_document();
        let begin = spans.first().map_or(base.line, |span| span.line);
        for span in spans.iter_mut() {
            end.offset += u64::from(span.end - span.start) + 1;
            span.end_offset = end.offset;
            if is_json {
                span.line = span.line - begin + base.line;
                span.end_line = span.end_line - begin + base.line;
            }
        }
        end.line = match spans.last() {
            _ if !is_json => line + 1,
            Some(last) => last.end_line + 1,
            None => base.line,
        };
        end
    }

    /// Makes the records of a page of its pieces, where those are none.
    pub(super) fn shaped(
        &mut self,
        bytes: Bytes,
        spans: Vec<Span>,
    ) -> Result<(Bytes, Vec<Span>), SourceError> {
        let Some(shape) = &mut self.shape else { return Ok((bytes, spans)) };
        shape.begin_again();
        let mut text = Text { bytes, spans };
        let failed = |reason| SourceError::Rows { name: self.spec.name.clone(), reason };
        if shape.apply(&mut text, true).map_err(failed)? {
            text.spans.remove(0);
        }
        Ok((text.bytes, text.spans))
    }

    /// What stands in the pieces that a page is counted by.
    pub(super) fn unnested(&self, bytes: Bytes, spans: Vec<Span>) -> (Bytes, Vec<Span>) {
        let mut text = Text { bytes, spans };
        if let Some(shape) = &self.shape {
            shape.unnest(&mut text);
        }
        (text.bytes, text.spans)
    }

    /// The records of a page: its bytes, their spans, the line at its end.
    pub(super) fn cut(&mut self, bytes: &Bytes) -> Result<(Bytes, Vec<Span>, u64), SourceError> {
        let base = self.at;
        let mut begin = Position { offset: 0, ..base };
        let ReaderOptions { format, source, header, .. } = &self.reading;
        let header = format
            .read_header(*source, bytes, true, header)
            .map_err(|source| SourceError::Header { name: self.spec.name.clone(), source })?;
        let Some(header) = header else { return Ok((bytes.clone(), Vec::new(), base.line)) };
        begin.offset = header.end.offset;
        begin.line += header.end.line - 1;
        if self.header.is_none() {
            self.note(fixed_words(&self.spec.name, &header.fixed));
        }
        match &self.header {
            Some(known) if *known != header.names => {
                return Err(SourceError::OtherHeader { name: self.spec.name.clone() });
            }
            _ => self.header = Some(header.names),
        }
        let mut splitter = Splitter::new(&self.reading.format, self.reading.limits, begin);
        let mut spans: Vec<Span> = Vec::new();
        let mut all = bytes.clone();
        let mut done = usize::try_from(begin.offset).unwrap_or(usize::MAX).min(bytes.len());
        loop {
            let mut found = Vec::new();
            let consumed = splitter
                .split(&bytes[done..], true, &mut found)
                .map_err(|source| SourceError::Split { name: self.spec.name.clone(), source })?;
            let ended = consumed == 0 && found.is_empty();
            let from = u32::try_from(done).unwrap_or(u32::MAX);
            for span in &mut found {
                (span.start, span.end) = (span.start + from, span.end + from);
                span.end_offset += base.offset;
            }
            if let Some(head) = splitter.take_head() {
                all = with_head(&all, &head, &mut found);
            }
            // Mostly one turn finds all; pages wait in memory, so the room that a growing list has over is
            // given back.
            if spans.is_empty() {
                spans = found;
            } else {
                spans.append(&mut found);
            }
            done += consumed;
            if ended {
                spans.shrink_to_fit();
                return Ok((all, spans, splitter.position().line));
            }
        }
    }
}
