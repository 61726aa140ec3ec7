//! HTTP: requests that keep to rate limits and are retried, credentials that stay where they belong, bodies
//! that are whole or an error, pages.
//!
//! [`Client`] is the door: [`Client::open`] streams a body and mends it by ranges of the very same version,
//! [`Client::page`] fetches a bounded one. Retries, waiting for limits, redirects and tokens happen inside.
//! [`Pager`] and [`urls`] are pure: which request comes next, and which requests a source word means.
//!
//! Never Postgres, never the terminal; files only for the landing copy, authorities and secrets that are
//! given as files. Knows nothing of records and formats. No secret ever leaves towards an origin that was not
//! named, nor enters a message.

mod admission;
mod answer_store;
mod bearer;
mod body;
mod client;
mod cookies;
mod counters;
mod credentials;
mod date_range;
mod error;
mod framing;
mod guess;
mod incoming;
mod judge;
mod landing;
mod links;
mod oauth;
mod once;
mod origin;
mod page;
mod pager;
mod paginate;
pub mod pointer;
mod poll;
mod poll_rules;
mod post;
mod presets;
mod presigned;
mod proxy;
mod proxy_variables;
mod query;
mod query_lists;
mod rate_limiter;
mod redirect;
mod request;
mod response_field;
mod retry;
mod retry_after;
mod said;
mod send;
mod settings;
mod shared;
mod shown;
mod sign;
mod throttle_sign;
mod tls;
mod token;
mod transfer;
pub mod urls;
mod value;
mod webhook;

pub use ::http::HeaderMap;
pub use admission::RateLimiters;
pub use answer_store::SharedAnswers;
pub use body::Body;
pub use client::Client;
pub use counters::Counters;
pub use error::{HttpError, TlsFault, Truncation};
pub use framing::BodyEnd;
pub use guess::{Clues, Guess, guess};
pub use origin::{Origin, Origins};
pub use page::Page;
pub use pager::{PageSeen, Pager, PagerState};
pub use paginate::{By, CursorField, LastPage, Paginate, Param, Rules};
pub use poll_rules::Poll;
pub use post::{BodyError, BodyKind, PostBody};
pub use presets::{PRESETS, Preset};
pub use presigned::unsigned;
pub use proxy_variables::ProxyVariables;
pub use query_lists::QueryLists;
pub use request::{Method, Request, Resume, Version};
pub use response_field::ResponseField;
pub use send::Encodings;
pub use settings::{
    Auth, CONCURRENCY, ClientIdentity, CustomHeader, FetchLimits, Parameter, Rate, RetryLimits,
    SLOWEST_BYTES_PER_SECOND, Settings, Timeouts,
};
pub use shown::shown;
pub use sign::{RequestSigner, Sign, Unsigned};
pub use throttle_sign::ThrottleSign;
pub use value::{SecretValueError, Value};
pub use webhook::Webhook;
