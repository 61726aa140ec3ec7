//! Sources that are not what they were: changed, damaged, mended, touched, called otherwise, or in the table
//! already. The oracle is the table: what it has to hold is the content of the plain file.

use crate::support::{Dbload, Rng, Scene, audit, compress};
use std::fmt::Write as _;
use std::fs::{self, FileTimes};
use std::time::{Duration, SystemTime};

const TABLE: &str = "CREATE TABLE t (id int, v text)";
const KEYED: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

/// Records of some 300 bytes that do not compress well.
fn records(rng: &mut Rng, ids: std::ops::Range<u64>) -> String {
    ids.fold(String::new(), |mut text, id| {
        let _ = write!(text, "{{\"id\":{id},\"v\":\"");
        for _ in 0..17 {
            let _ = write!(text, "{:016x}", rng.below(u64::MAX));
        }
        text + "\"}\n"
    })
}

/// What the table has to hold: an id and a value a line.
fn content(text: &str) -> Vec<String> {
    let mut rows: Vec<String> = text
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{}|{}", record["id"], record["v"].as_str().unwrap())
        })
        .collect();
    rows.sort_unstable();
    rows
}

fn table(scene: &Scene) -> Vec<String> {
    let mut rows = scene.db.lines("SELECT id, v FROM t");
    rows.sort_unstable();
    rows
}

/// A load in small batches by one writer.
fn load(scene: &Scene, words: &str) -> Dbload {
    scene.dbload(&format!("{words} -t t --batch-rows 500 --pool-size 1"))
}

/// Kills a load behind its second commit.
#[track_caller]
fn killed(scene: &Scene, words: &str) {
    let outcome = load(scene, words).env("DBLOAD_CRASH_AT", "committed:2").run();
    assert!(outcome.was_killed(), "{outcome}");
    scene.db.until_quiet();
}

/// The same number of bytes, another value in the record with this id.
fn other_value(text: &str, id: u64) -> String {
    let at = text.find(&format!("{{\"id\":{id},\"v\":\"")).unwrap();
    let at = at + text[at..].find("\"v\":\"").unwrap() + 5;
    format!("{}XXXX{}", &text[..at], &text[at + 4..])
}

#[test]
fn a_change_in_the_middle_of_what_was_read_is_refused_at_every_start_until_the_user_decides() {
    for (schema, mode) in [(TABLE, "append"), (KEYED, "upsert")] {
        let scene = Scene::with(schema);
        let text = records(&mut Rng::new(), 0..4000);
        scene.file("a.jsonl", &text);
        let words = format!("a.jsonl --mode {mode}");
        killed(&scene, &words);
        let there = scene.db.count("t");
        assert!(there >= 1000, "{there}");
        // Neither of the first nor of the last 64 KiB.
        scene.file("a.jsonl", other_value(&text, 400));
        for _ in 0..3 {
            load(&scene, &words)
                .run()
                .exits(8)
                .says("a.jsonl")
                .says("digest")
                .says("--accept-changed a.jsonl");
            assert_eq!(scene.db.count("t"), there, "{mode}");
        }
        load(&scene, &words)
            .arg("--accept-changed=b.jsonl")
            .run()
            .exits(8)
            .says("name it as the command does");
        // Put back, it goes on; so it does where it is taken as it is.
        if mode == "append" {
            scene.file("a.jsonl", &text);
            load(&scene, &words).run().exits(0);
        } else {
            load(&scene, &words).arg("--accept-changed=a.jsonl").run().exits(0);
        }
        assert_eq!(table(&scene), content(&text), "{mode}");
    }
}

/// What lies behind the furthest checkpoint was not read yet: it is taken as it is then, and no more of the
/// file than it had at first.
#[test]
fn what_changes_behind_the_furthest_checkpoint_is_loaded_as_it_is_then() {
    for (schema, mode, pool) in [(TABLE, "append", 1), (KEYED, "upsert", 1), (KEYED, "upsert", 3)] {
        let scene = Scene::with(schema);
        let text = records(&mut Rng::new(), 0..4000);
        scene.file("a.jsonl", &text);
        let line = format!("a.jsonl -t t --batch-rows 200 --mode {mode} --pool-size {pool}");
        let outcome = scene.dbload(&line).env("DBLOAD_CRASH_AT", "committed:2").run();
        assert!(outcome.was_killed(), "{outcome}");
        scene.db.until_quiet();
        let changed = other_value(&text, 2_500);
        scene.file("a.jsonl", format!("{changed}{}", records(&mut Rng::new(), 5_000..5_010)));
        let outcome = scene.dbload(&line).run().exits(0);
        assert_eq!(table(&scene), content(&changed), "{mode} {pool}: {outcome}");
        assert_eq!(audit(&scene.db), outcome.rows(), "{mode} {pool}: {outcome}");
        assert_eq!(outcome.rows().inserted, 4_000, "{mode} {pool}: {outcome}");
    }
}

