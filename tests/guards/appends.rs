//! Appends by roles that do not see what they have put there.

use super::Clerk;
use crate::support::Scene;

const IN_DOUBT: &str =
    "look whether its rows are there: if not, --again=t.csv appends them; if so, leave it out";

/// A table that seems empty to a role proves nothing where policies hide its rows, or where it may not read.
#[test]
fn what_a_role_cannot_see_is_not_gone() {
    for (schema, rights, why) in [
        (
            "CREATE TABLE t (id int, v int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY adds ON t FOR INSERT WITH CHECK (true); CREATE POLICY sees ON t FOR SELECT USING (false)",
            "GRANT SELECT, INSERT ON t TO {role}",
            "row-level security may hide its rows",
        ),
        ("CREATE TABLE t (id int, v int)", "GRANT INSERT ON t TO {role}", "this role may not read it"),
    ] {
        let scene = Scene::with(schema);
        let clerk = Clerk::new(&scene, rights);
        clerk.sql(&format!("GRANT CREATE ON DATABASE {} TO {{role}}", scene.db.name()));
        scene.file("t.csv", "id,v\n1,1\n2,2\n");
        scene.file("u.csv", "id,v\n3,3\n");
        clerk.run("t.csv -t t --mode append").exits(0);
        assert_eq!(scene.db.count("t"), 2);
        clerk.run("t.csv -t t --mode append").exits(8).says(why).says(IN_DOUBT);
        clerk.run("t.csv u.csv -t t --mode append").exits(8);
        clerk.run("t.csv -t t --mode append --restart").exits(8);
        assert_eq!(scene.db.count("t"), 2, "{why}");
        clerk.run("u.csv -t t --mode append").exits(0);
        clerk.run("t.csv -t t --mode append --again=t.csv").exits(0);
        assert_eq!(scene.db.count("t"), 5, "{why}");
    }
}

/// A policy hides the rows of an unfinished run: it is gone on with, and what is said of beginning anew is
/// true.
#[test]
fn an_unfinished_append_whose_rows_are_hidden_goes_on_and_is_not_begun_anew_by_itself() {
    let scene = Scene::with(
        "CREATE TABLE t (id int, v int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY adds ON t FOR INSERT WITH CHECK (true); CREATE POLICY sees ON t FOR SELECT USING (false)",
    );
    let clerk = Clerk::new(&scene, "GRANT SELECT, INSERT ON t TO {role}");
    clerk.sql(&format!("GRANT CREATE ON DATABASE {} TO {{role}}", scene.db.name()));
    scene.file("t.csv", (0..500).fold("id,v\n".to_owned(), |text, id| text + &format!("{id},1\n")));
    let line = "t.csv -t t --mode append --batch-rows 100 --pool-size 1";
    assert!(clerk.command(line).env("DBLOAD_CRASH_AT", "committed:2").run().was_killed());
    scene.db.until_quiet();
    let there = scene.db.count("t");
    assert!(there > 0 && there < 500, "{there}");
    clerk
        .run(&format!("{line} --restart"))
        .exits(8)
        .says("may be in")
        .says(&format!("look whether the {there} rows"));
    clerk.run(line).exits(0);
    assert_eq!(scene.db.lines("SELECT count(*), count(DISTINCT id) FROM t"), ["500|500"]);
}
