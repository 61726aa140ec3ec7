//! The way back to Dagster: messages, each one line of JSON, into a file or an output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::context::decoded;

const VERSION: &str = "0.1";

/// Where messages go, as Dagster says it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum MessagesPlace {
    File { path: PathBuf },
    Now { stdio: PipesOutput },
    AtTheEnd { buffered_stdio: PipesOutput },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PipesOutput {
    Stdout,
    Stderr,
}

/// Messages on their way.
#[derive(Debug)]
pub(super) struct Messages(Mutex<Way>);

#[derive(Debug)]
enum Way {
    File(File),
    Now(PipesOutput),
    AtTheEnd(PipesOutput, String),
    /// Nobody hears them.
    Nowhere,
}

impl Messages {
    /// The way that the text of the variable names; and, where that is none of ours, what to say.
    pub(super) async fn open(parameter: Option<&str>) -> Result<(Self, Option<String>), String> {
        let Some(parameter) = parameter else {
            return Ok((
                Self::nowhere(),
                Some("DAGSTER_PIPES_MESSAGES is not set: Dagster hears nothing".to_owned()),
            ));
        };
        let value: Value =
            decoded(parameter).await.map_err(|why| format!("DAGSTER_PIPES_MESSAGES: {why}"))?;
        let way = match serde_json::from_value(value) {
            Ok(MessagesPlace::File { path }) => {
                let file = OpenOptions::new().append(true).create(true).open(&path);
                Way::File(
                    file.map_err(|error| format!("the messages for Dagster, {}: {error}", path.display()))?,
                )
            }
            Ok(MessagesPlace::Now { stdio }) => Way::Now(stdio),
            Ok(MessagesPlace::AtTheEnd { buffered_stdio }) => Way::AtTheEnd(buffered_stdio, String::new()),
            Err(_) => {
                let words = "Dagster reads messages in a place that dbload does not write to (it writes to files, \
                             stdout and stderr): Dagster hears nothing of this load";
                return Ok((Self::nowhere(), Some(words.to_owned())));
            }
        };
        Ok((Self(Mutex::new(way)), None))
    }

    const fn nowhere() -> Self {
        Self(Mutex::new(Way::Nowhere))
    }

    /// Sends one. The file is read while it grows, so that a line is written whole, in one write.
    pub(super) fn send(&self, method: &str, params: &Value) {
        let message = json!({"__dagster_pipes_version": VERSION, "method": method, "params": params});
        let line = format!("{message}\n");
        let mut way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match &mut *way {
            Way::File(file) => file.write_all(line.as_bytes()).and_then(|()| file.flush()),
            Way::Now(output) => write(*output, &line),
            Way::AtTheEnd(_, all) => {
                all.push_str(&line);
                Ok(())
            }
            Way::Nowhere => Ok(()),
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "a message for Dagster was not written");
        }
    }

    /// Nothing follows.
    pub(super) fn end(&self) {
        let mut way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Way::AtTheEnd(output, all) = &*way
            && let Err(error) = write(*output, all)
        {
            tracing::warn!(%error, "the messages for Dagster were not written");
        }
        *way = Way::Nowhere;
    }
}

fn write(output: PipesOutput, text: &str) -> io::Result<()> {
    match output {
        PipesOutput::Stdout => {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        PipesOutput::Stderr => io::stderr().lock().write_all(text.as_bytes()),
    }
}
