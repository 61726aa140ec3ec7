//! What can go wrong between a URL and its bytes, in the user's terms. URLs are shown without secrets; what a
//! server said is quoted briefly, with known secrets struck out.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::value::SecretValueError;

/// Why a request, a body or a page failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not a URL that can be fetched.
    #[error("cannot read {word} as a URL: {reason}")]
    BadUrl {
        /// As it was written, without secrets.
        word: String,
        /// Why it was not possible, in words.
        reason: String,
    },
    /// A header, a parameter or a flag of this room cannot be used.
    #[error("cannot use {what}: {reason}")]
    BadSetting {
        /// What it is for.
        what: String,
        /// Why it was not possible, in words.
        reason: String,
    },
    /// A secret cannot be had.
    #[error(transparent)]
    Value(#[from] SecretValueError),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {reason}")]
    Tls {
        /// Why it was not possible, in words.
        reason: String,
    },
    /// The server does not prove to be who it should be: nothing was sent to it.
    #[error("cannot trust {origin}: {reason}")]
    Untrusted {
        /// Scheme, host and port.
        origin: String,
        /// What is wrong with its certificate, in words.
        reason: String,
        /// Whose fault it is.
        fault: TlsFault,
    },
    /// The server does not take our word for who we are: it wants a certificate, or another one.
    #[error("{origin} refuses the connection: {reason}")]
    Stranger {
        /// Scheme, host and port.
        origin: String,
        /// What it wants, in words.
        reason: String,
    },
    /// An export that was waited for.
    #[error("the export of {url} {reason}")]
    Job {
        /// The request that was answered last, without secrets.
        url: String,
        /// What is wrong with it, in words.
        reason: String,
    },
    /// A request that cannot be signed: nothing was sent.
    #[error("cannot sign a request for {url}: {reason}")]
    Unsigned {
        /// URL of the request, without secrets.
        url: String,
        /// Why, in words without secrets.
        reason: String,
    },
    /// A page that is not there, behind pages that are counted: perhaps the end, perhaps not.
    #[error("{last}")]
    NoSuchPage {
        /// What the server answered, which names the request.
        last: Box<HttpError>,
    },
    /// A bearer token cannot be had.
    #[error("cannot get a token from {from}: {reason}")]
    Token {
        /// A command, a file, a URL.
        from: String,
        /// Why it was not possible, in words.
        reason: String,
    },
    /// The server was not reached, or the connection broke before the answer.
    #[error("cannot fetch {url}: {reason}")]
    Connection {
        /// URL of the request, without secrets.
        url: String,
        /// Why: the cause behind all causes, in its own words.
        reason: String,
    },
    /// Credentials would be readable on their way.
    #[error("cannot fetch {url}: its credentials would go through the proxy {proxy} in the open")]
    OpenProxy {
        /// URL of the request, without secrets.
        url: String,
        /// The proxy, without its own credentials.
        proxy: String,
    },
    /// The server was slower than the limit.
    #[error("{url} was too slow: no {what} within {}", humantime::format_duration(*after))]
    Timeout {
        /// URL of the request, without secrets.
        url: String,
        /// What did not come.
        what: &'static str,
        /// The time limit that was passed.
        after: Duration,
    },
    /// An answer that HTTP does not allow, or with more headers than the limit.
    #[error("{url} did not answer in HTTP: {reason}")]
    NotHttp {
        /// URL of the request, without secrets.
        url: String,
        /// The error, in words for people.
        reason: String,
    },
    /// The server refused the request by its status.
    #[error("{url} answered {status}{}", quoted(said))]
    Status {
        /// URL of the request, without secrets.
        url: String,
        /// Its status, with the words that belong to it.
        status: http::StatusCode,
        /// The beginning of what it said.
        said: String,
    },
    /// Tried again and again.
    #[error("{last} (given up after {tries} tries in {})", humantime::format_duration(*within))]
    GaveUp {
        /// How often it was tried.
        tries: u32,
        /// The time that the tries took.
        within: Duration,
        /// The last failure, which names the request.
        last: Box<HttpError>,
    },
    /// The server asked for a pause that is longer than patience.
    #[error("{url} answered {status} and asks to wait {}, longer than {}", humantime::format_duration(*asked), humantime::format_duration(*limit))]
    LongWait {
        /// URL of the request, without secrets.
        url: String,
        /// The status of the response.
        status: http::StatusCode,
        /// The pause that the server asked for.
        asked: Duration,
        /// The limit that was passed.
        limit: Duration,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects {reason}")]
    Redirect {
        /// URL of the request, without secrets.
        url: String,
        /// To where and why not.
        reason: String,
    },
    /// Not data: a login page, nothing at all, a picture.
    #[error("{url} is not what was asked for: {reason}")]
    Unexpected {
        /// URL of the request, without secrets.
        url: String,
        /// What the body is instead.
        reason: String,
    },
    /// Nothing, and said to be nothing.
    #[error("{url} is not what was asked for: it is empty ({status})")]
    NoContent {
        /// URL of the request, without secrets.
        url: String,
        /// The status that says so: 204 or 205.
        status: http::StatusCode,
    },
    /// The body ended before its end.
    #[error("{url} broke off behind byte {at}: {how}")]
    Cut {
        /// URL of the request, without secrets.
        url: String,
        /// Bytes that came before the end.
        at: u64,
        /// In which way the body broke off.
        how: Truncation,
    },
    /// Another version than the one that was begun.
    #[error("{url} was changed while it was read: {how}")]
    Changed {
        /// URL of the request, without secrets.
        url: String,
        /// How that was seen.
        how: String,
    },
    /// More bytes than the limit.
    #[error("{url} is longer than {limit} bytes")]
    TooLarge {
        /// URL of the request, without secrets.
        url: String,
        /// The limit that was passed.
        limit: u64,
    },
    /// Pages that do not come to an end as they should.
    #[error("the pages of {url} {reason}")]
    Pages {
        /// The page where it was noticed.
        url: String,
        /// What was noticed about the pages.
        reason: String,
        /// What may be done about it.
        hint: Option<Cow<'static, str>>,
    },
    /// What was fetched for several loads cannot be read.
    #[error("cannot read what was fetched into {}", path.display())]
    Shared {
        /// The file that the error is about.
        path: PathBuf,
        /// The error that lies behind it.
        source: io::Error,
    },
    /// The landing copy cannot be written.
    #[error("cannot save a copy to {}", path.display())]
    Landing {
        /// The file that the error is about.
        path: PathBuf,
        /// The error that lies behind it.
        source: io::Error,
    },
}

/// Why a server is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// Its certificate is signed by nobody that is known here.
    Issuer,
    /// Its certificate is for other names.
    Name,
    /// Its certificate is not valid at this time.
    Time,
    /// It does not speak TLS, or not as we do.
    Protocol,
}

