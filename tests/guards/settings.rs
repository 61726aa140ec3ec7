//! Settings of a role do not change what is stored.

use super::Clerk;
use crate::support::Scene;

/// NULL in an array is the word "NULL" under `array_nulls = off`.
#[test]
fn a_null_in_an_array_is_a_null_whatever_the_role_has_set() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, a text[])");
    let clerk = Clerk::new(
        &scene,
        "GRANT SELECT, INSERT, UPDATE ON t TO {role}; ALTER ROLE {role} SET array_nulls = off",
    );
    scene.file("t.jsonl", "{\"id\":1,\"a\":[\"x\",null]}\n{\"id\":2,\"a\":[null]}\n");
    clerk.run("t.jsonl --no-ledger").exits(0);
    clerk.run("t.jsonl --no-ledger").exits(0);
    assert_eq!(scene.db.lines("SELECT id, array_position(a, NULL) FROM t ORDER BY id"), ["1|2", "2|1"]);
}
