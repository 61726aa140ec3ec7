//! Whether what was read is what was recorded, once it was read.

use std::sync::atomic::Ordering;

use super::Stream;
use crate::input::error::SourceError;
use crate::input::fingerprint::Change;
use crate::input::seen;
use crate::input::spec::Location;

impl Stream {
    /// Looks whether the file is still what was recorded: it may have grown.
    pub(in crate::input) async fn verify(&mut self) -> Result<(), SourceError> {
        if let (Location::Member(member), Some(recorded)) = (&self.spec.location, &self.fingerprint) {
            if member.copy.is_some() {
                // Nobody else writes to it.
                return Ok(());
            }
            let change = recorded.compare(&member.archive).await;
            return match change
                .map_err(|source| SourceError::Open { name: self.spec.name.clone(), source })?
            {
                Change::Same => Ok(()),
                // Its own checksum is right.
                Change::Touched { .. } | Change::Grew { .. } if member.place.has_checksum() => Ok(()),
                change => Err(SourceError::Changed { name: self.spec.name.clone(), change }),
            };
        }
        let (Location::File(path), Some(recorded), false) =
            (&self.spec.location, &self.fingerprint, self.is_verified)
        else {
            return Ok(());
        };
        let change = recorded
            .compare(path)
            .await
            .map_err(|source| SourceError::Open { name: self.spec.name.clone(), source })?;
        let changed = |change| SourceError::Changed { name: self.spec.name.clone(), change };
        match change {
            Change::Same => return Ok(()),
            Change::Touched { .. } | Change::Grew { .. } => {}
            change => return Err(changed(change)),
        }
        // Written to since, or only touched: what was read is compared with what is there now.
        let (bytes, digest) = match (self.in_file(), change) {
            (Some(read), _) => read,
            (None, Change::Grew { .. }) => return Ok(()),
            (None, change) => return Err(changed(change)),
        };
        let differs = seen::content_differs(path, bytes, digest).await;
        match differs.map_err(|source| SourceError::Open { name: self.spec.name.clone(), source })? {
            None => Ok(()),
            Some(change) => Err(changed(change)),
        }
    }

    /// So many bytes in the file, and their digest, as far as they were read; `None`: not from the start.
    #[must_use]
    pub fn in_file(&self) -> Option<(u64, u64)> {
        self.spec.location.file()?;
        match self.stored.so_far() {
            Some(digest) => Some((self.progress.load(Ordering::Relaxed), digest)),
            None => self.running.since_start(),
        }
    }
}
