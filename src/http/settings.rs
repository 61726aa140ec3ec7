//! How to speak to servers: inert. What the flags say, before anything is read or sent.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::answer_store::SharedAnswers;
use super::poll_rules::Poll;
use super::proxy_variables::ProxyVariables;
use super::query_lists::QueryLists;
use super::sign::RequestSigner;
use super::throttle_sign::ThrottleSign;
use super::value::Value;

/// Requests in flight, unless said otherwise: enough to hide latency, few enough for a small server.
pub const CONCURRENCY: usize = 16;

/// A header that is sent to the named origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomHeader {
    /// Name that it is sent under.
    pub name: String,
    /// Value that is sent, or where it comes from.
    pub value: Value,
}

impl CustomHeader {
    /// Reads `Name: value`.
    ///
    /// # Errors
    /// In words, without the value.
    pub fn parse(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
        let name = name.trim();
        http::HeaderName::from_str(name).map_err(|_| format!("{name:?} is no name of a header"))?;
        let value = Value::parse(value.trim(), env).map_err(|error| error.to_string())?;
        Ok(Self { name: name.to_owned(), value })
    }
}

/// A query parameter that is sent to the named origins, and never stored or shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name that it is sent under.
    pub name: String,
    /// Value that is sent, or where it comes from.
    pub value: Value,
}

/// How requests authenticate: by a user, a token or a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nobody, or what the headers say.
    #[default]
    None,
    /// A user and a password.
    Basic {
        /// The user who is named to the server.
        user: Value,
        /// The password that belongs to that user.
        password: Value,
    },
    /// A token from a file, read again on a 401.
    BearerFile(PathBuf),
    /// A token from a command's output (run by `sh -c`), run again on a 401.
    BearerCommand(String),
    /// OAuth 2 client credentials.
    ClientCredentials {
        /// Where tokens are issued.
        token_url: Url,
        /// The id that the client is registered with.
        client_id: Value,
        /// The secret that belongs to that client.
        client_secret: Value,
        /// What is asked for.
        scope: Option<String>,
    },
    /// OAuth 2 tokens for a refresh token.
    RefreshToken {
        /// Where tokens are issued.
        token_url: Url,
        /// The id that the client is registered with.
        client_id: Value,
        /// The secret that belongs to that client, if it has one.
        client_secret: Option<Value>,
        /// What a token is asked for with. In a file it is renewed there, where the server gives another.
        refresh_token: Value,
        /// What is asked for.
        scope: Option<String>,
    },
}

/// A certificate of the client, for servers that want one: files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those that lead to its authority.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// So many requests in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of requests that may be sent.
    pub requests: NonZeroU32,
    /// The time in which so many may be sent.
    pub per: Duration,
}

impl FromStr for Rate {
    type Err = String;

    /// `10/s`, `600/m`, `1000/h`, `5/10s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no rate; write 10/s, 600/m, 1000/h or 5/10s");
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let requests = count.trim().parse().map_err(|_| wrong())?;
        let per = per.trim();
        let per =
            if per.starts_with(|c: char| c.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
        let per = humantime::parse_duration(&per).map_err(|_| wrong())?;
        if per.is_zero() {
            return Err(wrong());
        }
        Ok(Self { requests, per })
    }
}

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between bytes of a body; within this time at least [`SLOWEST_BYTES_PER_SECOND`] must come on average.
    /// Only waiting for the server counts.
    pub idle: Duration,
    /// For one whole answer, where only waiting for the server counts.
    pub whole: Option<Duration>,
}

/// Below this many bytes a second over the idle timeout, a body has stopped: one byte a second would keep a
/// connection for ever.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 100;

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            whole: None,
        }
    }
}

/// How much trouble is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLimits {
    /// How long a request, and an origin without any success, may fail before it is given up.
    pub retry_for: Duration,
    /// Tries of a request that is answered by a failure of the server (408, 425, 5xx).
    pub tries: u32,
    /// That holds for 503 too. Without, these are tried as long as a request may fail: some servers refuse by
    /// them who is too fast.
    pub counts_unavailable: bool,
    /// The longest Retry-After that is waited for.
    pub longest_wait: Duration,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self {
            retry_for: Duration::from_secs(300),
            // With back-off about 13 s: longer than a server's hiccup, short beside a load.
            tries: 8,
            counts_unavailable: false,
            longest_wait: Duration::from_secs(300),
        }
    }
}

