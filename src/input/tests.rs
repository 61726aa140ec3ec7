//! Sources on a real disk: found, opened, cut into blocks, damaged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_compression::tokio::bufread::{BzEncoder, GzipEncoder, XzEncoder, ZstdEncoder};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::format::{Compression, Dialect, Format, HeaderLimits, Limits};
use crate::record::{Position, SpanKind};

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn spec(path: &Path) -> SourceSpec {
    SourceSpec::new(path.display().to_string(), Location::File(path.to_owned()))
}

fn reading(format: &Format, block_bytes: usize) -> ReaderOptions {
    ReaderOptions {
        source: 0,
        format: format.clone(),
        limits: Limits::default(),
        header: HeaderLimits::default(),
        block_bytes,
        columns: None,
        unnest: None,
    }
}

fn csv() -> Format {
    Format::Csv(Dialect::delimited_by(b','))
}

/// A record with the resume point behind it.
type Read = (Vec<u8>, Position);

async fn open(path: &Path, format: &Format, block_bytes: usize, at: Position) -> Result<Blocks, SourceError> {
    let stream = Stream::open(spec(path), &Access::default(), OpenHints::default()).await?;
    Blocks::new(stream, reading(format, block_bytes), at).await
}

async fn drain(blocks: &mut Blocks) -> Result<Vec<Read>, SourceError> {
    let (mut records, mut seq) = (Vec::new(), 100);
    while let Some(block) = blocks.next(&mut seq).await? {
        assert_eq!(block.first_seq, 100 + records.len() as u64);
        assert!(block.start <= block.after(0) && block.after(block.len() - 1) <= block.end);
        for i in 0..block.len() {
            records.push((block.raw(i).to_vec(), block.after(i)));
        }
    }
    assert_eq!(seq, 100 + records.len() as u64);
    Ok(records)
}

async fn read(
    path: &Path,
    format: &Format,
    block_bytes: usize,
    at: Position,
) -> Result<Vec<Read>, SourceError> {
    drain(&mut open(path, format, block_bytes, at).await?).await
}

async fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let result = match compression {
        Compression::None => return bytes.to_vec(),
        Compression::Gzip => GzipEncoder::new(bytes).read_to_end(&mut out).await,
        Compression::Zstd => ZstdEncoder::new(bytes).read_to_end(&mut out).await,
        Compression::Bzip2 => BzEncoder::new(bytes).read_to_end(&mut out).await,
        Compression::Xz => XzEncoder::new(bytes).read_to_end(&mut out).await,
    };
    result.unwrap();
    out
}

const ALL: [(Compression, &str); 5] = [
    (Compression::None, "jsonl"),
    (Compression::Gzip, "jsonl.gz"),
    (Compression::Zstd, "jsonl.zst"),
    (Compression::Bzip2, "jsonl.bz2"),
    (Compression::Xz, "jsonl.xz"),
];

fn jsonl(records: usize) -> String {
    (0..records).map(|i| format!("{{\"id\":{i},\"text\":\"{}\"}}\n", "x".repeat(i % 37))).collect()
}

#[tokio::test]
async fn every_compression_is_read_and_resumed_at_every_record() {
    let text = jsonl(40);
    for (compression, ending) in ALL {
        // Two members, frames or streams: the cut goes through a record.
        let (front, back) = text.as_bytes().split_at(333);
        let content = [compress(compression, front).await, compress(compression, back).await].concat();
        let folder = folder(&[(&format!("a.{ending}"), &content)]);
        let path = folder.path().join(format!("a.{ending}"));
        let all = read(&path, &Format::Jsonl, 64, Position::start_of(0)).await.unwrap();
        assert_eq!(all.len(), 40, "{ending}");
        for (i, (_, after)) in all.iter().enumerate() {
            let rest = read(&path, &Format::Jsonl, 100, *after).await.unwrap();
            assert_eq!(rest, all[i + 1..], "{ending} behind record {i}");
        }
    }
}

