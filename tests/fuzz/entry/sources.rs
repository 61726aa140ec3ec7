//! Files as they lie on disk, compressed or damaged: every record of what was compressed, or a clear end; and
//! reading on at any resume point gives the rest. Through real files and the reader that a load uses.

use std::cell::OnceCell;
use std::io::Write;
use std::path::{Path, PathBuf};

use dbload::internals::format::{Compression, Dialect, Format, HeaderLimits, Limits};
use dbload::internals::input::{
    Access, Blocks, Location, OpenHints, ReaderOptions, SourceError, SourceSpec, Stream,
};
use dbload::internals::record::Position;
use tokio::runtime::Runtime;

use super::{Dials, split};

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// A record as the reader gave it: bytes, line, and the resume point behind it.
type Read = (Vec<u8>, u64, Position);

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let format = dials.pick(&[
        Format::Jsonl,
        Format::Csv(Dialect::delimited_by(b',')),
        Format::Json { records: None },
        Format::Json { records: Some("a".to_owned()) },
    ]);
    let compression = dials.pick(&[
        Compression::Gzip,
        Compression::Zstd,
        Compression::None,
        Compression::Gzip,
        Compression::Bzip2,
        Compression::Xz,
    ]);
    let shape = dials.byte();
    let block_bytes = dials.pick(&[1, 7, 64, 4096]);
    let text = dials.rest();
    // Where the first half of the text becomes a member of its own, and what is damaged.
    let file = match shape % 4 {
        0 => text.to_vec(),
        1 => compress(compression, text),
        2 => {
            let (first, second) = text.split_at(text.len() / 2);
            [compress(compression, first), compress(compression, second)].concat()
        }
        _ => {
            let mut file = compress(compression, text);
            let at = usize::from(shape / 4) * file.len() / 64;
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 0x40;
            }
            file
        }
    };
    let intact = matches!(shape % 4, 1 | 2) || compression == Compression::None && shape.is_multiple_of(4);
    let scratch = Scratch(scratch());
    let path = &scratch.0;
    std::fs::write(path, &file).expect("a scratch file");
    let open = (compression, format.clone(), block_bytes);
    let (records, result) = in_runtime(read(path, &open, Position::start_of(0)));
    if intact {
        against_the_splitter(&format, text, &records, &result);
    }
    // How much of a damaged file is decoded before the damage is noticed is the decoder's affair.
    if !intact {
        return;
    }
    let step = 1 + records.len() / 3;
    for (i, (_, _, at)) in records.iter().enumerate().skip(usize::from(shape) % step).step_by(step) {
        let (rest, again) = in_runtime(read(path, &open, *at));
        let left = &records[i + 1..];
        assert_eq!(rest.get(..left.len()), Some(left), "the rest from {at:?}");
        assert_eq!(again.is_ok(), result.is_ok(), "the end from {at:?}: {again:?}, {result:?}");
        if result.is_ok() {
            assert_eq!(rest.len(), left.len(), "nothing more from {at:?}");
        }
    }
}

fn against_the_splitter(format: &Format, text: &[u8], records: &[Read], result: &Result<(), SourceError>) {
    if matches!(format, Format::Csv(_)) {
        return;
    }
    let whole = split::whole(format, Limits::default(), text);
    let found: Vec<_> = records.iter().map(|(raw, line, _)| (raw, *line)).collect();
    assert_eq!(found, whole.records.iter().map(|record| (&record.raw, record.line)).collect::<Vec<_>>());
    assert_eq!(result.is_ok(), whole.result.is_ok(), "{result:?} {:?}", whole.result);
}

async fn read(
    path: &Path,
    (compression, format, block_bytes): &(Compression, Format, usize),
    at: Position,
) -> (Vec<Read>, Result<(), SourceError>) {
    let mut records = Vec::new();
    let spec = SourceSpec {
        name: "scratch".to_owned(),
        location: Location::File(path.to_owned()),
        fields: Vec::new(),
        part: None,
    };
    let reading = ReaderOptions {
        source: 0,
        format: format.clone(),
        limits: Limits::default(),
        block_bytes: *block_bytes,
        header: HeaderLimits::default(),
        columns: None,
        unnest: None,
    };
    let mut next_seq = 5;
    let result = async {
        let stream = Stream::open(
            spec,
            &Access::default(),
            OpenHints { compression: Some(*compression), ..OpenHints::default() },
        )
        .await?;
        let mut blocks = Blocks::new(stream, reading, at).await?;
        while let Some(block) = blocks.next(&mut next_seq).await? {
            for i in 0..block.len() {
                records.push((block.raw(i).to_vec(), block.line_of(i), block.after(i)));
            }
        }
        Ok::<(), SourceError>(())
    };
    let result = result.await;
    if let Err(error) = &result {
        let words = error.to_string();
        assert!(!words.chars().any(char::is_control), "a message steers no terminal: {words:?}");
    }
    (records, result)
}

pub(super) fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|cell| {
        let make = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        cell.get_or_init(make).block_on(work)
    })
}

/// A file that is gone when its input is done with.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One file a thread, in memory where the system has such a folder.
pub(super) fn scratch() -> PathBuf {
    let folder = ["/dev/shm", "/tmp"].map(PathBuf::from).into_iter().find(|folder| folder.is_dir());
    let name = format!("dbload-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
    folder.unwrap_or_default().join(name)
}

fn compress(compression: Compression, text: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => text.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("in memory")
        }
        Compression::Zstd => zstd::encode_all(text, 1).expect("in memory"),
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(vec![], bzip2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("in memory")
        }
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(vec![], 0);
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("in memory")
        }
        other => panic!("{other:?}: compress it here too"),
    }
}
