//! What was read of a source, by running digests: of its content, and of the bytes as they are stored where
//! those are others. A checkpoint says them, and whoever passes over content compares: size, ends and time of
//! a file tell nothing of its middle, and what a decoder has handed out before a checksum may be anything.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use super::digest::{FileScan, blocking, digest_of, hexadecimal};
use super::fingerprint::Change;
use crate::record::{Digest, PageToken};

/// So many bytes, and their digest in hexadecimal (xxh3-64).
pub(super) type Mark = (u64, String);

/// What a checkpoint in a file says of what was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReadSoFar {
    /// Of the decoded content.
    pub(super) content: Mark,
    /// Of the bytes in the file, where they are not the content's: as far as the decoder had read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stored: Option<Mark>,
}

impl ReadSoFar {
    pub(super) fn read(token: &PageToken) -> Option<Self> {
        serde_json::from_str(token).ok()
    }

    pub(super) fn store(&self) -> PageToken {
        serde_json::to_string(self).unwrap_or_default().into()
    }

    /// What it says of the bytes in the file.
    fn in_file(&self) -> &Mark {
        self.stored.as_ref().unwrap_or(&self.content)
    }
}

/// What a checkpoint says of a content, wherever in it the checkpoint is. (Those of pages and of rows say
/// where they are themselves.)
#[derive(Deserialize)]
struct OfContent {
    /// So much of it was read, with this digest.
    content: Option<Mark>,
    /// Of a body from the network, which version it is.
    version: Option<IgnoredAny>,
    /// Of a file of columns, the digest of what describes it.
    footer: Option<IgnoredAny>,
}

impl OfContent {
    /// How much of it is known by a token, a version counting for nothing; `None`: nothing is.
    fn bytes_known(token: &PageToken) -> Option<u64> {
        let known: Self = serde_json::from_str(token).ok()?;
        let is_known = known.version.is_some() || known.footer.is_some();
        known.content.map(|(bytes, _)| bytes).or(is_known.then_some(0))
    }
}

/// What several readings of one content have seen, as one token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readings {
    readings: Vec<Box<RawValue>>,
}

impl Readings {
    /// What a reading has seen, and with it what the one of the others saw that got further.
    pub(super) fn with_furthest<'a>(
        token: Option<PageToken>,
        others: impl Iterator<Item = &'a PageToken>,
    ) -> Option<PageToken> {
        let furthest = others.max_by_key(|other| OfContent::bytes_known(other));
        let known = token.as_ref().and_then(OfContent::bytes_known);
        let Some(furthest) = furthest.filter(|other| OfContent::bytes_known(other) > known) else {
            return token;
        };
        let both = token.iter().chain([furthest]);
        let readings = both.filter_map(|token| RawValue::from_string(token.to_string()).ok()).collect();
        serde_json::to_string(&Self { readings }).map_or(token, |both| Some(both.into()))
    }

    /// Each of them.
    #[must_use]
    pub fn each(token: &PageToken) -> Vec<PageToken> {
        match serde_json::from_str::<Self>(token) {
            Ok(both) => both.readings.iter().map(|reading| reading.get().into()).collect(),
            Err(_) => vec![token.clone()],
        }
    }
}

/// A file that was read from its start, up to a place: so it can be gone on with there.
#[derive(Clone)]
pub struct Passed {
    pub(super) offset: u64,
    pub(super) digest: Xxh3,
}

impl std::fmt::Debug for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passed({} bytes)", self.offset)
    }
}

/// The digest of what was read, compared with what earlier readings saw.
pub(super) struct RollingDigest {
    digest: Xxh3,
    /// Where it begins: at 0, but for a body that a range was asked of.
    from: u64,
    bytes: u64,
    /// Bytes and their digest, ascending.
    expected: VecDeque<(u64, u64)>,
    difference: Option<Change>,
}

impl RollingDigest {
    /// Of a source from its start. `recorded`: what checkpoints say of its content.
    pub(super) fn new<'a>(recorded: impl IntoIterator<Item = &'a Mark>) -> Self {
        let known = recorded.into_iter();
        let mut expected: Vec<(u64, u64)> = known
            .filter_map(|(bytes, digest)| Some((*bytes, u64::from_str_radix(digest, 16).ok()?)))
            .collect();
        expected.sort_unstable();
        Self { digest: Xxh3::new(), from: 0, bytes: 0, expected: expected.into(), difference: None }
    }

    /// Of a source that nothing is known of before `offset`.
    pub(super) fn starting_at(offset: u64) -> Self {
        Self { from: offset, bytes: offset, ..Self::new([]) }
    }

    /// Of a source that was read, and compared, up to a place; what is expected behind it stays.
    pub(super) fn behind(self, passed: &Passed) -> Self {
        let mut expected = self.expected;
        expected.retain(|(bytes, _)| *bytes > passed.offset);
        let (digest, bytes) = (passed.digest.clone(), passed.offset);
        Self { digest, from: 0, bytes, expected, difference: None }
    }

    /// Takes the next bytes.
    pub(super) fn pass(&mut self, part: &[u8]) {
        let end = self.bytes + part.len() as u64;
        if self.expected.front().is_some_and(|(bytes, _)| *bytes <= end) {
            self.compare(part);
            self.expected.retain(|(bytes, _)| *bytes > end);
        }
        self.digest.update(part);
        self.bytes = end;
    }

    /// Compares what `ahead` covers, without taking it.
    pub(super) fn compare(&mut self, ahead: &[u8]) {
        for &(bytes, expected) in &self.expected {
            let Some(length) = bytes.checked_sub(self.bytes) else { continue };
            let Some(part) = usize::try_from(length).ok().and_then(|length| ahead.get(..length)) else {
                break;
            };
            let mut digest = self.digest.clone();
            digest.update(part);
            if digest.digest() != expected && self.difference.is_none() {
                self.difference = Some(Change::content(bytes, expected, digest.digest()));
            }
        }
    }

    /// Bytes that must be there before anything is handed on: the earliest reading had seen them.
    pub(super) fn first_expected(&self) -> Option<u64> {
        self.expected.front().map(|(bytes, _)| *bytes)
    }

    /// As far as any reading had seen it.
    pub(super) fn last_expected(&self) -> Option<u64> {
        self.expected.back().map(|(bytes, _)| *bytes)
    }

    /// How it differs from what was read before, as far as is known by now.
    pub(super) const fn difference(&self) -> Option<&Change> {
        self.difference.as_ref()
    }

    pub(super) fn content(&self) -> Mark {
        (self.bytes, hexadecimal(self.digest.digest()))
    }

    /// What was read, if that is all from the start on.
    pub(super) fn since_start(&self) -> Option<(u64, u64)> {
        (self.from == 0).then(|| (self.bytes, self.digest.digest()))
    }

    pub(super) fn digest(&self) -> Digest {
        Digest { from: self.from, to: self.bytes, hash: self.digest.digest() }
    }
}

