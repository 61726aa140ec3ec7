//! A disk that is really full: a small file system of its own, filled to the last block. Needs root, to mount
//! it; elsewhere these tests say so and do nothing.
//!
//! CASES.md, row 45. What is written: the reject file with and without a ledger, the landing copy, the
//! report, what goes to stderr.

use crate::{
    rows,
    support::{Outcome, Scene, api::Api, api::Reply, dbload::program},
};
use std::{fmt::Write as _, path::PathBuf, process::Command, process::Stdio};

/// A file system in memory, in a folder of the scene; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    /// `None`: not allowed here.
    fn mount(scene: &Scene, size: &str) -> Option<Self> {
        let path = scene.cwd().join("small");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&path)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        println!("not allowed to mount a file system here: nothing was tested");
        None
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, s text)";

/// So many records, each of them refused, and a good one.
fn bad(many: usize) -> String {
    (0..many).fold("{\"id\":1}\n".to_owned(), |mut text, n| {
        let _ = writeln!(text, "{{\"id\":\"x{n}\",\"s\":\"{:200}\"}}", "");
        text
    })
}

#[test]
fn a_full_disk_for_the_reject_file_leaves_the_rejects_in_the_ledger_and_no_half_file() {
    let scene = Scene::with(T);
    let Some(small) = Small::mount(&scene, "64k") else { return };
    scene.file("t.jsonl", bad(1_000));
    let outcome = scene.run("t.jsonl --rejects small/bad.rejects.jsonl").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 1_001, inserted: 1, rejected: 1_000));
    assert_eq!(small.names(), Vec::<String>::new(), "{outcome}");
    assert!(outcome.report().rejects.file.is_none());
    let outcome = outcome.says("cannot write the reject file").says("os error 28");
    // The statement that it shows gives them all.
    let query = outcome.stderr.lines().find_map(|line| line.split_once("SELECT ")).unwrap().1;
    assert_eq!(scene.db.lines(&format!("SELECT {}", query.trim_end_matches(';'))).len(), 1_000, "{query}");
}

#[test]
fn without_a_ledger_a_full_disk_ends_the_load_and_says_where_the_rejects_are() {
    let scene = Scene::with(T);
    let Some(small) = Small::mount(&scene, "64k") else { return };
    scene.file("t.jsonl", bad(20_000));
    let words = "t.jsonl --no-ledger --rejects small/bad.rejects.jsonl --batch-rows 50 --pool-size 1";
    let outcome = scene.run(words).exits(1).says("cannot write the reject file").says("kept nowhere");
    let rows = outcome.rows();
    assert!(rows.read < 20_001 && !outcome.report().complete, "it goes no further than it must: {outcome}");
    let names = small.names();
    let [left] = names.as_slice() else { panic!("{names:?}: {outcome}") };
    assert!(outcome.stderr.contains(left), "{outcome}");
    let text = scene.folder.read(format!("small/{left}"));
    assert!(text.ends_with('\n') && text.lines().all(|line| line.ends_with('}')), "whole lines");
    let kept = text.lines().count() as u64;
    let lost: u64 = words_after(&outcome, "kept nowhere: ").parse().unwrap();
    assert!(kept > 50 && lost > 0, "{outcome}");
    assert_eq!(kept + lost, rows.rejected, "each is in the file or said to be lost: {outcome}");
    // What is left is a reject file as any.
    scene.file("left.rejects.jsonl", text.replace("\"id\":\"x", "\"id\":\"1"));
    assert_eq!(scene.load("left.rejects.jsonl -t t").rows().inserted, kept);
}

#[track_caller]
fn words_after<'o>(outcome: &'o Outcome, words: &str) -> &'o str {
    let rest = outcome.stderr.split_once(words).unwrap_or_else(|| panic!("{outcome}")).1;
    rest.split([';', '\n', ' ']).next().unwrap()
}

