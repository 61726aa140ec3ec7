//! Which objects a word means: keys as they are, folders, patterns, and listings that lie.

use super::{TABLE, check, lines, load};
use crate::support::Scene;
use crate::support::api::Reply;
use crate::support::bucket::{Bucket, lists};

/// A4: keys are bytes, not paths.
#[test]
fn a4_keys_are_read_whatever_they_are_made_of() {
    let keys = [
        "k/a//b.jsonl",
        "k/~50% +1=\u{e4} {x}*'(!).jsonl",
        "k/a b\u{1}&?#.jsonl",
        "k/%2e%2e.jsonl",
        "k/-.jsonl",
        "k/\u{1f600}.jsonl",
    ];
    let bucket = Bucket::new();
    for (at, key) in (0..).zip(keys) {
        bucket.put(key, lines(at * 10, at * 10 + 10));
    }
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, &Bucket::word("k/**")).run().exits(0);
    check(&scene, 60, &outcome);
    // Each by its own name, but for those that would be patterns.
    let scene = Scene::with(TABLE);
    let mut words = load(&scene, &bucket, "");
    for key in keys.iter().filter(|key| !key.contains(['*', '?'])) {
        words = words.arg(Bucket::word(key));
    }
    words.run().exits(0);
    assert_eq!(scene.db.count("t"), 40);
    bucket.put("k/../x.jsonl", "");
    load(&scene, &bucket, "")
        .arg(Bucket::word("k/../x.jsonl"))
        .run()
        .exits(4)
        .says("hint: copy it to another key");
}

/// A5: what stands for a folder, and what Spark leaves beside its files, is no data.
#[test]
fn a5_folders_have_data_and_no_marks() {
    let bucket = Bucket::new();
    for key in [
        "out/",
        "out/_SUCCESS",
        "out/_temporary/0/part.jsonl",
        "out/.part-0.jsonl.crc",
        "out/deeper/x.jsonl",
        "out/readme.md",
    ] {
        bucket.put(key, if key.ends_with('/') { "" } else { "no data" });
    }
    bucket.put("out/part-0.jsonl", lines(0, 10));
    bucket.put("out/part-1.jsonl", lines(10, 20));
    // An empty file among others has no records.
    bucket.put("out/part-2.jsonl", "");
    for word in ["out/", "out/*.jsonl"] {
        let scene = Scene::with(TABLE);
        let outcome = load(&scene, &bucket, &Bucket::word(word)).run().exits(0);
        check(&scene, 20, &outcome);
    }
    let scene = Scene::with(TABLE);
    load(&scene, &bucket, &Bucket::word("out"))
        .run()
        .exits(4)
        .says("it is a folder: end the word with a slash");
    load(&scene, &bucket, &Bucket::word("nothing/*.csv")).run().exits(4).says("no object matches");
}

/// A11: a pattern lists what it needs.
#[test]
fn a11_a_pattern_does_not_list_what_is_beside_it_or_below() {
    let bucket = Bucket::new().in_pages_of(10);
    for i in 0..500 {
        bucket.put(&format!("logs/2025/{i}.jsonl"), "");
        bucket.put(&format!("logs/x{i}.jsonl"), "");
    }
    bucket.put("logs/2026-01.jsonl", lines(0, 10));
    bucket.put("logs/y=2026/m=1/a.jsonl", lines(10, 20));
    let scene = Scene::with(TABLE);
    load(&scene, &bucket, &Bucket::word("logs/2026-*.jsonl")).run().exits(0);
    assert_eq!(bucket.api.asked().iter().filter(|ask| lists(ask)).count(), 1);
    let outcome = load(&scene, &bucket, &Bucket::word("logs/y=*/m=*/*.jsonl")).run().exits(0);
    assert_eq!(bucket.api.asked().iter().filter(|ask| lists(ask)).count(), 3);
    check(&scene, 20, &outcome);
}

