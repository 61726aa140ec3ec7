//! What Dagster tells a process: which assets it is to materialise, and of which window of time.

use async_compression::tokio::bufread::ZlibDecoder;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

/// What the parameters of a process may come to: they are a few hundred bytes.
const PARAMETER_BYTES_MAX: u64 = 64 << 20;

/// The part of the context that a load has a use for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PipesContext {
    #[serde(default)]
    asset_keys: Option<Vec<String>>,
    #[serde(default)]
    partition_key: Option<String>,
    #[serde(default)]
    partition_time_window: Option<TimeWindow>,
    #[serde(default)]
    extras: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct TimeWindow {
    start: Option<String>,
    end: Option<String>,
}

/// Where the context is.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ContextPlace {
    File { path: String },
    Here { data: PipesContext },
}

impl PipesContext {
    /// Reads it from the text of the variable.
    pub(super) async fn read(parameter: &str) -> Result<Self, String> {
        let place: ContextPlace = decoded(parameter).await.map_err(|why| {
            format!("DAGSTER_PIPES_CONTEXT: {why} (a file or the context itself is what dbload reads)")
        })?;
        match place {
            ContextPlace::Here { data } => Ok(data),
            ContextPlace::File { path } => {
                let text = tokio::fs::read(&path).await.map_err(|error| error.to_string());
                let context =
                    text.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
                context.map_err(|error| format!("the context of Dagster in {path}: {error}"))
            }
        }
    }

    pub(super) fn asset_keys(&self) -> &[String] {
        self.asset_keys.as_deref().unwrap_or_default()
    }

    pub(super) const fn is_partitioned(&self) -> bool {
        self.partition_key.is_some() || self.partition_time_window.is_some()
    }

    /// The window of time of its partitions.
    pub(super) fn window(&self) -> Result<Option<(Timestamp, Timestamp)>, String> {
        let Some(TimeWindow { start: Some(start), end: Some(end) }) = &self.partition_time_window else {
            return Ok(None);
        };
        let at = |text: &str| {
            // Python writes an instant of UTC without saying so where it has no zone.
            let instant: Result<Timestamp, _> = text.parse().or_else(|_| format!("{text}Z").parse());
            instant.map_err(|_| format!("the partition of Dagster begins or ends at no instant: {text}"))
        };
        Ok(Some((at(start)?, at(end)?)))
    }

    /// Checks are reported only where asked for, since one that is not declared fails the step.
    pub(super) fn wants_checks(&self) -> bool {
        self.asks_for("checks")
    }

    /// Lineage is told only where asked for: Dagster tells it too.
    pub(super) fn wants_lineage(&self) -> bool {
        self.asks_for("openlineage")
    }

    fn asks_for(&self, name: &str) -> bool {
        let said = self.extras.as_ref().and_then(|extras| extras.get("dbload")?.get(name)?.as_bool());
        said.unwrap_or(false)
    }
}

/// A parameter: JSON, compressed by zlib, in base64.
pub(super) async fn decoded<T: DeserializeOwned>(parameter: &str) -> Result<T, String> {
    let bytes = STANDARD.decode(parameter.trim()).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    let mut content = ZlibDecoder::new(bytes.as_slice()).take(PARAMETER_BYTES_MAX);
    content.read_to_end(&mut text).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_context_is_read_as_dagster_writes_it() {
        // zlib.compress(json.dumps({"data": {..}}).encode()), in base64.
        let parameter = "eJyrVkpJLElUslKoVkosLk4tic9OrSwGcqOVEvWTlGJ1FJQKEotKMksy8/NAUkCZvNKcHBThkszc1PjyzLyU/HKEdGpFSVEiyKDq2tpaANGuIxQ=";
        let context = PipesContext::read(parameter).await.unwrap();
        assert_eq!(context.asset_keys(), ["a/b"]);
        for bad in ["", "x", "eJyrVkrLLFKyUlBKBAAVBwNM"] {
            let bad = PipesContext::read(bad).await.unwrap_err();
            assert!(bad.starts_with("DAGSTER_PIPES_CONTEXT: "), "{bad}");
        }
        let context: PipesContext = serde_json::from_str(
            r#"{"asset_keys":["a/b"],"partition_time_window":{"start":"2026-01-01T00:00:00+01:00","end":"2026-01-02T00:00:00"},
                "extras":{"dbload":{"checks":true,"openlineage":true}},"run_id":"x","retry_number":0}"#,
        )
        .unwrap();
        assert_eq!(context.asset_keys(), ["a/b"]);
        assert!(context.wants_checks() && context.wants_lineage() && context.is_partitioned());
        let (start, end) = context.window().unwrap().unwrap();
        assert_eq!(
            (start.to_string().as_str(), end.to_string().as_str()),
            ("2025-12-31T23:00:00Z", "2026-01-02T00:00:00Z")
        );
    }

    #[test]
    fn what_is_null_is_not_there() {
        let context: PipesContext = serde_json::from_str(
            r#"{"asset_keys":null,"partition_key":null,"partition_time_window":null,"extras":null}"#,
        )
        .unwrap();
        assert!(
            context.asset_keys().is_empty()
                && !context.wants_checks()
                && !context.wants_lineage()
                && !context.is_partitioned()
        );
        assert_eq!(context.window(), Ok(None));
    }
}