#[test]
fn a_full_disk_for_the_landing_copy_is_no_success_and_leaves_no_half_copy() {
    let scene = Scene::with(T);
    let Some(small) = Small::mount(&scene, "64k") else { return };
    let api = Api::serve(|_| {
        let body = (0..2_000)
            .fold(String::new(), |text, id| text + &format!("{{\"id\":{id},\"s\":\"{:100}\"}}\n", ""));
        Reply::new(200, "application/x-ndjson", body)
    });
    for kept in ["small/kept", "small/kept.jsonl.zst"] {
        // What compresses to nothing would fit after all.
        std::fs::write(small.0.join("filler"), vec![b'x'; 60_000]).unwrap();
        let outcome =
            scene.run(&format!("{} -t t --mode upsert --save-raw {kept}", api.url("/events.jsonl")));
        assert!([1, 4].contains(&outcome.code()), "{outcome}");
        assert!(!outcome.report().complete, "{outcome}");
        assert!(outcome.stderr.contains("No space left") || outcome.stderr.contains("full"), "{outcome}");
        let outcome = outcome.says("kept");
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
        let files = Command::new("find").arg(&small.0).args(["-type", "f"]).output().unwrap().stdout;
        let files = String::from_utf8(files).unwrap();
        assert_eq!(files.lines().count(), 1, "the filler alone: {files}");
    }
}

/// dbload in a shell that sends its output somewhere: exit code, and what is in these files then.
fn redirected(scene: &Scene, words: &str, to: &str) -> i32 {
    let shell = format!("exec \"$PROGRAM\" {words} --dsn \"$URL\" {to}");
    let status = Command::new("sh")
        .args(["-c", &shell])
        .env("PROGRAM", program())
        .env("URL", scene.db.url())
        .current_dir(scene.cwd())
        .status();
    status.unwrap().code().unwrap()
}

#[test]
fn a_report_that_cannot_be_written_is_no_success_and_says_so() {
    let scene = Scene::with(T);
    scene.file("t.jsonl", "{\"id\":1}\n");
    for words in ["t.jsonl", "t.jsonl --json", "t.jsonl --dry-run"] {
        assert_eq!(redirected(&scene, words, ">/dev/full 2>err.txt"), 1, "{words}");
        let said = scene.folder.read("err.txt");
        assert!(
            said.contains("stdout") && said.contains("error") && !said.contains("panicked"),
            "{words}: {said}"
        );
    }
    // It is loaded all the same, and what the load came to says more than that.
    assert_eq!(scene.db.count("t"), 1);
    scene.file("t.jsonl", "{\"id\":2}\n{\"id\":\"x\"}\n");
    assert_eq!(redirected(&scene, "t.jsonl --json", ">/dev/full 2>err.txt"), 3);
    assert!(scene.folder.read("err.txt").contains("1 record of"));
    assert_eq!(scene.db.count("t"), 2);
}

#[test]
fn a_stderr_that_cannot_be_written_changes_nothing() {
    let scene = Scene::with(T);
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":\"x\"}\n");
    for (n, words) in
        ["t.jsonl --json", "t.jsonl --json -vv --restart", "t.jsonl --json -v --log-format json"]
            .into_iter()
            .enumerate()
    {
        assert_eq!(redirected(&scene, words, ">out.txt 2>/dev/full"), 3, "{words}");
        let report: serde_json::Value = serde_json::from_str(&scene.folder.read("out.txt")).unwrap();
        assert_eq!(report["rows"]["rejected"], 1, "{words}");
        assert_eq!(scene.db.count("t"), 1);
        assert_eq!(redirected(&scene, "nowhere.jsonl -t t", ">out.txt 2>/dev/full"), 4, "{n}");
    }
}

#[test]
fn a_full_disk_for_the_copy_of_an_archive_is_said_before_a_row_is_stored_and_another_folder_helps() {
    let scene = Scene::with(T);
    let Some(small) = Small::mount(&scene, "64k") else { return };
    let text = (0..5_000).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"id\":{n},\"s\":\"{:20}\"}}", n * 7);
        text
    });
    let files = [("a.jsonl", text.as_bytes())];
    let archive = crate::support::archive::zip_by(zip::CompressionMethod::Stored, false, &files);
    let api = Api::serve(move |_| Reply::new(200, "application/zip", archive.clone()));
    let load = || scene.dbload(&format!("{} -t t", api.url("/a.zip")));
    let outcome = load().env("TMPDIR", &small.0).run().exits(4).says("os error 28");
    let _ = outcome.says("read of a copy").says("TMPDIR=FOLDER says where files may be");
    assert_eq!((scene.db.count("t"), small.names()), (0, Vec::new()));
    let outcome = load().env("TMPDIR", scene.cwd()).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 5_000, inserted: 5_000));
}
