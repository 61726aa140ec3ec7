//! The files of AWS's own tools: `~/.aws/config` and `~/.aws/credentials`, and what a profile in them says.
//! Reads the two files once, runs nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::secret::Secret;
use crate::store::error::StoreError;
use crate::store::settings::Variables;

/// The profile that is meant where none is named.
pub(super) const DEFAULT: &str = "default";

type Sections = BTreeMap<String, BTreeMap<String, Secret>>;

/// The two files.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) config: PathBuf,
    pub(super) credentials: PathBuf,
    /// By profile. Of keys that both files have, that of the credentials counts.
    profiles: Sections,
}

/// What a profile signs with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Keys that stand there.
    Keys { id: String, secret: Secret, token: Option<Secret> },
    /// A role, for who has the keys of another profile, or for what this machine is.
    Role { role: Role, from: RoleSource },
    /// A role, for a token in a file.
    WebIdentity { role: Role, token_file: String },
    /// A command that prints keys.
    Process(Secret),
    /// A login by the browser, of which AWS's own tool has the keys.
    Sso,
}

/// A role that is taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session: Option<String>,
    pub(super) external_id: Option<Secret>,
    pub(super) seconds: Option<String>,
}

/// Who asks for a role.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RoleSource {
    Profile(String),
    Environment,
    Container,
    Instance,
}

impl Files {
    /// Reads them. A file that is not there is an empty one.
    pub(super) fn read(variables: &Variables) -> Result<Self, StoreError> {
        let home = variables.get("HOME").map(PathBuf::from).unwrap_or_default();
        let place = |name: &str, file: &str| {
            variables.get(name).map_or_else(|| home.join(".aws").join(file), PathBuf::from)
        };
        let config = place("AWS_CONFIG_FILE", "config");
        let credentials = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let mut profiles = Sections::new();
        for (section, keys) in parse(&text_of(&config)?) {
            let name = section.strip_prefix("profile").map_or(section.as_str(), str::trim);
            if section == DEFAULT || section.starts_with("profile ") || section.starts_with("profile\t") {
                profiles.entry(name.to_owned()).or_default().extend(keys);
            }
        }
        for (section, keys) in parse(&text_of(&credentials)?) {
            profiles.entry(section).or_default().extend(keys);
        }
        Ok(Self { config, credentials, profiles })
    }

    pub(super) fn has(&self, profile: &str) -> bool {
        self.profiles.contains_key(profile)
    }

    /// What a profile says of a thing that is no secret.
    pub(super) fn get(&self, profile: &str, key: &str) -> Option<&str> {
        self.profiles.get(profile)?.get(key).map(Secret::reveal).filter(|text| !text.is_empty())
    }

    /// What a profile signs with; nothing: it says nothing of that.
    pub(super) fn means(&self, profile: &str) -> Result<Option<Means>, StoreError> {
        let get = |key: &str| self.get(profile, key).map(str::to_owned);
        let bad = |reason: &str| StoreError::Setting {
            what: format!("the profile {profile}"),
            reason: reason.to_owned(),
        };
        let secret = |key: &str| get(key).map(Secret::new);
        if let Some(arn) = get("role_arn") {
            let (session, external_id) = (get("role_session_name"), secret("external_id"));
            let role = Role { arn, session, external_id, seconds: get("duration_seconds") };
            if let Some(token_file) = get("web_identity_token_file") {
                return Ok(Some(Means::WebIdentity { role, token_file }));
            }
            if get("mfa_serial").is_some() {
                return Err(bad(
                    "its role wants a code of a device: log in with AWS's own tools, and name a credential_process",
                ));
            }
            let from = match (get("source_profile"), get("credential_source").as_deref()) {
                (Some(profile), None) => RoleSource::Profile(profile),
                (None, Some("Environment")) => RoleSource::Environment,
                (None, Some("EcsContainer")) => RoleSource::Container,
                (None, Some("Ec2InstanceMetadata")) => RoleSource::Instance,
                (None, Some(_)) => {
                    return Err(bad(
                        "its credential_source is none of Environment, EcsContainer, Ec2InstanceMetadata",
                    ));
                }
                _ => return Err(bad("its role_arn needs one of source_profile and credential_source")),
            };
            return Ok(Some(Means::Role { role, from }));
        }
        match (get("aws_access_key_id"), secret("aws_secret_access_key")) {
            (Some(id), Some(secret_key)) => {
                let token = secret("aws_session_token");
                return Ok(Some(Means::Keys { id, secret: secret_key, token }));
            }
            (None, None) => {}
            _ => {
                return Err(bad(
                    "it has one of aws_access_key_id and aws_secret_access_key, and not the other",
                ));
            }
        }
        if let Some(command) = secret("credential_process") {
            return Ok(Some(Means::Process(command)));
        }
        Ok((get("sso_session").is_some() || get("sso_start_url").is_some()).then_some(Means::Sso))
    }
}

