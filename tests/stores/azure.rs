//! Azure Blob Storage: accounts and containers, and each way to be somebody there.

use super::{TABLE, check, lines};
use crate::support::api::{Api, Ask, Reply};
use crate::support::container::{ACCOUNT, Container, KEY, SIGNATURE, TOKEN};
use crate::support::{Dbload, Outcome, Scene};

fn container() -> Container {
    let container = Container::new();
    container.put("t.jsonl", lines(0, 10));
    container
}

/// Of the account, as nobody in particular.
fn load(scene: &Scene, container: &Container, line: &str) -> Dbload {
    let load = scene.dbload(line).arg("-t").arg("t").arg("--endpoint").arg(container.endpoint());
    load.env("AZURE_STORAGE_ACCOUNT", ACCOUNT)
}

#[track_caller]
fn loads(scene: &Scene, load: Dbload, words: &str) -> Outcome {
    let outcome = load.run().exits(0).says(words);
    check(scene, 10, &outcome);
    let ledger = scene
        .db
        .lines("SELECT r::text FROM _dbload.run r UNION ALL SELECT s::text FROM _dbload.source s ORDER BY 1");
    for text in [&outcome.stderr, &outcome.stdout, &ledger.join("\n")] {
        assert!(!text.contains("CANARY") && !text.contains(KEY), "{text}");
    }
    scene.sql("TRUNCATE t");
    outcome
}

#[test]
fn the_shared_key_signs_listings_objects_and_ranges() {
    let container = Container::new().in_pages_of(2);
    for part in 0..5 {
        container.put(&format!("out/part-{part} &+\u{e4}.jsonl"), lines(part * 10, part * 10 + 10));
    }
    container.put("out/deeper/x.jsonl", "no data");
    let scene = Scene::with(TABLE);
    let keyed = |line: &str| load(&scene, &container, line).env("AZURE_STORAGE_KEY", KEY);
    let outcome = keyed("az://c/out/*.jsonl").run().exits(0);
    check(&scene, 50, &outcome);
    scene.sql("TRUNCATE t");
    let outcome = keyed("az://c/out/").run().exits(0);
    check(&scene, 50, &outcome);
    // A body that breaks is asked for from there on, and that is signed too.
    let n = 20_000;
    container.put("long.jsonl", lines(0, n));
    scene.sql("TRUNCATE t");
    let outcome = keyed("az://c/long.jsonl").run().exits(0);
    check(&scene, n, &outcome);
    // Another key is refused, with the store's own word.
    let wrong = load(&scene, &container, "az://c/out/").env("AZURE_STORAGE_KEY", "b3RoZXI=").run().exits(4);
    wrong.says("AuthenticationFailed").says("the account's key (AZURE_STORAGE_KEY)");
    let wrong = load(&scene, &container, "az://c/out/").env("AZURE_STORAGE_KEY", "no base64!").run().exits(4);
    wrong.says("the key in it is no base64");
}

