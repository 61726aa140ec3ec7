//! A request of our own that is sent once, with a short answer: to those who give credentials. No redirects,
//! no retries, nothing of what is set for sources.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use url::Url;

use crate::causes::innermost;

use super::counters::Counting;
use super::error::HttpError;
use super::origin::Origin;
use super::shared::ClientState;

/// Bytes of such an answer.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Sends it. What is behind its origin may be a secret, and is in no error.
pub(super) async fn ask(
    shared: &ClientState,
    request: Request<Bytes>,
    within: Duration,
) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = request.into_parts();
    let bad = |reason: String| HttpError::BadUrl { word: "an address of credentials".to_owned(), reason };
    let url = Url::parse(&head.uri.to_string()).map_err(|error| bad(error.to_string()))?;
    let origin = Origin::of(&url).to_string();
    if let Some(proxy) = shared.engines.proxies.would_read(&url) {
        return Err(HttpError::OpenProxy { url: origin, proxy });
    }
    let mut sent = reqwest::Request::new(head.method, url.clone());
    *sent.headers_mut() = head.headers;
    *sent.body_mut() = Some(body.into());
    let engine = shared.engines.of(&url, false)?;
    Counting::one(&shared.counting.requests);
    let failed = |error: reqwest::Error| HttpError::Connection {
        url: origin.clone(),
        reason: innermost(&error.without_url()),
    };
    let asked = async {
        let mut answer = engine.execute(sent).await.map_err(failed)?;
        let mut bytes = BytesMut::new();
        while let Some(more) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + more.len() > ANSWER_BYTES_MAX {
                return Err(HttpError::TooLarge { url: origin.clone(), limit: ANSWER_BYTES_MAX as u64 });
            }
            bytes.extend_from_slice(&more);
        }
        let mut response = Response::new(bytes.freeze());
        *response.status_mut() = answer.status();
        response.headers_mut().clone_from(answer.headers());
        Ok(response)
    };
    let late = |_| HttpError::Timeout { url: origin.clone(), what: "answer", after: within };
    tokio::time::timeout(within, asked).await.map_err(late)?
}
