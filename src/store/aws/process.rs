//! Keys that a command prints: `credential_process`, and AWS's own tool for logins by the browser. Neither
//! its words nor what it prints are shown.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::aws::AwsCredential;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::keys::{AwsKeys, fit};

/// Keys are short.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// A command may ask a server, or wait for somebody to touch a device.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// What AWS has agreed on (version 1).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

/// Runs a command for its keys.
pub(super) async fn keys(program: &str, words: &[&str]) -> Result<AwsKeys, String> {
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the command cannot be run ({error})"))?;
    let output = child.stdout.take().ok_or("the command has no output")?;
    let run = async {
        let mut text = Vec::new();
        output.take(OUTPUT_BYTES_MAX).read_to_end(&mut text).await?;
        Ok::<_, std::io::Error>((text, child.wait().await?))
    };
    let ran = tokio::time::timeout(COMMAND_MAX, run).await;
    let ran = ran.map_err(|_| format!("the command did not end within {} s", COMMAND_MAX.as_secs()))?;
    let (text, status) = ran.map_err(|error| format!("the command cannot be heard ({error})"))?;
    if !status.success() {
        return Err(format!("the command ended with {status}"));
    }
    printed(&text)
}

fn printed(text: &[u8]) -> Result<AwsKeys, String> {
    // The parser's own words may quote.
    let keys: Printed = serde_json::from_slice(text)
        .map_err(|_| "the command did not print keys as AWS has agreed (JSON, with Version, AccessKeyId, SecretAccessKey)")?;
    if keys.version != 1 {
        return Err(format!("the command printed keys of version {}, and 1 is known", keys.version));
    }
    let until = keys.expiration.as_deref().map(until).transpose()?;
    let keys = AwsCredential {
        key_id: keys.access_key_id,
        secret_key: keys.secret_access_key,
        token: keys.session_token,
    };
    Ok(AwsKeys { keys: Arc::new(fit(keys)?), until })
}

/// An instant as AWS writes it.
pub(super) fn until(text: &str) -> Result<SystemTime, String> {
    let at = text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_second()).ok());
    let at = at.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    at.ok_or_else(|| "the keys end at what is no instant".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_prints_is_read_and_never_quoted() {
        let keys = printed(br#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-01-01T00:00:00Z"}"#).unwrap();
        assert_eq!((keys.keys.key_id.as_str(), keys.keys.token.as_deref()), ("a", Some("t")));
        assert_eq!(keys.until, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)));
        for wrong in [
            "",
            "CANARY",
            r#"{"Version":2,"AccessKeyId":"CANARY","SecretAccessKey":"s"}"#,
            r#"{"Version":1,"AccessKeyId":"CANARY"}"#,
            r#"{"Version":1,"AccessKeyId":"a CANARY","SecretAccessKey":"s"}"#,
            r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"s","Expiration":"CANARY"}"#,
        ] {
            let Err(error) = printed(wrong.as_bytes()) else { panic!("{wrong}") };
            assert!(!error.contains("CANARY"), "{error}");
        }
    }
}
