//! Who asks Azure: found in the order in which Azure's own tools look, and from one place alone.

use std::path::Path;
use std::sync::Arc;

use object_store::azure::{
    AzureAccessKey, AzureConfigKey as Key, AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder,
};
use percent_encoding::percent_decode_str;

use super::account::{AzureAccount, ConnectionString};
use crate::http::Client;
use crate::secret::Secret;
use crate::store::calls::{CALL_WITHIN, Calls, METADATA_WITHIN, said};
use crate::store::error::StoreError;
use crate::store::settings::StoreSettings;

/// Who asks.
pub(super) struct AzureIdentity {
    pub(super) means: AzureMeans,
    /// For people, without secrets.
    pub(super) words: String,
}

pub(super) enum AzureMeans {
    /// Nobody: requests are not signed.
    Nobody,
    /// The account's key, as it was written too.
    Key(Arc<AzureCredential>, Secret),
    /// A shared access signature: parameters of each request.
    Signature(Vec<(String, Secret)>),
    /// The library asks who has tokens, and keeps them as long as they hold.
    Asked(AzureCredentialProvider),
}

const INSTANCE: &str = "what this instance is";

/// What an identity is found with.
pub(super) struct AzureFinder<'a> {
    pub(super) settings: &'a StoreSettings,
    pub(super) account: &'a AzureAccount,
    pub(super) client: &'a Client,
}

