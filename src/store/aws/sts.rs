//! Roles that are taken on: one signed call to AWS's token service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use object_store::aws::AwsCredential;
use serde::Deserialize;
use url::Url;

use super::keys::{AwsKeys, fit};
use super::process::until;
use super::profiles::Role;
use super::signature::{Signature, signed};
use crate::http::Client;

/// The token service answers soon, or not at all.
const WITHIN: Duration = Duration::from_secs(20);

/// Where the token service is.
#[derive(Debug, Clone)]
pub(super) struct TokenService {
    pub(super) url: String,
    pub(super) region: String,
}

impl TokenService {
    pub(super) fn new(named: Option<&str>, region: &str) -> Self {
        let tail = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let url = named.map_or_else(
            || format!("https://sts.{region}.{tail}"),
            |url| url.trim_end_matches('/').to_owned(),
        );
        Self { url, region: region.to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    assume_role_result: Assumed,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed {
    credentials: StsKeys,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StsKeys {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StsRefusal {
    error: StsError,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StsError {
    code: String,
}

/// The question for a role.
fn form(role: &Role) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "AssumeRole").append_pair("Version", "2011-06-15");
    form.append_pair("RoleArn", &role.arn);
    form.append_pair("RoleSessionName", role.session.as_deref().unwrap_or("dbload"));
    if let Some(seconds) = &role.seconds {
        form.append_pair("DurationSeconds", seconds);
    }
    if let Some(id) = &role.external_id {
        form.append_pair("ExternalId", id.reveal());
    }
    form.finish()
}

/// Takes on a role.
pub(super) async fn assume(
    client: &Client,
    at: &TokenService,
    role: &Role,
    as_whom: &AwsCredential,
) -> Result<AwsKeys, String> {
    let failed = |why: &str| format!("the role {} cannot be taken on: {why}", role.arn);
    let body = Bytes::from(form(role));
    let url = Url::parse(&format!("{}/", at.url))
        .map_err(|error| failed(&format!("AWS_ENDPOINT_URL_STS: {error}")))?;
    let signature = Signature { service: "sts", region: &at.region, request_payer: false };
    let headers = signed(as_whom, &signature, &Method::POST, &url, &body)?;
    let mut request = http::Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.as_str().parse().map_err(|_| failed("its address is no URL"))?;
    *request.headers_mut() = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/x-www-form-urlencoded"),
    )]);
    request.headers_mut().extend(headers);
    let answer = client.ask_once(request, WITHIN).await.map_err(|error| failed(&error.to_string()))?;
    let status = answer.status();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    if !status.is_success() {
        // Its words may repeat what it was sent; its codes are a closed set.
        let code = quick_xml::de::from_str::<StsRefusal>(&text)
            .map(|refusal| refusal.error.code)
            .unwrap_or_default();
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        return Err(failed(&format!("{} answered {status} {code}", at.url)));
    }
    let Response { assume_role_result: Assumed { credentials: keys } } =
        quick_xml::de::from_str(&text).map_err(|_| failed("what came is no answer of a token service"))?;
    let until = Some(until(&keys.expiration)?);
    let keys = AwsCredential {
        key_id: keys.access_key_id,
        secret_key: keys.secret_access_key,
        token: Some(keys.session_token),
    };
    Ok(AwsKeys { keys: Arc::new(fit(keys)?), until })
}