/// Compares a file with what checkpoints in it say; the readings up to the places in `until` that could be
/// reached. Reads as far as the furthest of them all.
///
/// # Errors
/// When the file cannot be read.
pub async fn compare_with(
    path: &Path,
    tokens: &[PageToken],
    until: &[u64],
) -> io::Result<Result<Vec<Passed>, Change>> {
    let path = path.to_owned();
    let seen: Vec<ReadSoFar> = tokens.iter().filter_map(ReadSoFar::read).collect();
    let mut until = until.to_vec();
    until.sort_unstable();
    blocking(move || {
        let mut running = RollingDigest::new(seen.iter().map(ReadSoFar::in_file));
        let furthest = running.expected.back().map_or(0, |(bytes, _)| *bytes);
        let mut until = until.into_iter().peekable();
        let mut passed = Vec::new();
        let mut reader = FileScan::at(&path)?;
        loop {
            while let Some(offset) = until.next_if(|offset| *offset <= running.bytes) {
                passed.push(Passed { offset, digest: running.digest.clone() });
            }
            let next = until.peek().copied().unwrap_or(furthest);
            if next <= running.bytes {
                return Ok(Ok(passed));
            }
            match reader.next(next - running.bytes)? {
                Some(part) => running.pass(part),
                None if running.bytes < furthest => {
                    return Ok(Err(Change::Shrunk { recorded: furthest, found: running.bytes }));
                }
                // Of a compressed file the places are not those of its bytes.
                None => return Ok(Ok(passed)),
            }
            if let Some(change) = running.difference.take() {
                return Ok(Err(change));
            }
        }
    })
    .await
}

/// How the first bytes of a file differ from those that were read, so many with this digest; `None`: not at
/// all.
pub(super) async fn content_differs(path: &Path, bytes: u64, digest: u64) -> io::Result<Option<Change>> {
    match digest_of(path, bytes).await {
        Ok(found) => Ok((found != digest).then(|| Change::content(bytes, digest, found))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Some(Change::Shrunk { recorded: bytes, found: tokio::fs::metadata(path).await?.len() }))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{PageToken, ReadSoFar, Readings};

    fn seen(bytes: u64) -> PageToken {
        ReadSoFar { content: (bytes, format!("{bytes:016x}")), stored: None }.store()
    }

    #[test]
    fn who_had_read_further_stays_known_beside_who_fails_earlier() {
        let (near, middle, far) = (seen(10), seen(40), seen(70));
        let others = [&middle, &far, &near];
        let joined = Readings::with_furthest(Some(near.clone()), others.into_iter()).unwrap();
        assert_eq!(Readings::each(&joined), [near.clone(), far.clone()]);
        // Of a place before which nothing was read, it is all that is known.
        let alone = Readings::with_furthest(None, others.into_iter()).unwrap();
        assert_eq!(Readings::each(&alone), std::slice::from_ref(&far));
        // Nobody had read further: the token as it is.
        assert_eq!(Readings::with_furthest(Some(far.clone()), others.into_iter()), Some(far.clone()));
        assert_eq!(Readings::with_furthest(None, [].into_iter()), None);
        // Pages and rows say other things of their places.
        let page: PageToken = r#"{"url":"/items?page=2"}"#.into();
        assert_eq!(Readings::with_furthest(Some(page.clone()), [&page].into_iter()), Some(page.clone()));
        assert_eq!(Readings::with_furthest(None, [&page].into_iter()), None);
        assert_eq!(Readings::each(&page), [page]);
        // A version, or a footer, is known from the first byte on.
        for known in [r#"{"version":{"etag":"\"v1\"","length":7}}"#, r#"{"size":7,"footer":"00"}"#] {
            let known: PageToken = known.into();
            let alone = Readings::with_furthest(None, [&known].into_iter()).unwrap();
            assert_eq!(Readings::each(&alone), std::slice::from_ref(&known));
            assert_eq!(Readings::with_furthest(Some(known.clone()), [&known].into_iter()), Some(known));
        }
    }
}
