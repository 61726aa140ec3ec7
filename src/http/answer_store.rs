//! Answers that several loads read and that are fetched once: the first to need one has it fetched into a
//! file as it comes, and all read that.
//!
//! A folder has a file an answer: a line of JSON (its head, without secrets), and the bytes behind it.
//! Complete or absent, as in a landing copy. Whoever fetches it is nobody's load: one that is slow, fails or
//! is dropped keeps no other from its bytes. Where it cannot be fetched, each asks by itself, and hears why.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use url::Url;

use super::error::HttpError;
use super::request::Version;

/// Bytes that are read of a file at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Whether an answer has come to be in its file.
type Fetching = Shared<BoxFuture<'static, bool>>;

/// A folder of answers. Cheap to clone; all that share it ask in the same way.
#[derive(Clone)]
pub struct SharedAnswers(Arc<AnswerFolder>);

struct AnswerFolder {
    folder: PathBuf,
    fetching: Mutex<HashMap<String, Fetching>>,
}

impl std::fmt::Debug for SharedAnswers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedAnswers({})", self.0.folder.display())
    }
}

impl PartialEq for SharedAnswers {
    fn eq(&self, other: &Self) -> bool {
        self.0.folder == other.0.folder
    }
}

impl Eq for SharedAnswers {}

/// The head of an answer, as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptHead {
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) version: Version,
    pub(super) is_result: bool,
}

/// An answer from its file.
pub(super) struct KeptAnswer {
    path: PathBuf,
    file: BufReader<File>,
    pub(super) head: KeptHead,
}

impl SharedAnswers {
    /// Answers in this folder, which is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn within(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self(Arc::new(AnswerFolder { folder: folder.to_owned(), fetching: Mutex::default() })))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The answer of this key, which `fetch` puts into a file if nobody has done so; `None`: it could not be.
    pub(super) async fn answer(
        &self,
        key: &str,
        fetch: impl FnOnce(PathBuf) -> BoxFuture<'static, bool>,
    ) -> Option<KeptAnswer> {
        let path = self.0.folder.join(format!("{key}.answer"));
        if let Some(kept) = KeptAnswer::open(&path).await {
            return Some(kept);
        }
        let fetching = {
            let mut all = self.0.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || {
                let task = tokio::spawn(fetch(path.clone()));
                async move { task.await.unwrap_or(false) }.boxed().shared()
            };
            all.entry(key.to_owned()).or_insert_with(begin).clone()
        };
        let is_there = fetching.await;
        // The file says it from here on; what failed is tried again by the next one.
        self.0.fetching.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if is_there { KeptAnswer::open(&path).await } else { None }
    }
}

impl KeptAnswer {
    async fn open(path: &Path) -> Option<Self> {
        let mut file = BufReader::new(File::open(path).await.ok()?);
        let mut line = String::new();
        file.read_line(&mut line).await.ok()?;
        let head = serde_json::from_str(&line).ok()?;
        Some(Self { path: path.to_owned(), file, head })
    }

    /// Passes over the bytes before a place.
    pub(super) async fn pass(&mut self, bytes: u64) -> io::Result<()> {
        tokio::io::copy(&mut (&mut self.file).take(bytes), &mut tokio::io::sink()).await.map(|_| ())
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let count = self.file.read_buf(&mut chunk).await;
        let count = count.map_err(|source| HttpError::Shared { path: self.path.clone(), source })?;
        Ok((count > 0).then(|| chunk.freeze()))
    }
}
