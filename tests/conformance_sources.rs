//! What every source keeps, whatever it reads from: the contract of `input/source.rs`, run over all of them.
//! A new source is a further row of [`SOURCES`].

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_ipc::writer::StreamWriter;
use dbload::internals::feed::Feed;
use dbload::internals::format::Layout;
use dbload::internals::http::RateLimiters;
use dbload::internals::input::{
    Access, Begin, Class, Description, Input, Lists, OpenSource, Reach, SourceError, SourceSpec, list,
};
use dbload::internals::job::{FormatName, Job};
use dbload::internals::load::{name_databases, source_databases};
use dbload::internals::local::SharedServer;
use dbload::internals::pg::ConnInfo;
use dbload::internals::record::{PageToken, Position};
use dbload::internals::store::Variables;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::support::api::{Api, Reply};
use crate::support::bucket::{self, Bucket};
use crate::support::{Database, Folder, MariaDb, archive, compress};

/// Records of each source; and on a page.
const RECORDS: u64 = 40;
const ON_A_PAGE: usize = 7;

/// How the bytes come.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    AtOnce,
    /// In pieces that end anywhere.
    InPieces,
}

/// A source, and what it promises once it is open.
struct Kind {
    name: &'static str,
    class: Class,
    reach: Reach,
    make: fn(&[u64], Pace) -> Made,
    /// What it gives if there is nothing.
    empty: Empty,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Empty {
    NoRecords,
    Refused,
}

const SOURCES: [Kind; 19] = [
    Kind { name: "file", class: Class::Fixed, reach: Reach::AtHand, make: file, empty: Empty::NoRecords },
    Kind { name: "gzip", class: Class::Fixed, reach: Reach::AtHand, make: gzip, empty: Empty::NoRecords },
    Kind {
        name: "member of a zip",
        class: Class::Fixed,
        reach: Reach::AtHand,
        make: zip_member,
        empty: Empty::NoRecords,
    },
    Kind {
        name: "member of a tar",
        class: Class::Fixed,
        reach: Reach::AtHand,
        make: tar_member,
        empty: Empty::NoRecords,
    },
    Kind {
        name: "member of a tar.gz",
        class: Class::Fixed,
        reach: Reach::AtHand,
        make: packed_member,
        empty: Empty::NoRecords,
    },
    Kind {
        name: "JSON by columns",
        class: Class::Fixed,
        reach: Reach::AtHand,
        make: json_columns,
        empty: Empty::NoRecords,
    },
    Kind {
        name: "Parquet",
        class: Class::Fixed,
        reach: Reach::AtHand,
        make: parquet,
        empty: Empty::NoRecords,
    },
    Kind { name: "Arrow", class: Class::Fixed, reach: Reach::AtHand, make: arrow, empty: Empty::NoRecords },
    Kind {
        name: "body of Parquet",
        class: Class::Fixed,
        reach: Reach::Asked,
        make: parquet_body,
        empty: Empty::NoRecords,
    },
    Kind { name: "pipe", class: Class::Once, reach: Reach::Awaited, make: pipe, empty: Empty::NoRecords },
    Kind { name: "body", class: Class::Fixed, reach: Reach::Asked, make: body, empty: Empty::Refused },
    Kind {
        name: "body without a version",
        class: Class::Query,
        reach: Reach::Asked,
        make: unversioned,
        empty: Empty::Refused,
    },
    Kind { name: "object", class: Class::Fixed, reach: Reach::Asked, make: object, empty: Empty::NoRecords },
    Kind {
        name: "gzip object",
        class: Class::Fixed,
        reach: Reach::Asked,
        make: gzip_object,
        empty: Empty::NoRecords,
    },
    Kind { name: "pages", class: Class::Query, reach: Reach::Asked, make: pages, empty: Empty::NoRecords },
    Kind { name: "table", class: Class::Query, reach: Reach::Asked, make: table, empty: Empty::NoRecords },
    Kind {
        name: "table of a file",
        class: Class::Query,
        reach: Reach::Asked,
        make: table_of_file,
        empty: Empty::NoRecords,
    },
    Kind {
        name: OF_MARIADB,
        class: Class::Query,
        reach: Reach::Asked,
        make: table_of_mysql,
        empty: Empty::NoRecords,
    },
    Kind { name: "caller", class: Class::Once, reach: Reach::Awaited, make: caller, empty: Empty::NoRecords },
];

const OF_MARIADB: &str = "table of MySQL";

/// Those that there are on this machine.
fn sources() -> impl Iterator<Item = Kind> {
    SOURCES.into_iter().filter(|kind| kind.name != OF_MARIADB || MariaDb::shared().is_some())
}

/// Gives a source other records.
type Change = dyn Fn(&[u64]);

/// A source that is there.
struct Made {
    job: Job,
    /// From now on it has these records.
    change: Box<Change>,
    _keep: Box<dyn Any>,
}

fn job(word: String, format: FormatName) -> Job {
    let mut job = Job::new(ConnInfo::parse("postgres://nobody@127.0.0.1:1/none").unwrap(), vec![word]);
    job.reading.format = Some(format);
    job.web.http.retry_limits.retry_for = Duration::from_secs(2);
    job
}

/// A record; those with odd numbers are longer.
fn record(id: u64) -> String {
    format!("{{\"id\":{id},\"v\":\"{}\"}}", "\u{e9}x".repeat(if id % 2 == 1 { 30 } else { 1 }))
}

fn lines(ids: &[u64]) -> Vec<u8> {
    ids.iter().map(|id| record(*id) + "\n").collect::<String>().into_bytes()
}

fn stored(ids: &[u64], name: &str, format: FormatName, write: fn(&[u64]) -> Vec<u8>) -> Made {
    let folder = Folder::new();
    let path = folder.file(name, write(ids));
    let job = job(path.display().to_string(), format);
    let change = Box::new(move |ids: &[u64]| std::fs::write(&path, write(ids)).unwrap());
    Made { job, change, _keep: Box::new(folder) }
}

fn file(ids: &[u64], _pace: Pace) -> Made {
    stored(ids, "a.jsonl", FormatName::Jsonl, lines)
}

fn gzip(ids: &[u64], _pace: Pace) -> Made {
    stored(ids, "a.jsonl.gz", FormatName::Jsonl, |ids| compress::gzip(&lines(ids)))
}

/// One of two members: whatever is before or behind it is not of it.
fn member(ids: &[u64], name: &str, write: fn(&[u64]) -> Vec<u8>) -> Made {
    let mut made = stored(ids, name, FormatName::Jsonl, write);
    made.job.sources[0].push_str("#x/b.jsonl");
    made
}

fn members(ids: &[u64]) -> [(&'static str, Vec<u8>); 3] {
    [("a.jsonl", lines(&[7])), ("x/b.jsonl", lines(ids)), ("x/c.jsonl", lines(&[8]))]
}

fn zip_member(ids: &[u64], _pace: Pace) -> Made {
    member(ids, "a.zip", |ids| {
        let members = members(ids);
        archive::zip(&members.each_ref().map(|(name, text)| (*name, text.as_slice())))
    })
}

fn tar_bytes(ids: &[u64]) -> Vec<u8> {
    let members = members(ids);
    archive::tar(&[], &members.each_ref().map(|(name, text)| (*name, text.as_slice())))
}

fn tar_member(ids: &[u64], _pace: Pace) -> Made {
    member(ids, "a.tar", tar_bytes)
}

fn packed_member(ids: &[u64], _pace: Pace) -> Made {
    member(ids, "a.tar.gz", |ids| compress::gzip(&tar_bytes(ids)))
}

fn json_columns(ids: &[u64], _pace: Pace) -> Made {
    stored(ids, "a.json", FormatName::JsonColumns, |ids| {
        let texts: Vec<String> = ids.iter().map(|id| record(*id)).collect();
        serde_json::json!({ "id": ids, "v": texts }).to_string().into_bytes()
    })
}

fn columns(ids: &[u64]) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(UInt64Array::from(ids.to_vec()));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().map(|id| record(*id))));
    RecordBatch::try_from_iter([("id", numbers), ("v", texts)]).unwrap()
}