#[test]
fn a_mere_touch_is_no_change_neither_in_a_load_nor_at_a_resume() {
    let scene = Scene::with(TABLE);
    let text = records(&mut Rng::new(), 0..4000);
    let path = scene.file("a.jsonl", &text);
    killed(&scene, "a.jsonl --mode append");
    for hours in [1, 2] {
        let file = fs::File::options().append(true).open(&path).unwrap();
        let time = SystemTime::now() - Duration::from_secs(hours * 3600);
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
        if hours == 1 {
            let again = load(&scene, "a.jsonl --mode append").env("DBLOAD_CRASH_AT", "committed:2").run();
            assert!(again.was_killed(), "{again}");
            scene.db.until_quiet();
        }
    }
    load(&scene, "a.jsonl --mode append").run().exits(0);
    assert_eq!(table(&scene), content(&text));
}

#[test]
fn a_run_whose_checkpoints_have_no_digest_goes_on() {
    let scene = Scene::with(TABLE);
    let text = records(&mut Rng::new(), 0..4000);
    for name in ["a.jsonl", "b.jsonl.gz"] {
        let bytes =
            if name == "a.jsonl" { text.clone().into_bytes() } else { compress::gzip(text.as_bytes()) };
        scene.file(name, bytes);
        killed(&scene, &format!("{name} --mode append"));
        scene.sql("UPDATE _dbload.checkpoint SET page = NULL; UPDATE _dbload.source SET description = \
                   jsonb_set(description, '{fingerprint}', (description->'fingerprint') - 'device' - 'inode')");
        load(&scene, &format!("{name} --mode append")).run().exits(0);
        assert_eq!(table(&scene), content(&text), "{name}");
        scene.sql("TRUNCATE t");
    }
}

#[test]
fn an_accepted_content_is_gone_on_with_behind_as_many_records_wherever_its_bytes_are() {
    let scene = Scene::with(TABLE);
    let text = records(&mut Rng::new(), 0..4000);
    for name in ["a.jsonl", "b.jsonl.zst"] {
        let pack = |text: &str| match name {
            "a.jsonl" => text.as_bytes().to_vec(),
            _ => compress::zstd(text.as_bytes()),
        };
        scene.file(name, pack(&text));
        let words = format!("{name} --mode append --pool-size 1");
        let command = || scene.dbload(&format!("{words} -t t --batch-rows 300"));
        assert!(command().env("DBLOAD_CRASH_AT", "committed:5").run().was_killed());
        scene.db.until_quiet();
        // Somebody mends the first records, and they are longer then.
        let longer = text.replacen("\"v\":\"", "\"v\":\"mended and longer than before ", 200);
        scene.file(name, pack(&longer));
        command().run().exits(8).says(name);
        command().arg(format!("--accept-changed={name}")).run().exits(0);
        let ids: Vec<String> = (0..4000).map(|id| id.to_string()).collect();
        assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ids, "{name}");
        scene.sql("TRUNCATE t");
        // Fewer records than are loaded cannot be gone on with.
        let shorter = records(&mut Rng::new(), 0..20);
        scene.file("c.jsonl", &text);
        killed(&scene, "c.jsonl --mode append");
        scene.file("c.jsonl", shorter);
        let outcome = load(&scene, "c.jsonl --mode append --accept-changed c.jsonl").run().exits(8);
        assert!(
            !outcome.says("only 20 records").stderr.contains("--accept-changed"),
            "a hint that is not true"
        );
        load(&scene, "c.jsonl --mode append --restart --again").run();
        scene.sql("TRUNCATE t");
    }
}