#[tokio::test]
async fn compression_is_known_by_its_first_bytes_too() {
    for (compression, _) in ALL {
        let content = compress(compression, b"{\"a\":1}\n").await;
        let folder = folder(&[("data", &content)]);
        let path = folder.path().join("data");
        let mut stream = Stream::open(spec(&path), &Access::default(), OpenHints::default()).await.unwrap();
        assert_eq!(stream.compression(), compression);
        let detected = stream.detect(0, None).await.unwrap();
        assert_eq!(detected.format, Format::Jsonl);
        let mut blocks =
            Blocks::new(stream, reading(&Format::Jsonl, 64), Position::start_of(0)).await.unwrap();
        assert_eq!(drain(&mut blocks).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn damaged_compression_is_an_error_at_every_cut() {
    let text = jsonl(200);
    for (compression, ending) in &ALL[1..] {
        let content = compress(*compression, text.as_bytes()).await;
        let mut bad_end = content.clone();
        let middle = content.len() / 2;
        bad_end[middle] ^= 0x55;
        let mut damaged: Vec<(String, Vec<u8>)> = vec![
            ("a flipped byte".into(), bad_end),
            ("junk behind".into(), [&content[..], b"junk"].concat()),
            ("much junk behind".into(), [&content[..], &[7; 3000]].concat()),
        ];
        if *compression != Compression::Xz {
            damaged.push(("zeros behind".into(), [&content[..], &[0; 1024]].concat()));
        }
        for cut in (0..content.len()).step_by(1 + content.len() / 60).chain([1, content.len() - 1]) {
            damaged.push((format!("cut at {cut} of {}", content.len()), content[..cut].to_vec()));
        }
        for (what, bytes) in damaged {
            let name = format!("a.{ending}");
            let folder = folder(&[(&name, &bytes)]);
            let result = read(&folder.path().join(&name), &Format::Jsonl, 4096, Position::start_of(0)).await;
            let error = result.map(|records| records.len()).expect_err(&format!("{ending} {what}"));
            assert!(matches!(error, SourceError::Decompress { .. }), "{ending} {what}: {error:?}");
            assert!(error.hint().is_some());
        }
    }
}

#[tokio::test]
async fn a_bomb_is_read_in_bounded_memory() {
    let line = vec![b'x'; 64 * 1024 * 1024];
    let bomb = compress(Compression::Zstd, &line).await;
    assert!(bomb.len() < 64 * 1024);
    let folder = folder(&[("a.jsonl.zst", &bomb)]);
    let path = folder.path().join("a.jsonl.zst");
    let stream = Stream::open(spec(&path), &Access::default(), OpenHints::default()).await.unwrap();
    let limits = Limits { record_bytes: 1 << 20 };
    let reading = ReaderOptions { limits, ..reading(&Format::Jsonl, BLOCK_BYTES) };
    let mut blocks = Blocks::new(stream, reading, Position::start_of(0)).await.unwrap();
    let block = blocks.next(&mut 0).await.unwrap().unwrap();
    assert_eq!(block.kind(0), SpanKind::TooLong { record_bytes: line.len() as u64 });
    assert_eq!(block.raw(0), &line[..64 * 1024]);
    assert_eq!(block.offset_of(0), 0);
    assert!(blocks.stream().buffer.capacity() < 16 * 1024 * 1024);
    assert!(blocks.next(&mut 0).await.unwrap().is_none());
}

#[tokio::test]
async fn csv_goes_on_behind_its_header() {
    let text = "\u{feff}id,text\r\n1,\"a\nb\"\r\n\r\n2,\"\"\r\n3,x";
    for content in [text.as_bytes().to_vec(), compress(Compression::Gzip, text.as_bytes()).await] {
        let folder = folder(&[("a", &content)]);
        let path = folder.path().join("a");
        for block_bytes in [1, 7, 1000] {
            let mut blocks = open(&path, &csv(), block_bytes, Position::start_of(0)).await.unwrap();
            assert_eq!(blocks.header(), ["id", "text"]);
            let all = drain(&mut blocks).await.unwrap();
            let raws: Vec<_> = all.iter().map(|(raw, at)| (raw.as_slice(), at.record, at.line)).collect();
            assert_eq!(raws, [(&b"1,\"a\nb\""[..], 1, 3), (b"2,\"\"", 2, 5), (b"3,x", 3, 6)]);
            for (i, (_, after)) in all.iter().enumerate() {
                let mut blocks = open(&path, &csv(), block_bytes, *after).await.unwrap();
                assert_eq!(blocks.header(), ["id", "text"]);
                assert_eq!(drain(&mut blocks).await.unwrap(), all[i + 1..]);
            }
        }
    }
    let bad = folder(&[("a.csv", b"a,a\n")]);
    let error = open(&bad.path().join("a.csv"), &csv(), 9, Position::start_of(0)).await.err().unwrap();
    assert!(matches!(error, SourceError::Header { .. }));
}

#[tokio::test]
async fn a_json_array_that_is_cut_off_is_no_success_on_resume_either() {
    let format = Format::Json { records: None };
    for (text, complete) in
        [("[{\"a\":1},{\"b\":2} ", false), ("[{\"a\":1},{\"b\":2}]", true), ("{\"a\":1}\n{\"b\":2}\n", true)]
    {
        let folder = folder(&[("a.json", text.as_bytes())]);
        let path = folder.path().join("a.json");
        let mut blocks = open(&path, &format, 1000, Position::start_of(0)).await.unwrap();
        let block = blocks.next(&mut 0).await.unwrap().unwrap();
        assert_eq!(block.len(), 2);
        assert_eq!(blocks.next(&mut 0).await.is_ok(), complete, "{text}");
        for i in 0..2 {
            let mut blocks = open(&path, &format, 1000, block.after(i)).await.unwrap();
            let mut seen = 0;
            let result = loop {
                match blocks.next(&mut 0).await {
                    Ok(Some(block)) => seen += block.len(),
                    other => break other,
                }
            };
            assert_eq!((seen, result.is_ok()), (1 - i, complete), "{text} behind {i}");
        }
    }
}

/// What somebody else does to a file with this text.
type Meddling = fn(&Path, &str);

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_noticed() {
    let text = jsonl(9000);
    let cases: [(&str, Meddling); 6] = [
        ("grew", |path, text| std::fs::write(path, format!("{text}{{\"more\":1}}\n")).unwrap()),
        ("shrank", |path, text| std::fs::write(path, &text[..text.len() / 2]).unwrap()),
        ("replaced", |path, text| std::fs::write(path, text.replace("\"id\":0,", "\"id\":9,")).unwrap()),
        ("gone", |path, _| std::fs::remove_file(path).unwrap()),
        // Behind the first 64 KiB and before the last ones, in what was read already.
        ("content", |path, text| {
            std::fs::write(path, text.replace("\"id\":4000,", "\"id\":9999,")).unwrap();
        }),
        ("only touched", |path, _| {
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
    ];
    for (word, change) in cases {
        let folder = folder(&[("a.jsonl", text.as_bytes())]);
        let path = folder.path().join("a.jsonl");
        let mut blocks = open(&path, &Format::Jsonl, 1000, Position::start_of(0)).await.unwrap();
        let mut records = 0;
        while records < 5000 {
            records += blocks.next(&mut 0).await.unwrap().unwrap().len();
        }
        change(&path, &text);
        let error = loop {
            match blocks.next(&mut 0).await {
                Ok(Some(block)) => records += block.len(),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        match (word, error) {
            ("grew" | "only touched", None) => assert_eq!(records, 9000),
            (_, Some(error @ SourceError::Changed { .. })) => {
                assert!(error.to_string().contains(word), "{error}");
                assert_eq!(error.hint().unwrap(), "whoever writes it should be done before it is loaded");
            }
            (_, other) => panic!("{word}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_small_file_is_read_at_once_as_it_was_recorded_or_not_at_all() {
    let text = jsonl(9);
    let folder = folder(&[("a.jsonl", text.as_bytes())]);
    let path = folder.path().join("a.jsonl");
    let recorded = Fingerprint::of(&path).await.unwrap();
    let opened = async || {
        let known = OpenHints { fingerprint: Some(recorded.clone()), ..OpenHints::default() };
        let stream = Stream::open(spec(&path), &Access::default(), known).await.unwrap();
        Blocks::new(stream, reading(&Format::Jsonl, 1000), Position::start_of(0)).await.unwrap()
    };
    let mut blocks = opened().await;
    std::fs::write(&path, text.replace("\"id\":3,", "\"id\":7,")).unwrap();
    assert_eq!(drain(&mut blocks).await.unwrap().len(), 9, "what it is by now is not what was read");
    let error = drain(&mut opened().await).await.unwrap_err();
    assert!(matches!(error, SourceError::Changed { .. }), "{error}");
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    let error = drain(&mut opened().await).await.unwrap_err();
    assert!(error.to_string().contains("shrank"), "{error}");
}

#[tokio::test]
async fn a_resume_reads_a_file_that_grew_to_its_recorded_size() {
    for (compression, ending) in ALL {
        let content = compress(compression, jsonl(3).as_bytes()).await;
        let name = format!("a.{ending}");
        let folder = folder(&[(&name, &content)]);
        let path = folder.path().join(&name);
        let recorded = Fingerprint::of(&path).await.unwrap();
        let all = read(&path, &Format::Jsonl, 1000, Position::start_of(0)).await.unwrap();
        std::fs::write(&path, [content.clone(), content].concat()).unwrap();
        for (at, rest) in [(Position::start_of(0), &all[..]), (all[0].1, &all[1..])] {
            let stream = Stream::open(
                spec(&path),
                &Access::default(),
                OpenHints { fingerprint: Some(recorded.clone()), ..OpenHints::default() },
            )
            .await
            .unwrap();
            let mut blocks = Blocks::new(stream, reading(&Format::Jsonl, 1000), at).await.unwrap();
            assert_eq!(drain(&mut blocks).await.unwrap(), rest, "{ending}");
        }
    }
}

#[tokio::test]
async fn fingerprints_tell_what_changed() {
    let text = jsonl(9000);
    let folder = folder(&[("a", text.as_bytes())]);
    let path = folder.path().join("a");
    let recorded = Fingerprint::of(&path).await.unwrap();
    let stored = serde_json::to_string(&recorded).unwrap();
    let recorded: Fingerprint = serde_json::from_str(&stored).unwrap();
    assert_eq!(recorded.compare(&path).await.unwrap(), Change::Same);
    std::fs::write(&path, format!("{text}x")).unwrap();
    let grew = recorded.compare(&path).await.unwrap();
    assert!(matches!(grew, Change::Grew { .. }) && grew.keeps_recorded_part());
    std::fs::write(&path, format!("{}y\n", &text[..text.len() - 2])).unwrap();
    assert!(matches!(recorded.compare(&path).await.unwrap(), Change::Replaced { .. }));
    std::fs::write(&path, "").unwrap();
    assert_eq!(
        recorded.compare(&path).await.unwrap().to_string(),
        format!("it had {} bytes, now 0: it shrank", text.len())
    );
    let empty = Fingerprint::of(&path).await.unwrap();
    assert_eq!(empty.compare(&path).await.unwrap(), Change::Same);
}

#[tokio::test]
async fn a_resume_point_behind_the_end_is_refused() {
    for (compression, ending) in ALL {
        let content = compress(compression, b"{}\n").await;
        let name = format!("a.{ending}");
        let folder = folder(&[(&name, &content)]);
        let at = Position { source: 0, offset: 1000, record: 9, line: 9 };
        let error = open(&folder.path().join(&name), &Format::Jsonl, 64, at).await.err().unwrap();
        assert!(matches!(error, SourceError::BehindEnd { .. }), "{error:?}");
        assert!(error.hint().unwrap().starts_with("the file was cut since"));
    }
}

#[tokio::test]
async fn digest_and_progress_cover_what_was_read() {
    let text = jsonl(500);
    let folder = folder(&[("a.jsonl", text.as_bytes())]);
    let path = folder.path().join("a.jsonl");
    let progress: RawProgress = Arc::new(AtomicU64::new(0));
    let stream = Stream::open(
        spec(&path),
        &Access::default(),
        OpenHints { progress: Arc::clone(&progress), ..OpenHints::default() },
    )
    .await
    .unwrap();
    let mut blocks = Blocks::new(stream, reading(&Format::Jsonl, 512), Position::start_of(0)).await.unwrap();
    let mut seq = 0;
    while let Some(block) = blocks.next(&mut seq).await.unwrap() {
        let digest = blocks.digest();
        let part = &text.as_bytes()[..usize::try_from(digest.to).unwrap()];
        assert_eq!((digest.from, digest.hash), (0, xxhash_rust::xxh3::xxh3_64(part)));
        assert!(digest.to >= block.end.offset);
    }
    assert_eq!(blocks.digest().to, text.len() as u64);
    assert_eq!(progress.load(Ordering::Relaxed), text.len() as u64);
}

#[tokio::test]
async fn a_pipe_is_read_once() {
    let folder = folder(&[]);
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let source = list(&[path.as_os_str()], Lists::default()).await.unwrap().sources.remove(0);
    assert_eq!(source.location, Location::Pipe(path.clone()));
    let content = compress(Compression::Gzip, b"{\"a\":1}\n{\"a\":2}").await;
    let writer = tokio::task::spawn_blocking(move || std::fs::write(path, content).unwrap());
    let mut stream = Stream::open(source, &Access::default(), OpenHints::default()).await.unwrap();
    let format = stream.detect(0, None).await.unwrap().format;
    assert_eq!(format, Format::Jsonl);
    let mut blocks = Blocks::new(stream, reading(&format, 64), Position::start_of(0)).await.unwrap();
    let records = drain(&mut blocks).await.unwrap();
    assert_eq!(records.len(), 2);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_slow_pipe_gives_records_as_they_come_and_survives_cancelling() {
    use std::io::Write as _;
    use std::time::Duration;
    let folder = folder(&[]);
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (send, receive) = std::sync::mpsc::channel::<&[u8]>();
    let source = list(&[path.as_os_str()], Lists::default()).await.unwrap().sources.remove(0);
    let writer = tokio::task::spawn_blocking(move || {
        let mut pipe = std::fs::File::options().write(true).open(path).unwrap();
        receive.iter().for_each(|bytes| pipe.write_all(bytes).unwrap());
    });
    send.send(b"a,b\n1,2\n3,").unwrap();
    let mut stream = Stream::open(source, &Access::default(), OpenHints::default()).await.unwrap();
    let format = stream.detect(0, None).await.unwrap().format;
    let mut blocks = Blocks::new(stream, reading(&format, 64), Position::start_of(0)).await.unwrap();
    let mut seq = 0;
    let block = blocks.next(&mut seq).await.unwrap().unwrap();
    assert_eq!((block.raw(0), block.len()), (&b"1,2"[..], 1));
    for _ in 0..3 {
        let cancelled = tokio::time::timeout(Duration::from_millis(5), blocks.next(&mut seq)).await;
        assert!(cancelled.is_err());
    }
    send.send(b"4\n5").unwrap();
    let block = blocks.next(&mut seq).await.unwrap().unwrap();
    assert_eq!((block.raw(0), block.first_seq), (&b"3,4"[..], 1));
    drop(send);
    assert_eq!(blocks.next(&mut seq).await.unwrap().unwrap().raw(0), b"5");
    assert!(blocks.next(&mut seq).await.unwrap().is_none());
    writer.await.unwrap();
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_not_passed_over() {
    let folder = folder(&[("a.csv", b"")]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("b.csv")).unwrap();
    for word in ["*.csv", ""] {
        let error = names(&folder, &[word]).await.unwrap_err();
        assert!(matches!(&error, SourceError::Open { name, .. } if name.ends_with("b.csv")), "{error:?}");
    }
}

async fn names(folder: &TempDir, words: &[&str]) -> Result<Vec<String>, SourceError> {
    let words: Vec<PathBuf> = words.iter().map(|word| folder.path().join(word)).collect();
    let found = list(&words, Lists::default()).await?.sources;
    let short = |source: SourceSpec| {
        let Location::File(path) = source.location else { panic!("{source:?}") };
        path.strip_prefix(folder.path()).unwrap().display().to_string()
    };
    Ok(found.into_iter().map(short).collect())
}

#[tokio::test]
async fn words_become_sources_in_order() {
    let files =
        ["b.csv", "a.jsonl", "a.jsonl.gz", "B.csv", "x.rejects.jsonl", ".h.csv", "read.me", "[1].csv"];
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, &b""[..])).collect();
    all.extend([("d/e/c.csv", &b""[..]), ("d/c.csv", b"")]);
    let folder = folder(&all);
    for (words, expected) in [
        (&["b.csv", "a.jsonl"][..], &["b.csv", "a.jsonl"][..]),
        (&["*.csv"], &["B.csv", "[1].csv", "b.csv"]),
        (&["*.jsonl"], &["a.jsonl"]),
        (&["*.rejects.jsonl"], &["x.rejects.jsonl"]),
        (&["[1].csv"], &["[1].csv"]),
        (&["{a,b}.*"], &["a.jsonl", "a.jsonl.gz", "b.csv"]),
        (&["**/c.csv"], &["d/c.csv", "d/e/c.csv"]),
        (&["d/*/c.???"], &["d/e/c.csv"]),
        (&[".*.csv"], &[".h.csv"]),
        (&[""], &["B.csv", "[1].csv", "a.jsonl", "a.jsonl.gz", "b.csv"]),
    ] {
        assert_eq!(names(&folder, words).await.unwrap(), expected, "{words:?}");
    }
}

#[tokio::test]
async fn words_that_name_nothing_are_refused_with_a_hint() {
    let folder = folder(&[("events.jsonl", b""), ("empty/read.me", b"")]);
    for (words, expected, hint) in [
        (&["event.jsonl"][..], "found no file", "events.jsonl?"),
        (&["*.csv"], "no file matches", "patterns"),
        (&["empty"], "found no data files in the folder", ".jsonl"),
        (&["events.jsonl", "*.jsonl"], "is named twice", "once"),
        (&["a[.csv"], "as a pattern", "in a pattern each [ and { is closed"),
    ] {
        let error = names(&folder, words).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
    }
    let error = list(&["ftp://user:secret@host/x?token=t"], Lists::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "sources of the kind ftp:// are not supported yet");
    for (url, hint) in [
        ("ftp://host/x", "pipe it in: curl -fsS URL | dbload - --table NAME"),
        ("kafka://host/x", "pipe it in from a program that reads it: PROGRAM | dbload - --table NAME"),
    ] {
        let error = list(&[url], Lists::default()).await.unwrap_err();
        assert_eq!(error.hint().unwrap(), hint);
    }
    let all = folder.path().join("*.jsonl").to_str().unwrap().to_owned();
    let error = super::files::list(&[all], 0).unwrap_err();
    assert_eq!(error.hint().unwrap(), "load them in several runs");
    let source = std::io::ErrorKind::PermissionDenied.into();
    let error = SourceError::Open { name: "a.csv".to_owned(), source };
    assert_eq!(error.hint().unwrap(), "you have no right to read it");
    let stdin = list(&["-"], Lists::default()).await.unwrap().sources;
    assert_eq!(stdin[0].location, Location::Stdin);
    use std::os::unix::ffi::OsStrExt as _;
    let error = list(&[std::ffi::OsStr::from_bytes(b"a\xff.csv")], Lists::default()).await.unwrap_err();
    assert!(matches!(error, SourceError::NameNotUtf8 { .. }));
}

#[test]
fn sources_are_stored_as_json() {
    let stored = r#"{"name":"a.csv","location":{"at":"file","path":"/x/a.csv"}}"#;
    let source: SourceSpec = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string(&source).unwrap(), stored);
    let stdin = SourceSpec::new("stdin".into(), Location::Stdin);
    assert_eq!(serde_json::to_string(&stdin).unwrap(), r#"{"name":"stdin","location":{"at":"stdin"}}"#);
}
