//! An error with its causes, in one line: for people, for the report, and for whoever sees no chain of
//! causes.

use std::error::Error;

/// The words of an error and of all that lies behind it; what is said already is not said twice.
pub fn with_causes(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = source.source();
    }
    words
}

/// The cause behind all causes: what happened.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
