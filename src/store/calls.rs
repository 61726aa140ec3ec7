//! How the library that knows who gives credentials reaches them: by this process's own client. Its answers
//! are short, and come soon or not at all.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use object_store::client::{
    HttpClient, HttpConnector, HttpError as CallError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::http::{Client, HttpError};

/// The metadata service of an instance is next door, or not there.
pub(super) const METADATA_WITHIN: Duration = Duration::from_secs(1);
/// Others who give credentials.
pub(super) const CALL_WITHIN: Duration = Duration::from_secs(20);

/// Calls to those who give credentials.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) client: Client,
    /// How long one may take.
    pub(super) within: Duration,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("within", &self.within).finish_non_exhaustive()
    }
}

impl Calls {
    /// A metadata service is asked once.
    pub(super) fn retries(&self) -> RetryConfig {
        let max_retries = if self.within == METADATA_WITHIN { 0 } else { 2 };
        RetryConfig { backoff: BackoffConfig::default(), max_retries, retry_timeout: CALL_WITHIN }
    }
}

/// What is told of an error of the library: its own words may repeat what was sent.
pub(super) fn said(error: &object_store::Error) -> String {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<HttpError>() {
            return ours.to_string();
        }
        next = error.source();
    }
    "whoever should give the keys does not, or answers as nobody who does".to_owned()
}

impl HttpConnector for Calls {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Calls {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.as_bytes().cloned().unwrap_or_default();
            let asked = self.client.ask_once(http::Request::from_parts(head, body), self.within).await;
            let answer = asked.map_err(|error| CallError::new(HttpErrorKind::Connect, error))?;
            Ok(answer.map(|bytes| HttpResponseBody::new(Full::new(bytes).map_err(|never| match never {}))))
        })
    }
}