/// In which way a body broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Truncation {
    /// The connection broke: length or chunks say that more was to come.
    #[error("the connection broke, and {0}")]
    Broken(String),
    /// It ended as it began, with the connection: that cannot be told from a broken one.
    #[error(
        "the server says neither how long it is nor sends it in chunks, so its end cannot be told from a broken connection"
    )]
    Unproven,
}

impl HttpError {
    /// Whether fetching the source again from its start may help: nothing is wrong but this transfer.
    #[must_use]
    pub const fn is_restartable(&self) -> bool {
        matches!(
            self,
            Self::Cut { how: Truncation::Broken(_), .. } | Self::Timeout { .. } | Self::Connection { .. }
        )
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let words = match self {
            Self::Status { status, .. } => match status.as_u16() {
                401 | 403 => {
                    "say who you are: --header 'Authorization: Bearer env:TOKEN', --user, --bearer-file, --bearer-command"
                }
                202 => "it prepares the answer: --poll 202 asks for it until it is there",
                404 | 410 => return None,
                _ => return None,
            },
            Self::LongWait { .. } => {
                "the same command goes on there later; --http-retry-for allows longer waits, --rate makes fewer requests"
            }
            Self::GaveUp { last, .. } => {
                return last.hint().or_else(|| Some("the same command fetches it again".to_owned()));
            }
            Self::Connection { .. } | Self::Timeout { .. } | Self::Cut { how: Truncation::Broken(_), .. } => {
                "the same command goes on where the last batch was committed"
            }
            Self::Cut { how: Truncation::Unproven, .. } => {
                "fetch it over https or HTTP/1.1, or to a file first: curl -fO URL; --accept-unproven-end takes it for whole"
            }
            Self::Changed { .. } => {
                "begin anew with --restart (what an append has inserted is deleted first)"
            }
            Self::Unexpected { .. } | Self::NoContent { .. } => {
                "look at it: curl -i URL; a login page means that credentials are missing (--header)"
            }
            Self::TooLarge { .. } => "ask for smaller pages, or allow larger ones with --max-page-bytes",
            Self::Redirect { .. } => "name the URL that it redirects to as the source, if you trust it",
            Self::OpenProxy { .. } => {
                "leave the host out with NO_PROXY, or say --proxy URL if the proxy may see them"
            }
            Self::Stranger { .. } => {
                "a certificate that it knows is given with --client-cert FILE, its key with --client-key FILE"
            }
            Self::Tls { .. } => "--ca-file takes certificates in PEM",
            Self::Untrusted { fault, .. } => match fault {
                TlsFault::Issuer => "an authority of your own is given with --ca-file FILE",
                TlsFault::Name => "ask for it by one of those names",
                TlsFault::Time => "its operator has to renew it; or is the clock of this machine wrong?",
                TlsFault::Protocol => "is it a server of http://?",
            },
            Self::NoSuchPage { .. } => {
                "if that is how its pages end, say how a last page is known: add ;size=N, ;total=/POINTER or ;pages=/POINTER to --paginate"
            }
            Self::Value(error) => return error.hint(),
            Self::Pages { hint, .. } => return hint.as_ref().map(ToString::to_string),
            Self::BadUrl { .. }
            | Self::BadSetting { .. }
            | Self::Token { .. }
            | Self::Unsigned { .. }
            | Self::Job { .. }
            | Self::NotHttp { .. }
            | Self::Shared { .. }
            | Self::Landing { .. } => return None,
        };
        Some(words.to_owned())
    }

    /// This error on its way through a reader.
    pub(super) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// The error of this room that came through a reader.
    #[must_use]
    pub fn from_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The same, taken out of it.
    ///
    /// # Errors
    /// The error itself, where it is another's.
    pub fn out_of_io(error: io::Error) -> Result<Self, io::Error> {
        error.downcast::<Self>()
    }
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said:?}") }
}