fn text_of(path: &PathBuf) -> Result<String, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        Err(error) => {
            Err(StoreError::Setting { what: path.display().to_string(), reason: error.to_string() })
        }
    }
}

/// The sections of such a file. An indented line belongs to the key before it, which is none of those that
/// are read here.
fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut here: Option<String> = None;
    for line in text.lines() {
        if line.starts_with([' ', '\t', '#', ';']) || line.trim().is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let name = name.trim().to_owned();
            sections.entry(name.clone()).or_default();
            here = Some(name);
        } else if let (Some(section), Some((key, value))) = (&here, line.split_once('=')) {
            // A comment behind a value begins with a space.
            let value = value.split(" #").next().and_then(|value| value.split(" ;").next());
            let value = Secret::new(value.unwrap_or_default().trim().to_owned());
            sections.entry(section.clone()).or_default().insert(key.trim().to_ascii_lowercase(), value);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(config: &str, credentials: &str) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("config"), folder.path().join("credentials"));
        fs::write(&one, config).unwrap();
        fs::write(&other, credentials).unwrap();
        let variables = Variables::read(|name| match name {
            "AWS_CONFIG_FILE" => Some(one.display().to_string()),
            "AWS_SHARED_CREDENTIALS_FILE" => Some(other.display().to_string()),
            _ => None,
        });
        Files::read(&variables).unwrap()
    }

    #[test]
    fn profiles_are_read_as_aws_has_them() {
        let files = files(
            "[default]\nregion = eu-west-1 # here\n\n[profile a]\nrole_arn=arn:aws:iam::1:role/x\nsource_profile = b\nexternal_id = CANARY\n\
             s3 =\n  addressing_style = path\n[profile  c ]\ncredential_process = /opt/keys --user 'x y'\n[sso-session s]\nsso_start_url=https://x\n\
             [profile d]\nsso_session = s\n[profile e]\nregion=r\n[profile f]\nrole_arn=x\nmfa_serial=y\nsource_profile=b\n[profile g]\nrole_arn=x\n\
             [profile h]\naws_access_key_id=x\n[b]\naws_access_key_id=no\n",
            "[b]\naws_access_key_id = AKIA\naws_secret_access_key = s+/=CANARY\naws_session_token=t\n",
        );
        assert_eq!(files.get(DEFAULT, "region"), Some("eu-west-1"));
        let keys = Means::Keys {
            id: "AKIA".into(),
            secret: Secret::new("s+/=CANARY".into()),
            token: Some(Secret::new("t".into())),
        };
        assert_eq!(files.means("b").unwrap(), Some(keys));
        let Some(Means::Role { role, from }) = files.means("a").unwrap() else { panic!("no role") };
        assert_eq!((role.arn.as_str(), from), ("arn:aws:iam::1:role/x", RoleSource::Profile("b".into())));
        assert_eq!(
            files.means("c").unwrap(),
            Some(Means::Process(Secret::new("/opt/keys --user 'x y'".into())))
        );
        assert_eq!(files.means("d").unwrap(), Some(Means::Sso));
        assert_eq!(files.means("e").unwrap(), None);
        for wrong in ["f", "g", "h"] {
            assert!(files.means(wrong).is_err(), "{wrong}");
        }
        assert!(files.has("e") && !files.has("s") && !files.has("sso-session s"));
        assert!(!format!("{files:?}").contains("CANARY"));
    }

    #[test]
    fn files_that_are_not_there_say_nothing() {
        let variables = Variables::read(|name| (name == "HOME").then(|| "/nowhere/at/all".to_owned()));
        assert!(!Files::read(&variables).unwrap().has(DEFAULT));
    }
}