impl AzureFinder<'_> {
    /// Finds who asks. `looked_for`: what was looked for in vain, for the error that may come of it.
    pub(super) fn find(&self, looked_for: &mut Vec<String>) -> Result<AzureIdentity, StoreError> {
        let variables = &self.settings.variables;
        if self.settings.anonymous {
            let words = "nobody (--no-sign-request)".to_owned();
            return Ok(AzureIdentity { means: AzureMeans::Nobody, words });
        }
        let connection = ConnectionString::of(variables)?;
        let is_of_account =
            connection.get("AccountName").is_none_or(|name| name.eq_ignore_ascii_case(&self.account.name));
        let of_connection = |name: &str| connection.get(name).filter(|_| is_of_account);
        if let Some(key) = of_connection("AccountKey") {
            return Self::of_key(&key, "AZURE_STORAGE_CONNECTION_STRING");
        }
        if let Some(signature) = of_connection("SharedAccessSignature") {
            return Self::of_signature(&signature, "AZURE_STORAGE_CONNECTION_STRING");
        }
        looked_for.push("AZURE_STORAGE_CONNECTION_STRING".to_owned());
        for name in ["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"] {
            if let Some(key) = variables.get(name) {
                return Self::of_key(key, name);
            }
        }
        looked_for.push("AZURE_STORAGE_KEY".to_owned());
        for name in ["AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"] {
            if let Some(signature) = variables.get(name) {
                return Self::of_signature(signature, name);
            }
        }
        looked_for.push("AZURE_STORAGE_SAS_TOKEN".to_owned());
        let get = |name: &str| variables.get(name).map(str::to_owned);
        let (id, tenant) = (get("AZURE_CLIENT_ID"), get("AZURE_TENANT_ID"));
        if let (Some(id), Some(tenant)) = (&id, &tenant) {
            let mut keys = vec![(Key::ClientId, id.clone()), (Key::AuthorityId, tenant.clone())];
            keys.extend(get("AZURE_AUTHORITY_HOST").map(|host| (Key::AuthorityHost, host)));
            if let Some(secret) = get("AZURE_CLIENT_SECRET") {
                keys.extend([(Key::ClientSecret, secret), (Key::CredentialType, "client_secret".to_owned())]);
                return self.asked(keys, format!("the client {id}"));
            }
            if let Some(file) = get("AZURE_FEDERATED_TOKEN_FILE") {
                let kind = (Key::CredentialType, "workload_identity".to_owned());
                keys.extend([(Key::FederatedTokenFile, file), kind]);
                return self.asked(keys, format!("the workload identity {id}"));
            }
        }
        looked_for.push(
            "AZURE_CLIENT_ID and AZURE_TENANT_ID with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE"
                .to_owned(),
        );
        let profile = match (get("AZURE_CONFIG_DIR"), get("HOME")) {
            (Some(folder), _) => Some(Path::new(&folder).join("azureProfile.json")),
            (None, Some(home)) => Some(Path::new(&home).join(".azure/azureProfile.json")),
            (None, None) => None,
        };
        if let Some(profile) = profile {
            if profile.exists() {
                let keys = vec![(Key::CredentialType, "azure_cli".to_owned())];
                return self.asked(keys, "whoever is logged in with az login".to_owned());
            }
            looked_for.push(format!("{} (az login)", profile.display()));
        }
        looked_for.push("the instance's metadata".to_owned());
        let mut keys = vec![(Key::CredentialType, "managed_identity".to_owned())];
        keys.extend(id.map(|id| (Key::ClientId, id)));
        keys.extend(get("IDENTITY_ENDPOINT").map(|url| (Key::MsiEndpoint, url)));
        self.asked(keys, INSTANCE.to_owned())
    }

    fn of_key(key: &str, name: &str) -> Result<AzureIdentity, StoreError> {
        let read = AzureAccessKey::try_new(key).map_err(|_| StoreError::Setting {
            what: name.to_owned(),
            reason: "the key in it is no base64".to_owned(),
        })?;
        let means = AzureMeans::Key(Arc::new(AzureCredential::AccessKey(read)), Secret::new(key.to_owned()));
        Ok(AzureIdentity { means, words: format!("the account's key ({name})") })
    }

    fn of_signature(text: &str, name: &str) -> Result<AzureIdentity, StoreError> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Into::<String>::into);
        let pair = |piece: &str| {
            let (name, value) = piece.split_once('=')?;
            Some((decoded(name)?, Secret::new(decoded(value)?)))
        };
        let pieces = text.trim().trim_start_matches('?').split('&').filter(|piece| !piece.is_empty());
        let pairs: Option<Vec<_>> = pieces.map(pair).collect();
        let pairs = pairs.filter(|pairs| pairs.iter().any(|(name, _)| name == "sig"));
        let means = pairs.map(AzureMeans::Signature).ok_or_else(|| StoreError::Setting {
            what: name.to_owned(),
            reason: "it is no shared access signature: sv=..&sig=..".to_owned(),
        })?;
        Ok(AzureIdentity { means, words: format!("a shared access signature ({name})") })
    }

    /// The library's own ways to find tokens.
    fn asked(&self, keys: Vec<(Key, String)>, words: String) -> Result<AzureIdentity, StoreError> {
        let within = if words == INSTANCE { METADATA_WITHIN } else { CALL_WITHIN };
        let calls = Calls { client: self.client.clone(), within };
        let builder = MicrosoftAzureBuilder::new()
            .with_account(&self.account.name)
            .with_container_name("any")
            .with_retry(calls.retries())
            .with_http_connector(calls);
        let builder = keys.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value));
        let store = builder.build();
        let store =
            store.map_err(|error| StoreError::Setting { what: words.clone(), reason: said(&error) })?;
        Ok(AzureIdentity { means: AzureMeans::Asked(Arc::clone(store.credentials())), words })
    }
}

impl AzureIdentity {
    /// It is only guessed that this machine has one.
    pub(super) fn is_guessed(&self) -> bool {
        self.words == INSTANCE
    }

    /// What signs for a while; none: nothing does, or parameters do.
    pub(super) async fn credential(&self) -> Result<Option<Arc<AzureCredential>>, String> {
        match &self.means {
            AzureMeans::Nobody | AzureMeans::Signature(_) => Ok(None),
            AzureMeans::Key(key, _) => Ok(Some(Arc::clone(key))),
            AzureMeans::Asked(provider) => {
                provider.get_credential().await.map(Some).map_err(|error| said(&error))
            }
        }
    }
}
