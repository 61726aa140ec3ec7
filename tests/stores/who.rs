//! Who signs: found where people have it, one identity alone, and shown nowhere.

use super::{TABLE, check, lines, load, unsigned};
use crate::support::api::{Api, Ask, Reply};
use crate::support::bucket::{Bucket, KEY_ID, SECRET, checked, lists};
use crate::support::{Dbload, Scene};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const N: u64 = 50;
const LINE: &str = "s3://b/t.jsonl";

fn bucket() -> Bucket {
    let bucket = Bucket::new();
    bucket.put("t.jsonl", lines(0, N));
    bucket
}

/// `~/.aws` of the scene.
fn aws(scene: &Scene, config: &str, credentials: &str) {
    std::fs::create_dir_all(scene.cwd().join(".aws")).unwrap();
    scene.file(".aws/config", config);
    scene.file(".aws/credentials", credentials);
}

fn keys() -> String {
    format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n")
}

/// It loads, signed with this id.
#[track_caller]
fn loads_as(scene: &Scene, bucket: &Bucket, load: Dbload, id: &str) {
    bucket.api.asked();
    let outcome = load.run().exits(0);
    check(scene, N, &outcome);
    let asked = bucket.api.asked();
    let is_his = |ask: &Ask| {
        ask.header("authorization").is_some_and(|text| text.contains(&format!("Credential={id}/")))
    };
    assert!(!asked.is_empty() && asked.iter().all(is_his), "{asked:?}");
    scene.sql("TRUNCATE t");
}

#[test]
fn the_store_of_these_tests_refuses_what_is_signed_wrongly() {
    let (bucket, scene) = (bucket(), Scene::with(TABLE));
    let wrong = load(&scene, &bucket, LINE).env("AWS_SECRET_ACCESS_KEY", "another").run().exits(4);
    wrong.says("SignatureDoesNotMatch");
    load(&scene, &bucket, LINE)
        .env("AWS_ACCESS_KEY_ID", "AKIANOBODY")
        .run()
        .exits(4)
        .says("InvalidAccessKeyId");
    unsigned(&scene, &bucket, &format!("{LINE} --no-sign-request"))
        .run()
        .exits(4)
        .says("MissingSecurityHeader");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn keys_are_found_in_profiles_and_a_named_one_is_never_another() {
    let (bucket, scene) = (bucket(), Scene::with(TABLE));
    bucket.knows("AKIADEV", "dev-secret");
    let command =
        format!("echo '{{\"Version\":1,\"AccessKeyId\":\"{KEY_ID}\",\"SecretAccessKey\":\"{SECRET}\"}}'");
    aws(
        &scene,
        &format!(
            "[default]\nregion = eu-west-1\n[profile dev]\nregion = eu-west-2\n[profile made]\ncredential_process = {command}\n[profile empty]\nregion=x\n[profile broken]\ncredential_process = exit 3\n"
        ),
        &format!("[default]\n{}[dev]\naws_access_key_id=AKIADEV\naws_secret_access_key=dev-secret\n", keys()),
    );
    let plain = |more: &str| unsigned(&scene, &bucket, &format!("{LINE} {more}"));
    loads_as(&scene, &bucket, plain(""), KEY_ID);
    loads_as(&scene, &bucket, plain("--aws-profile dev"), "AKIADEV");
    loads_as(&scene, &bucket, plain("").env("AWS_PROFILE", "dev"), "AKIADEV");
    loads_as(&scene, &bucket, plain("--aws-profile made"), KEY_ID);
    // A flag goes before the keys of the environment; those go before a variable, as with AWS's own tools.
    let with_keys = |load: Dbload| load.env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET);
    loads_as(&scene, &bucket, with_keys(plain("--aws-profile dev")), "AKIADEV");
    loads_as(&scene, &bucket, with_keys(plain("")).env("AWS_PROFILE", "dev"), KEY_ID);
    // The region is that of the profile.
    plain("--aws-profile dev").run().exits(0);
    assert!(bucket.api.asked()[0].header("authorization").unwrap().contains("/eu-west-2/s3/"));
    for (profile, words) in [
        ("nobody", "it is not in"),
        ("empty", "there is nothing in"),
        ("broken", "the command ended with exit status: 3"),
    ] {
        // There are keys in the environment, and in the profile default: not his.
        with_keys(plain(&format!("--aws-profile {profile}"))).run().exits(4).says(words);
        assert_eq!(bucket.api.requests(), 0, "{profile}");
    }
}

