//! What a job file may say, and what is wrong with one: by line and column, and no secret with it.

use super::{Said, run, scene};
use crate::support::{Dbload, Folder};

#[test]
fn a_first_file_loads_into_tables_of_the_names_of_its_loads() {
    let scene = scene(
        "name = \"shop\"\n\n[target]\nschema = \"raw\"\npool_size = 2\n\n[defaults]\nkey = [\"id\"]\n\n\
         [load.customers]\nsource = \"in/customers.csv\"\n\n[load.orders]\nsource = [\"in/o1.jsonl\", \"in/o2.jsonl\"]\n",
    );
    scene.sql("CREATE SCHEMA raw");
    std::fs::create_dir(scene.cwd().join("in")).unwrap();
    scene.file("in/customers.csv", "id,name\n1,a\n2,b\n");
    scene.file("in/o1.jsonl", "{\"id\":1,\"n\":1}\n");
    scene.file("in/o2.jsonl", "{\"id\":2,\"n\":2}\n{\"id\":1,\"n\":3}\n");
    let outcome = run(&scene, "").run().exits(0);
    let said = Said::by(&outcome);
    assert_eq!((said.state("customers"), said.state("orders")), ("complete", "complete"), "{outcome}");
    assert_eq!((said.rows("orders", "read"), said.rows("customers", "inserted")), (3, 2));
    assert_eq!(scene.db.lines("SELECT id, n FROM raw.orders ORDER BY id"), ["1|3", "2|2"]);
    assert_eq!(scene.db.count("raw.customers"), 2);
    // The same again, for people, from another folder: paths begin in that of the file.
    let folder = Folder::new();
    let file = scene.cwd().join("dbload.toml");
    let again = Dbload::new(folder.path()).args(["run", file.to_str().unwrap(), "-d", scene.db.url()]).run();
    let again = again.exits(0);
    assert!(again.stdout.contains("orders: complete into raw.orders: 3 read, "), "{again}");
    assert!(again.stdout.contains("shop: 2 loads in ") && again.stdout.contains("2 complete"), "{again}");
    assert_eq!(folder.names(), Vec::<String>::new(), "nothing is left where it was run");
}

/// Each file, and what is said of it.
const WRONG: [(&str, &[&str]); 18] = [
    (
        "nam = \"x\"\n[load.a]\nsource = \"a\"\n",
        &["dbload.toml:1:1: nam: ", "did you mean `name`?", "name: is missing"],
    ),
    ("name = \"a b\"\n[load.a]\nsource = \"a\"\n", &["dbload.toml:1:8: name: must be a name"]),
    ("name = \"x\"\n", &["load: there is none"]),
    ("name = \"x\"\n[load.a]\n", &["dbload.toml:2:7: a: source (or urls) is missing"]),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\ntabel = \"t\"\n",
        &["dbload.toml:4:1: a.tabel: ", "did you mean `table`?"],
    ),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\nmode = \"upser\"\n",
        &[
            "dbload.toml:4:8: a.mode: `upser`: must be one of upsert, update, ignore, append",
            "did you mean `upsert`?",
        ],
    ),
    (
        "name = \"x\"\n[target]\npool_size = \"4\"\n[load.a]\nsource = \"a\"\n",
        &["dbload.toml:3:13: target.pool_size: must be a number"],
    ),
    ("name = \"x\"\n[load.a]\nsource = \"a\"\nbatch_rows = 0\n", &["dbload.toml:4:14: a.batch_rows: "]),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\nfix_sequences = 1\n",
        &["dbload.toml:4:17: a.fix_sequences: must be true or false"],
    ),
    (
        "name = \"x\"\n[load.a]\nsource = [\"a\", 1]\n",
        &["dbload.toml:3:16: a.source: must be a text, or a list of them"],
    ),
    ("name = \"x\"\n[load.a]\nsource = \"-\"\n", &["dbload.toml:3:10: a.source: standard input"]),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\nrestart = true\n",
        &["dbload.toml:4:1: a.restart: is no key of a load", "hint: it means one start"],
    ),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\nexpect = 1\n",
        &["dbload.toml:4:10: a.expect: must be a table with min_records"],
    ),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\nexpect = { min_record = 1 }\n",
        &["dbload.toml:4:12: a.expect.min_record: ", "did you mean `min_records`?"],
    ),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\nafter = [\"b\"]\n[load.b]\nsource = \"b\"\nafter = [\"a\", \"c\"]\n",
        &["b.after: there is no load `c`", "a.after: waits for itself: a after b after a"],
    ),
    (
        "name = \"x\"\n[load.a]\nsource = \"a\"\nurls = \"env:NO_SUCH\"\n",
        &[
            "dbload.toml:4:8: a.urls: the environment variable NO_SUCH is not set",
            "hint: set NO_SUCH where this is run; its value is shown nowhere",
        ],
    ),
    (
        "[load.a]\nsource = \"a\"\n",
        &["name: is missing", "hint: the name and those of its loads are what the ledger knows them by"],
    ),
    ("name = \"x\"\n[load.a\nsource = \"a\"\n", &["dbload.toml:2:8: "]),
];

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let folder = Folder::new();
    for (text, words) in WRONG {
        folder.file("dbload.toml", text);
        let outcome = Dbload::new(folder.path()).arg("run").run().exits(2);
        for word in words {
            assert!(outcome.stderr.contains(word), "{text}\nlacks {word:?}: {outcome}");
        }
    }
    Dbload::new(folder.path())
        .line("run no-such.toml")
        .run()
        .exits(2)
        .says("no-such.toml: ")
        .says("dbload init SOURCE writes a first one");
}

