//! The sample: the first records of the first sources, for the plan and for the types of a new table.

use std::collections::{HashMap, HashSet};

use crate::format::{Fields, decode_block};
use crate::job;
use crate::map::Inference;
use crate::plan::{Sample, SampledSource};
use crate::source::SourceError;

use super::input::{Input, Opened};

/// Sources that are sampled: enough to meet files of different shapes, few enough to start at once.
const SAMPLED_SOURCES: usize = 8;
/// Blocks of the first source; of the others one each.
const SAMPLED_BLOCKS: usize = 4;

/// What the sample gave.
pub(super) struct Sampled {
    pub(super) sample: Sample,
    pub(super) inference: Inference,
    /// Sources that cannot be opened again, with what was read of them.
    pub(super) kept: HashMap<usize, Opened>,
}

/// Samples the sources. One that cannot be read is left to the load, unless it is the only one.
pub(super) async fn sample(inputs: &[Input], reading: &job::Reading) -> Result<Sampled, SourceError> {
    let mut sampled =
        Sampled { sample: Sample::default(), inference: Inference::default(), kept: HashMap::new() };
    for (ordinal, input) in inputs.iter().enumerate().take(SAMPLED_SOURCES) {
        let mut opened = match input.open(reading, input.begin).await {
            Ok(opened) => opened,
            Err(error) if inputs.len() == 1 => return Err(error),
            Err(error) => {
                tracing::debug!(source = input.name, %error, "source left out of the sample");
                continue;
            }
        };
        let blocks = if ordinal == 0 { SAMPLED_BLOCKS } else { 1 };
        let mut names = Names::default();
        let (format, header) = opened.format();
        let (format, header) = (format.clone(), header.to_vec());
        sampled.inference.declare(&header);
        header.iter().for_each(|name| names.add(name));
        for _ in 0..blocks {
            // What is wrong further on is the load's to say.
            let Ok(Some(block)) = opened.peek().await else { break };
            decode_block(&format, &header, block, &reading.decode, &mut |_, decoded| {
                if let Ok(decoded) = decoded {
                    sampled.inference.observe(&header, &decoded);
                    names.note(&decoded);
                }
            });
            if !input.description.spec.location.is_replayable() {
                // A pipe may be slow: one block tells enough.
                break;
            }
        }
        sampled.sample.sources.push(SampledSource { name: input.name.clone(), fields: names.all });
        if !input.description.spec.location.is_replayable() {
            sampled.kept.insert(ordinal, opened);
        }
    }
    Ok(sampled)
}

/// Names of fields in the order in which they were met. Hostile records may have thousands each, all different.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    known: HashSet<String>,
}

impl Names {
    fn note(&mut self, decoded: &Fields<'_, '_>) {
        let Fields::Named(members) = decoded else { return };
        for (position, (name, _)) in members.iter().enumerate() {
            // Records mostly look alike: the same name at the same place.
            if self.all.get(position).is_none_or(|known| known != name) {
                self.add(name);
            }
        }
    }

    fn add(&mut self, name: &str) {
        if !self.known.contains(name) {
            self.known.insert(name.to_owned());
            self.all.push(name.to_owned());
        }
    }
}
