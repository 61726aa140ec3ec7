//! Which account a container belongs to, and where that is. Pure.

use crate::store::error::StoreError;
use crate::store::pattern::BucketWord;
use crate::store::settings::{StoreSettings, Variables};

/// An account.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AzureAccount {
    pub(super) name: String,
    /// Its server, with whatever stands before containers.
    pub(super) server: String,
    /// Of it.
    pub(super) container: String,
}

impl AzureAccount {
    /// `az://CONTAINER/..` of the account that the environment names, or
    /// `abfss://CONTAINER@ACCOUNT.dfs../..`.
    pub(super) fn of(place: &BucketWord, settings: &StoreSettings) -> Result<Self, StoreError> {
        let variables = &settings.variables;
        let connection = ConnectionString::of(variables)?;
        let (container, host) = match place.bucket.split_once('@') {
            Some((container, host)) => (container, Some(host)),
            None => (place.bucket.as_str(), None),
        };
        let bad = |reason: String| StoreError::Word { word: place.root(), reason };
        if container.is_empty() || host.is_some_and(|host| host.is_empty() || host.contains(['@', '$'])) {
            return Err(bad("write it as CONTAINER@ACCOUNT.dfs.core.windows.net".to_owned()));
        }
        let named =
            variables.get("AZURE_STORAGE_ACCOUNT").or_else(|| variables.get("AZURE_STORAGE_ACCOUNT_NAME"));
        let of_host = host.map(|host| host.split('.').next().unwrap_or(host).to_owned());
        let name = of_host.or_else(|| connection.get("AccountName")).or_else(|| named.map(str::to_owned));
        let Some(name) = name else {
            return Err(StoreError::Setting {
                what: place.root(),
                reason: "nothing says which account it is of: set AZURE_STORAGE_ACCOUNT, or write \
                         abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/KEY"
                    .to_owned(),
            });
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(bad(format!("{name:?} is no name of an account")));
        }
        let endpoint = settings.endpoint.clone();
        let endpoint = endpoint.or_else(|| connection.get("BlobEndpoint").filter(|_| host.is_none()));
        let endpoint = endpoint.or_else(|| variables.get("AZURE_STORAGE_ENDPOINT").map(str::to_owned));
        // Blobs of an account with folders of its own are asked for as all others.
        let of_host = host.filter(|host| host.contains('.')).map(|host| host.replacen(".dfs.", ".blob.", 1));
        let suffix = connection.get("EndpointSuffix").unwrap_or_else(|| "core.windows.net".to_owned());
        let host = of_host.unwrap_or_else(|| format!("{name}.blob.{suffix}"));
        let server = endpoint.unwrap_or_else(|| format!("https://{host}"));
        let server = server.trim_end_matches('/').to_owned();
        Ok(Self { name, server, container: container.to_owned() })
    }
}

/// `AccountName=..;AccountKey=..`, as the portal shows it.
pub(super) struct ConnectionString<'a>(Vec<(&'a str, &'a str)>);

impl<'a> ConnectionString<'a> {
    /// That of the environment; nothing, where there is none.
    pub(super) fn of(variables: &'a Variables) -> Result<Self, StoreError> {
        let Some(text) = variables.get("AZURE_STORAGE_CONNECTION_STRING") else {
            return Ok(Self(Vec::new()));
        };
        let pieces = text.split(';').map(str::trim).filter(|piece| !piece.is_empty());
        let pairs = pieces.map(|piece| piece.split_once('=')).collect::<Option<_>>();
        pairs.map(Self).ok_or_else(|| StoreError::Setting {
            what: "AZURE_STORAGE_CONNECTION_STRING".to_owned(),
            reason: "it is no list of NAME=VALUE, with semicolons between".to_owned(),
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(word: &str, endpoint: Option<&str>, set: &[(&str, &str)]) -> Result<AzureAccount, StoreError> {
        let variable =
            |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let settings = StoreSettings {
            endpoint: endpoint.map(str::to_owned),
            variables: Variables::read(variable),
            ..StoreSettings::default()
        };
        AzureAccount::of(&BucketWord::parse(word).unwrap(), &settings)
    }

    #[test]
    fn accounts_are_found_in_words_and_in_the_environment() {
        let found = |word: &str, endpoint, set: &[(&str, &str)]| {
            let AzureAccount { name, server, container } = account(word, endpoint, set).unwrap();
            format!("{name} {server} {container}")
        };
        let named = [("AZURE_STORAGE_ACCOUNT", "acc")];
        assert_eq!(found("az://c/k", None, &named), "acc https://acc.blob.core.windows.net c");
        let connection = [(
            "AZURE_STORAGE_CONNECTION_STRING",
            "DefaultEndpointsProtocol=https;AccountName=other;AccountKey=a2V5==;EndpointSuffix=core.usgovcloudapi.net",
        )];
        assert_eq!(found("az://c/k", None, &connection), "other https://other.blob.core.usgovcloudapi.net c");
        let emulator = [(
            "AZURE_STORAGE_CONNECTION_STRING",
            "AccountName=devstoreaccount1;AccountKey=x;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;",
        )];
        assert_eq!(
            found("az://c/k", None, &emulator),
            "devstoreaccount1 http://127.0.0.1:10000/devstoreaccount1 c"
        );
        // What the word names goes before.
        for word in ["abfss://c@lake.dfs.core.windows.net/k", "abfs://c@lake.dfs.core.windows.net/k"] {
            assert_eq!(found(word, None, &emulator), "lake https://lake.blob.core.windows.net c");
        }
        assert_eq!(found("az://c@lake/k", None, &[]), "lake https://lake.blob.core.windows.net c");
        assert_eq!(found("az://c/k", Some("http://h:1/acc/"), &named), "acc http://h:1/acc c");
        for (word, set) in [
            ("az://c/k", &[][..]),
            ("az://c@/k", &named[..]),
            ("az://@a/k", &named[..]),
            ("az://c/k", &[("AZURE_STORAGE_ACCOUNT", "a/b")][..]),
            ("az://c/k", &[("AZURE_STORAGE_CONNECTION_STRING", "CANARY")][..]),
        ] {
            let error = account(word, None, set).unwrap_err().to_string();
            assert!(!error.contains("CANARY"), "{error}");
        }
    }
}
