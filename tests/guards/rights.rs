//! The rights that the documentation asks for are enough on every path, or the plan says which one is missing.

use super::Clerk;
use crate::support::Scene;

#[test]
fn column_rights_are_enough_for_an_empty_table() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text, other int)");
    let clerk = Clerk::new(
        &scene,
        "GRANT SELECT, INSERT (id, name), UPDATE (id, name) ON t TO {role}; GRANT CREATE ON DATABASE current TO {role}"
            .replace("current", &scene.db.name())
            .as_str(),
    );
    scene.file("t.csv", "id,name\n1,a\n2,b\n");
    clerk.run("t.csv").exits(0);
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|a|NULL", "2|b|NULL"]);
}
