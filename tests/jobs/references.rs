//! Foreign keys between the tables of a file: who is referred to is loaded first.

use super::{Said, run, scene};
use serde_json::Value;

const FILE: &str = "name = \"x\"\n[defaults]\nkey = [\"id\"]\nmax_rejects = 0\n[load.items]\nsource = \"items.jsonl\"\n\
     [load.orders]\nsource = \"orders.jsonl\"\n[load.extra]\nsource = \"items.jsonl\"\ntable = \"items2\"\n";

const TABLES: &str = "CREATE TABLE orders (id int PRIMARY KEY, above int REFERENCES orders); \
     CREATE TABLE items (id int PRIMARY KEY, \"order\" int REFERENCES orders); CREATE TABLE items2 (id int PRIMARY KEY, \"order\" int)";

/// What a check says, by load.
fn checked(scene: &crate::support::Scene, code: i32) -> std::collections::BTreeMap<String, Value> {
    let outcome = scene.dbload("check").run().exits(code);
    let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["load"].as_str().unwrap().to_owned(), line)).collect()
}

#[test]
fn who_is_referred_to_is_loaded_first_and_skips_nobody() {
    let scene = scene(FILE);
    scene.sql(TABLES);
    // Many records, so that side by side the items would be there first.
    let orders: String = (1..=20_000).map(|id| format!("{{\"id\":{id},\"above\":null}}\n")).collect();
    scene.file("orders.jsonl", orders);
    scene.file("items.jsonl", "{\"id\":1,\"order\":20000}\n{\"id\":2,\"order\":19999}\n");
    let plan = checked(&scene, 0);
    assert_eq!(
        (&plan["items"]["behind"], &plan["orders"]["behind"]),
        (&serde_json::json!(["orders"]), &Value::Null)
    );
    assert_eq!(plan["extra"]["behind"], Value::Null);
    let words = scene.plain("check").run().exits(0).stdout;
    assert!(words.contains("items: ready (by foreign keys behind orders)"), "{words}");
    let outcome = run(&scene, "").run().exits(0);
    assert_eq!(Said::by(&outcome).rows("items", "inserted"), 2, "{outcome}");
    // It fails, and what refers to it is loaded all the same; what is not chosen is not waited for.
    scene.file("orders.jsonl", "{\n");
    let said = Said::by(&run(&scene, "").run());
    assert_eq!((said.state("orders"), said.state("items")), ("failed", "complete"));
    run(&scene, "--load items").run().exits(0);
}

#[test]
fn what_is_written_beats_a_foreign_key_and_a_circle_of_them_is_an_error_of_check_alone() {
    let scene = scene(&FILE.replace("[load.orders]", "[load.orders]\nafter = [\"items\"]"));
    scene.sql(TABLES);
    scene.file("orders.jsonl", "{\"id\":1,\"above\":null}\n");
    scene.file("items.jsonl", "{\"id\":1,\"order\":null}\n");
    assert_eq!(checked(&scene, 0)["items"]["behind"], Value::Null);
    run(&scene, "").run().exits(0);
    scene.file("dbload.toml", FILE);
    scene.sql("ALTER TABLE orders ADD first int REFERENCES items");
    let refused = scene.dbload("check").run().exits(6);
    let refused =
        refused.says("foreign keys give no order: ").says("orders refers to items").says("after = [..]");
    assert_eq!(refused.stdout.lines().count(), 3, "the loads are planned all the same: {refused}");
    let outcome = run(&scene, "").run().exits(0).says("foreign keys give no order");
    assert_eq!(Said::by(&outcome).state("orders"), "complete");
    // The hint, followed.
    scene.file("dbload.toml", FILE.replace("[load.orders]", "[load.orders]\nafter = [\"items\"]"));
    checked(&scene, 0);
}
