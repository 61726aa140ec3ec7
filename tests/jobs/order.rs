//! Which loads run, when, and what becomes of those that wait for others.

use std::time::{Duration, Instant};

use super::{Said, run, scene};
use crate::support::api::{Api, Reply};

const THREE: &str = "name = \"x\"\n[defaults]\nkey = [\"id\"]\n[load.a]\nsource = \"a.jsonl\"\ntags = [\"one\"]\n\
     [load.b]\nsource = \"b.jsonl\"\nafter = [\"a\"]\ntags = [\"one\", \"two\"]\n[load.c]\nsource = \"c.jsonl\"\nafter = [\"b\"]\n";

#[test]
fn what_comes_after_a_bad_end_is_skipped_and_what_was_not_chosen_is_not_waited_for() {
    let scene = scene(THREE);
    scene.file("b.jsonl", "{\"id\":1}\n");
    scene.file("c.jsonl", "{\"id\":1}\n");
    // a is not there.
    let outcome = run(&scene, "").run();
    let said = Said::by(&outcome);
    assert_eq!(
        (said.state("a"), said.state("b"), said.state("c")),
        ("failed", "skipped", "skipped"),
        "{outcome}"
    );
    assert_eq!(said.loads["b"]["error"], "a did not come to a good end");
    assert_ne!(outcome.code(), 0);
    assert!(!scene.db.has_table("b"));
    let said = Said::by(&run(&scene, "--load b,c").run().exits(0));
    assert_eq!((said.state("b"), said.state("c"), said.loads.len()), ("complete", "complete", 2));
    scene.file("a.jsonl", "");
    scene.sql("CREATE TABLE a (id int PRIMARY KEY)");
    let said = Said::by(&run(&scene, "").run().exits(0));
    assert_eq!((said.state("a"), said.state("c")), ("nothing_new", "complete"));
}

#[test]
fn loads_are_chosen_by_name_and_tag() {
    let scene = scene(THREE);
    for name in ["a", "b", "c"] {
        scene.file(&format!("{name}.jsonl"), "{\"id\":1}\n");
    }
    let chosen =
        |line: &str| Said::by(&run(&scene, line).run().exits(0)).loads.into_keys().collect::<Vec<_>>();
    assert_eq!(chosen("--tag two"), ["b"]);
    assert_eq!(chosen("--tag one --except b"), ["a"]);
    assert_eq!(chosen("--except a,b"), ["c"]);
    run(&scene, "--load aa").run().exits(2).says("no load `aa`");
    run(&scene, "--tag twos").run().exits(2).says("did you mean `two`?");
    run(&scene, "--load a --except a").run().exits(2).says("no load of the file is left");
}

/// Twelve sources that take a while, and four connections: they are waited for side by side.
#[test]
fn slow_sources_are_waited_for_side_by_side_with_few_connections() {
    const LOADS: u64 = 12;
    const SLOW: Duration = Duration::from_secs(4);
    let api = Api::serve(|_| Reply::json("[{\"id\":1},{\"id\":2}]").after(SLOW));
    let mut file =
        "name = \"x\"\n[target]\npool_size = 4\n[defaults]\nkey = [\"id\"]\nconcurrency = 2\n".to_owned();
    for i in 0..LOADS {
        file.push_str(&format!("[load.t{i}]\nsource = \"{}\"\n", api.url(&format!("/{i}"))));
    }
    let scene = scene(&file);
    let loads = run(&scene, "").spawn();
    let began = Instant::now();
    let watch = scene.db.another();
    let mut most = 0;
    let mut loads = loads;
    while loads.is_running() && began.elapsed() < Duration::from_secs(120) {
        let now: u64 = watch
            .one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'")
            .parse()
            .unwrap();
        most = most.max(now);
        std::thread::sleep(Duration::from_millis(20));
    }
    let outcome = loads.wait().exits(0);
    let said = Said::by(&outcome);
    assert_eq!(said.loads.len() as u64, LOADS);
    // One after the other they would take more than this.
    let slowest = SLOW * u32::try_from(LOADS).unwrap() / 2;
    assert!(outcome.elapsed < slowest, "{outcome}");
    // The two of this test.
    assert!(most <= 4 + 2, "{most} connections");
    for i in 0..LOADS {
        assert_eq!(scene.db.count(&format!("t{i}")), 2);
    }
}
