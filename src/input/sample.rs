//! The sample: the first records of the first sources, for the plan and for the types of a new table.
//!
//! What it opens of sources that are not files is kept for the load: a pipe cannot be opened again, and
//! nobody is asked twice for the same answer.

use std::collections::{HashMap, HashSet};

use crate::format::{DecodeErrorKind, Fields, Layout};
use crate::job;
use crate::map::Inference;
use crate::record::Block;
use crate::shape::{Shaper, Unmade};

use super::access::Access;
use super::ahead::Ahead;
use super::begin::Begin;
use super::entry::Input;
use super::error::SourceError;
use super::opened::OpenSource;
use super::source::Reach;

/// Sources that are sampled: enough to meet files of different shapes, few enough to start at once.
pub const SAMPLED_SOURCES: usize = 8;
/// Blocks of the first source, if that is a file; else, and of the others, one each.
const SAMPLED_BLOCKS: usize = 4;
/// No further block where those before it have so many bytes: of the longest records one has megabytes.
const SAMPLED_BYTES: usize = 1 << 20;

/// Records of each source that are kept until there is a plan, to see what their columns would make of them.
const BEGINNING_RECORDS: usize = 1_000;

/// What the sample gave.
#[derive(Default)]
pub struct Sampled {
    /// The fields of each source.
    pub sources: Vec<SampledFields>,
    /// The columns that they make.
    pub inference: Inference,
    /// The first records of each source.
    pub beginnings: Vec<Beginning>,
    /// Sources that are not opened again, with what was read of them, or why they could not be.
    pub kept: HashMap<usize, Result<OpenSource, SourceError>>,
    /// What is worth saying of files, which are opened again.
    pub notes: Vec<String>,
    /// Why the first file that has no records has none.
    failed: Option<SourceError>,
    /// The first record that cannot be read.
    unreadable: Option<Unreadable>,
    /// Records that can be read.
    readable: u64,
}

/// The fields of a sampled source.
pub struct SampledFields {
    /// Name of the source, for people.
    pub name: String,
    /// Its fields: header, or names in the order in which they were first seen.
    pub fields: Vec<String>,
    /// They are named by a header.
    pub has_header: bool,
}

/// The first records of a source.
pub struct Beginning {
    /// Name of the source, for people.
    pub name: String,
    /// Format and names of its fields.
    pub layout: Layout,
    /// The records.
    pub block: Block,
}

/// A record that cannot be read.
struct Unreadable {
    /// Name of the source that it was seen in.
    name: String,
    /// The line on which it begins.
    line: u64,
    reason: DecodeErrorKind,
}

impl Sampled {
    /// The sample of an earlier start, as it was stored with the sources.
    #[must_use]
    pub fn stored(inputs: &[Input]) -> Self {
        let sources = inputs.iter().take(SAMPLED_SOURCES).filter_map(|input| {
            let fields = input.description.sampled.clone()?;
            Some(SampledFields { name: input.name.clone(), fields, has_header: false })
        });
        Self { sources: sources.collect(), ..Self::default() }
    }
}

