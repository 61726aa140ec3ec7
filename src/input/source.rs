//! What a source is: the contract that each one keeps, whatever it reads from.
//!
//! - **Word.** A source is one word ([`Word::parse`](super::Word::parse) is the only reader of words), or is
//!   handed over by the caller. No word holds a secret that would be stored.
//! - **Listing.** [`list`](super::list) makes specs of words: asynchronous, without opening a source, in the
//!   order in which they will be read: as named, within one word by the bytes of their names. The same source
//!   is never listed twice.
//! - **Spec.** A [`SourceSpec`](super::SourceSpec) is what the ledger stores: it finds the source again in
//!   another process, and has no secrets. What opening needs beside it (clients, secrets, the caller's end)
//!   is in [`Access`](super::Access).
//! - **Identity.** Two specs with the same [`key`](super::SourceSpec::key) are the same source. Whether it
//!   still has the content that was read is another question, and the source's own to answer: by a
//!   fingerprint, a version, digests of what was read.
//! - **Order.** A source gives its records in one order. Where its [`Class`] allows reading again, that is
//!   the order of before.
//! - **Opening at a place.** Opened at the resume point behind a record, it goes on with the next one, each
//!   once; or it fails with an error that names what changed. It never joins two contents.
//! - **Reading.** What was handed out before an error stands. Giving up a reading in the middle loses nothing
//!   that a later one at the same place would not give again, where the class allows that.

/// What may be promised of a source, whoever it is: resuming and the guarantee follow from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Bytes under one version: a file, a body with a strong `ETag`. A place is an offset.
    Fixed,
    /// A log that keeps what was written for a while. A place is an offset in each of its parts; a gap is an
    /// error.
    Log,
    /// Whatever a question brings up when it is asked: pages, a body without a version. What is applied twice
    /// must converge.
    Query,
    /// A queue that takes back what was not acknowledged: at least once, with no place of ours.
    Queue,
    /// Read once: a pipe, standard input, what the caller hands over.
    Once,
}

impl Class {
    /// It can be read again behind a place: a load of it can be resumed.
    #[must_use]
    pub const fn reads_again(self) -> bool {
        match self {
            Self::Fixed | Self::Log | Self::Query => true,
            Self::Queue | Self::Once => false,
        }
    }

    /// Read again, it gives the same records at the same places: no record is applied twice.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        match self {
            Self::Fixed | Self::Log => true,
            Self::Query | Self::Queue | Self::Once => false,
        }
    }
}

/// What it takes to open a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: at once, as often as wanted.
    AtHand,
    /// A request to a server, who may be slow and counts: it is asked ahead of its turn, and not twice for
    /// the same.
    Asked,
    /// Waiting until somebody hands it over, once.
    Awaited,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exact_can_be_read_again() {
        for class in [Class::Fixed, Class::Log, Class::Query, Class::Queue, Class::Once] {
            assert!(class.reads_again() || !class.is_exact(), "{class:?}");
        }
    }
}
