//! The bytes of an answer: on their way from a server, or from the file that they were fetched into for
//! several loads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use futures::FutureExt as _;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use xxhash_rust::xxh3::Xxh3;

use super::answer_store::{KeptAnswer, KeptHead};
use super::counters::Counting;
use super::error::HttpError;
use super::framing::BodyEnd;
use super::request::{Request, Resume};
use super::send::Encodings;
use super::shared::ClientState;
use super::transfer::{FirstAnswer, Transfer};

/// An answer that is being read.
pub(super) enum Incoming {
    /// From the server.
    Live(Box<Transfer>),
    /// From a file.
    Kept(Box<FirstAnswer>, Box<KeptAnswer>),
}

/// What a server says of cookies is for one client alone.
const NOT_KEPT: [&str; 2] = ["set-cookie", "set-cookie2"];

impl Incoming {
    /// Begins to read an answer: from its file, where several loads share it, else from the server.
    pub(super) async fn begin(
        client: &Arc<ClientState>,
        request: &Request,
        from: Option<Resume>,
        encodings: Encodings,
    ) -> Result<Self, HttpError> {
        if let Some(shared) = &client.settings.shared_answers {
            let fetching = |path: PathBuf| {
                let (client, request) = (Arc::clone(client), request.clone());
                async move { fetch(&client, &request, encodings, &path).await.is_some() }.boxed()
            };
            let kept = shared.answer(&key(request, encodings), fetching).await;
            if let Some(kept) = kept
                && let Some(kept) = Self::kept(kept, from.as_ref()).await
            {
                Counting::one(&client.counting.shared);
                return Ok(kept);
            }
        }
        Ok(Self::Live(Box::new(Transfer::begin(client, request, from, encodings).await?)))
    }

    /// What is kept, from a place on; `None`: it is another version.
    async fn kept(mut kept: KeptAnswer, from: Option<&Resume>) -> Option<Self> {
        let offset = from.map_or(0, |from| from.offset);
        let is_it = |from: &Resume| from.version.etag.is_some() && from.version == kept.head.version;
        if offset > 0 && !from.is_some_and(is_it) {
            return None;
        }
        kept.pass(offset).await.ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &kept.head.headers {
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        let (url, version) = (kept.head.url.clone(), kept.head.version.clone());
        let head = FirstAnswer { url, headers, version, ending: BodyEnd::Proven };
        Some(Self::Kept(Box::new(head), Box::new(kept)))
    }

    /// What the first answer said.
    pub(super) fn head(&self) -> &FirstAnswer {
        match self {
            Self::Live(transfer) => transfer.head(),
            Self::Kept(head, _) => head,
        }
    }

    /// Set where the content has an end of its own. Of what is kept the end is proven.
    pub(super) fn end_in_content(&self) -> Arc<AtomicBool> {
        match self {
            Self::Live(transfer) => transfer.end_in_content(),
            Self::Kept(..) => Arc::default(),
        }
    }

    /// It is what an export has come to.
    pub(super) fn is_result(&self) -> bool {
        match self {
            Self::Live(transfer) => transfer.is_result(),
            Self::Kept(_, kept) => kept.head.is_result,
        }
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        match self {
            Self::Live(transfer) => transfer.next().await,
            Self::Kept(_, kept) => kept.next().await,
        }
    }
}

/// The same request, asked in the same way.
fn key(request: &Request, encodings: Encodings) -> String {
    let mut hash = Xxh3::new();
    let mut part = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(&format!("{:?} {encodings:?} {:?}", request.method, request.body_kind));
    part(request.place().as_str());
    part(request.body.as_deref().unwrap_or_default());
    format!("{:032x}", hash.digest128())
}

/// Fetches an answer into its file. `None`: it could not be, for whatever reason.
async fn fetch(
    client: &Arc<ClientState>,
    request: &Request,
    encodings: Encodings,
    path: &Path,
) -> Option<()> {
    let temporary = path.with_extension("part");
    let done = async {
        let mut transfer = Transfer::begin(client, request, None, encodings).await.ok()?;
        // Half of one that ends with its connection would be half for all, again and again.
        if transfer.head().ending == BodyEnd::Unproven {
            return None;
        }
        let mut file = File::create(&temporary).await.ok()?;
        let mut line = serde_json::to_string(&kept_head(transfer.head(), transfer.is_result())).ok()?;
        line.push('\n');
        file.write_all(line.as_bytes()).await.ok()?;
        while let Some(bytes) = transfer.next().await.ok()? {
            file.write_all(&bytes).await.ok()?;
        }
        file.flush().await.ok()?;
        file.sync_data().await.ok()?;
        tokio::fs::rename(&temporary, path).await.ok()
    };
    let done = done.await;
    if done.is_none() {
        let _ = tokio::fs::remove_file(&temporary).await;
    }
    done
}

/// The head of an answer, without secrets.
fn kept_head(head: &FirstAnswer, is_result: bool) -> KeptHead {
    let FirstAnswer { url, headers, version, ending: _ } = head;
    let kept = headers.iter().filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()));
    let headers = kept.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    KeptHead {
        // Without secret parameters and signatures.
        url: Request::get(url.clone()).place(),
        headers: headers.collect(),
        version: version.clone(),
        is_result,
    }
}