/// Samples the sources, so many of them at most. One that cannot be read is left to the load, unless it is
/// the only one.
///
/// # Errors
/// When the only source cannot be read.
pub async fn sample(
    inputs: &mut [Input],
    reading: &job::Reading,
    access: &Access,
    mut ahead: Option<&mut Ahead>,
    sources: usize,
) -> Result<Sampled, SourceError> {
    let mut sampled = Sampled::default();
    let only = inputs.len() == 1;
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
            None => input.open(reading, access, &Begin::at(input.begin)).await,
        };
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(error) if only => return Err(error),
            Err(error) => {
                tracing::debug!(source = input.name, %error, "source left out of the sample");
                if input.reach() == Reach::Asked {
                    sampled.kept.insert(ordinal, Err(error));
                }
                continue;
            }
        };
        // What is not at hand may be slow: one block tells enough.
        let blocks = if ordinal == 0 && input.reach() == Reach::AtHand { SAMPLED_BLOCKS } else { 1 };
        let fields = sampled.look(&input.name, &mut opened, blocks, reading).await;
        if input.reach() == Reach::Asked {
            input.description.sampled = Some(fields.clone());
        }
        input.description.sniffed = opened.layout().format.sniffed();
        let has_header =
            opened.layout().format.has_header() && reading.columns.is_none() && reading.fixed.is_none();
        sampled.sources.push(SampledFields { name: input.name.clone(), fields, has_header });
        if input.reach() == Reach::AtHand {
            sampled.notes.extend(opened.take_note());
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
    pub fn first_failure(&mut self) -> Option<SourceError> {
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

    /// Why there is nothing to make a table from, where there were records: whatever was guessed of them, it
    /// was guessed wrong.
    pub fn unreadable(&mut self) -> Option<SourceError> {
        let Unreadable { name, line, reason } = self.unreadable.take().filter(|_| self.readable == 0)?;
        Some(SourceError::NoneReadable { name, line, reason })
    }

    /// Why there is nothing to make a table from, where a title was taken for the header.
    #[must_use]
    pub fn titled(&self) -> Option<SourceError> {
        self.beginnings.iter().find_map(|Beginning { name, layout, block }| {
            let records: Vec<&[u8]> = (0..block.len()).map(|i| block.raw(i)).collect();
            let (first, fields) = layout.format.under_title(&layout.header, &records)?;
            let lines = block.line_of(first).saturating_sub(1);
            Some(SourceError::Titled { name: name.clone(), lines, fields, header: layout.header.len() })
        })
    }

    /// There was a record to make a table from.
    #[must_use]
    pub const fn has_records(&self) -> bool {
        self.readable > 0
    }

    /// What is worth saying about the sources that were opened.
    pub fn take_notes(&mut self) -> Vec<String> {
        self.kept.values_mut().filter_map(|opened| opened.as_mut().ok()?.take_note()).collect()
    }

    /// Looks at so many blocks; the names of the fields.
    async fn look(
        &mut self,
        name: &str,
        opened: &mut OpenSource,
        blocks: usize,
        reading: &job::Reading,
    ) -> Vec<String> {
        let (limits, shaping) = (&reading.decode, &reading.shaping);
        let layout: Layout = opened.layout().clone();
        let names = layout.names();
        let positional = !names.is_empty();
        let mut fields = Names::default();
        names.iter().for_each(|name| fields.add(name));
        self.inference.declare(&names);
        self.inference.declare_types(opened.types());
        let unmade = Unmade(shaping);
        let shapes = shaping.looks_at_values(positional);
        let are_rejects = layout.format.has_refused_records();
        let mut shaper = shapes.then(|| Shaper::new(shaping, &unmade, *limits).of_rejects(are_rejects));
        let mut bytes = 0;
        for n in 0..blocks {
            if bytes > SAMPLED_BYTES {
                break;
            }
            // What is wrong further on is the load's to say; what was found out here is not lost to it.
            let Some(block) = opened.peek().await else { break };
            bytes += block.content_bytes();
            if n == 0 {
                let (name, layout) = (name.to_owned(), layout.clone());
                self.beginnings.push(Beginning { name, layout, block: block.beginning(BEGINNING_RECORDS) });
            }
            layout.decode(block, limits, &mut |i, decoded| match decoded {
                Ok(decoded) => {
                    self.readable += 1;
                    let Some(shaper) = &mut shaper else {
                        self.inference.observe(&names, &decoded);
                        return fields.note(&decoded, layout.constants.len());
                    };
                    // One that is not as its format says is the load's to refuse.
                    if let Ok(members) = shaper.shape(&names, &decoded) {
                        self.inference.observe(&names, &Fields::Mended(&members));
                        if !positional {
                            fields.note(&Fields::Mended(&members), 0);
                        }
                    }
                }
                Err(error) if self.unreadable.is_none() => {
                    let (name, line) = (name.to_owned(), block.line_of(i));
                    self.unreadable = Some(Unreadable { name, line, reason: error.kind });
                }
                Err(_) => {}
            });
        }
        if let Some(shaper) = &shaper {
            self.inference.forget(shaper.objects());
            fields.all.retain(|name| !shaper.objects().contains(name));
        } else if !positional {
            // Behind the record's own, under the same name too: that is two fields on one column.
            fields.all.extend(layout.constant_names().map(str::to_owned));
        }
        fields.all
    }
}

/// Names of fields in the order in which they were met. Hostile records may have thousands each, all
/// different.
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
