//! Keys that sign, and how long they do. Pure.

use std::sync::Arc;
use std::time::SystemTime;

use object_store::aws::AwsCredential;

/// Keys, and when they end.
pub(super) struct AwsKeys {
    pub(super) keys: Arc<AwsCredential>,
    pub(super) until: Option<SystemTime>,
}

/// Keys that can stand in headers: the library takes that for granted.
pub(super) fn fit(keys: AwsCredential) -> Result<AwsCredential, String> {
    let is_fit = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let token_fits = keys.token.as_deref().is_none_or(is_fit);
    match is_fit(&keys.key_id) && !keys.secret_key.is_empty() && token_fits {
        true => Ok(keys),
        false => Err("the keys are not such as can be sent (a space or a line end in them?)".to_owned()),
    }
}
