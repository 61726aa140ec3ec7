//! The end of a pipe, proven: its last line is the mark that was agreed on (`--end-mark`). A pipe also ends
//! when whoever writes it is killed, and then looks like one that is whole.
//!
//! Holds back no more than the bytes that may be the beginning of the mark: the last record of a slow pipe is
//! handed on when it is there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::memmem::Finder;
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that are read at once: what a pipe of Linux holds.
const INPUT_BYTES: usize = 64 * 1024;

/// What is wrong with the end of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndMarkError {
    /// The last line is another one.
    #[error("it ended without its end mark: whoever writes it has failed, or was cut off")]
    Missing,
    /// There is more behind the mark.
    #[error("it goes on behind its end mark")]
    NotLast,
}

impl EndMarkError {
    /// The error that a reader of the stream met, if it is one of these.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }

    /// What the user can do about it.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Missing => {
                "write the mark as the last line, only when all went well: { PRODUCER && echo MARK; } | dbload - --end-mark MARK"
            }
            Self::NotLast => "take a mark that is no line of the data, and write it once",
        }
    }
}

impl From<EndMarkError> for io::Error {
    fn from(error: EndMarkError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Reads `inner` up to the mark, which must be its last line and is not handed on.
pub(super) struct UpToMark<R> {
    inner: R,
    mark: Finder<'static>,
    /// Read, and handed on up to `taken`; up to `free` it is no part of the mark.
    held: Vec<u8>,
    taken: usize,
    free: usize,
    /// A line begins where `held` does.
    starts_line: bool,
    ended: Option<Result<(), EndMarkError>>,
}

impl<R> UpToMark<R> {
    /// `inner` is at the start of the stream.
    pub(super) fn new(inner: R, mark: &str) -> Self {
        let mark = Finder::new(mark.as_bytes()).into_owned();
        Self { inner, mark, held: Vec::new(), taken: 0, free: 0, starts_line: true, ended: None }
    }

    /// What was handed on is forgotten.
    fn forget_taken(&mut self) {
        if let Some(last) = self.held[..self.taken].last() {
            self.starts_line = *last == b'\n';
        }
        self.held.drain(..self.taken);
        self.free -= self.taken;
        self.taken = 0;
    }

    /// Looks where the mark may begin in what is held.
    fn look(&mut self) {
        let held = self.held.as_slice();
        let mark = self.mark.needle();
        for at in self.mark.find_iter(held).filter(|&at| self.starts_line_at(at)) {
            let rest = &held[at + mark.len()..];
            let is_over = rest.is_empty() || rest == b"\r" || rest == b"\n" || rest == b"\r\n";
            let is_line = rest.starts_with(b"\n") || rest.starts_with(b"\r\n");
            if is_over || is_line {
                self.free = at;
                self.ended = (!is_over).then_some(Err(EndMarkError::NotLast));
                return;
            }
        }
        let line = memchr::memrchr(b'\n', held).map_or(0, |feed| feed + 1);
        let may_be = self.starts_line_at(line) && mark.starts_with(&held[line..]);
        self.free = if may_be { line } else { held.len() };
    }

    /// The end: all that is held back is the mark, or there is none.
    fn end(&mut self) {
        let rest = &self.held[self.free..];
        let is_mark = rest.starts_with(self.mark.needle()) && self.starts_line_at(self.free);
        self.ended = Some(if is_mark { Ok(()) } else { Err(EndMarkError::Missing) });
    }

    fn starts_line_at(&self, at: usize) -> bool {
        if at == 0 { self.starts_line } else { self.held[at - 1] == b'\n' }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for UpToMark<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.taken == this.free {
            match this.ended {
                Some(Ok(())) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => {}
            }
            this.forget_taken();
            let before = this.held.len();
            this.held.resize(before + INPUT_BYTES, 0);
            let mut input = ReadBuf::new(&mut this.held[before..]);
            let read = Pin::new(&mut this.inner).poll_read(context, &mut input);
            let count = input.filled().len();
            this.held.truncate(before + count);
            ready!(read)?;
            if count == 0 { this.end() } else { this.look() }
        }
        let part = &this.held[this.taken..this.free];
        let part = &part[..part.len().min(buf.remaining())];
        buf.put_slice(part);
        this.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Gives its bytes in parts of this size.
    struct InParts<'t>(&'t [u8], usize);

    impl AsyncRead for InParts<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let count = self.0.len().min(self.1).min(buf.remaining());
            buf.put_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Poll::Ready(Ok(()))
        }
    }

    fn read(text: &str, part: usize) -> (String, Result<(), EndMarkError>) {
        let mut content = Vec::new();
        let result = block_on(UpToMark::new(InParts(text.as_bytes(), part), "END").read_to_end(&mut content));
        let result = result.map(|_| ()).map_err(|error| EndMarkError::of(&error).unwrap());
        (String::from_utf8(content).unwrap(), result)
    }

    #[test]
    fn a_text_is_whole_if_its_last_line_is_the_mark_however_it_comes() {
        use EndMarkError::{Missing, NotLast};
        for (text, content, result) in [
            ("a\nb\nEND\n", "a\nb\n", Ok(())),
            ("a\nb\nEND", "a\nb\n", Ok(())),
            ("a\r\nEND\r\n", "a\r\n", Ok(())),
            ("END\n", "", Ok(())),
            ("END", "", Ok(())),
            ("a\nEND b\nENDE\nEND\n", "a\nEND b\nENDE\n", Ok(())),
            ("", "", Err(Missing)),
            ("a\nb", "a\nb", Err(Missing)),
            ("a\nb\n", "a\nb\n", Err(Missing)),
            ("a\nEN", "a\n", Err(Missing)),
            ("aEND\n", "aEND\n", Err(Missing)),
            ("a END", "a END", Err(Missing)),
            ("a\nEND \n", "a\nEND \n", Err(Missing)),
            ("a\nEND\nb\n", "a\n", Err(NotLast)),
            ("a\nEND\r\nEND\r\n", "a\n", Err(NotLast)),
            ("a\nEND\n\n", "a\n", Err(NotLast)),
        ] {
            for part in 1..=text.len().max(1) {
                assert_eq!(read(text, part), (content.to_owned(), result), "{text:?} by {part}");
            }
        }
    }

    #[test]
    fn what_is_no_mark_is_handed_on_at_once() {
        let mut whole = UpToMark::new(InParts(b"{\"id\":1}\n{\"id\":2}\n", 9), "END");
        let mut first = [0; 64];
        let count = block_on(whole.read(&mut first)).unwrap();
        assert_eq!(&first[..count], b"{\"id\":1}\n");
    }
}