/// A token service, as AWS's answers.
fn token_service() -> Api {
    Api::serve(|ask| {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(ask.body.as_bytes()).into_owned().collect();
        let get = |name: &str| form.get(name).or_else(|| ask.query.get(name)).map(String::as_str);
        let action = get("Action").unwrap_or_default();
        let known = BTreeMap::from([
            (KEY_ID.to_owned(), SECRET.to_owned()),
            ("AKIAROLE1".to_owned(), "role-secret1".to_owned()),
        ]);
        let id = match action {
            "AssumeRole" => match (checked(ask, "sts", &known), get("RoleArn")) {
                (Ok(()), Some("arn:aws:iam::1:role/one")) if get("ExternalId") == Some("x1") => "AKIAROLE1",
                (Ok(()), Some("arn:aws:iam::1:role/two")) => "AKIAROLE2",
                _ => {
                    return Reply::new(
                        403,
                        "text/xml",
                        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>CANARY</Message></Error></ErrorResponse>",
                    );
                }
            },
            "AssumeRoleWithWebIdentity" if get("WebIdentityToken") == Some("CANARY-web-token") => "AKIAROLE1",
            _ => {
                return Reply::new(
                    400,
                    "text/xml",
                    "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>",
                );
            }
        };
        let secret = id.replace("AKIAROLE", "role-secret");
        let keys = format!(
            "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>CANARY-session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        );
        Reply::new(
            200,
            "text/xml",
            format!("<{action}Response><{action}Result>{keys}</{action}Result></{action}Response>"),
        )
    })
}

#[test]
fn roles_are_taken_on_in_chains_and_for_a_web_identity() {
    let (bucket, scene, sts) = (bucket(), Scene::with(TABLE), token_service());
    bucket.knows("AKIAROLE1", "role-secret1");
    bucket.knows("AKIAROLE2", "role-secret2");
    aws(
        &scene,
        "[profile one]\nrole_arn = arn:aws:iam::1:role/one\nsource_profile = base\nexternal_id = x1\n\
         [profile two]\nrole_arn = arn:aws:iam::1:role/two\nsource_profile = one\n\
         [profile refused]\nrole_arn = arn:aws:iam::1:role/three\nsource_profile = base\n\
         [profile here]\nrole_arn = arn:aws:iam::1:role/two\ncredential_source = Environment\n\
         [profile circle]\nrole_arn = a\nsource_profile = elcric\n[profile elcric]\nrole_arn = a\nsource_profile = circle\n",
        &format!("[base]\n{}", keys()),
    );
    let plain = |more: &str| {
        unsigned(&scene, &bucket, &format!("{LINE} {more}")).env("AWS_ENDPOINT_URL_STS", sts.url(""))
    };
    loads_as(&scene, &bucket, plain("--aws-profile one"), "AKIAROLE1");
    loads_as(&scene, &bucket, plain("--aws-profile two"), "AKIAROLE2");
    let here =
        plain("--aws-profile here").env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET);
    loads_as(&scene, &bucket, here, "AKIAROLE2");
    plain("--aws-profile here").run().exits(4).says("its credential_source is Environment");
    plain("--aws-profile circle").run().exits(4).says("leads in a circle");
    let refused = plain("--aws-profile refused")
        .run()
        .exits(4)
        .says("the role arn:aws:iam::1:role/three cannot be taken on");
    let refused = refused.says("403 Forbidden AccessDenied");
    assert!(!refused.to_string().contains("CANARY"), "{refused}");
    scene.file("token", "CANARY-web-token");
    let web =
        plain("").env("AWS_WEB_IDENTITY_TOKEN_FILE", "token").env("AWS_ROLE_ARN", "arn:aws:iam::1:role/web");
    loads_as(&scene, &bucket, web, "AKIAROLE1");
    scene.file("token", "CANARY-other");
    let web =
        plain("").env("AWS_WEB_IDENTITY_TOKEN_FILE", "token").env("AWS_ROLE_ARN", "arn:aws:iam::1:role/web");
    let refused = web.run().exits(4).says("web identity (the role arn:aws:iam::1:role/web)");
    assert!(!refused.to_string().contains("CANARY"), "{refused}");
}