#[test]
fn who_asks_is_found_where_azures_tools_have_it() {
    let (container, scene) = (container(), Scene::with(TABLE));
    let line = "az://c/t.jsonl -v";
    let connection = format!(
        "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={};",
        container.endpoint()
    );
    let by_connection =
        scene.dbload(line).arg("-t").arg("t").env("AZURE_STORAGE_CONNECTION_STRING", connection);
    loads(&scene, by_connection, "the account's key (AZURE_STORAGE_CONNECTION_STRING)");
    let signed = load(&scene, &container, line).env("AZURE_STORAGE_SAS_TOKEN", SIGNATURE);
    loads(&scene, signed, "a shared access signature (AZURE_STORAGE_SAS_TOKEN)");
    // Tokens, by a secret and by a file of another authority.
    let authority = Api::serve(|ask| {
        let by_secret = ask.body.contains("client_secret=CANARY-client-secret");
        let by_file = ask.body.contains("client_assertion=CANARY-federated");
        match ask.path == "/tenant-1/oauth2/v2.0/token" && ask.body.contains("client_id=app-1") {
            true if by_secret || by_file => Reply::json(format!(
                r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#
            )),
            _ => Reply::new(401, "application/json", r#"{"error":"invalid_client"}"#),
        }
    });
    let authority_host = authority.url("").trim_end_matches('/').to_owned();
    let client = |load: Dbload| {
        load.env("AZURE_CLIENT_ID", "app-1")
            .env("AZURE_TENANT_ID", "tenant-1")
            .env("AZURE_AUTHORITY_HOST", &authority_host)
    };
    let by_secret = client(load(&scene, &container, line)).env("AZURE_CLIENT_SECRET", "CANARY-client-secret");
    loads(&scene, by_secret, "the client app-1");
    scene.file("token", "CANARY-federated");
    let by_file = client(load(&scene, &container, line)).env("AZURE_FEDERATED_TOKEN_FILE", "token");
    loads(&scene, by_file, "the workload identity app-1");
    let wrong =
        client(load(&scene, &container, line)).env("AZURE_CLIENT_SECRET", "CANARY-wrong").run().exits(4);
    assert!(!wrong.stderr.contains("CANARY"), "{wrong}");
    // An instance.
    let metadata = Api::serve(|_| {
        Reply::json(format!(
            r#"{{"access_token":"{TOKEN}","expires_in":"3600","expires_on":"4102444800","resource":"r","token_type":"Bearer"}}"#
        ))
    });
    let on_instance = load(&scene, &container, line)
        .env("IDENTITY_ENDPOINT", metadata.url("/msi/token"))
        .env("IDENTITY_HEADER", "CANARY-header");
    loads(&scene, on_instance, "what this instance is");
}

#[test]
fn without_credentials_the_error_lists_what_was_looked_for() {
    let (container, scene) = (container(), Scene::with(TABLE));
    let nobody = load(&scene, &container, "az://c/t.jsonl").env("IDENTITY_ENDPOINT", "http://127.0.0.1:1/");
    let nobody = nobody.run().exits(4).says("found no credentials for az://c").says("AZURE_STORAGE_KEY");
    nobody.says("azureProfile.json").says("log in with az login, or set AZURE_STORAGE_KEY");
    scene
        .dbload("az://c/t.jsonl -t t")
        .run()
        .exits(4)
        .says("set AZURE_STORAGE_ACCOUNT, or write abfss://CONTAINER@ACCOUNT");
    load(&scene, &container, "az://c/t.jsonl --request-payer").run().exits(4).says("--request-payer");
    load(&scene, &container, "az://c/t.jsonl --aws-profile x")
        .run()
        .exits(2)
        .says("--aws-profile is about s3://");
    load(&scene, &container, "az://c/t.jsonl s3://b/t.jsonl").run().exits(2).says("--endpoint is one server");
    assert_eq!(container.api.requests(), 0);
}

#[test]
fn public_containers_are_read_by_nobody_also_where_they_are_not_listed() {
    for container in [container().public(), container().public().without_listing()] {
        let scene = Scene::with(TABLE);
        let outcome = load(&scene, &container, "az://c/t.jsonl --no-sign-request").run().exits(0);
        check(&scene, 10, &outcome);
        let has_no_name = |ask: &Ask| ask.header("authorization").is_none() && !ask.query.contains_key("sig");
        assert!(container.api.asked().iter().all(has_no_name));
    }
    let (container, scene) = (container().public().without_listing(), Scene::with(TABLE));
    let missing = load(&scene, &container, "az://c/nothing.jsonl --no-sign-request").run().exits(4);
    missing.says("there is no such bucket or object");
}

/// An append knows an object again by its account, name and ETag; a word with the account in it is another
/// spelling of the same place.
#[test]
fn an_append_leaves_out_what_it_has_put_there_before() {
    let (container, scene) = (container(), Scene::with(TABLE));
    let append = || load(&scene, &container, "az://c/*.jsonl --mode append").env("AZURE_STORAGE_KEY", KEY);
    append().run().exits(0);
    container.put("u.jsonl", lines(10, 20));
    container.api.asked();
    let outcome = append().run();
    let asked: Vec<_> = container.api.asked().iter().map(Ask::target).collect();
    println!("{asked:?}");
    let outcome = outcome.exits(0);
    check(&scene, 20, &outcome);
    container.put("t.jsonl", lines(0, 11));
    append().run().exits(8).says("--again");
    assert_eq!(scene.db.count("t"), 20);
}
