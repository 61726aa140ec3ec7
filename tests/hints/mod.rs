//! The table of SQLSTATEs (`src/pg/sqlstate.rs`), walked: what a load ends with, which hint it gives, and
//! whether the hint is true. A trigger raises each code at one record; where "the same command" is what
//! helps, the trigger is removed and the same command run.

mod bounds;
mod files;
mod followed;
mod requests;

use crate::support::{Scene, audit};

const RECORDS: u64 = 300;
/// The record that the table refuses.
const BAD: u64 = 150;

/// Codes that end a load, for now, and a word of what the hint adds.
const RESUMED: [(&str, &str); 34] = [
    ("08000", ""),
    ("08001", ""),
    ("08003", ""),
    ("08006", ""),
    ("08007", ""),
    ("08P01", "broke the protocol off"),
    ("40003", ""),
    ("57P01", "shut down"),
    ("57P02", "shut down"),
    ("57P03", "starting up or shutting down"),
    ("57P04", "dropped"),
    ("57P05", ""),
    ("25P01", ""),
    ("25P02", ""),
    ("25P03", ""),
    ("25P04", "transaction_timeout"),
    ("25006", "takes no writes"),
    ("40000", ""),
    ("40001", "the same rows"),
    ("40P01", "the same rows"),
    ("55P03", "a lock was held too long"),
    ("55000", ""),
    ("55006", ""),
    ("72000", ""),
    ("58000", "its log says which"),
    ("58030", "its log says which"),
    ("53100", "free space"),
    ("53300", "--pool-size"),
    ("53000", ""),
    ("53200", "--batch-rows"),
    ("53400", "temp_file_limit"),
    ("57014", "statement_timeout"),
    ("XX001", "damaged"),
    ("XX002", "damaged"),
];

/// Codes that are one reject.
const REJECTED: [&str; 25] = [
    "22007", "22008", "22021", "0A000", "26000", "42P05", "22P02", "22P05", "23503", "23505", "23514",
    "28000", "28P01", "3D000", "3F000", "42501", "42P01", "42703", "42883", "42803", "42P20", "42804",
    "42601", "54000", "P0001",
];

/// Codes that only a ledger, or a question of ours, gives.
const OURS: [&str; 5] = ["DL001", "DL002", "DL003", "DL009", "22012"];

/// What says that a name is taken, asked about where something is made: these loads make nothing.
const TAKEN: [&str; 2] = ["42P07", "42710"];

/// A load whose record 150 is refused with this code, and its command.
fn refusing(code: &str) -> (Scene, String) {
    let scene = Scene::with(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v int); \
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF NEW.id = {BAD} THEN RAISE 'refused' USING ERRCODE = '{code}'; END IF; RETURN NULL; END $$; \
         CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION refuse()"
    ));
    let text = (0..RECORDS).fold("id,v\n".to_owned(), |text, i| text + &format!("{i},{}\n", i * 7));
    scene.file("t.csv", text);
    let mode = if code.as_bytes()[4].is_multiple_of(2) { "upsert" } else { "append" };
    (scene, format!("t.csv -t t --batch-rows 100 --pool-size 1 --retry-for 300ms --mode {mode}"))
}

#[track_caller]
fn resumes(codes: &[(&str, &str)]) {
    for (code, word) in codes {
        let (scene, line) = refusing(code);
        let outcome = scene.plain(&line).run().exits(5);
        let hint = outcome.stderr.split("hint:").nth(1).unwrap_or_default();
        // Lines are wrapped for people.
        let hint = hint.split_whitespace().collect::<Vec<_>>().join(" ");
        println!("{code}: {hint}");
        assert!(hint.contains("the same command"), "{code}: {outcome}");
        assert!(hint.contains(word), "{code}: {outcome}");
        // It fails at this record each time, until the cause is gone.
        let again = scene.plain(&line).run().exits(5);
        let stored = scene.db.count("t");
        assert!(stored <= BAD, "{code}: {stored} rows; {again}");
        scene.sql("DROP TRIGGER refuse ON t");
        let outcome = scene.load(&line);
        let whole = format!("(SELECT i AS id, i * 7 AS v FROM generate_series(0, {RECORDS} - 1) i) x");
        assert_eq!(scene.db.digest("t"), scene.db.digest(&whole), "{code}: {outcome}");
        assert_eq!(audit(&scene.db), outcome.rows(), "{code}: {outcome}");
        assert_eq!(outcome.rows().inserted, RECORDS, "{code}: {outcome}");
    }
}

