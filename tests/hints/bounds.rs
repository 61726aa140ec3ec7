//! Hints where something is too large, too new, or compared in a way of its own.

use crate::equality::MOD;
use crate::support::Scene;

/// A staging table needs columns of its own beside those of the records.
#[test]
fn a_table_of_too_many_columns_is_loaded_by_way_of_a_narrower_one() {
    const MOST: usize = 1_600;
    let columns = |n: usize| (1..n).map(|i| format!(", c{i} boolean")).collect::<String>();
    let scene = Scene::with(&format!("CREATE TABLE t (id int PRIMARY KEY{})", columns(MOST)));
    let header: String = (1..MOST).map(|i| format!(",c{i}")).collect();
    let values = ",".repeat(MOST - 2);
    scene.file("t.csv", format!("id{header}\n1,t{values}\n2,f{values}\n"));
    let refused = scene.plain("t.csv").run().exits(6);
    refused.says("load into a table of fewer columns, and copy the rows from there");
    assert_eq!(scene.db.count("t"), 0);
    let narrow = 1_500;
    scene.sql(&format!("CREATE TABLE narrow (id int PRIMARY KEY{})", columns(narrow)));
    scene.load("t.csv -t narrow --extra ignore");
    scene.sql("INSERT INTO t (id, c1) SELECT id, c1 FROM narrow");
    assert_eq!(scene.db.lines("SELECT id, c1 FROM t ORDER BY id"), ["1|t", "2|f"]);
}

/// What a later version has made of the ledger is not known to this one.
#[test]
fn a_ledger_of_a_later_version_is_left_to_the_newer_dbload() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
    scene.file("a.csv", "id,v\n1,7\n");
    scene.file("b.csv", "id,v\n2,7\n");
    scene.load("a.csv -t t");
    let later = "INSERT INTO _dbload.migration (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', true, '', 0)";
    scene.sql(later);
    scene.plain("b.csv -t t").run().exits(6).says("use the newer dbload");
    assert_eq!(scene.db.count("t"), 1);
    // The newer one would find what it knows.
    scene.sql("DELETE FROM _dbload.migration WHERE version = 9999");
    scene.load("b.csv -t t");
    assert_eq!(scene.db.count("t"), 2);
}

/// Keys are gathered by what their type calls equal, which is not what this index does.
#[test]
fn rows_of_a_key_with_an_equality_of_its_own_are_compared_by_queries() {
    let ddl = "CREATE TABLE t (id int, v int); CREATE UNIQUE INDEX of_ten ON t (id public.mod_ops)";
    let scene = Scene::with(&format!("{}{ddl}", MOD.replace("{s}", "public")));
    scene.file("t.csv", "id,v\n1,7\n12,8\n");
    scene.load("t.csv -t t --key id");
    let refused = scene.plain("verify t.csv -t t --key id").run().exits(6).says("of_ten");
    refused.says("compare by queries, or by a key whose index has its type's own operator class");
    assert_eq!(scene.db.lines("SELECT id, v FROM t ORDER BY id"), ["1|7", "12|8"]);
    scene.sql("DROP INDEX of_ten; CREATE UNIQUE INDEX ON t (id)");
    scene.plain("verify t.csv -t t --key id").run().exits(0);
}

/// Where the rejects went to cannot be read again: the query that the hint shows finds them.
#[test]
fn rejects_that_went_to_a_device_are_found_by_the_query_of_the_hint() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v int)");
    scene.file("t.csv", "id,v\n1,7\n2,seven\n");
    let outcome = scene.plain("t.csv -t t --rejects /dev/null").run().exits(3);
    let outcome = outcome.says("they went to /dev/null; the ledger has them too:");
    let words: Vec<&str> = outcome.stderr.split_whitespace().collect();
    let words = words.join(" ");
    let query = words.split("the ledger has them too: ").nth(1).unwrap().split(" hint:").next().unwrap();
    println!("{query}");
    let found = scene.db.lines(&format!("SELECT count(*) FROM ({}) x", query.trim_end_matches(';')));
    assert_eq!(found, ["1"], "{outcome}");
}
