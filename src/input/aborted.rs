//! The text of an exception at the end of an answer whose status was a success: a server that fails while it
//! sends can say so nowhere else. ClickHouse writes it behind the rows. Pure.

use memchr::memmem;

/// So much may stand behind the place where it begins: words and a stack. What has more behind it is data.
pub(super) const LENGTH_MAX: usize = 16 << 10;

/// A server gave up in the middle of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aborted {
    /// Where the text of it begins.
    pub(super) at: usize,
    /// Its words.
    pub(super) words: String,
}

/// How such a text begins on its line, and what else is in it.
const EXCEPTIONS: [(&str, &str); 3] =
    [("Code: ", "DB::Exception"), ("__exception__", "__exception__"), ("{\"exception\"", "DB::Exception")];
/// How much of it is shown.
const WORDS_CHARS_MAX: usize = 200;

/// The exception in this text, if there is one; whoever asks looks whether it is at the end.
pub(super) fn find(text: &[u8]) -> Option<Aborted> {
    let found = EXCEPTIONS.iter().filter_map(|(start, word)| {
        memmem::find_iter(text, word.as_bytes()).find_map(|at| {
            let line = memchr::memrchr(b'\n', &text[..at]).map_or(0, |feed| feed + 1);
            // Behind a record of an array.
            let begin = line + usize::from(text.get(line) == Some(&b','));
            let words = text.get(begin..(begin + LENGTH_MAX).min(text.len()))?;
            words.starts_with(start.as_bytes()).then(|| Aborted { at: begin, words: shown(words) })
        })
    });
    found.min_by_key(|aborted| aborted.at)
}

/// In one line.
pub(super) fn shown(words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = words.replace("__exception__", " ");
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(WORDS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_begin_on_lines_of_their_own() {
        let at = |text: &str| find(text.as_bytes()).map(|found| found.at);
        assert_eq!(at("1,2\nCode: 395. DB::Exception: Timeout (TIMEOUT) (version 24)\n"), Some(4));
        assert_eq!(at("{\"id\":1}\n{\"exception\": \"Code: 395. DB::Exception: x\"}\n"), Some(9));
        assert_eq!(at("[{\"id\":1}\n,{\"exception\": \"Code: 395. DB::Exception: x\"}\n]"), Some(11));
        assert_eq!(at("1\n__exception__\r\nabc\r\nCode: 1. DB::Exception: x\r\n"), Some(2));
        assert_eq!(at("{\"m\":\"Code: 395. DB::Exception: x\"}\n"), None);
        assert_eq!(at("1,Code: 395. DB::Exception: x\n"), None);
        assert_eq!(shown(b"__exception__\r\nCode: 1.\n\tx"), "Code: 1. x");
    }
}