#[test]
fn what_passes_ends_with_5_and_the_same_command_goes_on_first_half() {
    resumes(&RESUMED[..16]);
}

#[test]
fn what_passes_ends_with_5_and_the_same_command_goes_on_second_half() {
    resumes(&RESUMED[16..]);
}

#[test]
fn what_is_the_records_own_fault_is_one_reject_and_nothing_goes_on() {
    for code in REJECTED {
        println!("{code}");
        let (scene, line) = refusing(code);
        let outcome = scene.plain(&format!("{line} --rejects r.jsonl")).run().exits(3);
        assert!(!outcome.stderr.contains("the same command"), "{code}: {outcome}");
        assert_eq!(scene.db.count("t"), RECORDS - 1, "{code}: {outcome}");
        let rejects = scene.db.lines("SELECT record, sqlstate FROM _dbload.reject");
        assert_eq!(rejects, [format!("{}|{code}", BAD + 1)], "{outcome}");
        // The reject file is what helps.
        scene.sql("DROP TRIGGER refuse ON t");
        scene.run("r.jsonl -t t --mode append --pool-size 1").exits(0);
        assert_eq!(scene.db.count("t"), RECORDS, "{code}");
    }
}

/// No code of the table is left out here.
#[test]
fn each_code_that_the_table_names_is_walked() {
    let table = include_str!("../../src/pg/sqlstate.rs");
    let table = table.split("#[cfg(test)]").next().unwrap();
    let is_code = |word: &&str| {
        word.len() == 5
            && word.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
            && word.contains(|c: char| c.is_ascii_digit())
    };
    let named: Vec<&str> = table.split('"').skip(1).step_by(2).filter(is_code).collect();
    assert!(named.len() > 40, "{named:?}");
    let walked = |code: &str| {
        RESUMED.iter().any(|(known, _)| *known == code)
            || [&REJECTED[..], &OURS, &TAKEN].iter().any(|codes| codes.contains(&code))
    };
    let left: Vec<&str> = named.into_iter().filter(|code| !walked(code)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The other exits: what each says about the same command is true when it is followed.
#[test]
fn each_other_exit_says_truly_what_the_same_command_does() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
    let text = (0..RECORDS).fold("id,v,w\n".to_owned(), |text, i| text + &format!("{i},{},1\n", i * 7));
    scene.file("t.csv", text.replace("\n7,", "\nseven,"));
    let line = "t.csv -t t --batch-rows 50 --pool-size 1 --mode append";
    // 2 and 6: nothing was begun, and nothing goes on; 6 says what would do.
    let usage = scene.plain("t.csv -t t --batch-rows no").run().exits(2);
    let refused = scene.plain(line).run().exits(6).says("--extra ignore");
    for outcome in [usage, refused] {
        assert!(!outcome.stderr.contains("the same command"), "{outcome}");
    }
    assert_eq!(scene.db.count("t"), 0);
    // 9: the rest with a larger budget.
    let line = format!("{line} --extra ignore");
    let over = scene.plain(&format!("{line} --max-rejects 0")).run().exits(9).says("--max-rejects");
    assert!(scene.db.count("t") < RECORDS, "{over}");
    // 8: with other settings it is refused, and the hint says which.
    scene
        .plain(&format!("{line} --null-as x"))
        .run()
        .exits(8)
        .says("without --null-as then, --null-as x now")
        .says("use the same settings");
    let outcome = scene.dbload(&line).run().exits(3);
    assert_eq!((outcome.rows().inserted, outcome.rows().rejected), (RECORDS - 1, 1), "{outcome}");
    assert_eq!(outcome.report().attempts, 2, "it went on with its run: {outcome}");
    // 8 again: an append that is complete, and what its hint says.
    scene.plain(&line).run().exits(8).says("--again");
    // 4: what failed is fetched once more, and nothing else.
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
    scene.file("a.csv", "id,v\n1,7\n");
    scene.file("b.csv.gz", b"\x1f\x8b\x08\x00 no gzip");
    let line = "a.csv b.csv.gz -t t --mode append";
    let failed = scene.plain(line).run().exits(4).says("b.csv.gz").says("the same command");
    assert_eq!(scene.db.count("t"), 1, "{failed}");
    let packed = crate::support::compress::gzip(b"id,v\n2,14\n");
    scene.file("b.csv.gz", packed);
    let outcome = scene.load(line);
    assert_eq!((outcome.rows().inserted, scene.db.count("t")), (2, 2), "{failed}{outcome}");
    assert_eq!(outcome.report().attempts, 2, "{outcome}");
}