/// A record of the new content may belong to another writer than that of its number in the old one, and that
/// one be past it. One writer is held at record 900 of the first file, the others are through both.
#[test]
fn an_accepted_content_is_gone_on_with_from_one_place_by_all_writers() {
    let scene = Scene::with(KEYED);
    let text = records(&mut Rng::new(), 0..10_000);
    let lines: Vec<&str> = text.lines().collect();
    let (a, b) = (lines[..5_000].join("\n") + "\n", lines[5_000..].join("\n") + "\n");
    // In a record's place, and the same as what a writer has at this number.
    let broken = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        for at in [1_500, 2_500, 4_500] {
            lines[at] = "{broken";
        }
        lines.join("\n") + "\n"
    };
    let (a, b) = (broken(&a), broken(&b));
    scene.file("a.jsonl", &a);
    scene.file("b.jsonl", &b);
    let command = || scene.dbload("a.jsonl b.jsonl -t t --batch-rows 5000 --pool-size 3");
    held_at(&scene, 900, command());
    // Other keys in the midst of what the others have read, and one of the broken records is mended.
    let changed = (1_000..1_400).fold(a.clone(), |text, id| {
        text.replacen(&format!("{{\"id\":{id},"), &format!("{{\"id\":{},", id + 100_000), 1)
    });
    let mended = changed.replacen("{broken", "{\"id\":1500,\"v\":\"mended\"}", 1);
    scene.file("a.jsonl", &mended);
    command().run().exits(8).says("--accept-changed a.jsonl");
    let outcome =
        command().arg("--accept-changed=a.jsonl").run().exits(3).says("all writers go on behind record");
    assert_eq!(audit(&scene.db).rejected, 5, "{outcome}");
    let there = table(&scene);
    let whole = |text: &str| text.lines().filter(|line| *line != "{broken").collect::<Vec<_>>().join("\n");
    let missing: Vec<String> = [whole(&mended), whole(&b)]
        .iter()
        .flat_map(|text| content(text))
        .filter(|row| there.binary_search(row).is_err())
        .collect();
    assert!(missing.is_empty(), "{} rows are missing: {:.300?}\n{outcome}", missing.len(), missing);
}

/// What an append has stored it cannot apply again.
#[test]
fn an_append_whose_writers_are_at_different_places_takes_no_other_content() {
    let scene = Scene::with(TABLE);
    let text = records(&mut Rng::new(), 0..10_000);
    scene.file("a.jsonl", &text);
    let command = || scene.dbload("a.jsonl -t t --mode append --batch-rows 5000 --pool-size 3");
    held_at(&scene, 900, command());
    let there = scene.db.count("t");
    // Another record at the top: each one behind it is the next writer's, where a turn ends.
    scene.file("a.jsonl", records(&mut Rng::new(), 20_000..20_001) + &text);
    let outcome = command().run().exits(8).says("a.jsonl changed").says("put the file back as it was");
    assert!(!outcome.stderr.contains("--accept-changed"), "it would be refused: {outcome}");
    command()
        .arg("--accept-changed=a.jsonl")
        .run()
        .exits(8)
        .says("at different places")
        .says("put the file back as it was, and the same command goes on");
    assert_eq!(scene.db.count("t"), there, "a refusal writes nothing");
    scene.file("a.jsonl", &text);
    command().run().exits(0);
    assert_eq!(table(&scene), content(&text));
}

