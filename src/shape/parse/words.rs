//! TruthWords for true and false.

use std::fmt;

/// TruthWords for true and false: `ja,j/nein,n`. Letter case counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthWords {
    yes: Vec<String>,
    no: Vec<String>,
}

impl TruthWords {
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let list = |words: &str| -> Vec<String> { words.split(',').map(str::to_owned).collect() };
        let (yes, no) = match text.split_once('/') {
            Some((yes, no)) if !no.contains('/') => (list(yes), list(no)),
            _ => return Err(format!("bool:{text} is not bool:YES/NO, such as bool:ja,j/nein,n")),
        };
        if let Some(word) = yes.iter().find(|word| no.contains(word)) {
            return Err(format!("bool:{text}: {word:?} would be true and false"));
        }
        Ok(Self { yes, no })
    }

    pub(super) fn read(&self, text: &str) -> Option<String> {
        let is_one_of = |words: &[String]| words.iter().any(|word| word == text);
        match (is_one_of(&self.yes), is_one_of(&self.no)) {
            (true, _) => Some("true".to_owned()),
            (_, true) => Some("false".to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for TruthWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.yes.join(","), self.no.join(","))
    }
}
