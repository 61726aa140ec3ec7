//! Archives as they lie on disk, damaged or made to do harm: members or a reason, no hang, and no more memory
//! than the limits allow. What is read of a member of a zip without an error is what another reader of zips
//! takes out of it.

use std::io::Read as _;
use std::path::Path;

use dbload::internals::format::{Format, HeaderLimits, Limits};
use dbload::internals::input::{
    Access, Blocks, Lists, OpenHints, ReaderOptions, SourceError, SourceSpec, Stream, list,
};
use dbload::internals::record::Position;

use super::Dials;
use super::sources::{in_runtime, scratch};

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let name = dials.pick(&["a.zip", "a.tar", "a.tar.gz", "a.tar.zst"]);
    let folder = scratch();
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, dials.rest()).expect("an archive");
    in_runtime(look(&path));
    let _ = std::fs::remove_dir_all(&folder);
}

async fn look(path: &Path) {
    let word = format!("{}#*", path.display());
    let found = list(&[&word], Lists::default()).await;
    let specs = match found {
        Ok(found) => found.sources,
        Err(error) => return plain(&error),
    };
    for spec in specs.into_iter().take(8) {
        let member = spec.location.member().expect("a member").name.clone();
        match content(spec).await {
            Ok(content) => beside(path, &member, &content),
            Err(error) => plain(&error),
        }
    }
}

/// The lines of a member, without white space.
async fn content(spec: SourceSpec) -> Result<Vec<u8>, SourceError> {
    let stream = Stream::open(spec, &Access::default(), OpenHints::default()).await?;
    let reading = ReaderOptions {
        source: 0,
        format: Format::Jsonl,
        limits: Limits::default(),
        block_bytes: 4096,
        header: HeaderLimits::default(),
        columns: None,
        unnest: None,
    };
    let mut blocks = Blocks::new(stream, reading, Position::start_of(0)).await?;
    let (mut content, mut next_seq) = (Vec::new(), 0);
    while let Some(block) = blocks.next(&mut next_seq).await? {
        for i in 0..block.len() {
            content.extend(block.raw(i).iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    Ok(content)
}

/// Compares a member of a zip with what the crate `zip` takes out of it, where that is text as it is.
fn beside(path: &Path, member: &str, content: &[u8]) {
    if path.extension().is_none_or(|extension| extension != "zip") {
        return;
    }
    let Ok(mut archive) = zip::ZipArchive::new(std::fs::File::open(path).expect("the archive")) else {
        return;
    };
    let mut other = Vec::new();
    let Ok(file) = archive.by_name(member) else { return };
    if file.take(1 << 20).read_to_end(&mut other).is_err() {
        return;
    }
    let is_text = |byte: &u8| (b' '..=b'~').contains(byte) || byte.is_ascii_whitespace();
    if other.len() < 1 << 20 && other.iter().all(is_text) {
        other.retain(|byte| !byte.is_ascii_whitespace());
        assert_eq!(content.escape_ascii().to_string(), other.escape_ascii().to_string(), "{member:?}");
    }
}

fn plain(error: &SourceError) {
    let words = error.to_string();
    assert!(!words.chars().any(char::is_control), "a message steers no terminal: {words:?}");
}
