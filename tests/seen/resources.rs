//! What a load takes of the machine and of the server is in its record, on its page and in the textfile; and
//! where another size of the pool would have been better, page and plan say so and why.

use std::time::Duration;

use super::{events, numbers, of_kind};
use crate::support::Scene;
use crate::support::api::{Api, Reply};

#[test]
fn cpu_memory_connections_requests_and_queues_are_seen_everywhere() {
    // It exists: a load that makes it has read nearly all before it begins.
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let api = Api::serve(|ask| {
        let id = ask.path.trim_start_matches('/').to_owned();
        Reply::json(format!("[{{\"id\":{id}}}]")).after(Duration::from_millis(300))
    });
    scene.file(
        "dbload.toml",
        format!(
            "name = \"x\"\n[metrics]\nevents = \"e.jsonl\"\nmetrics_file = \"x.prom\"\n\
             [load.t]\nsource = \"{}\"\nkey = [\"id\"]\nconcurrency = 3\n",
            api.url("/{1..60}")
        ),
    );
    scene.plain("run").run().exits(0);
    assert_eq!(scene.db.count("t"), 60);
    let told = events(&scene.cwd().join("e.jsonl"));
    let most = |name: &str| of_kind(&told, "sample").filter_map(|sample| sample[name].as_u64()).max();
    // The first source has a slot of its own beside the three.
    let in_flight = most("in_flight").unwrap();
    assert!((2..=4).contains(&in_flight), "{in_flight}: {told:?}");
    assert!(most("connections") >= Some(1) && most("resident_bytes") > Some(1 << 20), "{told:?}");
    let cpu = of_kind(&told, "sample").last().unwrap()["cpu"].as_f64();
    assert!(cpu > Some(0.0) && most("blocks_waiting").is_some() && most("batches_waiting").is_some());
    scene.plain("show e.jsonl --html out.html").run().exits(0);
    let html = scene.folder.read("out.html");
    let of_page = |name: &str, value: &str| html.contains(&format!("<tr><th>{name}</th><td>{value}"));
    assert!(of_page("most requests at once", &format!("{in_flight}<")), "{html}");
    for name in ["most memory", "most connections", "queues, on average", "CPU time"] {
        assert!(of_page(name, ""), "{name}: {html}");
    }
    let prom = scene.folder.read("x.prom");
    let value = |name: &str| {
        let labels =
            if name.starts_with("dbload_job") { "{job_name=\"x\"} " } else { "{job_name=\"x\",load=\"t\"} " };
        let head = format!("{name}{labels}");
        let found = prom.lines().find_map(|line| line.strip_prefix(head.as_str()));
        found.unwrap_or_else(|| panic!("{name}: {prom}")).parse::<f64>().unwrap()
    };
    // Glances of the record are some of those that this is the most of.
    assert!(
        (f64::from(u32::try_from(in_flight).unwrap())..=4.0)
            .contains(&value("dbload_load_max_requests_in_flight"))
    );
    assert!(value("dbload_load_max_connections") >= 1.0);
    assert!((0.0..=1.0).contains(&value("dbload_load_connections_busy_ratio")));
    for name in ["dbload_load_max_blocks_waiting", "dbload_load_max_batches_waiting"] {
        assert!(value(name) >= 0.0, "{name}");
    }
    for name in ["dbload_job_last_run_cpu_seconds", "dbload_job_last_run_max_resident_bytes"] {
        assert!(value(name) > 0.0, "{name}");
    }
}

#[test]
fn where_the_server_was_the_bound_more_connections_are_suggested() {
    let scene = Scene::new();
    numbers(&scene, 2_000);
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    scene.run("t.jsonl --key id --events e.jsonl --batch-rows 200 --pool-size 1").exits(3);
    let said = scene.plain("show e.jsonl").run().exits(0).stdout;
    assert!(said.contains("The server was the bound for"), "{said}");
    assert!(
        said.contains("The one connection was at work for ") && said.contains("--pool-size 2 may be"),
        "{said}"
    );
}

#[test]
fn where_the_source_was_the_bound_fewer_connections_are_suggested() {
    let scene = Scene::new();
    scene.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let feed = |out: &mut dyn std::io::Write| {
        for id in 0..50 {
            writeln!(out, "{{\"id\":{id}}}")?;
            std::thread::sleep(Duration::from_millis(60));
        }
        Ok(())
    };
    let load = "- -t t --format jsonl --key id --events e.jsonl --pool-size 4";
    scene.dbload(load).stdin_stream(feed).run().exits(0);
    let said = scene.plain("show e.jsonl").run().exits(0).stdout;
    assert!(said.contains("The source was the bound for"), "{said}");
    assert!(
        said.contains("The 4 connections were at work for ") && said.contains("would have been as fast"),
        "{said}"
    );
}

#[test]
fn the_plan_says_where_one_connection_is_enough() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, boss int REFERENCES t)");
    scene.file("t.jsonl", "{\"id\":1,\"boss\":null}\n");
    let plan = scene.plain("t.jsonl --key id --dry-run --pool-size 4").run().exits(0).stdout;
    let words = "connections 4 (one partition is written by one of them: --pool-size 1 would be as fast)";
    assert!(plan.contains(words) && plan.contains("1 (the table refers to itself)"), "{plan}");
    let plan = scene.plain("t.jsonl --key id --dry-run --pool-size 1").run().exits(0).stdout;
    assert!(plan.contains("connections 1\n"), "{plan}");
}
