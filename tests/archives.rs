//! Members of archives as sources: what is chosen, what is refused in words, and a resume in a member.

use std::time::Duration;

use zip::CompressionMethod;

use crate::rows;
use crate::support::archive::{Files, tar, zip, zip_by};
use crate::support::{Scene, audit, compress, until};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, s text)";
const A: &[u8] = b"id,s\n1,a\n2,b\n";
const B: &[u8] = b"{\"id\":3,\"s\":\"c\"}\n{\"id\":4,\"s\":\"d\"}\n";

fn stored(scene: &Scene) -> Vec<String> {
    scene.db.lines("SELECT id || '|' || s FROM t ORDER BY id")
}

/// Each kind of archive: its name, and what makes it.
type Kind = (&'static str, fn(&Files<'_>) -> Vec<u8>);

const KINDS: [Kind; 8] = [
    ("data.zip", zip),
    ("stored.zip", |files| zip_by(CompressionMethod::Stored, false, files)),
    ("wide.zip", |files| zip_by(CompressionMethod::Deflated, true, files)),
    ("data.tar", |files| tar(&["--format=ustar"], files)),
    ("pax.tar", |files| tar(&["--format=pax"], files)),
    ("data.tar.gz", |files| compress::gzip(&tar(&["--format=gnu"], files))),
    ("data.tgz", |files| compress::gzip(&tar(&[], files))),
    ("data.tar.zst", |files| compress::zstd(&tar(&[], files))),
];

#[test]
fn a_single_member_is_the_source_and_several_are_chosen() {
    for (name, make) in KINDS {
        let scene = Scene::with(T);
        scene.file(name, make(&[("x/one.csv", A)]));
        let outcome = scene.load(&format!("{name} --table t"));
        assert_eq!(outcome.rows(), rows!(read: 2, inserted: 2), "{name}");
        assert_eq!(outcome.report().sources[0].name, format!("{name}#x/one.csv"));
        assert_eq!(stored(&scene), ["1|a", "2|b"], "{name}");
        let files: &Files<'_> = &[("2026/b.jsonl", B), ("2026/a.csv", A), ("read.me", b"no data")];
        scene.file(name, make(files));
        let words = "say which: '";
        let refused = scene.run(&format!("{name} --table t")).exits(4).says("the archive has 3 files");
        refused.says(&format!("{words}{name}#2026/")).says("2026/a.csv");
        scene.sql("TRUNCATE t");
        let outcome = scene.load(&format!("{name}#2026/* --table t"));
        assert_eq!(outcome.rows(), rows!(read: 4, inserted: 4), "{name}");
        assert_eq!(stored(&scene), ["1|a", "2|b", "3|c", "4|d"], "{name}");
        let names: Vec<_> = outcome.report().sources.iter().map(|source| source.name.clone()).collect();
        let order = match name.contains(".zip") {
            true => ["2026/a.csv", "2026/b.jsonl"],
            false => ["2026/b.jsonl", "2026/a.csv"],
        };
        assert_eq!(names, order.map(|member| format!("{name}#{member}")));
        scene.sql("TRUNCATE t");
        scene.load(&format!("{name}#2026/b.jsonl --table t"));
        assert_eq!(stored(&scene), ["3|c", "4|d"], "{name}");
        scene.run(&format!("{name}#2027/* --table t")).exits(4).says("nothing in the archive is called");
        assert_eq!(audit(&scene.db).read, 2);
    }
}

#[test]
fn a_file_whose_own_name_holds_the_sign_wins_and_names_are_never_paths() {
    let scene = Scene::with(T);
    scene.file("data.zip", zip(&[("a.csv", A)]));
    scene.file("data.zip#a.csv", "id,s\n9,own\n");
    scene.load("data.zip#a.csv --table t");
    assert_eq!(stored(&scene), ["9|own"]);
    scene.sql("TRUNCATE t");
    scene.file("x#1.csv", "id,s\n8,x\n");
    scene.load("x#*.csv --table t");
    assert_eq!(stored(&scene), ["8|x"]);
    // Out of the folder, from the root: a name and no more.
    scene.file("up.zip", zip(&[("../../up.csv", A), ("/etc/passwd", b"id,s\n5,e\n")]));
    let outcome = scene.load("up.zip#* --table t");
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    assert_eq!(outcome.report().sources[0].name, "up.zip#../../up.csv");
    assert!(!scene.cwd().join("../../up.csv").exists());
    // Of one that is no archive nothing can be chosen.
    scene.file("a.csv", A);
    scene
        .run("a.csv#x --table t")
        .exits(4)
        .says("neither an archive nor a workbook")
        .says("is a member of an archive, BOOK.xlsx#SHEET a sheet");
    scene.run("b.zip#x --table t").exits(4).says("found no file b.zip#x");
}

