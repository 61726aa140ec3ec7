//! Lineage: a START and one end of each attempt, as the specification of OpenLineage has them; and nothing of
//! a receiver that does not work is seen in a load.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::receivers::{self, Broken};
use super::{numbers, wait_for};
use crate::support::api::{Api, Ask, Reply};
use crate::support::{Dbload, Scene};

fn schema(path: &str) -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// The events that came, each checked.
#[track_caller]
fn events(asked: &[Ask]) -> Vec<Value> {
    static EVENT: LazyLock<jsonschema::Validator> =
        LazyLock::new(|| schema("tests/data/openlineage/run-event.schema.json"));
    static OURS: LazyLock<jsonschema::Validator> = LazyLock::new(|| schema("docs/lineage-facet.schema.json"));
    let read = |ask: &Ask| {
        let event: Value = serde_json::from_str(&ask.body).unwrap();
        let wrong: Vec<String> = EVENT.iter_errors(&event).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}: {event:#}");
        if let Some(ours) = event.pointer("/run/facets/dbload_run") {
            OURS.validate(ours).unwrap_or_else(|why| panic!("{why}: {event:#}"));
        }
        event
    };
    asked.iter().map(read).collect()
}

fn told(dbload: Dbload, api: &Api) -> Dbload {
    dbload.env("OPENLINEAGE_URL", api.url("")).env("OPENLINEAGE_NAMESPACE", "prod")
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["eventType"].as_str().unwrap()).collect()
}

const PARENT: &str = "0196f0a1-7c00-7000-8000-000000000001";

#[test]
fn a_load_is_a_run_with_its_table_its_rows_and_its_parent() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::new(201, "text/plain", "")));
    scene.file("t.jsonl", "{\"id\":1,\"n\":\"canary\"}\n{\"id\":2,\"n\":\"b\"}\n{\"id\":2,\"n\":\n");
    let load = told(scene.dbload("t.jsonl --key id"), &api)
        .env("OPENLINEAGE_API_KEY", "key-1")
        .env("OPENLINEAGE_PARENT_ID", format!("prod/dag.task/{PARENT}"));
    let outcome = load.run().exits(3);
    assert!(!outcome.stderr.contains("OpenLineage"), "{outcome}");
    let asked = api.asked();
    for ask in &asked {
        assert_eq!((ask.method.as_str(), ask.path.as_str()), ("POST", "/api/v1/lineage"));
        assert_eq!(ask.header("authorization"), Some("Bearer key-1"));
        assert!(!ask.body.contains("canary"), "{}", ask.body);
    }
    let events = events(&asked);
    assert_eq!(kinds(&events), ["START", "COMPLETE"]);
    let [start, end] = &events[..] else { unreachable!() };
    assert_eq!(start["run"]["runId"], end["run"]["runId"]);
    assert!(start["eventTime"].as_str() < end["eventTime"].as_str());
    for event in &events {
        assert_eq!((&event["job"]["namespace"], &event["job"]["name"]), (&"prod".into(), &"dbload.t".into()));
        let parent = &event["run"]["facets"]["parent"];
        assert_eq!((&parent["run"]["runId"], &parent["job"]["name"]), (&PARENT.into(), &"dag.task".into()));
        let file = scene.cwd().canonicalize().unwrap().join("t.jsonl");
        assert_eq!(event["inputs"], json!([{"namespace": "file", "name": file.to_str().unwrap()}]));
    }
    let table = &end["outputs"][0];
    assert_eq!(table["name"], format!("{}.public.t", scene.db.one("SELECT current_database()")));
    let fields = &table["facets"]["schema"]["fields"];
    assert_eq!((&fields[0]["name"], &fields[0]["type"]), (&"id".into(), &"bigint".into()));
    assert_eq!(table["facets"]["lifecycleStateChange"]["lifecycleStateChange"], "CREATE");
    let stored: u64 = scene.db.one("SELECT count(*) FROM t").parse().unwrap();
    assert_eq!(table["outputFacets"]["outputStatistics"]["rowCount"], stored);
    let ours = &end["run"]["facets"]["dbload_run"];
    assert_eq!((&ours["run"], &ours["rows"]["rejected"]), (&outcome.report().run.into(), &1.into()));
}

#[test]
fn each_attempt_is_a_run_of_its_own_and_counts_what_it_has_done_itself() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::json("{}")));
    numbers(&scene, 40_000);
    let load = "t.jsonl --key id --batch-rows 200 --pool-size 1";
    let running = told(scene.dbload(load), &api).spawn();
    wait_for("a batch", || scene.db.count("t") >= 400);
    running.signal(Signal::INT);
    running.wait().exits(130);
    let first = events(&api.asked());
    assert_eq!(kinds(&first), ["START", "ABORT"]);
    let before = scene.db.count("t");
    told(scene.dbload(load), &api).run().exits(3);
    let second = events(&api.asked());
    assert_eq!(kinds(&second), ["START", "COMPLETE"]);
    assert_ne!(first[0]["run"]["runId"], second[0]["run"]["runId"]);
    let rows = |event: &Value| {
        event.pointer("/outputs/0/outputFacets/outputStatistics/rowCount").unwrap().as_u64().unwrap()
    };
    assert_eq!((rows(&first[1]), rows(&second[1])), (before, scene.db.count("t") - before));
    assert_eq!(second[1]["run"]["facets"]["dbload_run"]["attempt"], 2);
}

