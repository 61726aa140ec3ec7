//! The reject file of a load is loaded back by the command that the program has printed, some of its records
//! mended: these are in the table then, beside all that was there, and the others are rejects again.

use super::play::Play;
use crate::support::{Outcome, dbload::program};
use serde_json::{Value, json};
use std::{fmt::Write, process::Command};

/// Keys of mended records are those of no others.
const MENDED: u64 = 1_000_000_000;
/// Values of mended records are these times their key: other ones each, and none that a table refuses.
const VALUE: u64 = 701 * 1_999;

impl Play<'_> {
    pub fn load_back(&mut self, outcome: &Outcome) {
        let Some(hint) = outcome.stderr.lines().find(|line| line.starts_with("hint: mend them in ")) else {
            return;
        };
        let command = hint.split_once(" and run: ").unwrap_or_else(|| panic!("no command: {outcome}")).1;
        let report = outcome.report();
        let Some(file) = report.rejects.file else { panic!("a hint, and no file: {outcome}") };
        let path = self.folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut mended, mut mended_keys, mut again) = (String::new(), vec![], 0);
        for (line, key) in text.lines().zip(MENDED..) {
            let mut reject: Value = serde_json::from_str(line).unwrap();
            if self.rng.one_in(2) {
                reject["record"] = json!({"id": key, "v": key * VALUE, "note": format!("mended {key}")});
                mended_keys.push(key.to_string());
            } else {
                again += 1;
            }
            let _ = writeln!(mended, "{reject}");
        }
        std::fs::write(&path, mended).unwrap();
        let before = self.control.digest(&self.load.table);
        let (code, said) = self.sh(command);
        let table = &self.load.table;
        let found = self.control.lines(&format!(
            "SELECT id FROM {table} WHERE note = 'mended ' || id AND v = id * {VALUE} ORDER BY id"
        ));
        assert!(found == mended_keys, "mended {mended_keys:?}, found {found:?}: {command}\n{said}");
        let rest = self.control.digest(&format!("(SELECT * FROM {table} WHERE id < {MENDED}) y"));
        assert!(rest == before, "wrong: {before} was {rest} after: {command}\n{said}");
        let expected = if again == 0 { 0 } else { 3 };
        assert!(code == Some(expected), "{code:?} for {expected}: {command}\n{said}");
        let books = self.control.lines(&format!(
            "SELECT sum(read), sum(inserted), sum(rejected) FROM _dbload.checkpoint WHERE run = \
             (SELECT run FROM _dbload.run WHERE target_oid = '{table}'::regclass ORDER BY started_at DESC LIMIT 1)"
        ));
        let back = mended_keys.len() as u64;
        assert!(books == [format!("{}|{back}|{again}", back + again)], "{books:?}: {command}\n{said}");
        self.tally.mended += back;
        self.tally.rejected_again += again;
    }

    /// Runs it, as somebody would who pastes it.
    fn sh(&self, command: &str) -> (Option<i32>, String) {
        let bin = self.folder.path().join(".bin");
        if !bin.exists() {
            std::fs::create_dir(&bin).unwrap();
            std::os::unix::fs::symlink(program(), bin.join("dbload")).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.folder.path()).env_clear().env("PATH", path);
        let output = shell.env("HOME", self.folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
