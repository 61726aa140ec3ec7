//! AWS's signature (SigV4), by the library that has it.

use bytes::Bytes;
use http::{HeaderMap, Method};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpRequestBody};
use url::Url;

/// What is signed for.
pub(super) struct Signature<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) request_payer: bool,
}

/// The headers that sign a request.
pub(super) fn signed(
    keys: &AwsCredential,
    signature: &Signature<'_>,
    method: &Method,
    url: &Url,
    body: &Bytes,
) -> Result<HeaderMap, String> {
    let mut request = HttpRequest::new(HttpRequestBody::from(body.clone()));
    *request.method_mut() = method.clone();
    *request.uri_mut() = url.as_str().parse().map_err(|_| "its URL cannot be signed".to_owned())?;
    AwsAuthorizer::new(keys, signature.service, signature.region)
        .with_request_payer(signature.request_payer)
        .try_authorize(&mut request, None)
        .map_err(|error| error.to_string())?;
    let (mut head, _) = request.into_parts();
    if let Some(authorization) = head.headers.get_mut(http::header::AUTHORIZATION) {
        authorization.set_sensitive(true);
    }
    Ok(head.headers)
}
