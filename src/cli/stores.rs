//! The flags about objects in stores, and how they become settings.

use clap::Args;
use dbload::internals::input::Word;
use dbload::internals::job::HttpSources;
use dbload::internals::store::{SignedService, StoreSettings, Variables};

use super::parse;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Object stores")]
pub(crate) struct StoreArgs {
    /// Folders (of files and of keys) that are named field=value, as Hive and Spark have them
    /// (year=2026/month=01), are fields of the records in them
    #[arg(long, env = "DBLOAD_PARTITION_COLUMNS", value_parser = parse::switch("DBLOAD_PARTITION_COLUMNS"))]
    partition_columns: bool,
    /// The server of a store that speaks like S3 (MinIO, R2, Ceph, ..), or of an emulator of Google's or
    /// Azure's: https://HOST[:PORT]; by default what the variables of the store's own tools say, then its own
    #[arg(long, value_name = "URL", env = "DBLOAD_ENDPOINT")]
    endpoint: Option<String>,
    /// The region that requests are signed for; by default AWS_REGION, then what the profile says
    #[arg(long, value_name = "NAME", env = "DBLOAD_REGION")]
    region: Option<String>,
    /// The profile of ~/.aws that signs, and no other identity; by default what AWS's own tools take
    #[arg(long, value_name = "NAME", env = "DBLOAD_AWS_PROFILE", group = "signs")]
    aws_profile: Option<String>,
    /// Sign no request: public buckets
    #[arg(long, env = "DBLOAD_NO_SIGN_REQUEST", group = "signs", value_parser = parse::switch("DBLOAD_NO_SIGN_REQUEST"))]
    no_sign_request: bool,
    /// Sign HTTP sources that are services of AWS (execute-api/eu-west-1, es, ..), as who would read a bucket
    #[arg(long, value_name = "SERVICE[/REGION]", env = "DBLOAD_SIGV4", value_parser = signed, group = "auth")]
    sigv4: Option<SignedService>,
    /// Pay for what is read from a bucket whose owner does not
    #[arg(long, env = "DBLOAD_REQUEST_PAYER", value_parser = parse::switch("DBLOAD_REQUEST_PAYER"))]
    request_payer: bool,
}

impl StoreArgs {
    /// What the flags say, beside those about HTTP. `sources`: the words.
    pub(crate) fn beside(&self, web: HttpSources, sources: &[String]) -> Result<HttpSources, String> {
        Ok(HttpSources { partition_columns: self.partition_columns, store: self.settings(sources)?, ..web })
    }

    fn settings(&self, sources: &[String]) -> Result<StoreSettings, String> {
        if self.sigv4.is_some() && sources.iter().any(|word| is_object(word)) {
            return Err("--sigv4 is about HTTP sources: objects of a store are signed anyway".to_owned());
        }
        let is_set = [
            (self.endpoint.is_some(), "--endpoint"),
            (self.aws_profile.is_some() && self.sigv4.is_none(), "--aws-profile"),
            (self.no_sign_request, "--no-sign-request"),
            (self.request_payer, "--request-payer"),
        ];
        let set = is_set.into_iter().find_map(|(set, flag)| set.then_some(flag));
        if let Some(flag) = set.filter(|_| !sources.iter().any(|word| is_object(word))) {
            return Err(format!("{flag} is about objects of a store, and there is none"));
        }
        let schemes =
            || sources.iter().filter(|word| is_object(word)).filter_map(|word| word.split_once("://"));
        let is_s3 = |scheme: &str| scheme.eq_ignore_ascii_case("s3");
        if self.aws_profile.is_some() && self.sigv4.is_none() && !schemes().any(|(scheme, _)| is_s3(scheme)) {
            return Err("--aws-profile is about s3://, and there is none".to_owned());
        }
        let mut stores: Vec<String> = schemes().map(|(scheme, _)| store_of(scheme)).collect();
        stores.dedup();
        if self.endpoint.is_some() && stores.len() > 1 {
            return Err("--endpoint is one server, and the sources are in several kinds of store".to_owned());
        }
        Ok(StoreSettings {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            profile: self.aws_profile.clone(),
            anonymous: self.no_sign_request,
            request_payer: self.request_payer,
            signed: self.sigv4.clone(),
            variables: Variables::read(|name| std::env::var(name).ok()),
        })
    }
}

fn signed(text: &str) -> Result<SignedService, String> {
    text.parse()
}

/// Schemes of one store are one.
fn store_of(scheme: &str) -> String {
    let scheme = scheme.to_ascii_lowercase();
    if scheme.starts_with("abfs") { "az".to_owned() } else { scheme }
}

fn is_object(word: &str) -> bool {
    matches!(Word::parse(word), Ok(Word::Object(_)))
}
