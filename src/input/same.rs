//! Whether two sources that are parts of files are the same, or have the same content: members of archives,
//! and sheets of workbooks. Of whole files their fingerprints tell it.

use super::access::Access;
use super::entry::{Description, Input};
use super::error::SourceError;
use super::stream::{OpenHints, Stream};
use crate::job::Reading;

impl Description {
    /// The part of its file that it is: a member, or a sheet.
    #[must_use]
    pub fn part(&self) -> Option<&str> {
        let member = self.spec.location.member().map(|member| member.name.as_str());
        member.or(self.spec.part.as_deref())
    }
}

impl Input {
    /// Whether it is the same part of the same file.
    pub async fn is_same_part(&self, other: &Description) -> bool {
        let members = self.location().member().zip(other.spec.location.member());
        if let Some((now, then)) = members
            && now.is_from_elsewhere()
        {
            // Each start has another copy.
            return now.is_at(then);
        }
        let (Some(now), Some(then)) = (self.on_disk(), other.on_disk()) else { return false };
        self.description.part() == other.part() && then.is_same_file(now).await
    }

    /// Whether it has the content that was recorded of another source, one of both being a member: what was
    /// taken out of an archive, or put into another one. What cannot be read has not.
    pub async fn has_content_of_member(&self, other: &Description, reading: &Reading) -> bool {
        let (now, then) = (&self.description, other);
        if now.spec.location.member().is_none() && then.spec.location.member().is_none() {
            return false;
        }
        let Some((bytes, digest)) = then.fingerprint.as_ref().and_then(|print| print.known_content()) else {
            return false;
        };
        let may_be = match (self.location().member(), self.size()) {
            (Some(member), _) => member.place.size == bytes || then.spec.location.member().is_none(),
            (None, size) => size == Some(bytes) || !self.looks_plain,
        };
        if !may_be || bytes == 0 {
            return false;
        }
        if self.content.get().is_none()
            && let Ok(Some((bytes, digest))) = self.decoded(reading).await
        {
            self.content.get_or_init(|| (bytes, super::digest::hexadecimal(digest)));
        }
        self.content.get().is_some_and(|found| (found.0, found.1.as_str()) == (bytes, digest))
    }

    /// The length of its content, decoded, and the digest of that.
    pub(super) async fn decoded(&self, reading: &Reading) -> Result<Option<(u64, u64)>, SourceError> {
        let known = OpenHints {
            compression: reading.compression,
            fingerprint: self.description.fingerprint.clone(),
            ..OpenHints::default()
        };
        let stream = Stream::open(self.description.spec.clone(), &Access::default(), known).await?;
        let encoding = reading.encoding.or_else(|| stream.said_encoding());
        stream.held_to(reading.inflation).in_encoding(encoding).await?.look_through().await
    }
}
