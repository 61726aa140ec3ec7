//! How the library that knows who gives credentials reaches them: by this process's own client. Its answers
//! are short, and come soon or not at all.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError as CallError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

use crate::http::Client;

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
