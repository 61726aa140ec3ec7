//! The HTTP room against servers that do not behave: each plays a script byte by byte (CASES.md, rows 25 to
//! 33). What came is compared with what the script holds, and what was sent with what the server saw.

mod bodies;
mod credentials;
mod manners;
mod pages;
mod proxies;

use std::time::Duration;

use dbload::internals::http::{Client, Encodings, HttpError, Origins, Request, Settings};
use tokio::io::AsyncReadExt as _;
use url::Url;

use crate::support::http::HttpServer;

/// Longer than any of these should take: a hang is a failure.
const WATCHDOG: Duration = Duration::from_secs(60);

fn request(url: &str) -> Request {
    Request::get(Url::parse(url).unwrap())
}

/// Patience for tests: the same rules in less time.
fn impatient() -> Settings {
    let mut settings = Settings::default();
    settings.retry_limits.retry_for = Duration::from_secs(5);
    settings.retry_limits.longest_wait = Duration::from_secs(3);
    settings.retry_limits.tries = 4;
    settings.timeouts.first_byte = Duration::from_secs(2);
    settings.timeouts.idle = Duration::from_secs(1);
    settings
}

/// A client whose credentials go to this server.
fn client(settings: &Settings, server: &HttpServer) -> Client {
    Client::new(settings, Origins::of([&Url::parse(&server.url("/")).unwrap()])).unwrap()
}

/// The whole body, or why not.
async fn fetch(client: &Client, request: &Request) -> Result<Vec<u8>, HttpError> {
    let whole = async {
        let mut body = client.open(request, None, Encodings::Identity).await?;
        let mut bytes = Vec::new();
        match body.read_to_end(&mut bytes).await {
            Ok(_) => Ok(bytes),
            Err(error) => Err(HttpError::out_of_io(error).unwrap()),
        }
    };
    tokio::time::timeout(WATCHDOG, whole).await.unwrap()
}

/// An error and all its causes, as somebody may print them.
fn told(error: &HttpError) -> String {
    format!("{error} {error:?} {:?}", error.hint())
}