/// Row groups of fewer rows than there are.
fn parquet_bytes(ids: &[u64]) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(11)).build();
    let batch = columns(ids);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn arrow_bytes(ids: &[u64]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &columns(&[]).schema()).unwrap();
    for some in ids.chunks(7) {
        writer.write(&columns(some)).unwrap();
    }
    writer.into_inner().unwrap()
}

fn parquet(ids: &[u64], _pace: Pace) -> Made {
    stored(ids, "a.parquet", FormatName::Parquet, parquet_bytes)
}

fn arrow(ids: &[u64], _pace: Pace) -> Made {
    stored(ids, "a.arrows", FormatName::Arrow, arrow_bytes)
}

fn parquet_body(ids: &[u64], pace: Pace) -> Made {
    served(ids, pace, FormatName::Parquet, |ask, ids| {
        Reply::file(ask, parquet_bytes(ids), &format!("\"v{}\"", ids.first().unwrap_or(&0)))
    })
}

fn pipe(ids: &[u64], pace: Pace) -> Made {
    let folder = Folder::new();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let job = job(path.display().to_string(), FormatName::Jsonl);
    let bytes = lines(ids);
    std::thread::spawn(move || {
        use std::io::Write as _;
        let mut pipe = std::fs::File::options().write(true).open(path).unwrap();
        let piece = if pace == Pace::AtOnce { usize::MAX } else { 100 };
        for piece in bytes.chunks(piece) {
            // Who has read enough goes away.
            if pipe.write_all(piece).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(u64::from(pace == Pace::InPieces)));
        }
    });
    Made { job, change: Box::new(|_| ()), _keep: Box::new(folder) }
}

