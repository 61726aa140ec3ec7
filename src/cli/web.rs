//! The flags about sources from the network, and how they become settings. What may hold a secret is read
//! here and not by the parser of the command line, which would quote it in its errors.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dbload::internals::format::HeaderRule;
use dbload::internals::http::{
    Auth, ClientIdentity, CustomHeader, FetchLimits, Paginate, Parameter, Poll, PostBody, ProxyVariables,
    QueryLists, Rate, RetryLimits, Settings, ThrottleSign, Timeouts, Value,
};
use dbload::internals::input::Word;
use dbload::internals::job::{EachList, EachQuery, HttpSources, RowSource};
use dbload::internals::pg::ConnInfo;

use super::parse;

/// The word of `--header` that is about the header of CSV.
const FIX_HEADER: &str = "fix";

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP sources")]
pub(crate) struct WebArgs {
    /// A list of sources: a URL a line, or a JSON object with url and fields to add to each of its records
    #[arg(long, value_name = "FILE", env = "DBLOAD_URLS", value_delimiter = ',')]
    pub(crate) urls: Vec<PathBuf>,
    /// Rows (CSV or JSON, a file or a URL) whose columns fill in {names} of URLs: each row is a source
    #[arg(long, value_name = "LIST", env = "DBLOAD_EACH", group = "rows")]
    each: Option<String>,
    /// How the pages of --each lead to each other, as with --paginate
    #[arg(long, value_name = "HOW", env = "DBLOAD_EACH_PAGINATE", value_parser = paginate, requires = "each")]
    each_paginate: Option<Paginate>,
    /// Where the rows of --each are in a JSON text, as with --records
    #[arg(long, value_name = "PATH", env = "DBLOAD_EACH_RECORDS", requires = "each")]
    each_records: Option<String>,
    /// The same rows by a question to the database: SELECT id FROM shops
    #[arg(long, value_name = "SQL", env = "DBLOAD_EACH_QUERY", group = "rows")]
    each_query: Option<String>,
    /// The database for --each-query, if it is not that of --dsn
    #[arg(
        long,
        value_name = "DSN",
        env = "DBLOAD_EACH_DSN",
        hide_env_values = true,
        requires = "each_query"
    )]
    each_dsn: Option<String>,
    /// Columns of those rows that each record of the row's answer gets
    #[arg(long, value_name = "A,B", env = "DBLOAD_EACH_FIELDS", value_delimiter = ',', requires = "rows")]
    each_fields: Vec<String>,
    /// Lists {a,b} in the query of a URL stand for several URLs, as in its path; otherwise they are sent
    #[arg(long, env = "DBLOAD_EXPAND_QUERY", value_parser = parse::switch("DBLOAD_EXPAND_QUERY"))]
    expand_query: bool,
    /// How pages lead to each other: auto (as the first page says), a preset by its name (github, stripe,
    /// graphql:/data/orders, ..: docs/http.md), link, next:/POINTER, cursor:/POINTER=PARAM,
    /// page:PARAM[=START] or offset:PARAM[=START],LIMIT_PARAM=N; behind it ;total=/POINTER ;pages=/POINTER
    /// ;more=/POINTER ;last=/POINTER ;size=N ;end=empty ;then=URL ;stateful. A pointer may be header:NAME or
    /// record:/POINTER (of the last record)
    #[arg(long, value_name = "HOW", env = "DBLOAD_PAGINATE", value_parser = paginate)]
    paginate: Option<Paginate>,
    /// Follow links to later pages on the scheme and host of the first one, whatever they name: for servers
    /// behind a proxy that do not know their own address
    #[arg(long, env = "DBLOAD_SAME_ORIGIN", value_parser = parse::switch("DBLOAD_SAME_ORIGIN"))]
    same_origin: bool,
    /// Where an answer of status 200 says that requests come too fast: /POINTER, or /POINTER=TEXT. It is then
    /// tried again, and slower
    #[arg(long, value_name = "SIGN", env = "DBLOAD_THROTTLED_AT", value_delimiter = '\n', value_parser = throttle_sign)]
    throttled_at: Vec<ThrottleSign>,
    /// An answer that says that there is more than it has fails its source (exit code 4), where pages are not
    /// followed or a first page does not lead on; otherwise that is a note
    #[arg(long, env = "DBLOAD_STRICT_PAGES", value_parser = parse::switch("DBLOAD_STRICT_PAGES"))]
    strict_pages: bool,
    /// An answer of lines or CSV that ends with its connection, without a length and not in chunks, is taken
    /// for whole: nothing tells it from one that broke off
    #[arg(long, env = "DBLOAD_ACCEPT_UNPROVEN_END", value_parser = parse::switch("DBLOAD_ACCEPT_UNPROVEN_END"))]
    accept_unproven_end: bool,
    /// Most pages of one URL; to reach it is a failure, since a cursor without end looks the same
    #[arg(long, value_name = "N", env = "DBLOAD_MAX_PAGES", value_parser = clap::value_parser!(u64).range(1..))]
    max_pages: Option<u64>,
    /// Largest page (by default 16 MiB): a page is whole in memory
    #[arg(long, value_name = "SIZE", env = "DBLOAD_MAX_PAGE_BYTES", value_parser = parse::bytes)]
    max_page_bytes: Option<u64>,
    /// A body: requests are POST with it. JSON, or any text (its type by --header 'Content-Type: ..'), or
    /// file:PATH or env:NAME, where it is; texts in JSON may be env:NAME or file:PATH, which are never stored
    /// or shown
    #[arg(long, value_name = "BODY", env = "DBLOAD_BODY", hide_env_values = true, group = "posted")]
    body: Option<String>,
    /// A field of a form that is sent by POST, one for each flag; the value may be env:NAME or file:PATH
    #[arg(
        long,
        value_name = "NAME=VALUE",
        env = "DBLOAD_FORM",
        hide_env_values = true,
        value_delimiter = '\n',
        conflicts_with = "body"
    )]
    form: Vec<String>,
    /// Wait for an export: 202 asks until the answer is there; status=/POINTER until a word there says so;
    /// behind it ;done=WORD ;failed=WORD ;at=PLACE (whom to ask) ;result=PLACE (what to fetch) ;every=2s
    /// ;within=1h. A place is /POINTER, header:NAME or a URL such as /jobs/{/id}
    #[arg(long, value_name = "RULES", env = "DBLOAD_POLL", value_parser = poll)]
    poll: Option<Poll>,
    /// Where --body holds a secret as it is: never stored or shown either
    #[arg(
        long,
        value_name = "POINTER",
        env = "DBLOAD_SECRET_BODY",
        value_delimiter = ',',
        requires = "body"
    )]
    secret_body: Vec<String>,
    /// Requests in flight (by default 16); answers wait in bounded memory for their turn
    #[arg(long, value_name = "N", env = "DBLOAD_CONCURRENCY", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// Most requests in a time, for each server: 10/s, 600/m, 5/10s
    #[arg(long, value_name = "N/TIME", env = "DBLOAD_RATE", value_parser = rate)]
    rate: Option<Rate>,
    /// What of bodies may wait in temporary files until their turn, so that slow ones come side by side (by
    /// default 1GiB; 0: nothing)
    #[arg(long, value_name = "SIZE", env = "DBLOAD_MAX_SPOOL", value_parser = parse::bytes_or_none)]
    max_spool: Option<u64>,
    /// 'Name: value', sent to the named servers alone; the value may be or end in env:NAME or file:PATH. Or
    /// the word fix, about the header of CSV: gaps and doubles are numbered, names over 63 bytes cut, and it
    /// is said
    #[arg(
        long,
        value_name = "HEADER",
        env = "DBLOAD_HEADER",
        hide_env_values = true,
        value_delimiter = '\n'
    )]
    header: Vec<String>,
    /// NAME=VALUE in the query, never stored or shown; the value may be env:NAME or file:PATH
    #[arg(
        long,
        value_name = "PARAM",
        env = "DBLOAD_SECRET_PARAM",
        hide_env_values = true,
        value_delimiter = '\n'
    )]
    secret_param: Vec<String>,
    /// NAME:PASSWORD of basic authentication; the password may be env:NAME or file:PATH
    #[arg(long, value_name = "USER", env = "DBLOAD_USER", hide_env_values = true, group = "auth")]
    user: Option<String>,
    /// A file with a bearer token; it is read again when the server answers 401
    #[arg(long, value_name = "FILE", env = "DBLOAD_BEARER_FILE", group = "auth")]
    bearer_file: Option<PathBuf>,
    /// A command that prints a bearer token; it is run again when the server answers 401
    #[arg(
        long,
        value_name = "COMMAND",
        env = "DBLOAD_BEARER_COMMAND",
        group = "auth",
        hide_env_values = true
    )]
    bearer_command: Option<String>,
    /// Where OAuth 2 tokens are issued for --client-id and --client-secret (client credentials), or for
    /// --refresh-token
    #[arg(long, value_name = "URL", env = "DBLOAD_TOKEN_URL", group = "auth", requires = "client_id")]
    token_url: Option<String>,
    /// A refresh token for --token-url, as file:PATH or env:NAME; in a file it is replaced by a newer one
    /// that the server gives
    #[arg(
        long,
        value_name = "TOKEN",
        env = "DBLOAD_REFRESH_TOKEN",
        hide_env_values = true,
        requires = "token_url"
    )]
    refresh_token: Option<String>,
    /// Name of this client at --token-url; may be env:NAME or file:PATH
    #[arg(long, value_name = "ID", env = "DBLOAD_CLIENT_ID", requires = "token_url")]
    client_id: Option<String>,
    /// Its secret; should be env:NAME or file:PATH
    #[arg(
        long,
        value_name = "SECRET",
        env = "DBLOAD_CLIENT_SECRET",
        hide_env_values = true,
        requires = "token_url"
    )]
    client_secret: Option<String>,
    /// What is asked for at --token-url
    #[arg(long, value_name = "SCOPE", env = "DBLOAD_SCOPE", requires = "token_url")]
    scope: Option<String>,
    /// Certificate authorities in PEM to trust beside the system's
    #[arg(long, value_name = "FILE", env = "DBLOAD_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// A certificate of this client in PEM, for servers that ask who is there; shown to the named ones alone
    #[arg(long, value_name = "FILE", env = "DBLOAD_CLIENT_CERT")]
    client_cert: Option<PathBuf>,
    /// Its key in PEM, if that is in another file
    #[arg(long, value_name = "FILE", env = "DBLOAD_CLIENT_KEY", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// A proxy for all requests but those to NO_PROXY, as a URL or env:NAME or file:PATH (by default as the
    /// environment says: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY). Credentials to http:// go through one only if
    /// it is named here, since it can read them
    #[arg(long, value_name = "URL", env = "DBLOAD_PROXY", hide_env_values = true)]
    proxy: Option<String>,
    /// Keep each answer as it came: in a folder, or in one FILE.jsonl.zst
    #[arg(long, value_name = "PATH", env = "DBLOAD_SAVE_RAW")]
    save_raw: Option<PathBuf>,
    /// Longest time to connect, TLS included
    #[arg(long, value_name = "DURATION", env = "DBLOAD_HTTP_CONNECT_TIMEOUT", value_parser = humantime::parse_duration)]
    http_connect_timeout: Option<Duration>,
    /// Longest wait for the first byte of an answer
    #[arg(long, value_name = "DURATION", env = "DBLOAD_HTTP_FIRST_BYTE_TIMEOUT", value_parser = humantime::parse_duration)]
    http_first_byte_timeout: Option<Duration>,
    /// Longest silence in an answer; a server that sends next to nothing counts as silent
    #[arg(long, value_name = "DURATION", env = "DBLOAD_HTTP_IDLE_TIMEOUT", value_parser = humantime::parse_duration)]
    http_idle_timeout: Option<Duration>,
    /// Longest time that one answer may take (by default as long as it makes progress)
    #[arg(long, value_name = "DURATION", env = "DBLOAD_HTTP_TIMEOUT", value_parser = humantime::parse_duration)]
    http_timeout: Option<Duration>,
    /// Tries of a request that the server answers with 408, 425 or 5xx (by default 8)
    #[arg(long, value_name = "N", env = "DBLOAD_HTTP_TRIES", value_parser = clap::value_parser!(u32).range(1..))]
    http_tries: Option<u32>,
    /// How long a request may fail, or wait to be let in, before its source is given up (by default 5m)
    #[arg(long, value_name = "DURATION", env = "DBLOAD_HTTP_RETRY_FOR", value_parser = humantime::parse_duration)]
    http_retry_for: Option<Duration>,
}

