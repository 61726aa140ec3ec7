//! Google Cloud Storage: the same store, asked with tokens. A service account signs its own, which are
//! checked here by its public key.

use super::{TABLE, check, kill_beyond, lines};
use crate::support::api::{Api, Ask, Reply};
use crate::support::bucket::{Bucket, lists, slowly};
use crate::support::{Dbload, Scene};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

const EMAIL: &str = "loader@shop.iam.gserviceaccount.com";
const TOKEN: &str = "CANARY-google-token";

/// A token that a service account has signed itself.
fn is_signed(ask: &Ask) -> Result<(), &'static str> {
    let token = ask.header("authorization").and_then(|text| text.strip_prefix("Bearer ")).ok_or("NoToken")?;
    let (message, signature) = token.rsplit_once('.').ok_or("NoJwt")?;
    let key = include_bytes!("../data/stores/service-account.pub.der");
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| "BadSignature")?;
    key.verify(message.as_bytes(), &signature).map_err(|_| "BadSignature")?;
    let claims = message.split('.').nth(1).and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    let claims: serde_json::Value =
        serde_json::from_slice(&claims.ok_or("BadClaims")?).map_err(|_| "BadClaims")?;
    let lasts =
        claims["exp"].as_u64().unwrap_or_default().saturating_sub(claims["iat"].as_u64().unwrap_or_default());
    let is_his = claims["iss"] == EMAIL && (1..=3600).contains(&lasts);
    if is_his { Ok(()) } else { Err("BadClaims") }
}

fn has_token(ask: &Ask) -> Result<(), &'static str> {
    let is_ours = ask.header("authorization") == Some(&format!("Bearer {TOKEN}"));
    if is_ours { Ok(()) } else { Err("NoToken") }
}

fn service_account() -> String {
    serde_json::json!({
        "type": "service_account",
        "client_email": EMAIL,
        "private_key_id": "k1",
        "private_key": include_str!("../data/stores/service-account.pem"),
    })
    .to_string()
}

fn load(scene: &Scene, bucket: &Bucket, line: &str) -> Dbload {
    scene.dbload(line).arg("-t").arg("t").arg("--endpoint").arg(bucket.endpoint()).env("NO_GCE_CHECK", "true")
}