/// A server with these records, of the version that their first one names.
fn served(
    ids: &[u64],
    pace: Pace,
    format: FormatName,
    answer: fn(&crate::support::api::Ask, &[u64]) -> Reply,
) -> Made {
    let now = Arc::new(Mutex::new(ids.to_vec()));
    let shown = Arc::clone(&now);
    let api = Api::serve(move |ask| {
        let reply = answer(ask, &shown.lock().unwrap());
        match pace {
            Pace::AtOnce => reply,
            Pace::InPieces => reply.in_pieces(100, Duration::from_millis(1)),
        }
    });
    let job = job(api.url("/records"), format);
    let change = Box::new(move |ids: &[u64]| *now.lock().unwrap() = ids.to_vec());
    Made { job, change, _keep: Box::new(api) }
}

fn body(ids: &[u64], pace: Pace) -> Made {
    served(ids, pace, FormatName::Jsonl, |ask, ids| {
        Reply::file(ask, lines(ids), &format!("\"v{}\"", ids.first().unwrap_or(&0)))
    })
}

fn stored_object(ids: &[u64], pace: Pace, name: &str, write: fn(&[u8]) -> Vec<u8>) -> Made {
    let bucket = Arc::new(Bucket::new());
    // Another store has these keys too.
    for key in [1, 2] {
        bucket.put(&format!("{key}/{name}"), write(&lines(&[key])));
    }
    let key = format!("{}/{name}", ids.first().unwrap_or(&0));
    bucket.put(&key, write(&lines(ids)));
    if pace == Pace::InPieces {
        bucket.misbehave(|_, reply| reply.in_pieces(100, Duration::from_millis(1)));
    }
    let mut job = job(Bucket::word(&key), FormatName::Jsonl);
    job.web.store.endpoint = Some(bucket.endpoint());
    job.web.store.variables = Variables::read(|name| match name {
        "AWS_ACCESS_KEY_ID" => Some(bucket::KEY_ID.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(bucket::SECRET.to_owned()),
        _ => None,
    });
    let changed = Arc::clone(&bucket);
    let change = Box::new(move |ids: &[u64]| changed.put(&key, write(&lines(ids))));
    Made { job, change, _keep: Box::new(bucket) }
}

fn object(ids: &[u64], pace: Pace) -> Made {
    stored_object(ids, pace, "a.jsonl", <[u8]>::to_vec)
}

fn gzip_object(ids: &[u64], pace: Pace) -> Made {
    stored_object(ids, pace, "a.jsonl.gz", compress::gzip)
}

fn unversioned(ids: &[u64], pace: Pace) -> Made {
    served(ids, pace, FormatName::Jsonl, |_, ids| Reply::new(200, "application/x-ndjson", lines(ids)))
}

fn pages(ids: &[u64], pace: Pace) -> Made {
    let mut made = served(ids, pace, FormatName::Json, |ask, ids| {
        let page = usize::try_from(ask.number("page").unwrap()).unwrap();
        let on_page: Vec<String> =
            ids.iter().skip(page * ON_A_PAGE).take(ON_A_PAGE).map(|id| record(*id)).collect();
        Reply::json(format!("[{}]", on_page.join(",\n")))
    });
    made.job.web.paginate = Some("page:page=0".parse().unwrap());
    made
}

fn table(ids: &[u64], _pace: Pace) -> Made {
    let fresh = SharedServer::get().unwrap().fresh_database().unwrap();
    let url = fresh.url();
    let write = move |ids: &[u64]| {
        let database = Database::connect(&url);
        // Who reads it may be at it still.
        database
            .sql("CREATE TABLE IF NOT EXISTS records (id bigint PRIMARY KEY, v text); DELETE FROM records");
        for id in ids {
            let v = "\u{e9}x\t".repeat(if id % 2 == 1 { 30 } else { 1 });
            database.sql(&format!("INSERT INTO records VALUES ({id}, '{v}')"));
        }
    };
    // Not on a thread that is busy with futures.
    let write = move |ids: &[u64]| std::thread::scope(|scope| scope.spawn(|| write(ids)).join().unwrap());
    write(ids);
    let mut job = job(format!("{}&table=records", fresh.url()), FormatName::Jsonl);
    name_databases(&mut job, ConnInfo::parse, &|_| None).unwrap();
    Made { job, change: Box::new(write), _keep: Box::new(fresh) }
}

fn table_of_file(ids: &[u64], _pace: Pace) -> Made {
    let folder = Folder::new();
    let path = folder.path().join("records.db");
    let word = format!("sqlite://{}?table=records", path.display());
    let write = move |ids: &[u64]| {
        let database = rusqlite::Connection::open(&path).unwrap();
        database.busy_timeout(Duration::from_secs(60)).unwrap();
        // Who reads it may be at it still.
        let mut sql = "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, v TEXT); \
                       DELETE FROM records;"
            .to_owned();
        for id in ids {
            let v = "\u{e9}x\t".repeat(if id % 2 == 1 { 30 } else { 1 });
            sql += &format!("INSERT INTO records VALUES ({id}, '{v}');");
        }
        database.execute_batch(&sql).unwrap();
    };
    write(ids);
    Made { job: job(word, FormatName::Jsonl), change: Box::new(write), _keep: Box::new(folder) }
}

fn table_of_mysql(ids: &[u64], _pace: Pace) -> Made {
    let database =
        MariaDb::shared().unwrap().database("CREATE TABLE records (id BIGINT PRIMARY KEY, v TEXT)");
    let word = database.table("records");
    let write = move |ids: &[u64]| {
        let mut sql = "BEGIN; DELETE FROM records;".to_owned();
        for id in ids {
            let v = "\u{e9}x\t".repeat(if id % 2 == 1 { 30 } else { 1 });
            sql += &format!("INSERT INTO records VALUES ({id}, '{v}');");
        }
        database.sql(&(sql + "COMMIT"));
    };
    write(ids);
    let mut job = job(word, FormatName::Jsonl);
    name_databases(&mut job, ConnInfo::parse, &|_| None).unwrap();
    Made { job, change: Box::new(write), _keep: Box::new(()) }
}

fn caller(ids: &[u64], pace: Pace) -> Made {
    let mut job = job("-".to_owned(), FormatName::Jsonl);
    let feed = Feed::default();
    job.feed = Some(feed.clone());
    let ids = ids.to_vec();
    std::thread::spawn(move || {
        runtime().block_on(async {
            for id in ids {
                if feed.push((record(id) + "\n").as_bytes()).await.is_err() {
                    return;
                }
                if pace == Pace::InPieces {
                    let _ = feed.want_all();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            feed.finish();
        });
    });
    Made { job, change: Box::new(|_| ()), _keep: Box::new(()) }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A record as it was read, and what a checkpoint behind it says.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    id: u64,
    after: Position,
    page: Option<PageToken>,
}

impl Read {
    fn begin(&self) -> Begin {
        Begin { at: self.after, pages: self.page.iter().map(|page| (self.after, page.clone())).collect() }
    }
}

impl Made {
    fn lists(&self) -> Lists {
        Lists { store: self.job.web.store.clone(), ..Lists::default() }
    }

    async fn specs(&self, words: &[String]) -> Result<Vec<SourceSpec>, SourceError> {
        match &self.job.feed {
            Some(_) => Ok(vec![SourceSpec::of_caller()]),
            None => list(words, self.lists()).await.map(|listed| listed.sources),
        }
    }

    async fn input(&self) -> (Input, Access) {
        let specs = self.specs(&self.job.sources).await.unwrap();
        let access = Access::of(&specs, &self.job, &RateLimiters::default()).unwrap();
        let access = access.with_databases(source_databases(&self.job));
        let [spec] = <[SourceSpec; 1]>::try_from(specs).unwrap();
        (Input::new(spec, 0).await.unwrap(), access)
    }

    /// OpenSource where a run begins: its class too.
    async fn open(&self, input: &Input, access: &Access, begin: &Begin) -> Result<OpenSource, SourceError> {
        input.open(&self.job.reading, access, begin).await
    }

    /// All of it from there on.
    async fn read(&self, input: &Input, access: &Access, begin: &Begin) -> Result<Vec<Read>, SourceError> {
        let mut opened = self.open(input, access, begin).await?;
        let (mut all, mut seq) = (Vec::new(), 0);
        let layout = opened.layout().clone();
        while let Some((block, _)) = opened.next(&mut seq).await? {
            push(&mut all, &layout, &block);
        }
        assert_eq!(seq, all.len() as u64, "numbered one by one");
        Ok(all)
    }
}

fn push(all: &mut Vec<Read>, layout: &Layout, block: &dbload::internals::record::Block) {
    for i in 0..block.len() {
        // Where a content has changed, a record may begin anywhere.
        let shown = layout.shown(block, i).map(String::into_bytes);
        let value =
            serde_json::from_slice::<serde_json::Value>(shown.as_deref().unwrap_or(block.raw(i))).ok();
        let id =
            |value: serde_json::Value| value["id"].as_u64().or_else(|| value["id"].as_str()?.parse().ok());
        // The first value of a row.
        let of_row = || std::str::from_utf8(block.raw(i)).ok()?.split('\t').next()?.parse().ok();
        let id = value.and_then(id).or_else(of_row).unwrap_or(u64::MAX);
        all.push(Read { id, after: block.after(i), page: block.page.clone() });
    }
}

fn ids(read: &[Read]) -> Vec<u64> {
    read.iter().map(|read| read.id).collect()
}

/// As another process has it: from what the ledger stores, with the secrets of the same word.
fn stored_anew(input: &Input) -> Input {
    let text = serde_json::to_string(&input.description).unwrap();
    let description: Description = serde_json::from_str(&text).unwrap();
    Input::described(input.name.clone(), description, input.begin)
}

#[test]
fn each_record_comes_once_and_in_order_however_its_bytes_come() {
    let all: Vec<u64> = (0..RECORDS).collect();
    for kind in sources() {
        for pace in [Pace::AtOnce, Pace::InPieces] {
            let made = (kind.make)(&all, pace);
            runtime().block_on(async {
                let (input, access) = made.input().await;
                assert_eq!(input.reach(), kind.reach, "{}", kind.name);
                let read = made.read(&input, &access, &Begin::at(input.begin)).await.unwrap();
                assert_eq!(ids(&read), all, "{} {pace:?}", kind.name);
                for (i, read) in read.iter().enumerate() {
                    assert_eq!(read.after.record, i as u64 + 1, "{} {pace:?}", kind.name);
                }
                assert!(read.is_sorted_by_key(|read| read.after.offset), "{}", kind.name);
            });
        }
    }
}

#[test]
fn an_open_source_promises_at_least_what_it_did_before() {
    for kind in sources() {
        let made = (kind.make)(&[1, 2], Pace::AtOnce);
        runtime().block_on(async {
            let (input, access) = made.input().await;
            let opened = made.open(&input, &access, &Begin::at(input.begin)).await.unwrap();
            assert_eq!(opened.class(), kind.class, "{}", kind.name);
            assert_eq!(opened.class().reads_again(), input.class().reads_again(), "{}", kind.name);
            assert!(opened.class().is_exact() || !input.class().is_exact(), "{}", kind.name);
        });
    }
}

#[test]
fn opened_behind_a_record_it_goes_on_with_the_next_or_says_that_it_cannot() {
    let all: Vec<u64> = (0..RECORDS).collect();
    for kind in sources() {
        let made = (kind.make)(&all, Pace::InPieces);
        runtime().block_on(async {
            let (input, access) = made.input().await;
            let read = made.read(&input, &access, &Begin::at(input.begin)).await.unwrap();
            if !kind.class.reads_again() {
                let again = (kind.make)(&all, Pace::AtOnce);
                let (input, access) = again.input().await;
                let error = again.read(&input, &access, &read[3].begin()).await.unwrap_err();
                assert!(matches!(error, SourceError::NotReplayable { .. }), "{}: {error}", kind.name);
                return;
            }
            for i in [0, 3, ON_A_PAGE - 1, ON_A_PAGE, 20, all.len() - 2, all.len() - 1] {
                let input = stored_anew(&input);
                let rest = made.read(&input, &access, &read[i].begin()).await.unwrap();
                assert_eq!(ids(&rest), all[i + 1..], "{} behind {i}", kind.name);
                let places = rest.iter().map(|read| read.after).collect::<Vec<_>>();
                let before = read[i + 1..].iter().map(|read| read.after).collect::<Vec<_>>();
                assert_eq!(places, before, "{} behind {i}", kind.name);
            }
        });
    }
}

#[test]
fn two_contents_are_never_joined() {
    // As long as before: no size tells.
    let (then, now): (Vec<u64>, Vec<u64>) = ((10..10 + RECORDS).collect(), (50..50 + RECORDS).collect());
    assert_eq!(lines(&then).len(), lines(&now).len());
    for kind in sources().filter(|kind| kind.class.reads_again()) {
        let made = (kind.make)(&then, Pace::AtOnce);
        runtime().block_on(async {
            let (input, access) = made.input().await;
            let read = made.read(&input, &access, &Begin::at(input.begin)).await.unwrap();
            (made.change)(&now);
            let input = stored_anew(&input);
            let begin = read[20].begin();
            match made.read(&input, &access, &begin).await {
                Err(error) => assert!(error.is_about_content(), "{}: {error}", kind.name),
                // Applied again as a whole from the page on: the last word on a key is the last one read.
                Ok(rest) => {
                    assert_eq!(kind.class, Class::Query, "{}", kind.name);
                    // These rows are one block.
                    let from = if kind.name.starts_with("table") { 0 } else { 20 / ON_A_PAGE * ON_A_PAGE };
                    assert_eq!(ids(&rest), now[from..], "{}", kind.name);
                    let places = rest.iter().map(|read| read.after);
                    assert!(places.min().unwrap() > begin.at, "{}: behind what was stored", kind.name);
                    let mut opened = made.open(&input, &access, &begin).await.unwrap();
                    assert!(opened.take_note().is_some(), "{}: it is said", kind.name);
                }
            }
        });
    }
}

#[test]
fn nothing_is_no_records_or_a_refusal_and_never_something() {
    for kind in sources() {
        let made = (kind.make)(&[], Pace::AtOnce);
        runtime().block_on(async {
            let (input, access) = made.input().await;
            match (made.read(&input, &access, &Begin::at(input.begin)).await, kind.empty) {
                (Ok(read), Empty::NoRecords) => assert_eq!(read, [], "{}", kind.name),
                (Err(error), Empty::Refused) => {
                    assert!(error.to_string().contains("empty"), "{}: {error}", kind.name);
                }
                (other, expected) => panic!("{}: {expected:?}, {other:?}", kind.name),
            }
        });
    }
}

#[test]
fn words_are_listed_in_order_and_none_twice_and_what_is_stored_is_the_same_source() {
    for kind in sources() {
        let (first, second) = ((kind.make)(&[1], Pace::AtOnce), (kind.make)(&[2], Pace::AtOnce));
        runtime().block_on(async {
            let (input, access) = first.input().await;
            let text = serde_json::to_string(&input.description.spec).unwrap();
            let again: SourceSpec = serde_json::from_str(&text).unwrap();
            assert_eq!(again, input.description.spec, "{}", kind.name);
            if first.job.feed.is_none() {
                let [a, b] = [&first, &second].map(|made| made.job.sources[0].clone());
                let named = first.specs(&[b.clone(), a.clone()]).await.unwrap();
                let places: Vec<_> = named.iter().map(|spec| spec.place().into_owned()).collect();
                assert_eq!(places, [b, a.clone()], "{}", kind.name);
                let twice = first.specs(&[a.clone(), a]).await.unwrap_err();
                assert!(matches!(twice, SourceError::NamedTwice { .. }), "{}: {twice}", kind.name);
            }
            // Pipes and callers wait for who reads them.
            for made in [&first, &second] {
                let (input, access) = match std::ptr::eq(made, &first) {
                    true => (input.clone(), access.clone()),
                    false => made.input().await,
                };
                assert_eq!(made.read(&input, &access, &Begin::at(input.begin)).await.unwrap().len(), 1);
            }
        });
    }
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let all: Vec<u64> = (0..RECORDS).collect();
    for kind in sources() {
        let made = (kind.make)(&all, Pace::InPieces);
        runtime().block_on(async {
            let (input, access) = made.input().await;
            let mut opened = made.open(&input, &access, &Begin::at(input.begin)).await.unwrap();
            let (mut read, mut seq, mut given_up) = (Vec::new(), 0, 0_u32);
            let layout = opened.layout().clone();
            loop {
                // What is fetched again from its beginning gets more time with each try.
                let retry_limits = Duration::from_micros(200) * (1 + given_up.min(500));
                match tokio::time::timeout(retry_limits, opened.next(&mut seq)).await {
                    Ok(Ok(Some((block, _)))) => push(&mut read, &layout, &block),
                    Ok(Ok(None)) => break,
                    Ok(Err(error)) => panic!("{}: {error}", kind.name),
                    Err(_) => given_up += 1,
                }
            }
            assert_eq!(ids(&read), all, "{} given up {given_up} times", kind.name);
            assert_eq!(seq, RECORDS, "{}", kind.name);
        });
    }
}

#[test]
fn who_stops_in_the_middle_can_go_on_later() {
    let all: Vec<u64> = (0..RECORDS).collect();
    for kind in sources().filter(|kind| kind.class.reads_again()) {
        let made = (kind.make)(&all, Pace::InPieces);
        runtime().block_on(async {
            let (input, access) = made.input().await;
            let mut opened = made.open(&input, &access, &Begin::at(input.begin)).await.unwrap();
            let mut read = Vec::new();
            let (block, _) = opened.next(&mut 0).await.unwrap().unwrap();
            push(&mut read, &opened.layout().clone(), &block);
            // The place behind all that was handed out, as the ledger stores it.
            let (at, place) = (opened.position(), opened.place(&Begin::at(input.begin)));
            drop(opened);
            let begin = Begin { at, pages: place.page.map(|page| (at, page)).into_iter().collect() };
            let rest = made.read(&stored_anew(&input), &access, &begin).await.unwrap();
            read.extend(rest);
            assert_eq!(ids(&read), all, "{}", kind.name);
        });
    }
}
