//! How to speak to stores: inert. What the flags and the environment say, before anything is read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::secret::Secret;

/// How to speak to stores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreSettings {
    /// Where the store is, if not where its scheme says.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// The profile of AWS that signs.
    pub profile: Option<String>,
    /// Requests are not signed: public buckets.
    pub anonymous: bool,
    /// Whoever asks pays for it.
    pub request_payer: bool,
    /// What HTTP sources are signed for, by the same identity.
    pub signed: Option<SignedService>,
    /// What the environment says.
    pub variables: Variables,
}

/// A service of AWS whose requests are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedService {
    /// Its name in signatures: `execute-api`, `es`.
    pub service: String,
    /// The region, if it is another than that of everything else.
    pub region: Option<String>,
}

impl FromStr for SignedService {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, region) =
            text.split_once('/').map_or((text, None), |(name, region)| (name, Some(region)));
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        match is_name(service) && region.is_none_or(is_name) {
            true => Ok(Self { service: service.to_owned(), region: region.map(str::to_owned) }),
            false => Err("write it as SERVICE or SERVICE/REGION: execute-api/eu-west-1".to_owned()),
        }
    }
}

/// The variables that stores are found and asked by, as their own tools read them.
const NAMES: [&str; 44] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_S3_ADDRESSING_STYLE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CONFIG_DIR",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_TENANT_ID",
    "CLOUDSDK_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "HOME",
    "IDENTITY_ENDPOINT",
    "NO_GCE_CHECK",
    "STORAGE_EMULATOR_HOST",
];

/// What the environment says of stores, as it is. Whoever has an environment reads it: the room has none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<&'static str, Secret>);

impl Variables {
    /// Reads them; `variable` looks one up.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let found = NAMES.into_iter().filter_map(|name| Some((name, variable(name)?)));
        Self(
            found
                .filter(|(_, text)| !text.is_empty())
                .map(|(name, text)| (name, Secret::new(text)))
                .collect(),
        )
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "{name} is not read");
        self.0.get(name).map(Secret::reveal)
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read() {
        let read = |text: &str| text.parse::<SignedService>().map(|signed| (signed.service, signed.region));
        assert_eq!(read("es"), Ok(("es".into(), None)));
        assert_eq!(read("execute-api/eu-west-1"), Ok(("execute-api".into(), Some("eu-west-1".into()))));
        for wrong in ["", "/eu-west-1", "es/", "S3", "es/eu/1", "e s"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn variables_never_show_their_values() {
        let variables =
            Variables::read(|name| (name == "AWS_SECRET_ACCESS_KEY").then(|| "CANARY".to_owned()));
        assert_eq!(variables.get("AWS_SECRET_ACCESS_KEY"), Some("CANARY"));
        assert_eq!(format!("{variables:?}"), r#"{"AWS_SECRET_ACCESS_KEY"}"#);
    }
}