fn with_key(scene: &Scene, bucket: &Bucket, line: &str) -> Dbload {
    scene.file("key.json", service_account());
    load(scene, bucket, line).env("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
}

#[test]
fn a_service_account_signs_its_own_tokens() {
    let bucket = Bucket::new().guarded(is_signed).in_pages_of(2);
    for part in 0..5 {
        bucket.put(&format!("out/part-{part} +.jsonl"), lines(part * 10, part * 10 + 10));
    }
    bucket.put("out/deeper/x.jsonl", "no data");
    let scene = Scene::with(TABLE);
    let outcome = with_key(&scene, &bucket, "gs://b/out/*.jsonl -v").run().exits(0);
    check(&scene, 50, &outcome);
    let outcome = outcome.says(&format!("the service account {EMAIL} (key.json)"));
    assert!(bucket.api.asked().iter().filter(|ask| lists(ask)).count() >= 3, "{outcome}");
    // Neither the key nor a token of it stands anywhere.
    let ledger =
        scene.db.lines("SELECT r::text FROM _dbload.run r UNION ALL SELECT s::text FROM _dbload.source s");
    for text in [&outcome.stderr, &outcome.stdout, &ledger.join("\n")] {
        assert!(!text.contains("PRIVATE KEY") && !text.contains("eyJ"), "{text}");
    }
    // A folder is its data files.
    let scene = Scene::with(TABLE);
    let outcome = with_key(&scene, &bucket, "gs://b/out/").run().exits(0);
    check(&scene, 50, &outcome);
}

#[test]
fn who_asks_is_found_where_googles_tools_have_it() {
    let bucket = Bucket::new().guarded(has_token);
    bucket.put("t.jsonl", lines(0, 10));
    let scene = Scene::with(TABLE);
    // Nobody: what was looked for, and what to do.
    let nobody = load(&scene, &bucket, "gs://b/t.jsonl").run().exits(4);
    let nobody = nobody
        .says("found no credentials for gs://b")
        .says("GOOGLE_APPLICATION_CREDENTIALS")
        .says("NO_GCE_CHECK");
    nobody
        .says("application_default_credentials.json")
        .says("log in with gcloud auth application-default login");
    assert_eq!(bucket.api.requests(), 0);
    // A file that was named is that file, or an error.
    let named =
        |file: &str| load(&scene, &bucket, "gs://b/t.jsonl").env("GOOGLE_APPLICATION_CREDENTIALS", file);
    for (text, words) in [
        ("not json", "it is no file of credentials"),
        ("{}", "it has no type"),
        (r#"{"type":"external_account"}"#, "its type is \"external_account\""),
        (
            r#"{"type":"service_account","client_email":"e","private_key_id":"k","private_key":"CANARY"}"#,
            "its key or its fields are not as Google writes them",
        ),
    ] {
        scene.file("wrong.json", text);
        let outcome = named("wrong.json").run().exits(4).says(words);
        assert!(!outcome.stderr.contains("CANARY"), "{outcome}");
    }
    named("missing.json").run().exits(4).says("missing.json");
    assert_eq!(bucket.api.requests(), 0);
    // An instance has tokens.
    let metadata = Api::serve(|ask| {
        assert_eq!(ask.header("metadata-flavor"), Some("Google"));
        Reply::json(format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#))
    });
    let host = metadata.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let on_instance =
        load(&scene, &bucket, "gs://b/t.jsonl -v").env("NO_GCE_CHECK", "").env("GCE_METADATA_HOST", &host);
    let outcome = on_instance.run().exits(0).says("what this instance is");
    check(&scene, 10, &outcome);
    assert!(!outcome.stderr.contains(TOKEN), "{outcome}");
}

#[test]
fn public_buckets_and_emulators_are_asked_by_nobody() {
    let bucket = Bucket::new().public();
    bucket.put("t.jsonl", lines(0, 10));
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, "gs://b/t.jsonl --no-sign-request").run().exits(0);
    check(&scene, 10, &outcome);
    let scene = Scene::with(TABLE);
    let host = bucket.endpoint().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let outcome = scene.dbload("gs://b/t.jsonl -t t").env("STORAGE_EMULATOR_HOST", &host).run().exits(0);
    check(&scene, 10, &outcome);
    // Whoever may read but not list is asked for the object itself.
    let hidden = Bucket::new().public().without_listing();
    hidden.put("t.jsonl", lines(0, 10));
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &hidden, "gs://b/t.jsonl --no-sign-request").run().exits(0);
    check(&scene, 10, &outcome);
}

#[test]
fn a_project_pays_that_the_environment_names() {
    let bucket = Bucket::new().guarded(is_signed);
    bucket.put("t.jsonl", lines(0, 10));
    let scene = Scene::with(TABLE);
    let load = |project: &str| {
        with_key(&scene, &bucket, "gs://b/t.jsonl --request-payer").env("GOOGLE_CLOUD_PROJECT", project)
    };
    load("").run().exits(4).says("GOOGLE_CLOUD_PROJECT does not say which project pays");
    load("shop-1").run().exits(0);
    let asked = bucket.api.asked();
    assert!(asked.iter().all(|ask| ask.header("x-goog-user-project") == Some("shop-1")), "{asked:?}");
}

/// Killed inside an object: the next start goes on by range, and a version that is another one is refused.
#[test]
fn a_load_goes_on_inside_an_object() {
    let n = 60_000;
    let bucket = Bucket::new().guarded(is_signed);
    bucket.put("t.jsonl", lines(0, n));
    bucket.misbehave(|_, reply| slowly(reply));
    let scene = Scene::with(TABLE);
    let line = "gs://b/t.jsonl --batch-rows 500";
    let running = with_key(&scene, &bucket, line).spawn();
    kill_beyond(&scene, running, 20_000);
    bucket.behave();
    bucket.api.asked();
    let outcome = with_key(&scene, &bucket, line).run().exits(0);
    check(&scene, n, &outcome);
    let ranged = |ask: &Ask| ask.header("range").is_some_and(|range| range != "bytes=0-");
    assert!(bucket.api.asked().iter().any(ranged), "it was read from its beginning");
    assert_eq!(outcome.rows().read, n, "{outcome}");
}
