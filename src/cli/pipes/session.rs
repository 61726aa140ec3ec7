//! A process of Pipes: it opens, says what was loaded and what was not, and closes.

use std::sync::{Mutex, PoisonError};

use dbload::internals::exit::ExitClass;
use dbload::internals::report::Report;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::asset::metadata;
use super::context::PipesContext;
use super::messages::Messages;
use crate::cli::exit;
use crate::cli::terminal::error_words;

/// A process that Dagster has started, and hears of.
pub(crate) struct Pipes {
    context: PipesContext,
    messages: Messages,
    window: Option<(Timestamp, Timestamp)>,
    /// The first thing that went wrong.
    failure: Mutex<Option<StepFailure>>,
}

struct StepFailure {
    name: &'static str,
    message: String,
}

/// Does the work of a command, with Dagster where that has started it; the exit code.
pub(crate) async fn within(work: impl AsyncFnOnce(Option<&Pipes>) -> u8) -> u8 {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let Some(context) = variable("DAGSTER_PIPES_CONTEXT") else { return work(None).await };
    match Pipes::open(&context, variable("DAGSTER_PIPES_MESSAGES").as_deref()).await {
        Ok(pipes) => {
            let code = work(Some(&pipes)).await;
            pipes.close(code)
        }
        Err(words) => {
            crate::cli::say(&error_words(&words, None));
            exit::USAGE
        }
    }
}

impl Pipes {
    async fn open(context: &str, messages: Option<&str>) -> Result<Self, String> {
        let context = PipesContext::read(context).await?;
        let (messages, warning) = Messages::open(messages).await?;
        if let Some(words) = warning {
            crate::cli::say(&format!("warning: {words}"));
        }
        messages.send("opened", &json!({"extras": {}}));
        let window = context.window();
        let pipes =
            Self { window: window.clone().unwrap_or(None), context, messages, failure: Mutex::new(None) };
        match window {
            Ok(_) => Ok(pipes),
            Err(words) => {
                pipes.failed("usage", words.clone());
                pipes.close(exit::USAGE);
                Err(words)
            }
        }
    }

    /// The assets that are to be materialised.
    pub(crate) fn asset_keys(&self) -> &[String] {
        self.context.asset_keys()
    }

    /// The asset that a load into this table (`schema.name`) is, of a process with one load.
    pub(crate) fn asset_of(&self, table: &str) -> Option<String> {
        let name = table.rsplit('.').next().unwrap_or(table);
        let is_it = |key: &&String| **key == table.replace('.', "/") || **key == name;
        match self.asset_keys() {
            [only] => Some(only.clone()),
            keys => keys.iter().find(is_it).cloned(),
        }
    }

    /// Dagster's own extension tells of lineage; this process does so too only where it is asked to.
    pub(crate) fn tells_lineage_itself(&self) -> bool {
        !self.context.wants_lineage()
    }

    /// The window of time of its partitions.
    pub(crate) const fn window(&self) -> Option<(Timestamp, Timestamp)> {
        self.window
    }

    /// An asset is what it should be: these were its runs.
    pub(crate) fn materialised(&self, asset: &str, reports: &[&Report]) {
        let metadata = metadata(reports, self.context.is_partitioned());
        let rejected: u64 = reports.iter().map(|report| report.rows.rejected).sum();
        let words = format!("{rejected} records of {asset} were rejected, which max_rejects allows");
        if rejected > 0 {
            self.messages.send("log", &json!({"message": words, "level": "WARNING"}));
        }
        let params = json!({"asset_key": asset, "metadata": metadata, "data_version": Value::Null});
        self.messages.send("report_asset_materialization", &params);
        if self.context.wants_checks() {
            let count = json!({"dbload/rejected": {"raw_value": rejected, "type": "int"}});
            let params = json!({
                "asset_key": asset,
                "check_name": "rejects_within_budget",
                "passed": true,
                "severity": "WARN",
                "metadata": count,
            });
            self.messages.send("report_asset_check", &params);
        }
    }

    /// Something was not loaded. The first of these is what the step fails with.
    pub(crate) fn failed(&self, name: &'static str, message: String) {
        self.messages.send("log", &json!({"message": message, "level": "ERROR"}));
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(StepFailure { name, message });
    }

    /// The last message; the exit code. Dagster takes any code but 0 for a failure and then hears of no
    /// materialisation: rejects within the budget are none.
    fn close(self, code: u8) -> u8 {
        let failure = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        let code = match (code, &failure) {
            (exit::REJECTS, None) => exit::COMPLETE,
            // Left to another process: the asset is not there yet.
            (exit::COMPLETE | exit::REJECTS, Some(_)) => ExitClass::Ledger.code(),
            (code, _) => code,
        };
        let params = match (code, failure) {
            (exit::COMPLETE, _) => json!({}),
            (code, failure) => {
                let by_code = || {
                    let class = ExitClass::ALL.into_iter().find(|class| class.code() == code);
                    let class = class.unwrap_or(ExitClass::Unexpected);
                    StepFailure {
                        name: class.name(),
                        message: format!("exit code {code}: {}", class.meaning()),
                    }
                };
                let StepFailure { name, message } = failure.unwrap_or_else(by_code);
                let (cause, context, stack) = (Value::Null, Value::Null, Vec::<String>::new());
                let exception = json!({"message": message, "stack": stack, "name": name, "cause": cause, "context": context});
                json!({"exception": exception})
            }
        };
        self.messages.send("closed", &params);
        self.messages.end();
        code
    }
}