fn metadata(ask: &Ask) -> Reply {
    let token = ask.header("x-aws-ec2-metadata-token");
    match (ask.method.as_str(), ask.path.as_str()) {
        ("PUT", "/latest/api/token") => Reply::new(200, "text/plain", "metadata-token"),
        ("GET", "/latest/meta-data/iam/security-credentials/") if token == Some("metadata-token") => {
            Reply::new(200, "text/plain", "role")
        }
        ("GET", "/latest/meta-data/iam/security-credentials/role") if token == Some("metadata-token") => {
            Reply::json(format!(
                r#"{{"Code":"Success","AccessKeyId":"{KEY_ID}","SecretAccessKey":"{SECRET}","Token":"CANARY-session","Expiration":"2099-01-01T00:00:00Z"}}"#
            ))
        }
        ("GET", "/container") if ask.header("authorization") == Some("container-token") => {
            Reply::json(format!(
                r#"{{"AccessKeyId":"{KEY_ID}","SecretAccessKey":"{SECRET}","Token":"CANARY-session","Expiration":"2099-01-01T00:00:00Z"}}"#
            ))
        }
        _ => Reply::new(404, "text/plain", "no"),
    }
}

#[test]
fn a_container_and_an_instance_are_asked_what_they_are() {
    let (bucket, scene, service) = (bucket(), Scene::with(TABLE), Api::serve(metadata));
    let plain = || unsigned(&scene, &bucket, LINE).env("AWS_EC2_METADATA_DISABLED", "false");
    let instance = plain().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url(""));
    loads_as(&scene, &bucket, instance, KEY_ID);
    scene.file("token", "container-token");
    let container = plain()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url("/container"))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token");
    loads_as(&scene, &bucket, container, KEY_ID);
}

/// A13: nobody waits for a metadata service that is not there.
#[test]
fn a13_without_credentials_the_error_comes_soon_and_lists_what_was_looked_for() {
    let (bucket, scene) = (bucket(), Scene::with(TABLE));
    let refused = unsigned(&scene, &bucket, LINE).run().exits(4);
    let refused = refused
        .says("found no credentials for s3://b; looked for AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    refused
        .says("the profile default in")
        .says("name a profile with --aws-profile, or read a public bucket with --no-sign-request");
    // One that answers nothing, as where packets are dropped.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let load = unsigned(&scene, &bucket, LINE).env("AWS_EC2_METADATA_DISABLED", "false");
    load.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", at).run().exits(4).says("the instance's metadata");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(bucket.api.requests(), 0);
}

/// A9: keys that end are asked for anew, in the middle of a load.
#[test]
fn a9_keys_that_end_in_the_middle_of_a_load_are_renewed() {
    let scene = Scene::with(TABLE);
    let bucket = Bucket::new();
    for i in 0..N {
        bucket.put(&format!("a/{i:03}.jsonl"), lines(i, i + 1));
        bucket.knows(&format!("AKIA{i}"), SECRET);
    }
    // They end at once: each request has others.
    scene.file("next", "0");
    let command = format!(
        "n=$(cat next); echo $((n+1)) > next; echo \"{{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKIA$n\\\",\\\"SecretAccessKey\\\":\\\"{SECRET}\\\",\\\"Expiration\\\":\\\"2020-01-01T00:00:00Z\\\"}}\""
    );
    aws(&scene, &format!("[default]\ncredential_process = {command}\n"), "");
    for i in N..400 {
        bucket.knows(&format!("AKIA{i}"), SECRET);
    }
    let outcome = unsigned(&scene, &bucket, "s3://b/a/*.jsonl").run().exits(0);
    check(&scene, N, &outcome);
    let asked = bucket.api.asked();
    let ids: std::collections::BTreeSet<&str> =
        asked.iter().filter_map(|ask| ask.header("authorization")?.split(['=', '/']).nth(1)).collect();
    assert_eq!(ids.len(), asked.len(), "{ids:?}");
}

/// A12: buckets whose readers pay, and public ones.
#[test]
fn a12_requester_pays_and_public_buckets_are_read() {
    let (paid, scene) = (bucket(), Scene::with(TABLE));
    let outcome = load(&scene, &paid, &format!("{LINE} --request-payer")).run().exits(0);
    check(&scene, N, &outcome);
    let asked = paid.api.asked();
    assert!(asked.iter().all(|ask| ask.header("x-amz-request-payer") == Some("requester")), "{asked:?}");
    let public = bucket().public();
    scene.sql("TRUNCATE t");
    // Though there are keys, they are not sent.
    let outcome = load(&scene, &public, &format!("{LINE} --no-sign-request")).run().exits(0);
    check(&scene, N, &outcome);
    assert!(public.api.asked().iter().all(|ask| ask.header("authorization").is_none()));
    let refused = load(&scene, &public, &format!("{LINE} --no-sign-request --aws-profile x")).run();
    refused.exits(2);
}

#[test]
fn the_endpoint_and_the_region_are_found_in_the_variables_of_aws() {
    let (bucket, scene) = (bucket(), Scene::with(TABLE));
    for name in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] {
        let load = scene.dbload(&format!("{LINE} -t t")).env(name, bucket.endpoint());
        let load = load
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_REGION", "auto");
        let outcome = load.run().exits(0);
        check(&scene, N, &outcome);
        assert!(
            bucket.api.asked().iter().all(|ask| ask.header("authorization").unwrap().contains("/auto/s3/"))
        );
    }
}

