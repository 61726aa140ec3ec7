//! Who signs requests to S3: found in the order in which AWS's own tools look, and from one place alone. A
//! profile that was named is that profile or an error.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, AwsCredential, AwsCredentialProvider};
use tokio::sync::Mutex;

use super::keys::{AwsKeys, fit};
use super::process;
use super::profiles::{DEFAULT, Files, Means, Role, RoleSource};
use super::sts;
use crate::http::Client;
use crate::secret::Secret;
use crate::store::calls::{CALL_WITHIN, Calls, METADATA_WITHIN, said};
use crate::store::error::StoreError;
use crate::store::settings::{StoreSettings, Variables};

/// Keys that end so soon are asked for anew.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);
/// Profiles that lead to each other: more is a circle.
const CHAIN_MAX: usize = 8;

/// Who signs.
pub(in crate::store) struct AwsIdentity {
    means: Ways,
    /// For people, without secrets.
    pub(in crate::store) words: String,
    last: Mutex<Option<AwsKeys>>,
}

enum Ways {
    /// Nobody: requests are not signed.
    Nobody,
    Keys(Arc<AwsCredential>),
    /// The library asks who has them, and keeps them as long as they hold.
    Asked(AwsCredentialProvider),
    Process(Secret),
    Sso(String),
    Role {
        role: Role,
        from: Box<AwsIdentity>,
        sts: sts::TokenService,
        client: Client,
    },
}

/// What an identity is found with.
pub(super) struct Finder<'a> {
    pub(super) settings: &'a StoreSettings,
    pub(super) files: &'a Files,
    pub(super) region: &'a str,
    pub(super) client: &'a Client,
}

impl AwsIdentity {
    const fn new(means: Ways, words: String) -> Self {
        Self { means, words, last: Mutex::const_new(None) }
    }

    /// Keys that hold for a while; none: requests are not signed.
    pub(in crate::store) fn keys(&self) -> BoxFuture<'_, Result<Option<Arc<AwsCredential>>, String>> {
        Box::pin(async move {
            match &self.means {
                Ways::Nobody => return Ok(None),
                Ways::Keys(keys) => return Ok(Some(Arc::clone(keys))),
                Ways::Asked(provider) => {
                    let keys = provider.get_credential().await.map_err(|error| said(&error))?;
                    return Ok(Some(Arc::new(fit(AwsCredential {
                        key_id: keys.key_id.clone(),
                        secret_key: keys.secret_key.clone(),
                        token: keys.token.clone(),
                    })?)));
                }
                Ways::Process(_) | Ways::Sso(_) | Ways::Role { .. } => {}
            }
            let mut last = self.last.lock().await;
            let soon = SystemTime::now() + RENEWED_BEFORE;
            if let Some(issued) = last.as_ref().filter(|issued| issued.until.is_none_or(|until| until > soon))
            {
                return Ok(Some(Arc::clone(&issued.keys)));
            }
            let issued = match &self.means {
                Ways::Process(command) => process::keys("sh", &["-c", command.reveal()]).await?,
                Ways::Sso(profile) => {
                    let words =
                        ["configure", "export-credentials", "--profile", profile, "--format", "process"];
                    let keys = process::keys("aws", &words).await;
                    keys.map_err(|why| format!("aws configure export-credentials: {why}; log in with aws sso login --profile {profile}"))?
                }
                Ways::Role { role, from, sts, client } => {
                    let keys = from.keys().await?.ok_or("nobody is there who could take on the role")?;
                    sts::assume(client, sts, role, &keys).await?
                }
                Ways::Nobody | Ways::Keys(_) | Ways::Asked(_) => return Ok(None),
            };
            let keys = Arc::clone(&issued.keys);
            *last = Some(issued);
            Ok(Some(keys))
        })
    }

    /// It is only guessed that this machine has one.
    pub(super) fn is_guessed(&self) -> bool {
        self.words == INSTANCE
    }
}

const INSTANCE: &str = "what this instance is";