fn paginate(text: &str) -> Result<Paginate, String> {
    text.parse()
}

fn poll(text: &str) -> Result<Poll, String> {
    text.parse()
}

fn throttle_sign(text: &str) -> Result<ThrottleSign, String> {
    text.parse()
}

fn rate(text: &str) -> Result<Rate, String> {
    text.parse()
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A value of this flag; its text is in no error.
fn value(flag: &str, text: &str) -> Result<Value, String> {
    Value::parse(text, env).map_err(|error| format!("{flag}: {error}"))
}

impl WebArgs {
    /// Texts that are sent with each request.
    pub(crate) fn sent_texts(&mut self) -> impl Iterator<Item = &mut String> {
        self.header.iter_mut().chain(&mut self.body)
    }

    /// Whether a flag is set that says nothing without a source from the network.
    fn speaks_of_http(&self) -> Option<&'static str> {
        [
            (self.each.is_some(), "--each"),
            (self.each_query.is_some(), "--each-query"),
            (!self.form.is_empty(), "--form"),
            (self.poll.is_some(), "--poll"),
            (self.paginate.is_some(), "--paginate"),
            (self.body.is_some(), "--body"),
            (self.save_raw.is_some(), "--save-raw"),
        ]
        .into_iter()
        .find_map(|(set, flag)| set.then_some(flag))
    }

    /// What becomes of a header of CSV. A header of requests has a colon.
    pub(crate) fn header_rule(&self) -> HeaderRule {
        match self.header.iter().any(|text| text == FIX_HEADER) {
            true => HeaderRule::Fix,
            false => HeaderRule::Strict,
        }
    }

    /// What the flags say. `sources`: the words.
    pub(crate) fn web(&self, sources: &[String]) -> Result<HttpSources, String> {
        if self.urls.is_empty()
            && !sources.iter().any(|word| is_url(word))
            && let Some(flag) = self.speaks_of_http()
        {
            return Err(format!("{flag} is about HTTP sources, and there is none"));
        }
        Ok(HttpSources {
            http: self.settings()?,
            paginate: self
                .paginate
                .clone()
                .map(|paginate| Paginate { same_origin: self.same_origin, ..paginate }),
            urls: self.urls.clone(),
            each: self.rows()?,
            each_fields: self.each_fields.clone(),
            body: self.post_body()?,
            partition_columns: false,
            store: dbload::internals::store::StoreSettings::default(),
        })
    }

    /// The body; its text is in no error.
    fn post_body(&self) -> Result<Option<PostBody>, String> {
        if !self.form.is_empty() {
            return PostBody::form(&self.form, env).map(Some).map_err(|error| format!("--form {error}"));
        }
        let headers = self.header.iter().filter_map(|text| text.split_once(':'));
        let content_type = headers.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map(|(_, value)| value.trim()).next_back();
        let body = self.body.as_deref();
        let body = body.map(|body| PostBody::parse(body, content_type, &self.secret_body, env));
        body.transpose().map_err(|error| format!("--body {error}"))
    }

    fn rows(&self) -> Result<Option<RowSource>, String> {
        if let Some(sql) = &self.each_query {
            let dsn = self.each_dsn.as_deref().map(ConnInfo::parse).transpose();
            let dsn = dsn.map_err(|error| format!("--each-dsn: {error}"))?;
            return Ok(Some(RowSource::Query(EachQuery { sql: sql.clone(), dsn })));
        }
        Ok(self.each.clone().map(|word| {
            let paginate = self.each_paginate.clone();
            let records = self.each_records.clone();
            let records = records.or_else(|| paginate.as_ref().and_then(|paginate| paginate.records.clone()));
            RowSource::List(EachList { word, paginate, records })
        }))
    }

    fn settings(&self) -> Result<Settings, String> {
        let header =
            |text: &String| CustomHeader::parse(text, env).map_err(|error| format!("--header: {error}"));
        let parameter = |text: &String| {
            let (name, text) = text.split_once('=').ok_or("--secret-param: write it as NAME=VALUE")?;
            Ok::<_, String>(Parameter { name: name.to_owned(), value: value("--secret-param", text)? })
        };
        let defaults = Settings::default();
        let (times, retry_limits, limits) =
            (Timeouts::default(), RetryLimits::default(), FetchLimits::default());
        Ok(Settings {
            headers: self
                .header
                .iter()
                .filter(|text| *text != FIX_HEADER)
                .map(header)
                .collect::<Result<_, _>>()?,
            parameters: self.secret_param.iter().map(parameter).collect::<Result<_, _>>()?,
            auth: self.auth()?,
            concurrency: self.concurrency.map_or(defaults.concurrency, usize::from),
            rate: self.rate,
            timeouts: Timeouts {
                connect: self.http_connect_timeout.unwrap_or(times.connect),
                first_byte: self.http_first_byte_timeout.unwrap_or(times.first_byte),
                idle: self.http_idle_timeout.unwrap_or(times.idle),
                whole: self.http_timeout.or(times.whole),
            },
            retry_limits: RetryLimits {
                retry_for: self.http_retry_for.unwrap_or(retry_limits.retry_for),
                tries: self.http_tries.unwrap_or(retry_limits.tries),
                counts_unavailable: self.http_tries.is_some(),
                // As long as a server may fail, it may ask to be left alone.
                longest_wait: self.http_retry_for.unwrap_or(retry_limits.longest_wait),
            },
            limits: FetchLimits {
                page_bytes: self.max_page_bytes.unwrap_or(limits.page_bytes),
                pages: self.max_pages.unwrap_or(limits.pages),
                spool_bytes: self.max_spool.unwrap_or(limits.spool_bytes),
            },
            ca_file: self.ca_file.clone(),
            client_certificate: self.client_cert.clone().map(|chain| {
                let key = self.client_key.clone().unwrap_or_else(|| chain.clone());
                ClientIdentity { chain, key }
            }),
            poll: self.poll.clone(),
            query_lists: if self.expand_query { QueryLists::Expanded } else { QueryLists::Kept },
            proxy: self.proxy.as_deref().map(|text| value("--proxy", text)).transpose()?,
            proxy_variables: ProxyVariables::read(env),
            save_raw: self.save_raw.clone(),
            strict_pages: self.strict_pages,
            accepts_unproven_end: self.accept_unproven_end,
            throttle_signs: self.throttled_at.clone(),
            ..defaults
        })
    }

    fn auth(&self) -> Result<Auth, String> {
        if let Some(text) = &self.user {
            let (user, password) = text.split_once(':').ok_or("--user: write it as NAME:PASSWORD")?;
            return Ok(Auth::Basic { user: Value::text(user), password: value("--user", password)? });
        }
        if let Some(path) = &self.bearer_file {
            return Ok(Auth::BearerFile(path.clone()));
        }
        if let Some(command) = &self.bearer_command {
            return Ok(Auth::BearerCommand(command.clone()));
        }
        let (Some(token_url), Some(id)) = (&self.token_url, &self.client_id) else { return Ok(Auth::None) };
        let token_url = token_url.parse().map_err(|error| format!("--token-url: {error}"))?;
        let client_id = value("--client-id", id)?;
        let secret = self.client_secret.as_deref().map(|text| value("--client-secret", text)).transpose()?;
        let scope = self.scope.clone();
        match (&self.refresh_token, secret) {
            (Some(token), client_secret) => {
                let refresh_token = value("--refresh-token", token)?;
                Ok(Auth::RefreshToken { token_url, client_id, client_secret, refresh_token, scope })
            }
            (None, Some(client_secret)) => {
                Ok(Auth::ClientCredentials { token_url, client_id, client_secret, scope })
            }
            (None, None) => Err("--token-url wants --client-secret, or --refresh-token".to_owned()),
        }
    }
}

/// Whether a source is fetched from a server.
pub(crate) fn is_url(word: &str) -> bool {
    matches!(Word::parse(word), Ok(Word::Url(_)))
}