/// Services of AWS that are HTTP sources: each page is signed, and what is asked elsewhere is not.
#[test]
fn http_sources_are_signed_for_their_service() {
    let known = BTreeMap::from([(KEY_ID.to_owned(), SECRET.to_owned())]);
    let other = Api::serve(|ask| match ask.header("authorization") {
        None => Reply::json("[]"),
        Some(_) => Reply::new(500, "text/plain", "a signature for somebody else"),
    });
    let elsewhere = other.url("/");
    let api = Api::serve(move |ask| {
        if let Err(why) = checked(ask, "execute-api", &known) {
            return Reply::new(403, "application/json", format!(r#"{{"message":"{why} {SECRET}"}}"#));
        }
        if ask.path == "/away" {
            return Reply::new(302, "text/plain", "").header("location", elsewhere.clone());
        }
        let from = ask.number("after").unwrap_or(0);
        let items: Vec<String> =
            (from..(from + 20).min(N)).map(|i| format!(r#"{{"id":{i},"v":{}}}"#, i * 7)).collect();
        let next = if from + 20 < N { format!("{}", from + 20) } else { "null".to_owned() };
        Reply::json(format!(r#"{{"items":[{}],"next":{next}}}"#, items.join(",")))
    });
    let scene = Scene::with(TABLE);
    let url = api.url("/v1/a%20b/items?x=1%2B2&y=~");
    let line = format!("{url} -t t --records items --paginate cursor:/next=after");
    let plain =
        |line: &str| scene.dbload(line).env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET);
    let outcome = plain(&format!("{line} --sigv4 execute-api/eu-west-1")).run().exits(0);
    check(&scene, N, &outcome);
    let asked = api.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|ask| ask.header("authorization").unwrap().contains("/eu-west-1/execute-api/")));
    let refused = plain(&format!("{line} --sigv4 es")).run().exits(4).says("InvalidRequest");
    assert!(!refused.to_string().contains(SECRET), "{refused}");
    plain(&line).run().exits(4).says("MissingSecurityHeader");
    plain(&format!("{} -t t --sigv4 execute-api", api.url("/away"))).run().exits(0);
    assert_eq!(other.requests(), 1);
    plain(&format!("{line} --sigv4 Execute/x/y"))
        .run()
        .exits(2)
        .says("write it as SERVICE or SERVICE/REGION");
    plain("s3://b/x.csv -t t --sigv4 s3").run().exits(2).says("objects of a store are signed anyway");
}

/// What is for HTTP sources is not sent to a store, and no secret of it is anywhere.
#[test]
fn nothing_secret_is_in_words_logs_and_ledger() {
    let (bucket, scene) = (bucket(), Scene::with(TABLE));
    bucket.put("u.jsonl", lines(N, N + 1));
    bucket.misbehave(|ask, reply| match lists(ask) || ask.path.ends_with("t.jsonl") {
        true => reply,
        // A server that says what it was sent.
        false => Reply::new(
            403,
            "text/plain",
            format!("you are {KEY_ID} with {SECRET} and CANARY-session, {:?}", ask.headers),
        ),
    });
    for verbose in ["", "-v", "-vv"] {
        let line = format!("s3://b/t.jsonl s3://b/u.jsonl {verbose} --header X-Key:CANARY-header");
        let load = load(&scene, &bucket, &line).env("AWS_SESSION_TOKEN", "CANARY-session");
        let outcome = load.run().exits(4).says("403");
        let ledger = scene.db.lines("SELECT to_jsonb(r)::text FROM _dbload.run r UNION ALL SELECT to_jsonb(s)::text FROM _dbload.source s").join("\n");
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        for text in [said, ledger] {
            assert!(!text.contains("CANARY") && !text.contains(SECRET), "{text}");
        }
    }
    let asked = bucket.api.asked();
    assert!(
        asked.iter().all(|ask| ask.header("x-key").is_none()),
        "a header for HTTP sources went to a store"
    );
    assert!(asked.iter().all(|ask| ask.header("x-amz-security-token") == Some("CANARY-session")));
    // Who reads it is said.
    let outcome = load(&scene, &bucket, "s3://b/t.jsonl -v --restart").run();
    outcome.says("the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}
