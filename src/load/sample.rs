//! The sample: the first records of the first sources, for the plan and for the types of a new table.
//!
//! What it opens of sources that are not files is kept for the load: a pipe cannot be opened again, and nobody is asked
//! twice for the same answer.

use std::collections::{HashMap, HashSet};

use crate::format::{DecodeLimits, Fields, Layout};
use crate::job::Job;
use crate::map::Inference;
use crate::plan::{Refusal, Sample, SampledSource};
use crate::source::SourceError;

use super::act::Act;
use super::ahead::Ahead;
use super::input::{Begin, Input, Web};
use super::opened::Opened;

/// Sources that are sampled: enough to meet files of different shapes, few enough to start at once.
pub(super) const SAMPLED_SOURCES: usize = 8;
/// Blocks of the first source, if that is a file; else, and of the others, one each.
const SAMPLED_BLOCKS: usize = 4;
/// No further block where those before it have so many bytes: of the longest records one has megabytes.
const SAMPLED_BYTES: usize = 1 << 20;

/// What the sample gave.
#[derive(Default)]
pub(super) struct Sampled {
    pub(super) sample: Sample,
    pub(super) inference: Inference,
    /// Sources that are not opened again, with what was read of them, or why they could not be.
    pub(super) kept: HashMap<usize, Result<Opened, SourceError>>,
    /// Why the first file that has no records has none.
    failed: Option<SourceError>,
    /// The first record that cannot be read: its source, its line, why.
    unreadable: Option<(String, u64, String)>,
}

impl Sampled {
    /// The sample of an earlier start, as it was stored with the sources.
    pub(super) fn stored(inputs: &[Input]) -> Self {
        let sources = inputs.iter().take(SAMPLED_SOURCES).filter_map(|input| {
            let fields = input.description.sampled.clone()?;
            Some(SampledSource { name: input.name.clone(), fields })
        });
        Self { sample: Sample { sources: sources.collect() }, ..Self::default() }
    }
}

/// Samples the sources. One that cannot be read is left to the load, unless it is the only one.
pub(super) async fn sample(
    inputs: &mut [Input],
    (job, act): (&Job, Act),
    web: Option<&Web>,
    mut ahead: Option<&mut Ahead>,
) -> Result<Sampled, SourceError> {
    let mut sampled = Sampled::default();
    let only = inputs.len() == 1;
    // A plan alone is not worth more than one request.
    let sources = if act == Act::Plan && web.is_some() { 1 } else { SAMPLED_SOURCES };
    for (ordinal, input) in inputs.iter_mut().enumerate().take(sources) {
        if input.whole.get() == Some(&false) {
            continue;
        }
        let fetched = match &mut ahead {
            Some(ahead) => ahead.take(ordinal).await,
            None => None,
        };
        let opened = match fetched {
            Some(opened) => opened,
            None => input.open(&job.reading, web, &Begin::at(input.begin)).await,
        };
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(error) if only => return Err(error),
            Err(error) => {
                tracing::debug!(source = input.name, %error, "source left out of the sample");
                if input.is_remote() {
                    sampled.kept.insert(ordinal, Err(error));
                }
                continue;
            }
        };
        let location = &input.description.spec.location;
        // A pipe or a server may be slow: one block tells enough.
        let blocks = if ordinal == 0 && location.is_file() { SAMPLED_BLOCKS } else { 1 };
        let fields = sampled.look(&input.name, &mut opened, blocks, &job.reading.decode).await;
        if input.is_remote() {
            input.description.sampled = Some(fields.clone());
        }
        sampled.sample.sources.push(SampledSource { name: input.name.clone(), fields });
        if location.is_file() {
            let failed = opened.take_failure();
            sampled.failed = sampled.failed.take().or(failed);
        } else {
            sampled.kept.insert(ordinal, Ok(opened));
        }
    }
    Ok(sampled)
}

impl Sampled {
    /// Why there is nothing to plan with, if that is because sources could not be read.
    pub(super) fn first_failure(&mut self) -> Option<SourceError> {
        if !self.inference.columns().is_empty() {
            return None;
        }
        if let Some(failed) = self.failed.take() {
            return Some(failed);
        }
        let mut ordinals: Vec<usize> = self.kept.keys().copied().collect();
        ordinals.sort_unstable();
        ordinals.into_iter().find_map(|ordinal| match self.kept.get_mut(&ordinal)? {
            Ok(opened) => opened.take_failure(),
            Err(_) => self.kept.remove(&ordinal)?.err(),
        })
    }

    /// Why there is nothing to make a table from, where there were records.
    pub(super) fn unreadable(&self) -> Option<Refusal> {
        let nothing = self.inference.columns().is_empty();
        let (name, line, reason) = self.unreadable.as_ref().filter(|_| nothing)?;
        Some(Refusal::new(
            format!(
                "no table can be made from {name}: none of its first records can be read (line {line}: {reason})"
            ),
            "say what it is with --format, and where its records are with --records",
        ))
    }

    /// What is worth saying about the sources that were opened.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        self.kept.values_mut().filter_map(|opened| opened.as_mut().ok()?.take_note()).collect()
    }

    /// Looks at so many blocks; the names of the fields.
    async fn look(
        &mut self,
        name: &str,
        opened: &mut Opened,
        blocks: usize,
        limits: &DecodeLimits,
    ) -> Vec<String> {
        let layout: Layout = opened.layout().clone();
        let names = layout.names();
        let positional = !names.is_empty();
        let mut fields = Names::default();
        names.iter().for_each(|name| fields.add(name));
        self.inference.declare(&names);
        let mut bytes = 0;
        for _ in 0..blocks {
            if bytes > SAMPLED_BYTES {
                break;
            }
            // What is wrong further on is the load's to say; what was found out here is not lost to it.
            let Some(block) = opened.peek().await else { break };
            bytes += block.bytes().len();
            layout.decode(block, limits, &mut |i, decoded| match decoded {
                Ok(decoded) => {
                    self.inference.observe(&names, &decoded);
                    fields.note(&decoded, layout.constants.len());
                }
                Err(error) if self.unreadable.is_none() => {
                    let line = block.line_of(i);
                    self.unreadable = Some((name.to_owned(), line, error.to_string()));
                }
                Err(_) => {}
            });
        }
        if !positional {
            // Behind the record's own, under the same name too: that is two fields on one column.
            fields.all.extend(layout.constant_names().map(str::to_owned));
        }
        fields.all
    }
}

/// Names of fields in the order in which they were met. Hostile records may have thousands each, all different.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    known: HashSet<String>,
}

impl Names {
    fn note(&mut self, decoded: &Fields<'_, '_>, constants: usize) {
        match decoded {
            Fields::Named(members) => {
                self.note_all(members.iter().map(|(name, _)| name.as_ref()).take(members.len() - constants));
            }
            Fields::Mended(members) => {
                self.note_all(members.iter().map(|(name, _)| name.as_ref()).take(members.len() - constants));
            }
            Fields::Positional(_) => {}
        }
    }

    fn note_all<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        for (position, name) in names.enumerate() {
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