#[test]
fn a_failure_says_why_without_a_word_of_the_server() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::json("{}")));
    scene.file("t.jsonl", "{\"id\":1}\n");
    // It fails before there is a plan: it has begun all the same.
    scene.sql("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW t AS SELECT 1 AS id");
    told(scene.dbload("t.jsonl --key id"), &api).run().exits(6);
    let told_of = events(&api.asked());
    assert_eq!(kinds(&told_of), ["START", "FAIL"]);
    let why = &told_of[1]["run"]["facets"]["errorMessage"]["message"];
    assert!(why.as_str().unwrap().starts_with("exit code 6: schema, mapping or rights"), "{why}");
    // The server refuses at the end what it was given, and quotes it.
    scene.sql(
        "DROP VIEW t; CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'canary %', NEW.id USING ERRCODE = '57014'; END $$; \
         CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()",
    );
    let failed = told(scene.dbload("t.jsonl --key id --retry-for 1s"), &api).run();
    assert_ne!(failed.code(), 0);
    let asked = api.asked();
    assert!(asked.iter().all(|ask| !ask.body.contains("canary")), "{asked:?}");
    assert_eq!(kinds(&events(&asked))[0], "START");
}

#[test]
fn loads_of_a_job_file_have_its_name_and_their_windows() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::json("{}")));
    scene.file(
        "dbload.toml",
        "name = \"x\"\n[load.t]\nsource = \"{window.start:%Y-%m-%d}.jsonl\"\nkey = [\"id\"]\n\
         window = { every = \"1d\", begin = \"2026-01-01\" }\n",
    );
    scene.file("2026-01-01.jsonl", "{\"id\":1}\n");
    scene.file("2026-01-02.jsonl", "{\"id\":2}\n");
    told(scene.plain("run --now 2026-01-03T05:00:00Z"), &api).run().exits(0);
    let all = events(&api.asked());
    assert_eq!(kinds(&all), ["START", "COMPLETE", "START", "COMPLETE"]);
    let times: Vec<&str> = all
        .iter()
        .map(|event| event["run"]["facets"]["nominalTime"]["nominalStartTime"].as_str().unwrap())
        .collect();
    assert_eq!(times[0], times[1]);
    assert!(times[0].starts_with("2026-01-01T") && times[2].starts_with("2026-01-02T"), "{times:?}");
    assert!(all.iter().all(|event| event["job"]["name"] == "x.t"));
    // Two windows are two runs.
    assert_ne!(all[0]["run"]["runId"], all[2]["run"]["runId"]);
}

#[test]
fn nobody_is_told_unless_asked_to_and_under_dagster_only_by_its_extras() {
    let (scene, api) = (Scene::new(), Api::serve(|_| Reply::json("{}")));
    scene.file("t.jsonl", "{\"id\":1}\n");
    let quiet = |dbload: Dbload| {
        dbload.run();
        assert_eq!(api.requests(), 0);
    };
    quiet(told(scene.dbload("t.jsonl --key id --dry-run"), &api));
    quiet(told(scene.dbload("t.jsonl --key id"), &api).env("OPENLINEAGE_DISABLED", "true"));
    let pipes = |extras: Value| {
        use base64::Engine as _;
        use std::io::Write as _;
        let packed = |value: &Value| {
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            zlib.write_all(value.to_string().as_bytes()).unwrap();
            base64::engine::general_purpose::STANDARD.encode(zlib.finish().unwrap())
        };
        let context = json!({"data": {"asset_keys": ["t"], "extras": extras}});
        let messages = json!({"path": scene.cwd().join("messages")});
        told(scene.dbload("t.jsonl --key id"), &api)
            .env("DAGSTER_PIPES_CONTEXT", packed(&context))
            .env("DAGSTER_PIPES_MESSAGES", packed(&messages))
    };
    quiet(pipes(json!({})));
    pipes(json!({"dbload": {"openlineage": true}})).run().exits(0);
    assert_eq!(kinds(&events(&api.asked())), ["START", "COMPLETE"]);
    // What is wrong with a variable is said, and nothing else happens.
    let wrong = scene.dbload("t.jsonl --key id --again").env("OPENLINEAGE_URL", "canary").run().exits(0);
    let wrong = wrong.says("OpenLineage is not told: OPENLINEAGE_URL: must be a URL");
    assert!(!wrong.stderr.contains("canary"), "{wrong}");
}

#[test]
fn a_receiver_that_is_down_or_silent_or_talks_nonsense_changes_no_load() {
    for broken in Broken::ALL {
        let receiver = receivers::serve(broken);
        let scene = Scene::new();
        let mut file = "name = \"x\"\n".to_owned();
        // So many messages would take minutes if each had its time.
        for n in 0..12 {
            file.push_str(&format!("[load.t{n}]\nsource = \"{n}.jsonl\"\nkey = [\"id\"]\n"));
            scene.file(&format!("{n}.jsonl"), "{\"id\":1}\n{\"id\":2}\n");
        }
        scene.file("dbload.toml", file);
        let run = scene.plain("run").env("OPENLINEAGE_URL", receiver.url("/canary")).run().exits(0);
        let run = run.says("OpenLineage: 24 of 24 messages were not taken");
        assert!(run.elapsed < Duration::from_secs(60) && !run.stderr.contains("canary"), "{broken:?}: {run}");
        for n in 0..12 {
            assert_eq!(scene.db.count(&format!("t{n}")), 2);
        }
    }
}
