//! Who asks Google: found in the order in which Google's own tools look, and from one place alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder};
use serde::Deserialize;

use crate::http::Client;
use crate::store::calls::{CALL_WITHIN, Calls, METADATA_WITHIN, said};
use crate::store::error::StoreError;
use crate::store::settings::{StoreSettings, Variables};

/// Who asks.
pub(super) struct GoogleIdentity {
    /// `None`: requests are not signed. The library keeps a token as long as it holds.
    tokens: Option<GcpCredentialProvider>,
    /// For people, without secrets.
    pub(super) words: String,
    /// It is only guessed that this machine has one.
    pub(super) is_guessed: bool,
}

/// What a file of credentials says of itself.
#[derive(Deserialize)]
struct CredentialFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_email: Option<String>,
}

impl GoogleIdentity {
    const fn nobody(words: String) -> Self {
        Self { tokens: None, words, is_guessed: false }
    }

    /// Finds who asks. `looked_for`: what was looked for in vain, for the error that may come of it.
    pub(super) fn find(
        settings: &StoreSettings,
        client: &Client,
        looked_for: &mut Vec<String>,
    ) -> Result<Option<Self>, StoreError> {
        let variables = &settings.variables;
        if settings.anonymous {
            return Ok(Some(Self::nobody("nobody (--no-sign-request)".to_owned())));
        }
        if settings.endpoint.is_none() && variables.get("STORAGE_EMULATOR_HOST").is_some() {
            return Ok(Some(Self::nobody("nobody (STORAGE_EMULATOR_HOST)".to_owned())));
        }
        if let Some(file) = variables.get("GOOGLE_APPLICATION_CREDENTIALS") {
            return Self::of_file(Path::new(file), client).map(Some);
        }
        looked_for.push("GOOGLE_APPLICATION_CREDENTIALS".to_owned());
        if let Some(file) = default_file(variables) {
            if file.exists() {
                return Self::of_file(&file, client).map(Some);
            }
            looked_for.push(format!("{} (gcloud auth application-default login)", file.display()));
        }
        if variables.get("NO_GCE_CHECK").is_some_and(|yes| yes.eq_ignore_ascii_case("true")) {
            looked_for.push("not the instance's metadata (NO_GCE_CHECK)".to_owned());
            return Ok(None);
        }
        looked_for.push("the instance's metadata".to_owned());
        let calls = Calls { client: client.clone(), within: METADATA_WITHIN };
        let tokens = built(builder(calls), "the instance's metadata")?;
        Ok(Some(Self { tokens: Some(tokens), words: "what this instance is".to_owned(), is_guessed: true }))
    }

    fn of_file(file: &Path, client: &Client) -> Result<Self, StoreError> {
        let shown = file.display();
        let bad = |reason: String| StoreError::Setting { what: format!("{shown}"), reason };
        let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
        let kind: CredentialFile = serde_json::from_str(&text)
            .map_err(|_| bad("it is no file of credentials, which are JSON".to_owned()))?;
        let calls = Calls { client: client.clone(), within: CALL_WITHIN };
        let (builder, words) = match kind.kind.as_deref() {
            Some("service_account") => {
                let email = kind.client_email.unwrap_or_default();
                (
                    builder(calls).with_service_account_key(text),
                    format!("the service account {email} ({shown})"),
                )
            }
            Some("authorized_user") => {
                let file = file.to_str().ok_or_else(|| bad("its name is no text".to_owned()))?;
                (builder(calls).with_application_credentials(file), format!("the user of {shown}"))
            }
            Some(other) => {
                let known = "service_account and authorized_user are known";
                return Err(bad(format!("its type is {other:?}, and {known}")));
            }
            None => return Err(bad("it has no type: is it a file of credentials?".to_owned())),
        };
        Ok(Self { tokens: Some(built(builder, &shown.to_string())?), words, is_guessed: false })
    }

    /// A token that holds for a while; none: requests are not signed.
    pub(super) async fn token(&self) -> Result<Option<String>, String> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        let token = tokens.get_credential().await.map_err(|error| said(&error))?;
        // A service account that says that it needs none has an empty one.
        Ok(Some(token.bearer.clone()).filter(|token| !token.is_empty()))
    }
}

fn builder(calls: Calls) -> GoogleCloudStorageBuilder {
    GoogleCloudStorageBuilder::new()
        .with_bucket_name("any")
        .with_retry(calls.retries())
        .with_http_connector(calls)
}

/// What the library says of a key may repeat the key.
fn built(builder: GoogleCloudStorageBuilder, what: &str) -> Result<GcpCredentialProvider, StoreError> {
    let store = builder.build().map_err(|_| StoreError::Setting {
        what: what.to_owned(),
        reason: "its key or its fields are not as Google writes them".to_owned(),
    })?;
    Ok(Arc::clone(store.credentials()))
}

/// Where `gcloud auth application-default login` leaves them.
fn default_file(variables: &Variables) -> Option<PathBuf> {
    let folder = match variables.get("CLOUDSDK_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(variables.get("HOME")?).join(".config/gcloud"),
    };
    Some(folder.join("application_default_credentials.json"))
}
