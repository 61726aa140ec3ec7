//! A list, then a request for each of its rows: from a file, from a server page after page, from a table.

use super::{array, check, scene};
use crate::support::Scene;
use crate::support::api::{Api, Ask, Reply};

/// A list of 45 shops in pages of 10, and the item of each.
fn shops(ask: &Ask) -> Reply {
    match ask.path.as_str() {
        "/shops" => {
            let from = ask.number("offset").unwrap_or(0);
            let rows: Vec<String> = (from..(from + 10).min(45))
                .map(|i| format!(r#"{{"shop":{{"id":{i}}},"id":{i},"name":"n{i}"}}"#))
                .collect();
            Reply::json(format!(r#"{{"total":45,"shops":[{}]}}"#, rows.join(",")))
        }
        _ => {
            let i = super::id_of(ask);
            Reply::json(format!(r#"{{"v":{},"note":"r{i}"}}"#, i * 7))
        }
    }
}

#[test]
fn the_rows_may_be_pages_of_a_server() {
    let api = Api::serve(shops);
    let scene = scene();
    let load = |flags: &str| {
        scene
            .dbload(&format!("-t t --each-records shops --each-fields id {flags}"))
            .arg(api.url("/item/{id}"))
            .arg("--each")
            .arg(api.url("/shops"))
            .args(["--header", "X-Key: env:KEY"])
            .env("KEY", "CANARY-e4c4")
    };
    let outcome = load("--each-paginate offset:offset,limit=10;total=/total").run().exits(0);
    check(&scene, 45, &outcome);
    let asked = api.asked();
    assert_eq!(asked.len(), 5 + 45, "{outcome}");
    assert!(asked.iter().all(|ask| ask.header("x-key") == Some("CANARY-e4c4")), "the list is named too");
    // Without a rule for its pages the list is not all there is, which is said.
    let outcome = load("").run().exits(0).says("may not be all there is");
    assert_eq!(api.asked().len(), 1 + 10, "{outcome}");
    load("--strict-pages").run().exits(4).says("/shops");
    let missing = scene.dbload("-t t").arg(api.url("/item/{id}")).arg("--each").arg(api.url("/nothing/x"));
    api.answer_with(|_| Reply::new(404, "text/plain", "no list"));
    missing.run().exits(4).says("no list");
}

#[test]
fn the_rows_may_be_those_of_a_table() {
    let api = Api::serve(shops);
    let scene = Scene::with(
        "CREATE TABLE t (id bigint PRIMARY KEY, v bigint, note text, price numeric, at timestamptz); \
         CREATE TABLE shop AS SELECT i AS id, 1.10::numeric AS price, 'a/b ' || i AS name, '2024-01-02 03:04+00'::timestamptz AS at FROM generate_series(0, 19) i",
    );
    let load = |sql: &str| {
        scene
            .dbload("-t t --each-fields id,price,at")
            .arg(api.url("/item/{id}?n={name}"))
            .arg("--each-query")
            .arg(sql)
    };
    let outcome = load("SELECT * FROM shop ORDER BY id -- all of them").run().exits(0);
    assert_eq!(outcome.rows().read, 20);
    assert_eq!(
        scene.db.lines("SELECT count(*), min(price)::text, min(at AT TIME ZONE 'UTC')::text, sum(id) FROM t"),
        ["20|1.10|2024-01-02 03:04:00|190"]
    );
    assert!(api.asked().iter().any(|ask| ask.query["n"] == "a/b 7"), "values are encoded");
    load("SELECT nothing FROM nowhere").run().exits(6).says("--each-query").says("nowhere");
    load("DELETE FROM shop RETURNING *").run().says("--each-query");
    assert_eq!(scene.db.count("shop"), 20, "it only reads");
    load("SELECT * FROM shop WHERE id > 100").run().exits(4).says("no rows");
    load("SELECT 1 AS id").run().says("price");
    // From another database.
    let other = Scene::with("CREATE TABLE shop AS SELECT 3 AS id, 2.50 AS price, 'x' AS name, now() AS at");
    let outcome = load("SELECT * FROM shop").arg("--each-dsn").arg(other.db.url()).run().exits(0);
    assert_eq!(outcome.rows().read, 1);
    assert_eq!(scene.db.one("SELECT price FROM t WHERE id = 3"), "2.50");
}

#[test]
fn lists_in_files_are_read_as_sources_are() {
    let api = Api::serve(|ask| Reply::json(array(super::id_of(ask), super::id_of(ask) + 1)));
    let scene = scene();
    scene.file("ids.csv.gz", crate::support::compress::gzip("id;x\r\n0;a\r\n1;\"b;c\"\r\n".as_bytes()));
    scene.file("ids.json", r#"{"rows":[{"id":2},{"id":3}]}"#);
    scene.load(&format!("{} -t t --each ids.csv.gz", api.url("/i/{id}")));
    let outcome = scene.load(&format!("{} -t t --each ids.json --each-records rows", api.url("/i/{id}")));
    check(&scene, 4, &outcome);
    scene.run(&format!("{} -t t --each nowhere.csv", api.url("/i/{id}"))).exits(4).says("nowhere.csv");
}