#[test]
fn pages_that_come_twice_have_their_objects_once_and_a_circle_ends() {
    let bucket = Bucket::new().in_pages_of(4);
    for i in 0..10 {
        bucket.put(&format!("d/{i}.jsonl"), lines(i, i + 1));
    }
    let last: std::sync::Mutex<Option<Reply>> = std::sync::Mutex::default();
    // Each second page is the one before, with the token of the next.
    bucket.misbehave(move |ask, reply| {
        if !lists(ask) {
            return reply;
        }
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        let mut last = last.lock().unwrap();
        let doubled = match last.as_ref() {
            Some(before) => {
                let before = String::from_utf8(before.body.to_vec()).unwrap();
                let contents = |text: &str| {
                    text[text.find("<Contents>").unwrap()..text.rfind("</Contents>").unwrap() + 11].to_owned()
                };
                text.replace("<Contents>", &format!("{}<Contents>", contents(&before))).into()
            }
            None => reply.body.clone(),
        };
        *last = Some(reply.clone());
        Reply { body: doubled, ..reply }
    });
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, &Bucket::word("d/*.jsonl")).run().exits(0);
    check(&scene, 10, &outcome);
    assert_eq!(outcome.report().sources.len(), 10);
    bucket.misbehave(|ask, reply| match lists(ask) && ask.query.contains_key("continuation-token") {
        true => Reply::new(200, "application/xml", format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken></ListBucketResult>",
            ask.query["continuation-token"]
        )),
        false => reply,
    });
    load(&scene, &bucket, &Bucket::word("d/*.jsonl")).run().exits(4).says("the same page again and again");
    bucket.misbehave(|ask, reply| if lists(ask) { Reply::new(200, "application/json", "{}") } else { reply });
    load(&scene, &bucket, &Bucket::word("d/*.jsonl")).run().exits(4).says("its answer is no listing");
}

#[test]
fn words_that_name_no_objects_say_how_they_are_written() {
    let (bucket, scene) = (Bucket::new(), Scene::with(TABLE));
    load(&scene, &bucket, "s3://").run().exits(4).says("write it as s3://BUCKET/KEY");
    bucket.put("a.jsonl", lines(0, 10));
    let outcome = load(&scene, &bucket, "s3://b/a.jsonl").run().exits(0);
    check(&scene, 10, &outcome);
    // A flag about stores, and no store.
    scene.file("a.jsonl", lines(0, 1));
    for flags in ["--endpoint http://127.0.0.1:1", "--aws-profile x", "--no-sign-request", "--request-payer"]
    {
        scene
            .run(&format!("a.jsonl -t t {flags}"))
            .exits(2)
            .says("is about objects of a store, and there is none");
    }
    scene.run("s3://b/a -t t --endpoint nonsense --no-sign-request").exits(4).says("the endpoint");
}

#[test]
fn a_key_that_may_be_read_and_not_listed_is_read() {
    let bucket = Bucket::new().without_listing();
    bucket.put("a.jsonl", lines(0, 10));
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, "s3://b/a.jsonl").run().exits(0);
    check(&scene, 10, &outcome);
    // A7: without that right, what is not there looks like what may not be read.
    load(&scene, &bucket, "s3://b/other.jsonl")
        .run()
        .exits(4)
        .says("where nobody may list the bucket, an object that is not there looks the same");
}

/// Folders are fields, of keys and of files, where that is asked for.
#[test]
fn folders_of_hive_are_fields() {
    let bucket = Bucket::new();
    let scene =
        Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v bigint, year int, month text, at text)");
    let hive = [("year=2025/month=12/at=a%3Ab", 0), ("year=2026/month=01/at=__HIVE_DEFAULT_PARTITION__", 10)];
    for (folder, from) in hive {
        bucket.put(&format!("lake/{folder}/part-0.jsonl"), lines(from, from + 10));
        std::fs::create_dir_all(scene.cwd().join("lake").join(folder)).unwrap();
        let csv: String = (from..from + 10).map(|i| format!("{i},{}\n", i * 7)).collect();
        scene.file(&format!("lake/{folder}/part-0.csv"), format!("id,v\n{csv}"));
    }
    let expected = ["2025|12|a:b|10|45", "2026|01|NULL|10|145"];
    let found =
        || scene.db.lines("SELECT year, month, at, count(*), sum(id) FROM t GROUP BY 1, 2, 3 ORDER BY 1");
    load(&scene, &bucket, "s3://b/lake/year=*/month=*/*/*.jsonl --partition-columns").run().exits(0);
    assert_eq!(found(), expected);
    scene.sql("TRUNCATE t");
    scene.load("lake/*/*/*/*.csv -t t --partition-columns");
    assert_eq!(found(), expected);
    // Nobody asked.
    scene.sql("TRUNCATE t");
    scene.load("lake/*/*/*/*.csv -t t");
    assert_eq!(found(), ["NULL|NULL|NULL|20|190"]);
    scene.sql("TRUNCATE t");
    let load = dbload::Load::from([scene.cwd().join("lake/*/*/*/*.csv").display().to_string()]);
    let load = load.into_table("t").partition_columns();
    let dsn = dbload::Dsn::parse(scene.db.url()).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(load.run(&dsn)).unwrap();
    assert_eq!(found(), expected);
}