impl Finder<'_> {
    /// Finds who signs. `looked_for`: what was looked for in vain, for the error that may come of it.
    pub(super) fn find(&self, looked_for: &mut Vec<String>) -> Result<Option<AwsIdentity>, StoreError> {
        let StoreSettings { variables, anonymous, profile, .. } = self.settings;
        if *anonymous {
            return Ok(Some(AwsIdentity::new(Ways::Nobody, "nobody (--no-sign-request)".to_owned())));
        }
        if let Some(named) = profile {
            return self.profile(named, 0).map(Some);
        }
        if let Some(keys) = self.environment()? {
            return Ok(Some(keys));
        }
        looked_for.push("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned());
        if let Some(named) = variables.get("AWS_PROFILE").or_else(|| variables.get("AWS_DEFAULT_PROFILE")) {
            return self.profile(named, 0).map(Some);
        }
        if let (Some(file), Some(arn)) =
            (variables.get("AWS_WEB_IDENTITY_TOKEN_FILE"), variables.get("AWS_ROLE_ARN"))
        {
            let session = variables.get("AWS_ROLE_SESSION_NAME").map(str::to_owned);
            let role = Role { arn: arn.to_owned(), session, external_id: None, seconds: None };
            return self.web_identity(&role, file, "").map(Some);
        }
        looked_for.push("AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN".to_owned());
        if self.files.means(DEFAULT)?.is_some() {
            return self.profile(DEFAULT, 0).map(Some);
        }
        let (credentials, config) = (self.files.credentials.display(), self.files.config.display());
        looked_for.push(format!("the profile default in {credentials} and {config}"));
        if let Some(container) = self.container()? {
            return Ok(Some(container));
        }
        looked_for.push("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, or _FULL_URI with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE".to_owned());
        if variables.get("AWS_EC2_METADATA_DISABLED").is_some_and(|yes| yes.eq_ignore_ascii_case("true")) {
            looked_for.push("not the instance's metadata (AWS_EC2_METADATA_DISABLED)".to_owned());
            return Ok(None);
        }
        looked_for.push("the instance's metadata".to_owned());
        self.instance().map(Some)
    }

    fn environment(&self) -> Result<Option<AwsIdentity>, StoreError> {
        let get = |name: &str| self.settings.variables.get(name);
        let (id, secret) = (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"));
        let keys = match (id, secret) {
            (None, None) => return Ok(None),
            (Some(id), Some(secret)) => AwsCredential {
                key_id: id.to_owned(),
                secret_key: secret.to_owned(),
                token: get("AWS_SESSION_TOKEN").map(str::to_owned),
            },
            _ => {
                return Err(StoreError::Setting {
                    what: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
                    reason: "one of them is set, and the other is not".to_owned(),
                });
            }
        };
        Self::of_keys(keys, "the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY").map(Some)
    }

    fn of_keys(keys: AwsCredential, words: &str) -> Result<AwsIdentity, StoreError> {
        let keys = fit(keys).map_err(|reason| StoreError::Setting { what: words.to_owned(), reason })?;
        Ok(AwsIdentity::new(Ways::Keys(Arc::new(keys)), words.to_owned()))
    }

    /// A profile, and none else.
    fn profile(&self, name: &str, depth: usize) -> Result<AwsIdentity, StoreError> {
        let files = format!("{} and {}", self.files.credentials.display(), self.files.config.display());
        let bad = |reason: String| StoreError::Setting { what: format!("the profile {name}"), reason };
        if !self.files.has(name) {
            return Err(bad(format!("it is not in {files}")));
        }
        if depth == CHAIN_MAX {
            return Err(bad("its source_profile leads in a circle".to_owned()));
        }
        let words = format!("the profile {name}");
        match self.files.means(name)? {
            None => Err(bad(format!("there is nothing in {files} that it could sign with"))),
            Some(Means::Keys { id, secret, token }) => {
                let keys = AwsCredential {
                    key_id: id,
                    secret_key: secret.reveal().to_owned(),
                    token: token.map(|token| token.reveal().to_owned()),
                };
                Self::of_keys(keys, &words)
            }
            Some(Means::Process(command)) => {
                Ok(AwsIdentity::new(Ways::Process(command), format!("{words} (its credential_process)")))
            }
            Some(Means::Sso) => {
                Ok(AwsIdentity::new(Ways::Sso(name.to_owned()), format!("{words} (single sign-on)")))
            }
            Some(Means::WebIdentity { role, token_file }) => self.web_identity(&role, &token_file, &words),
            Some(Means::Role { role, from }) => {
                let from = match from {
                    // The keys that stand in it beside its role.
                    RoleSource::Profile(same) if same == name => self.own_keys(name)?,
                    RoleSource::Profile(other) => self.profile(&other, depth + 1)?,
                    RoleSource::Environment => self.environment()?.ok_or_else(|| {
                        bad("its credential_source is Environment, and AWS_ACCESS_KEY_ID is not set"
                            .to_owned())
                    })?,
                    RoleSource::Container => self.container()?.ok_or_else(|| {
                        bad("its credential_source is EcsContainer, and this is none".to_owned())
                    })?,
                    RoleSource::Instance => self.instance()?,
                };
                let words = format!("{words} (the role {})", role.arn);
                let (sts, client) = (self.sts(), self.client.clone());
                Ok(AwsIdentity::new(Ways::Role { role, from: Box::new(from), sts, client }, words))
            }
        }
    }

    fn own_keys(&self, name: &str) -> Result<AwsIdentity, StoreError> {
        let get = |key: &str| self.files.get(name, key).map(str::to_owned);
        match (get("aws_access_key_id"), get("aws_secret_access_key")) {
            (Some(key_id), Some(secret_key)) => {
                let keys = AwsCredential { key_id, secret_key, token: get("aws_session_token") };
                Self::of_keys(keys, &format!("the profile {name}"))
            }
            _ => Err(StoreError::Setting {
                what: format!("the profile {name}"),
                reason: "it is its own source_profile, and has no keys".to_owned(),
            }),
        }
    }

    fn sts(&self) -> sts::TokenService {
        let variables = &self.settings.variables;
        let named = variables.get("AWS_ENDPOINT_URL_STS").or_else(|| variables.get("AWS_ENDPOINT_URL"));
        sts::TokenService::new(named, self.region)
    }

    /// The library's own ways to find keys.
    fn asked(
        &self,
        keys: impl IntoIterator<Item = (Key, String)>,
        words: String,
        within: Duration,
    ) -> Result<AwsIdentity, StoreError> {
        let calls = Calls { client: self.client.clone(), within };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name("any")
            .with_region(self.region)
            .with_retry(calls.retries())
            .with_http_connector(calls);
        if let Some(endpoint) = self.settings.variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") {
            builder = builder.with_metadata_endpoint(endpoint.trim_end_matches('/'));
        }
        for (key, value) in keys {
            builder = builder.with_config(key, value);
        }
        let store = builder.build();
        let store =
            store.map_err(|error| StoreError::Setting { what: words.clone(), reason: said(&error) })?;
        Ok(AwsIdentity::new(Ways::Asked(Arc::clone(store.credentials())), words))
    }

    fn web_identity(&self, role: &Role, file: &str, profile: &str) -> Result<AwsIdentity, StoreError> {
        let mut keys = vec![
            (Key::WebIdentityTokenFile, file.to_owned()),
            (Key::RoleArn, role.arn.clone()),
            (Key::StsEndpoint, self.sts().url),
        ];
        keys.extend(role.session.clone().map(|name| (Key::RoleSessionName, name)));
        let of = if profile.is_empty() { String::new() } else { format!(" of {profile}") };
        self.asked(keys, format!("web identity{of} (the role {})", role.arn), CALL_WITHIN)
    }

    fn container(&self) -> Result<Option<AwsIdentity>, StoreError> {
        let get = |name: &str| self.settings.variables.get(name).map(str::to_owned);
        let words = || "what this container is".to_owned();
        if let Some(uri) = get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            return self.asked([(Key::ContainerCredentialsRelativeUri, uri)], words(), CALL_WITHIN).map(Some);
        }
        let (uri, file) =
            (get("AWS_CONTAINER_CREDENTIALS_FULL_URI"), get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
        let (Some(uri), Some(file)) = (uri, file) else { return Ok(None) };
        let keys = [(Key::ContainerCredentialsFullUri, uri), (Key::ContainerAuthorizationTokenFile, file)];
        self.asked(keys, words(), CALL_WITHIN).map(Some)
    }

    fn instance(&self) -> Result<AwsIdentity, StoreError> {
        self.asked([], INSTANCE.to_owned(), METADATA_WITHIN)
    }
}

/// The region that is meant, as AWS's own tools find it.
pub(super) fn region(settings: &StoreSettings, files: &Files) -> Option<String> {
    let variables = &settings.variables;
    let profile = profile_of(settings);
    let of_profile = || files.get(profile, "region");
    let named = settings.region.as_deref().or_else(|| variables.get("AWS_REGION"));
    named.or_else(|| variables.get("AWS_DEFAULT_REGION")).or_else(of_profile).map(str::to_owned)
}

/// The server that is meant, if not Amazon's.
pub(super) fn endpoint(settings: &StoreSettings, files: &Files) -> Option<String> {
    let variables: &Variables = &settings.variables;
    let named = settings.endpoint.as_deref().or_else(|| variables.get("AWS_ENDPOINT_URL_S3"));
    let named = named.or_else(|| variables.get("AWS_ENDPOINT_URL"));
    named.or_else(|| files.get(profile_of(settings), "endpoint_url")).map(str::to_owned)
}

fn profile_of(settings: &StoreSettings) -> &str {
    let named = settings.profile.as_deref().or_else(|| settings.variables.get("AWS_PROFILE"));
    named.or_else(|| settings.variables.get("AWS_DEFAULT_PROFILE")).unwrap_or(DEFAULT)
}