/// Kills a load once the writer that meets this id waits there, and all others are done.
#[track_caller]
fn held_at(scene: &Scene, id: u32, command: Dbload) {
    scene.sql(&format!(
        "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$; \
         CREATE TRIGGER nap AFTER INSERT ON t FOR EACH ROW WHEN (NEW.id = {id}) EXECUTE FUNCTION nap()"
    ));
    let running = command.spawn();
    let done = "SELECT count(*) FROM _dbload.checkpoint WHERE done";
    let began = std::time::Instant::now();
    while !scene.db.try_rows(done).is_ok_and(|(rows, _)| rows[0][0].as_deref() == Some("2")) {
        assert!(began.elapsed() < Duration::from_secs(60), "the others are never done");
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal(rustix::process::Signal::KILL);
    running.wait();
    scene.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
         AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    scene.db.until_alone();
    scene.sql("DROP TRIGGER nap ON t");
}

/// A way to pack a text, with the ending that says so.
type Packing = (&'static str, fn(&[u8]) -> Vec<u8>);

const PACKINGS: [Packing; 5] = [
    ("gz", compress::gzip),
    ("gz", two_members),
    ("bz2", compress::bzip2),
    ("zst", checked_zstd),
    ("xz", compress::xz),
];

fn two_members(bytes: &[u8]) -> Vec<u8> {
    let (front, back) = bytes.split_at(bytes.len() / 2);
    [compress::gzip(front), compress::gzip(back)].concat()
}

fn checked_zstd(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = zstd::Encoder::new(vec![], 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn flipped(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len() as u64;
    // Where the file says what it is, it is not even opened.
    let at = usize::try_from(20 + rng.below(length - 40)).unwrap();
    bytes[at] ^= 1 << rng.below(8);
    bytes
}

#[test]
fn a_damaged_file_commits_nothing_and_the_mended_one_is_loaded_by_the_same_command() {
    let mut rng = Rng::new();
    let text = records(&mut rng, 0..2500);
    for (ending, pack) in PACKINGS {
        let scene = Scene::with(KEYED);
        let whole = pack(text.as_bytes());
        let name = format!("a.jsonl.{ending}");
        for mode in ["append", "upsert"] {
            scene.file(&name, flipped(&mut rng, &whole));
            let words = format!("{name} --mode {mode}");
            let failed = load(&scene, &words).run();
            if failed.code() == 0 {
                // A bit that means nothing, as of a time in a header.
                assert_eq!(table(&scene), content(&text), "{ending} {mode}");
            } else {
                let failed = failed.exits(4).says(&name);
                assert_eq!(scene.db.count("t"), 0, "{ending} {mode}: {failed}");
                scene.file(&name, &whole);
                load(&scene, &words).run().exits(0);
                assert_eq!(table(&scene), content(&text), "{ending} {mode}");
            }
            scene.sql("TRUNCATE t");
        }
    }
}

#[test]
fn names_that_a_damaged_file_has_made_up_are_not_what_is_refused() {
    let scene = Scene::with(KEYED);
    let text = records(&mut Rng::new(), 0..2500);
    // Its first line has a field that the table has not; what tells is the checksum, at its end.
    let mut bytes = compress::gzip(text.replacen("\"id\"", "\"ie\"", 1).as_bytes());
    let end = bytes.len() - 6;
    bytes[end] ^= 1;
    scene.file("a.jsonl.gz", &bytes);
    scene.run("a.jsonl.gz -t t").exits(4).says("a.jsonl.gz");
    scene.file("b.jsonl", &text);
    scene.run("a.jsonl.gz b.jsonl -t t").exits(4).says("a.jsonl.gz");
    assert_eq!(table(&scene), content(&text));
}

#[test]
fn no_table_is_made_from_a_damaged_file() {
    let scene = Scene::new();
    let text = records(&mut Rng::new(), 0..2500);
    let mut bytes = compress::gzip(text.as_bytes());
    let end = bytes.len() - 6;
    bytes[end] ^= 1;
    scene.file("t.jsonl.gz", &bytes);
    scene.run("t.jsonl.gz").exits(4).says("t.jsonl.gz");
    assert!(!scene.db.has_table("t"));
    scene.file("whole.jsonl", &text);
    scene.run("t.jsonl.gz whole.jsonl -t t").exits(4).says("t.jsonl.gz");
    assert_eq!(table(&scene), content(&text));
}

/// Damage at random places, found or not before records are stored, killed or not, mended or not: a load that
/// says that it is complete has the content of the plain file, whatever it was told on the way.
#[test]
fn whatever_is_damaged_and_mended_a_complete_load_has_the_content_of_the_plain_file() {
    let mut rng = Rng::new();
    let (mut refused, mut complete) = (0, 0);
    for round in 0..20 {
        let (ending, pack) = PACKINGS[round % PACKINGS.len()];
        let (mode, schema) = if rng.below(2) == 0 { ("append", TABLE) } else { ("upsert", KEYED) };
        let scene = Scene::with(schema);
        let text = records(&mut rng, 0..3000);
        let whole = pack(text.as_bytes());
        let name = format!("a.jsonl.{ending}");
        let verify = ["never", "never", "auto", "always"][usize::try_from(rng.below(4)).unwrap()];
        let words = format!("{name} --mode {mode} --verify-source {verify}");
        let case = format!("round {round}: {words}");
        scene.file(&name, flipped(&mut rng, &whole));
        if rng.below(2) == 0 {
            println!("{case}: {}", load(&scene, &words).env("DBLOAD_CRASH_AT", "committed:1").run());
            scene.db.until_quiet();
        }
        if rng.below(2) == 0 {
            println!("{case}: {}", load(&scene, &words).run());
        }
        scene.file(&name, &whole);
        for _ in 0..2 {
            let outcome = load(&scene, &words).run();
            println!("{case}, mended: {outcome}");
            match outcome.code() {
                0 => {
                    assert_eq!(table(&scene), content(&text), "{case}: {outcome}");
                    complete += 1;
                    break;
                }
                3 => panic!("{case}: rejects of a file that is whole: {outcome}"),
                8 => {
                    let all_there = outcome.stderr.contains("appended to this table before");
                    if all_there {
                        assert_eq!(table(&scene), content(&text), "{case}: {outcome}");
                    } else {
                        outcome.says("--accept-changed");
                        refused += 1;
                    }
                }
                code => panic!("{case}: {code}: {outcome}"),
            }
        }
    }
    println!("{complete} complete, {refused} refusals");
    assert!(complete > 0 && refused > 0);
}

#[test]
fn what_a_source_found_damaged_has_committed_is_said_with_the_way_to_mend_it() {
    let text = records(&mut Rng::new(), 0..4000);
    let mut bytes = compress::gzip(text.as_bytes());
    let end = bytes.len() - 6;
    bytes[end] ^= 1;
    for (schema, mode, said) in
        [(TABLE, "append", "no key mends"), (KEYED, "upsert", "stay and are to be deleted")]
    {
        let scene = Scene::with(schema);
        scene.file("a.jsonl.gz", &bytes);
        let words = format!("a.jsonl.gz --mode {mode} --verify-source never");
        let outcome = load(&scene, &words).run().exits(4).says("a.jsonl.gz").says("may be wrong").says(said);
        assert!(outcome.stdout.contains("\"doubtful\":true"), "{outcome}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn a_dictionary_or_window_beyond_the_limit_is_refused_by_its_name() {
    let scene = Scene::with(TABLE);
    let text = records(&mut Rng::new(), 0..10);
    let mut xz = compress::xz(text.as_bytes());
    // The block header behind the stream's: its length, flags, the filter with its one byte of properties, a
    // checksum.
    let length = (usize::from(xz[12]) + 1) * 4;
    assert_eq!((xz[14], xz[15]), (0x21, 1));
    xz[16] = 34;
    let sum = crc32(&xz[12..12 + length - 4]);
    xz[12 + length - 4..12 + length].copy_from_slice(&sum.to_le_bytes());
    scene.file("a.jsonl.xz", &xz);
    scene
        .run("a.jsonl.xz -t t")
        .exits(4)
        .says("dictionary")
        .says("128 MiB")
        .says("decompress it with its own tool and pipe it in");
    let mut frame = checked_zstd(text.as_bytes());
    assert_eq!(frame[4] & 0x20, 0, "a window of its own");
    frame[5] = (28 - 10) << 3;
    scene.file("a.jsonl.zst", &frame);
    scene.run("a.jsonl.zst -t t").exits(4).says("window of 256 MiB").says("128 MiB");
    // What the tools make at their best is read.
    let mut encoder = liblzma::write::XzEncoder::new(vec![], 9);
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    scene.file("b.jsonl.xz", encoder.finish().unwrap());
    scene.load("b.jsonl.xz -t t");
    assert_eq!(table(&scene), content(&text));
}

#[test]
fn what_was_appended_is_known_by_the_file_however_it_is_called() {
    let scene = Scene::with(TABLE);
    let path = scene.file("d/a.jsonl", "{\"id\":1,\"v\":\"a\"}\n");
    scene.load("d/a.jsonl -t t");
    std::os::unix::fs::symlink(&path, scene.cwd().join("link.jsonl")).unwrap();
    fs::hard_link(&path, scene.cwd().join("hard.jsonl")).unwrap();
    scene.file("b.jsonl", "{\"id\":2,\"v\":\"b\"}\n");
    let absolute = path.display().to_string();
    for word in ["./d/a.jsonl", "d/../d/a.jsonl", absolute.as_str(), "link.jsonl", "hard.jsonl"] {
        scene.run(&format!("{word} -t t")).exits(8).says("--again");
        assert_eq!(scene.db.count("t"), 1, "{word}");
    }
    scene.load("link.jsonl b.jsonl -t t");
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "2"]);
    // Another name since.
    fs::rename(&path, scene.cwd().join("renamed.jsonl")).unwrap();
    scene.run("renamed.jsonl -t t").exits(8).says("--again");
    // Twice in one command.
    scene.file("c.jsonl", "{\"id\":3,\"v\":\"c\"}\n");
    std::os::unix::fs::symlink("c.jsonl", scene.cwd().join("same.jsonl")).unwrap();
    scene.run("c.jsonl same.jsonl -t t").exits(4).says("same file").says("same.jsonl").says("name it once");
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "2"]);
}

#[test]
fn the_same_content_under_another_path_is_never_left_out_silently() {
    let scene = Scene::with(TABLE);
    let night = "{\"id\":1,\"v\":\"ok\"}\n";
    scene.file("monday.jsonl", night);
    scene.load("monday.jsonl -t t");
    scene.file("tuesday.jsonl", night);
    scene.file("other.jsonl", "{\"id\":2,\"v\":\"x\"}\n");
    scene
        .run("tuesday.jsonl other.jsonl -t t")
        .exits(8)
        .says("monday.jsonl")
        .says("tuesday.jsonl")
        .says("if its records are to be there twice, --again=tuesday.jsonl");
    assert_eq!(scene.db.count("t"), 1);
    scene.load("tuesday.jsonl other.jsonl -t t --again=tuesday.jsonl");
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "1", "2"]);
    // For this file, and no other.
    scene.run("monday.jsonl other.jsonl -t t --again=tuesday.jsonl").exits(8).says("--again");
    scene.load("monday.jsonl other.jsonl -t t --again");
    assert_eq!(scene.db.count("t"), 5);
}

