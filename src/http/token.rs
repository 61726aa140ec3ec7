//! Bearer tokens that can be had anew: from a file, a command, or an OAuth 2 server. Fetched once, and once
//! more when a server says 401.
//!
//! However many requests are refused at once, the token is renewed once: who comes later finds a newer one.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::sync::Mutex;

use super::bearer::BearerToken;
use super::error::HttpError;
use super::oauth;
use super::settings::Auth;
use super::tls::Engines;
use super::value::{Value, read_secret};
use crate::secret::Secret;

/// How long a command may take: somebody may have to confirm it.
const COMMAND_MAX: Duration = Duration::from_secs(60);
/// Longest output of a command.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;

/// Where tokens come from, and the last one.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<LastToken>);

/// The last token, and the refresh token that came with it.
#[derive(Default)]
struct LastToken {
    token: Option<BearerToken>,
    refresh: Option<Secret>,
}

impl TokenCache {
    /// The token to send; none where the settings have none to renew.
    pub(super) async fn current(
        &self,
        auth: &Auth,
        engines: &Engines,
    ) -> Result<Option<BearerToken>, HttpError> {
        self.get(auth, engines, None).await
    }

    /// A newer one than this; none if there is no other.
    pub(super) async fn renew(
        &self,
        auth: &Auth,
        engines: &Engines,
        refused: &BearerToken,
    ) -> Result<Option<BearerToken>, HttpError> {
        let newer = self.get(auth, engines, Some(refused)).await?;
        Ok(newer.filter(|newer| newer.secret != refused.secret))
    }

    async fn get(
        &self,
        auth: &Auth,
        engines: &Engines,
        refused: Option<&BearerToken>,
    ) -> Result<Option<BearerToken>, HttpError> {
        if matches!(auth, Auth::None | Auth::Basic { .. }) {
            return Ok(None);
        }
        let mut last = self.0.lock().await;
        let generation = last.token.as_ref().map_or(0, |token| token.generation);
        let is_good = |token: &BearerToken| {
            token.expires.is_none_or(|at| Instant::now() < at)
                && refused.is_none_or(|refused| token.generation > refused.generation)
        };
        if let Some(token) = last.token.as_ref().filter(|token| is_good(token)) {
            return Ok(Some(token.clone()));
        }
        let token = fetch(auth, engines, &mut last.refresh).await?;
        let token = BearerToken { generation: generation + 1, ..token };
        last.token = Some(token.clone());
        Ok(Some(token))
    }
}

/// A new token. `refresh`: the refresh token that was given last, in place of the user's own.
async fn fetch(
    auth: &Auth,
    engines: &Engines,
    refresh: &mut Option<Secret>,
) -> Result<BearerToken, HttpError> {
    match auth {
        Auth::BearerFile(path) => from_file(path),
        Auth::BearerCommand(command) => from_command(command).await,
        Auth::ClientCredentials { token_url, client_id, client_secret, scope } => {
            let client = oauth::TokenClient {
                id: client_id.resolve()?,
                secret: Some(client_secret.resolve()?),
                scope: scope.as_deref(),
                refresh: None,
            };
            oauth::fetch(engines, token_url, &client).await.map(|issued| issued.token)
        }
        Auth::RefreshToken { token_url, client_id, client_secret, refresh_token, scope } => {
            let used = match refresh {
                Some(last) => last.clone(),
                None => refresh_token.resolve()?,
            };
            let client = oauth::TokenClient {
                id: client_id.resolve()?,
                secret: client_secret.as_ref().map(Value::resolve).transpose()?,
                scope: scope.as_deref(),
                refresh: Some(used.clone()),
            };
            let issued = oauth::fetch(engines, token_url, &client).await?;
            // Some servers take a refresh token once: the next start needs the new one.
            if let Some(new) = issued.refresh.filter(|new| *new != used) {
                refresh_token.store(&new)?;
                *refresh = Some(new);
            }
            Ok(issued.token)
        }
        Auth::None | Auth::Basic { .. } => {
            Err(HttpError::Token { from: "nowhere".to_owned(), reason: "none was asked for".to_owned() })
        }
    }
}

fn from_file(path: &Path) -> Result<BearerToken, HttpError> {
    Ok(BearerToken::new(read_secret(path)?, None))
}

async fn from_command(command: &str) -> Result<BearerToken, HttpError> {
    // The command's words and its output may hold secrets: neither is shown.
    let failed =
        |reason: String| HttpError::Token { from: "the command of --bearer-command".to_owned(), reason };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let output = child.stdout.take().ok_or_else(|| failed("it has no output".to_owned()))?;
    let run = async {
        let mut text = Vec::new();
        output.take(OUTPUT_BYTES_MAX).read_to_end(&mut text).await?;
        Ok::<_, std::io::Error>((text, child.wait().await?))
    };
    let (text, status) = tokio::time::timeout(COMMAND_MAX, run)
        .await
        .map_err(|_| failed(format!("it did not end within {}", humantime::format_duration(COMMAND_MAX))))?
        .map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(format!("it ended with {status}")));
    }
    let text = String::from_utf8(text).map_err(|_| failed("its output is not UTF-8".to_owned()))?;
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(failed("its output is not one word".to_owned()));
    }
    Ok(BearerToken::new(Secret::new(text.to_owned()), None))
}
