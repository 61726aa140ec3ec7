//! What a sample of the sources has shown.

use std::collections::HashSet;

/// What a sample of the sources has shown.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Field names of each sampled source: header, or names in the order in which they were first seen.
    pub sources: Vec<SampledSource>,
}

/// The fields of one sampled source.
#[derive(Debug, Clone)]
pub struct SampledSource {
    /// Name of the source, for people.
    pub name: String,
    /// Names of the fields that were seen.
    pub fields: Vec<String>,
}

impl Sample {
    /// All field names, each once, in order.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        self.sources
            .iter()
            .flat_map(|source| source.fields.iter().map(String::as_str))
            .filter(|field| seen.insert(*field))
            .collect()
    }
}