#[test]
fn a_file_that_was_appended_is_known_to_its_middle() {
    let scene = Scene::with(TABLE);
    let mut rng = Rng::new();
    let text = records(&mut rng, 0..1500);
    let pack = |name: &str, text: &str| {
        if name.ends_with("gz") { compress::gzip(text.as_bytes()) } else { text.as_bytes().to_vec() }
    };
    for name in ["a.jsonl", "b.jsonl.gz"] {
        let path = scene.file(name, pack(name, &text));
        load(&scene, name).run().exits(0);
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).unwrap();
        load(&scene, name).run().exits(8).says("--again appends them once more").says("all sources");
        // A copy with another middle is another file; one with the same is not left out, nor loaded, without
        // a word.
        let mut other = pack(name, &text);
        let middle = other.len() / 2;
        scene.file(&format!("copy.{name}"), &other);
        load(&scene, &format!("copy.{name}")).run().exits(8).says("has the content of");
        if name == "a.jsonl" {
            other = other_value(&text, 750).into_bytes();
            scene.file(name, &other);
            let refused = load(&scene, name).run().exits(8).says("changed since").says("digest");
            refused
                .says("--again=a.jsonl appends all of it once more")
                .says("put that into a file of its own");
            scene.file("other.jsonl", &other);
            load(&scene, "other.jsonl").run().exits(0);
            assert_eq!(scene.db.count("t"), 3000);
        } else {
            other[middle] ^= 1;
            scene.file(name, &other);
            // Where the bit is one of a letter, the sum at the end is the first to tell.
            let refused = load(&scene, name).run();
            match refused.code() {
                4 => refused.says("it is damaged"),
                _ => refused.exits(8).says("changed since").says("digest"),
            };
        }
        scene.sql("TRUNCATE t");
    }
}