/// Bounds on what is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Bytes of one page, decompressed: pages are whole in memory.
    pub page_bytes: u64,
    /// Pages of one endpoint: reaching it is a failure.
    pub pages: u64,
    /// Bytes of bodies that are kept in temporary files until their turn, all together.
    pub spool_bytes: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { page_bytes: 16 << 20, pages: 100_000, spool_bytes: 1 << 30 }
    }
}

/// How to speak to servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who signs requests to the named origins, if somebody does.
    pub signing: RequestSigner,
    /// Headers for the named origins.
    pub headers: Vec<CustomHeader>,
    /// Secret query parameters for the named origins.
    pub parameters: Vec<Parameter>,
    /// How requests authenticate.
    pub auth: Auth,
    /// Requests in flight, over all origins.
    pub concurrency: usize,
    /// Requests in a time, for each origin.
    pub rate: Option<Rate>,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// How much trouble is borne.
    pub retry_limits: RetryLimits,
    /// Bounds on what is fetched.
    pub limits: FetchLimits,
    /// Authorities to trust beside the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Who we are, for the named origins that ask for a certificate.
    pub client_certificate: Option<ClientIdentity>,
    /// A proxy for all requests but those to `NO_PROXY`; else as the variables say.
    pub proxy: Option<Value>,
    /// What the environment says of proxies; by default nothing.
    pub proxy_variables: ProxyVariables,
    /// The value of the `User-Agent` header.
    pub user_agent: String,
    /// Keep what was fetched: a folder, or a file that ends in `.jsonl.zst`.
    pub save_raw: Option<PathBuf>,
    /// Answers that other loads read too, which are fetched once.
    pub shared_answers: Option<SharedAnswers>,
    /// What says in an answer of status 200 that requests come too fast.
    pub throttle_signs: Vec<ThrottleSign>,
    /// How an export is waited for; otherwise each answer is what was asked for.
    pub poll: Option<Poll>,
    /// What lists of words are in queries.
    pub query_lists: QueryLists,
    /// An answer that says that there is more than it has is an error, where nobody has said how the rest is
    /// fetched; otherwise a note.
    pub strict_pages: bool,
    /// A body of lines or CSV that ends with its connection, and shows in no other way that it is whole, is
    /// taken for whole.
    pub accepts_unproven_end: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            signing: RequestSigner::default(),
            headers: Vec::new(),
            parameters: Vec::new(),
            auth: Auth::None,
            concurrency: CONCURRENCY,
            rate: None,
            timeouts: Timeouts::default(),
            retry_limits: RetryLimits::default(),
            limits: FetchLimits::default(),
            ca_file: None,
            client_certificate: None,
            proxy: None,
            proxy_variables: ProxyVariables::default(),
            user_agent: concat!("dbload/", env!("CARGO_PKG_VERSION")).to_owned(),
            save_raw: None,
            shared_answers: None,
            throttle_signs: Vec::new(),
            poll: None,
            query_lists: QueryLists::default(),
            strict_pages: false,
            accepts_unproven_end: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let rate = |text: &str| text.parse::<Rate>().map(|rate| (rate.requests.get(), rate.per.as_millis()));
        assert_eq!(rate("10/s"), Ok((10, 1_000)));
        assert_eq!(rate("600/m"), Ok((600, 60_000)));
        assert_eq!(rate("5/10s"), Ok((5, 10_000)));
        assert_eq!(rate("1000/h"), Ok((1_000, 3_600_000)));
        for wrong in ["10", "0/s", "-1/s", "x/s", "10/", "10/0s", "10/fortnight"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_are_read_and_never_show_their_values() {
        let header = CustomHeader::parse("X-Api-Key: env:KEY", |_| Some("CANARY".to_owned())).unwrap();
        assert_eq!((header.name.as_str(), header.value.resolve().unwrap().reveal()), ("X-Api-Key", "CANARY"));
        assert!(!format!("{header:?}").contains("CANARY"));
        for wrong in ["X-Api-Key CANARY", "X Api: CANARY", ": CANARY"] {
            let error = CustomHeader::parse(wrong, |_| None).unwrap_err();
            assert!(!error.contains("CANARY"), "{error}");
        }
    }
}