#[test]
fn a_value_of_the_environment_is_used_and_shown_nowhere() {
    let scene = scene(
        "name = \"x\"\n[defaults]\nheader = [\"Authorization: Bearer env:TOKEN\"]\n[load.a]\nsource = \"env:FEED\"\nmode = \"env:MODE\"\n",
    );
    scene.file("a.jsonl", "{\"id\":1}\n");
    let with =
        |mode: &str| run(&scene, "").env("TOKEN", "canary1").env("FEED", "a.jsonl").env("MODE", mode).run();
    let outcome = with("append").exits(0);
    assert_eq!(scene.db.count("a"), 1);
    let wrong = with("canary2").exits(2).says("dbload.toml:6:8: a.mode: must be one of");
    for outcome in [outcome, wrong] {
        assert!(!outcome.stderr.contains("canary") && !outcome.stdout.contains("canary"), "{outcome}");
    }
    let unset = run(&scene, "").env("FEED", "a.jsonl").env("MODE", "append").run().exits(2);
    unset.says("dbload.toml:3:11: defaults.header: the environment variable TOKEN is not set");
}

#[test]
fn variables_of_one_load_are_refused_by_name() {
    let scene = scene("name = \"x\"\n[load.a]\nsource = \"a.jsonl\"\n");
    scene.file("a.jsonl", "{\"id\":1}\n");
    let outcome = run(&scene, "").env("DBLOAD_TABLE", "all").env("DBLOAD_RESTART", "1").run().exits(2);
    outcome
        .says("DBLOAD_TABLE")
        .says("DBLOAD_RESTART")
        .says("is about one load")
        .says("unset it, and say it in the file");
    run(&scene, "").env("DBLOAD_POOL_SIZE", "1").run().exits(0);
    assert!(scene.db.has_table("a") && !scene.db.has_table("all"));
}

#[test]
fn the_schema_that_is_shipped_is_the_one_that_is_printed() {
    let folder = Folder::new();
    let printed = Dbload::new(folder.path()).arg("schema").run().exits(0).stdout;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dbload.schema.json");
    if std::env::var_os("DBLOAD_UPDATE").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), printed, "DBLOAD_UPDATE=1 writes it");
}

#[test]
fn the_variable_of_the_database_stands_before_the_file_and_a_flag_before_both() {
    let scene = scene(
        "name = \"x\"\n[target]\ndsn = \"postgres://nobody@127.0.0.1:1/none?connect_timeout=1\"\n[load.a]\nsource = \"a.jsonl\"\n",
    );
    scene.file("a.jsonl", "{\"id\":1}\n");
    let plain = || Dbload::new(scene.cwd()).arg("run");
    plain().run().exits(5).says("127.0.0.1");
    plain().env("DATABASE_URL", scene.db.url()).run().exits(5);
    plain().env("DBLOAD_DSN", scene.db.url()).run().exits(0);
    assert_eq!(scene.db.count("a"), 1);
    run(&scene, "--again").env("DBLOAD_DSN", "postgres://nobody@127.0.0.1:1/none").run().exits(0);
    assert_eq!(scene.db.count("a"), 2);
}