#[test]
fn other_records_of_the_same_file_are_another_source() {
    let scene = Scene::with(TABLE);
    scene.file("a.json", "{\"x\":[{\"id\":1,\"v\":\"x\"}],\"y\":[{\"id\":2,\"v\":\"y\"}]}");
    scene.load("a.json -t t --records /x");
    scene.load("a.json -t t --records /y");
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "2"]);
    scene.run("a.json -t t --records /x").exits(8).says("--again");
}

#[test]
fn what_was_truncated_is_appended_again_and_what_was_rewritten_is_not() {
    let scene = Scene::with(TABLE);
    scene.file("a.jsonl", "{\"id\":1,\"v\":\"a\"}\n");
    scene.file("b.jsonl", "{\"id\":2,\"v\":\"b\"}\n");
    scene.load("a.jsonl -t t");
    scene.sql("TRUNCATE t");
    scene.load("a.jsonl b.jsonl -t t");
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "2"]);
    for rewrite in ["VACUUM FULL t", "ALTER TABLE t SET (fillfactor = 50); VACUUM FULL t"] {
        rewrite.split(';').for_each(|sql| scene.sql(sql));
        scene.run("a.jsonl b.jsonl -t t").exits(8).says("--again");
        assert_eq!(scene.db.count("t"), 2, "{rewrite}");
    }
    // Truncated, and something else in it since: that cannot be told apart.
    scene.sql("TRUNCATE t; INSERT INTO t VALUES (9, 'other')");
    scene.run("a.jsonl -t t").exits(8).says("look whether its rows are there: if not, --again=a.jsonl");
    scene.load("a.jsonl -t t --again=a.jsonl");
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "9"]);
}

