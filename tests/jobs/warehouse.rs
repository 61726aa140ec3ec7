//! examples/warehouse, as its README plays it.

#[path = "../../examples/warehouse/server.rs"]
mod server;

use std::path::Path;

use super::{Said, run, scene};

#[test]
fn the_example_plays_as_its_readme_says() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || server::serve(&listener));
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/warehouse");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let scene = scene(&read("dbload.toml").replace("127.0.0.1:8417", &place));
    scene.file("exports/products.csv", read("exports/products.csv"));
    scene.sql(&read("schema.sql"));
    let plan = scene.plain("check").run().exits(0).stdout;
    assert!(plan.contains("by foreign keys behind products, orders"), "{plan}");
    let first = Said::by(&run(&scene, "--now 2026-01-04T04:00:00Z").run().exits(0));
    let rows = || ["customers", "products", "orders", "order_items"].map(|table| scene.db.count(table));
    assert_eq!(rows(), [120, 5, 3 * 70, 3 * 140]);
    assert_eq!(first.loads["orders"]["windows"].as_array().unwrap().len(), 3);
    assert!(!scene.folder.path().join(".dbload").exists(), "what was shared is gone");
    let second = Said::by(&run(&scene, "--now 2026-01-05T04:00:00Z").run().exits(0));
    assert_eq!(rows(), [120, 5, 4 * 70, 4 * 140]);
    assert_eq!(second.loads["order_items"]["windows"].as_array().unwrap().len(), 1);
    assert!(second.rows("customers", "read") < 10, "only what is new: {}", second.loads["customers"]);
    assert_eq!(scene.plain("status").run().exits(0).stdout.matches(": fresh, complete").count(), 4);
    assert_eq!(scene.plain("history --limit 5").run().exits(0).stdout.lines().count(), 5);
    assert!(scene.folder.read("warehouse.prom").contains("load=\"orders\",outcome=\"inserted\"} 70"));
}
