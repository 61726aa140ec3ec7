//! How an export is waited for, as the flag says it.
//!
//! ```text
//! 202                       while the status is 201 or 202, where it says by Location, else there again
//! status=/POINTER           while no word there says that it is done, or has failed
//!   ;done=WORD,WORD         ;failed=WORD,WORD: those words, where they are unusual
//! at=/POINTER               where the first answer says whom to ask; or header:NAME, or /jobs/{/id}
//! result=/POINTER           where the last answer says what to fetch, likewise
//! every=2s                  within=1h
//! ```

use std::str::FromStr;
use std::time::Duration;

use super::response_field::ResponseField;

/// How long an export may take, unless said otherwise.
const WITHIN: Duration = Duration::from_secs(3600);
/// Words of states, in small letters without what parts them, that say so by themselves.
const DONE: [&str; 14] = [
    "done",
    "complete",
    "completed",
    "completesuccess",
    "success",
    "succeeded",
    "successful",
    "finished",
    "ready",
    "available",
    "jobcomplete",
    "exported",
    "processed",
    "true",
];
const FAILED: [&str; 15] = [
    "failed",
    "failure",
    "error",
    "errored",
    "fatal",
    "cancelled",
    "canceled",
    "aborted",
    "expired",
    "rejected",
    "jobfailed",
    "timeout",
    "timedout",
    "deleted",
    "invalid",
];

/// How an export is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// Where an answer says how far it is; otherwise its status does.
    pub(super) status: Option<ResponseField>,
    /// Words that say that it is done, beyond the usual ones.
    pub(super) done: Vec<String>,
    /// Words that say that it never will be.
    pub(super) failed: Vec<String>,
    /// Whom to ask how far it is, as the first answer says.
    pub(super) at: Option<PollPlace>,
    /// What to fetch in the end, as the last answer says.
    pub(super) result: Option<PollPlace>,
    /// The pause between two questions where the server asks for none.
    pub(super) every: Option<Duration>,
    /// How long it may take.
    pub(super) within: Duration,
}

/// Where an answer has a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PollPlace {
    Field(ResponseField),
    /// A URL with `{/POINTER}` in it.
    Template(String),
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobState {
    Pending,
    Done,
    Failed,
}

impl Poll {
    /// What a word says, as it stands where an answer says how far it is.
    pub(super) fn state_of(&self, word: &str) -> JobState {
        let is = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(word.trim()));
        if is(&self.failed) {
            return JobState::Failed;
        }
        if is(&self.done) {
            return JobState::Done;
        }
        let plain: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_lowercase();
        // Who has said a word for an end means no other.
        if self.failed.is_empty() && FAILED.contains(&plain.as_str()) {
            JobState::Failed
        } else if self.done.is_empty() && DONE.contains(&plain.as_str()) {
            JobState::Done
        } else {
            JobState::Pending
        }
    }
}

impl FromStr for Poll {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut poll = Self {
            status: None,
            done: Vec::new(),
            failed: Vec::new(),
            at: None,
            result: None,
            every: None,
            within: WITHIN,
        };
        let words = |text: &str| text.split(',').map(|word| word.trim().to_owned()).collect();
        let time = |text: &str| {
            humantime::parse_duration(text.trim()).map_err(|_| format!("{text:?} is no time; write it as 2s"))
        };
        for part in text.split(';').map(str::trim) {
            match part.split_once('=') {
                None if part == "202" => {}
                Some(("status", at)) => poll.status = Some(field(at)?),
                Some(("done", text)) => poll.done = words(text),
                Some(("failed", text)) => poll.failed = words(text),
                Some(("at", place)) => poll.at = Some(place.parse()?),
                Some(("result", place)) => poll.result = Some(place.parse()?),
                Some(("every", text)) => poll.every = Some(time(text)?),
                Some(("within", text)) => poll.within = time(text)?,
                _ => {
                    return Err(format!(
                        "{part:?} is no rule; write 202, status=/POINTER, done=WORD, failed=WORD, at=PLACE, \
                         result=PLACE, every=2s, within=1h, parted by semicolons"
                    ));
                }
            }
        }
        if poll.status.is_none() && !(poll.done.is_empty() && poll.failed.is_empty()) {
            return Err("words for an end need status=/POINTER, where they stand".to_owned());
        }
        Ok(poll)
    }
}

impl FromStr for PollPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains("{/") { Ok(Self::Template(text.to_owned())) } else { field(text).map(Self::Field) }
    }
}

fn field(text: &str) -> Result<ResponseField, String> {
    match text.parse()? {
        ResponseField::LastRecord(_) => Err("an export that is waited for has no records yet".to_owned()),
        field => Ok(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let poll: Poll =
            "status=/state; done=OK ;at=/jobs/{/id};result=header:x-file;every=2s;within=5m".parse().unwrap();
        assert_eq!(poll.status, Some(ResponseField::Body("/state".to_owned())));
        assert_eq!(poll.at, Some(PollPlace::Template("/jobs/{/id}".to_owned())));
        assert_eq!(poll.result, Some(PollPlace::Field(ResponseField::Header("x-file".to_owned()))));
        assert_eq!((poll.every, poll.within), (Some(Duration::from_secs(2)), Duration::from_secs(300)));
        assert_eq!("202".parse::<Poll>().unwrap().within, WITHIN);
        for wrong in ["", "201", "state=/x", "status=x", "done=ok", "at=record:/x", "every=often", "202;x"] {
            assert!(wrong.parse::<Poll>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn words_say_how_far_it_is() {
        let state = |rules: &str, word: &str| rules.parse::<Poll>().unwrap().state_of(word);
        for (rules, word, expected) in [
            ("status=/s", "COMPLETED", JobState::Done),
            ("status=/s", "Job_Complete", JobState::Done),
            ("status=/s", "running", JobState::Pending),
            ("status=/s", "Timed out", JobState::Failed),
            ("status=/s;done=ok", "OK", JobState::Done),
            ("status=/s;done=ok", "ready", JobState::Pending),
            ("status=/s;done=ok", "failed", JobState::Failed),
            ("status=/s;failed=3", "3", JobState::Failed),
            ("status=/s;done=100", "99", JobState::Pending),
        ] {
            assert_eq!(state(rules, word), expected, "{rules} {word}");
        }
    }
}