#[test]
fn the_parts_of_an_unfinished_append_count() {
    let scene = Scene::with(TABLE);
    let mut rng = Rng::new();
    let (a, b) = (records(&mut rng, 0..1500), records(&mut rng, 2000..3000));
    scene.file("a.jsonl", &a);
    scene.file("b.jsonl", &b);
    killed(&scene, "a.jsonl b.jsonl --mode append");
    let there = scene.db.count("t");
    let refused = load(&scene, "a.jsonl --mode append").run().exits(8).says("unfinished");
    refused.says("finish that run first, by the command that began it (its sources: a.jsonl b.jsonl)");
    assert_eq!(scene.db.count("t"), there);
    // What that run has not come to is no part of it yet.
    load(&scene, "a.jsonl b.jsonl --mode append").run().exits(0);
    assert_eq!(table(&scene), content(&format!("{a}{b}")));
}

#[test]
fn a_folder_says_which_files_it_leaves_out() {
    let scene = Scene::with("CREATE TABLE t (id int)");
    let files = ["d/a.csv", "d/b.txt", "d/c.csv.bak", "d/.hidden", "d/t.1.rejects.jsonl"];
    files.iter().zip(1..).for_each(|(name, id)| drop(scene.file(name, format!("id\n{id}\n"))));
    let outcome = scene.run("d --table t").exits(0);
    outcome.says("2 files of d, the first is \"b.txt\", are left out").says("'d/*' loads them too");
    assert_eq!(scene.db.lines("SELECT id FROM t"), ["1"]);
    // What it says is true.
    scene.run("d/* --table t").exits(0);
    assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY 1"), ["1", "2", "3"]);
}

#[test]
fn without_a_ledger_the_hint_says_that_the_same_command_reads_all_again() {
    let scene = Scene::with("CREATE TABLE t (id int); CREATE TABLE k (id int PRIMARY KEY)");
    scene.file("a.csv", "id\n1\n2\n");
    scene.file("b.csv.gz", "no gzip");
    let outcome = scene.run("a.csv b.csv.gz --table t --no-ledger").exits(4);
    let outcome = outcome.says("without a ledger the same command appends all records again");
    assert!(!outcome.stderr.contains("nothing else"), "{outcome}");
    scene.run("a.csv b.csv.gz --table t --no-ledger").exits(4);
    assert_eq!(scene.db.one("SELECT count(*) FROM t"), "4");
    let outcome = scene.run("a.csv b.csv.gz --table k --no-ledger").exits(4);
    outcome.says("without a ledger the same command reads all sources again");
    // With one it is as it was.
    scene.run("a.csv b.csv.gz --table k").exits(4).says("fetches what failed, and nothing else");
}

#[test]
fn a_time_zone_that_the_server_does_not_know_is_refused_before_anything_is_made() {
    let scene = Scene::new();
    scene.file("z.csv", "id,at\n1,2024-07-01 12:00:00\n");
    let outcome = scene.run("z.csv --timezone Berlin").exits(6);
    outcome.says("no time zone \"Berlin\"").says("--timezone takes a name such as Europe/Berlin");
    assert!(!scene.db.has_table("z"));
    scene.sql("CREATE TABLE z (id int, at timestamptz)");
    for zone in ["Europe/Berlin", "+02"] {
        scene.sql("TRUNCATE z");
        scene.run(&format!("z.csv --timezone {zone} --no-ledger")).exits(0);
        assert_eq!(scene.db.one("SELECT at AT TIME ZONE 'UTC' FROM z"), "2024-07-01 10:00:00", "{zone}");
    }
}
