//! Loads that ask servers for the same: it is fetched once, into a folder beside the file, and all of them
//! read that. Each has its own run, which knows the folder that it was begun with; it goes when none of them
//! is unfinished.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dbload::Engine;
use dbload::internals::http::SharedAnswers;
use dbload::internals::load::{identity_of_job, stored_shares};
use dbload::internals::pg::ConnInfo;
use dbload::internals::prepared::LoadError;
use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::turn::{Turn, TurnPart};
use crate::cli::web::is_url;

/// Folders of other processes are theirs for so long.
const THEIRS: Duration = Duration::from_secs(86_400);

/// Where answers are kept, in the folder of the file.
const ROOT: &str = ".dbload";

/// Folders of answers of this run.
pub(super) struct SharedFolders {
    root: PathBuf,
    ours: BTreeMap<PathBuf, SharedAnswers>,
    /// What is to be said of them.
    pub(super) notes: Vec<String>,
}

impl TurnPart {
    /// Its answers can be shared: they are from servers, and not kept anyway.
    fn may_share(&self) -> bool {
        let web = &self.job.web;
        (self.job.sources.iter().any(|word| is_url(word)) || !web.urls.is_empty())
            && web.http.save_raw.is_none()
    }
}

impl SharedFolders {
    /// Gives loads that ask for the same a folder of answers; those that go on, the one that they began with.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) async fn arrange(
        turns: &mut [Turn],
        job: &str,
        engine: &Engine,
        dsn: &ConnInfo,
        restarts: bool,
    ) -> Result<Self, LoadError> {
        let mut folders = Self { root: Path::new(ROOT).join(job), ours: BTreeMap::new(), notes: Vec::new() };
        let mut asked: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
        for (at, turn) in turns.iter().enumerate() {
            for part in turn.parts.iter().filter(|part| part.may_share()) {
                asked.entry(xxh3_64(part.asking.as_bytes())).or_default().insert(at);
            }
        }
        if asked.is_empty() {
            return Ok(folders);
        }
        let begun: BTreeMap<String, String> = match restarts {
            true => BTreeMap::new(),
            false => stored_shares(engine, dsn, job)
                .await?
                .into_iter()
                .map(|share| (share.identity, share.folder))
                .collect(),
        };
        let now = Timestamp::now().as_nanosecond();
        for turn in turns {
            for part in turn.parts.iter_mut().filter(|part| part.may_share()) {
                let key = xxh3_64(part.asking.as_bytes());
                let stored = identity_of_job(&part.job).and_then(|identity| begun.get(&identity));
                let folder = match stored {
                    Some(folder) => PathBuf::from(folder),
                    None if asked.get(&key).is_some_and(|turns| turns.len() > 1) => {
                        folders.root.join(format!("{key:016x}-{now}"))
                    }
                    None => continue,
                };
                if stored.is_some() && !folder.exists() && !folders.ours.contains_key(&folder) {
                    let words = "what was fetched for the unfinished run is gone";
                    folders.notes.push(format!(
                        "{}: {words} ({}): it is fetched anew",
                        turn.name,
                        folder.display()
                    ));
                }
                part.job.web.http.shared_answers = folders.answers(folder);
            }
        }
        Ok(folders)
    }

    fn answers(&mut self, folder: PathBuf) -> Option<SharedAnswers> {
        if let Some(answers) = self.ours.get(&folder) {
            return Some(answers.clone());
        }
        match SharedAnswers::within(&folder) {
            Ok(answers) => {
                self.ours.insert(folder, answers.clone());
                Some(answers)
            }
            Err(error) => {
                self.notes.push(format!("each load fetches by itself: {}: {error}", folder.display()));
                None
            }
        }
    }

    /// Removes folders that no unfinished run reads.
    pub(super) async fn clean(self, job: &str, engine: &Engine, dsn: &ConnInfo) {
        if self.ours.is_empty() {
            return;
        }
        let Ok(read) = stored_shares(engine, dsn, job).await else { return };
        let read: BTreeSet<PathBuf> = read.into_iter().map(|share| PathBuf::from(share.folder)).collect();
        let Ok(all) = fs::read_dir(&self.root) else { return };
        for folder in all.flatten().map(|entry| entry.path()).filter(|folder| !read.contains(folder)) {
            if self.ours.contains_key(&folder) || is_old(&folder) {
                let _ = fs::remove_dir_all(&folder);
            }
        }
        // Only where they are empty.
        let _ = fs::remove_dir(&self.root);
        let _ = fs::remove_dir(ROOT);
    }
}

fn is_old(folder: &Path) -> bool {
    let made = fs::metadata(folder).and_then(|found| found.modified());
    made.is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age > THEIRS))
}