#[test]
fn members_may_be_compressed_and_of_other_formats_and_their_names_make_tables_and_fields() {
    let parquet = std::fs::read("tests/data/columns/types.parquet").ok();
    let sheet = std::fs::read("tests/data/sheets/1904.xlsx").unwrap();
    let scene = Scene::new();
    scene.file("data.zip", zip(&[("year=2026/part one.csv.gz", &compress::gzip(A))]));
    scene.load("data.zip --key id --partition-columns");
    let rows = "SELECT id || '|' || s || '|' || year FROM \"part one\" ORDER BY id";
    assert_eq!(scene.db.lines(rows), ["1|a|2026", "2|b|2026"]);
    scene.file("book.zip", zip(&[("book.xlsx", &sheet)]));
    scene.load("book.zip --table u");
    assert_eq!(scene.db.lines("SELECT \"on\" FROM u"), ["2026-11-30"]);
    if let Some(parquet) = parquet {
        scene.file("columns.zip", zip(&[("x.parquet", &parquet)]));
        scene.load("columns.zip --table v");
        assert!(scene.db.count("v") > 0);
    }
}

#[test]
fn sheets_are_chosen_by_the_same_sign() {
    let scene = Scene::with("CREATE TABLE t (key int PRIMARY KEY, value text)");
    let file = std::path::absolute("tests/data/sheets/types.xlsx").unwrap();
    let outcome = scene.load(&format!("{}#other --range B2:C --table t", file.display()));
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    assert!(outcome.report().sources[0].name.ends_with("types.xlsx#other"));
    scene.run(&format!("{}#none --table t", file.display())).exits(4).says("it has no sheet \"none\"");
    // Each sheet is a source: neither is the other one, and none is appended twice.
    scene.sql("CREATE TABLE a (key int, value text)");
    let both = format!("{0}#other {0}#notes --range B2:C --table a --extra ignore", file.display());
    let first = scene.run(&both);
    assert!(!first.stderr.contains("are the same file"), "{first}");
}

#[test]
fn what_cannot_be_read_of_an_archive_is_refused_in_words() {
    let scene = Scene::with(T);
    let whole = zip(&[("a.csv", A), ("b.jsonl", B)]);
    let flag = |bytes: &[u8], at_of: &[u8], by: usize, bits: u8| {
        let mut changed = bytes.to_vec();
        let places: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(at_of)).collect();
        for at in places {
            changed[at + by] |= bits;
        }
        changed
    };
    let nested = zip(&[("in.tar.gz", &compress::gzip(&tar(&[], &[("a.csv", A)])))]);
    let sparse = tar(&["--format=gnu"], &[("a.csv", A)]);
    let texts: String = (0..3000).map(|i| format!("{},{}\n", i * i, i * 7919 % 104_729)).collect();
    let long = compress::gzip(&tar(&[], &[("a.csv", texts.as_bytes())]));
    // A header that says that its file is another name of one before.
    let mut linked = sparse.clone();
    linked[156] = b'1';
    let sum: u32 = (0..512).map(|i| if (148..156).contains(&i) { 32 } else { u32::from(linked[i]) }).sum();
    linked[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    // It has no content of its own there.
    linked.drain(512..1024);
    let linked_again = linked.clone();
    for (name, bytes, words) in [
        ("locked.zip#a.csv", flag(&whole, b"PK\x01\x02", 8, 1), "\"a.csv\" is encrypted"),
        ("other.zip#a.csv", flag(&whole, b"PK\x01\x02", 10, 1), "is compressed by Deflate64"),
        ("cut.zip#a.csv", whole[..whole.len() - 30].to_vec(), "the directory at its end is not there"),
        ("none.zip", b"id,s\n1,a\n".to_vec(), "is no zip archive"),
        ("empty.zip", zip(&[]), "has no files in it"),
        ("nested.zip", nested.clone(), "is an archive within the archive"),
        ("cut.tar", sparse[..700].to_vec(), "is not complete"),
        ("open.tar", sparse[..1024].to_vec(), "the mark of its end is not there"),
        ("two.tar", [&sparse[..], &sparse[..]].concat(), "goes on behind the mark of its end"),
        ("none.tar", b"id,s\n1,a\n".to_vec(), "is no tar archive"),
        ("none.tgz", compress::gzip(A), "is no tar archive"),
        ("cut.tgz", long[..long.len() - 30].to_vec(), "is not complete"),
        ("locked.zip#z.csv", whole.clone(), "#*' is all of them"),
        ("other.zip#b.jsonl", flag(&whole, b"PK\x01\x02", 10, 1), "write the archive anew with Deflate"),
        ("none.zip", b"id,s\n1,a\n".to_vec(), "is its name right? What it is"),
        ("nested.zip", nested, "take it out first, and load it by itself"),
        ("cut.tar", sparse[..700].to_vec(), "or is still being written: fetch it again"),
        ("parts.zip", flag(&whole, b"PK\x05\x06", 4, 1), "put its parts together first"),
        ("link.tar#a.csv", linked, "is a link to another member"),
        ("link.tar#a.csv", linked_again, "choose the file that it stands for, or patterns without it"),
    ] {
        let file = name.split('#').next().unwrap();
        scene.file(file, bytes);
        scene.run(&format!("{name} --table t")).exits(4).says(words);
    }
    assert_eq!(scene.db.count("t"), 0);
    // Only what is chosen is judged.
    scene.file("part.zip", flag(&zip(&[("b.csv", A)]), b"PK\x01\x02", 8, 1));
    scene.run("part.zip --table t").exits(4).says("unzip -p part.zip NAME | dbload - --table T");
}

#[test]
fn damage_is_found_before_a_record_is_stored_and_the_same_command_reads_the_mended_file() {
    let lines: String = (0..5000).map(|i| format!("{{\"id\":{i},\"s\":\"x{i}\"}}\n")).collect();
    for (name, make) in [KINDS[0], KINDS[1], KINDS[5]] {
        let scene = Scene::with(T);
        let whole = make(&[("a.jsonl", lines.as_bytes())]);
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x10;
        scene.file(name, &damaged);
        scene.run(&format!("{name} --table t")).exits(4);
        assert_eq!(scene.db.count("t"), 0, "{name}");
        scene.file(name, &whole);
        scene.load(&format!("{name} --table t"));
        assert_eq!(scene.db.count("t"), 5000, "{name}");
    }
}

#[test]
fn a_directory_that_lies_is_not_believed() {
    let scene = Scene::with(T);
    let whole = zip(&[("a.csv", A)]);
    let entry = whole.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    // The length of the content, its checksum, and where it lies.
    for (at, value, words) in [
        (24, 5_u32, "longer than the 5 bytes that the archive says"),
        (24, 500, "ends before its 500 bytes"),
        (16, 1, "the checksum of its content is not the one"),
        (20, 1 << 30, "lies behind its end"),
        (42, 3, "another member lies where it was"),
    ] {
        let mut lies = whole.clone();
        lies[entry + at..entry + at + 4].copy_from_slice(&value.to_le_bytes());
        scene.file("lies.zip", lies);
        scene.run("lies.zip --table t").exits(4).says(words);
    }
    // The last one was another member.
    scene.run("lies.zip --table t").says("whoever writes the archive should be done before it is loaded");
    // Two members in the same bytes.
    let two = zip(&[("a.csv", A), ("b.csv", A)]);
    let entries: Vec<usize> = (0..two.len() - 4).filter(|at| two[*at..].starts_with(b"PK\x01\x02")).collect();
    let mut lies = two.clone();
    lies[entries[1] + 42..entries[1] + 46].copy_from_slice(&0_u32.to_le_bytes());
    scene.file("lies.zip", lies);
    let outcome = scene.run("lies.zip#* --table t").exits(4).says("lie in the same bytes");
    outcome.says("take what you need out with a tool that you trust");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn bombs_are_stopped_by_the_limits_that_there_are() {
    let scene = Scene::with(T);
    let blanks = vec![b'\n'; 3 << 20];
    for (name, make) in [KINDS[0], KINDS[5]] {
        scene.file(name, make(&[("a.jsonl", &blanks)]));
        scene
            .run(&format!("{name} --table t --max-decompressed-bytes 1MiB"))
            .exits(4)
            .says("is longer than 1048576 bytes");
    }
    let blanks = vec![b'\n'; 80 << 20];
    scene.file("ratio.zip", zip(&[("a.jsonl", &blanks)]));
    scene.run("ratio.zip --table t --max-ratio 100").exits(4).says("more than 100 times as long");
}

#[test]
fn a_load_goes_on_in_the_middle_of_a_member_after_a_kill() {
    let lines = |from: usize| -> String {
        (from..from + 10_000).map(|i| format!("{{\"id\":{i},\"s\":\"value {}\"}}\n", i % 100)).collect()
    };
    let (one, two) = (lines(0), lines(10_000));
    for (name, make) in [KINDS[0], KINDS[1], KINDS[3], KINDS[5], KINDS[7]] {
        let scene = Scene::with(&format!(
            "{T}; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
             CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()"
        ));
        scene.file(name, make(&[("one.jsonl", one.as_bytes()), ("two.jsonl", two.as_bytes())]));
        let command =
            || scene.dbload(&format!("{name}#* --table t --batch-rows 500 --pool-size 2 --mode append"));
        for wanted in [2_000, 12_000] {
            let running = command().spawn();
            until("rows are stored", || scene.db.count("t") > wanted);
            running.kill9_after(Duration::ZERO);
            assert!(scene.db.count("t") < 20_000, "{name}");
        }
        let outcome = command().run().exits(0).says("resum");
        assert_eq!(outcome.rows(), rows!(read: 20_000, inserted: 20_000), "{name}");
        assert_eq!(audit(&scene.db), outcome.rows());
        assert_eq!(scene.db.one("SELECT count(DISTINCT id) FROM t WHERE s = 'value ' || id % 100"), "20000");
        // Appended once.
        command().run().exits(8).says("were appended to this table before");
        assert_eq!(scene.db.count("t"), 20_000, "{name}");
    }
}

#[test]
fn a_member_is_appended_once_wherever_it_lies() {
    let scene = Scene::with("CREATE TABLE t (id int, s text)");
    scene.file("data.zip", zip(&[("a.csv", A)]));
    scene.load("data.zip --table t --mode append");
    scene.run("data.zip --table t --mode append").exits(8);
    // The archive has another member now: this one is what it was.
    scene.file("data.zip", zip(&[("a.csv", A), ("b.jsonl", B)]));
    let outcome = scene.load("data.zip#* --table t --mode append");
    assert_eq!(outcome.rows(), rows!(read: 2, inserted: 2));
    assert_eq!(stored(&scene), ["1|a", "2|b", "3|c", "4|d"]);
    // Taken out, and put into another one.
    scene.file("a.csv", A);
    scene.run("a.csv --table t --mode append").exits(8).says("data.zip#a.csv");
    scene.file("new.tar.gz", compress::gzip(&tar(&[], &[("x.csv", A)])));
    scene.run("new.tar.gz --table t --mode append").exits(8).says("data.zip#a.csv");
    // Another content by the same name.
    scene.file("data.zip", zip(&[("a.csv", b"id,s\n7,z\n")]));
    scene.run("data.zip --table t --mode append").exits(8);
    assert_eq!(scene.db.count("t"), 4);
}

#[test]
fn an_archive_that_changes_under_an_unfinished_load_is_refused_and_may_be_accepted() {
    let lines: String = (0..20_000).map(|i| format!("{{\"id\":{i},\"s\":\"x\"}}\n")).collect();
    let scene = Scene::with(&format!(
        "{T}; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    ));
    scene.file("data.zip", zip(&[("a.jsonl", lines.as_bytes())]));
    let command = |more: &str| scene.dbload(&format!("data.zip --table t --batch-rows 500 {more}"));
    let running = command("").spawn();
    until("rows are stored", || scene.db.count("t") > 1_000);
    running.kill9_after(Duration::ZERO);
    let changed = lines.replace("\"x\"", "\"y\"");
    scene.file("data.zip", zip(&[("0.txt", b"first"), ("a.jsonl", changed.as_bytes())]));
    command("").run().exits(4).says("the archive has 2 files");
    let again = |more: &str| scene.dbload(&format!("data.zip#a.jsonl --table t --batch-rows 500 {more}"));
    let outcome = again("").run().exits(0);
    assert_eq!(outcome.rows().read, 20_000);
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE s = 'y'"), "20000");
}

#[test]
fn each_member_of_a_compressed_tar_is_read_behind_the_one_before() {
    let scene = Scene::with(T);
    let texts: Vec<(String, String)> =
        (0..300).map(|i| (format!("m/{i:03}.jsonl"), format!("{{\"id\":{i},\"s\":\"x{i}\"}}\n"))).collect();
    let files: Vec<(&str, &[u8])> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    scene.file("many.tar.gz", compress::gzip(&tar(&[], &files)));
    let outcome = scene.load("many.tar.gz#* --table t");
    assert_eq!(outcome.rows(), rows!(read: 300, inserted: 300));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE s = 'x' || id"), "300");
}
