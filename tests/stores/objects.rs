//! One object and many: read, resumed, skipped.

use super::{TABLE, check, kill_beyond, lines, load};
use crate::rows;
use crate::support::bucket::{Bucket, lists, slowly};
use crate::support::{Scene, audit, compress};

#[test]
fn objects_are_loaded_whatever_their_format_and_compression_by_one_listing_and_one_request() {
    let text = lines(0, 3_000);
    let csv: String =
        std::iter::once("id,v\n".to_owned()).chain((0..3_000).map(|i| format!("{i},{}\n", i * 7))).collect();
    let bucket = Bucket::new();
    bucket.put("in/t.jsonl", text.clone());
    bucket.put("in/t.jsonl.gz", compress::gzip(text.as_bytes()));
    bucket.put("in/t.jsonl.zst", compress::zstd(text.as_bytes()));
    bucket.put("in/t.csv", csv);
    for key in ["in/t.jsonl", "in/t.jsonl.gz", "in/t.jsonl.zst", "in/t.csv"] {
        let scene = Scene::with(TABLE);
        let outcome = load(&scene, &bucket, &Bucket::word(key)).run().exits(0);
        check(&scene, 3_000, &outcome);
        let report = outcome.report();
        assert_eq!(report.rows, rows!(read: 3_000, inserted: 3_000), "{outcome}");
        assert_eq!((report.guarantee.as_str(), audit(&scene.db)), ("exactly-once", report.rows), "{outcome}");
        let asked = bucket.api.asked();
        assert_eq!((asked.len(), lists(&asked[0])), (2, true), "{key}");
        assert!(asked.iter().all(|ask| ask.method == "GET"), "{key}");
    }
}

#[test]
fn objects_are_read_in_the_order_of_their_keys_and_the_last_record_of_a_key_wins() {
    let bucket = Bucket::new().in_pages_of(3);
    // In the order of bytes: 10 comes before 9.
    for (at, key) in ["p/10.jsonl", "p/2.jsonl", "p/9.jsonl", "p/Z.jsonl", "p/a.jsonl", "p/\u{e4}.jsonl"]
        .iter()
        .enumerate()
    {
        bucket.put(key, format!("{{\"id\":1,\"v\":{at}}}\n{{\"id\":{},\"v\":0}}\n", 100 + at));
    }
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, &Bucket::word("p/*.jsonl")).run().exits(0);
    assert_eq!(scene.db.one("SELECT v FROM t WHERE id = 1"), "5", "{outcome}");
    assert_eq!((scene.db.count("t"), audit(&scene.db)), (7, outcome.report().rows));
    let names: Vec<String> = outcome.report().sources.into_iter().map(|source| source.name).collect();
    let keys = ["10", "2", "9", "Z", "a", "\u{e4}"];
    assert_eq!(names, keys.map(|key| Bucket::word(&format!("p/{key}.jsonl"))));
}

/// A10: one request an object, none of them HEAD, and a listing for each thousand.
#[test]
fn a10_many_small_objects_cost_one_request_each() {
    let bucket = Bucket::new();
    for i in 0..2_500_u64 {
        bucket.put(&format!("small/{i:05}.jsonl"), lines(i * 4, i * 4 + 4));
    }
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, &Bucket::word("small/*.jsonl")).run().exits(0);
    check(&scene, 10_000, &outcome);
    let asked = bucket.api.asked();
    assert_eq!(asked.iter().filter(|ask| lists(ask)).count(), 3);
    assert_eq!(asked.len(), 2_503);
}

#[test]
fn a_load_that_was_killed_goes_on_by_range_inside_the_object() {
    let text = lines(0, 60_000);
    let whole = text.len();
    let bucket = Bucket::new();
    bucket.put("t.jsonl", text);
    bucket.misbehave(|_, reply| slowly(reply));
    let scene = Scene::with(TABLE);
    let line = format!("{} --batch-rows 500", Bucket::word("t.jsonl"));
    kill_beyond(&scene, load(&scene, &bucket, &line).spawn(), 20_000);
    let stored = scene.db.count("t");
    assert!(stored < 60_000, "the kill came too late");
    bucket.api.asked();
    bucket.behave();
    let outcome = load(&scene, &bucket, &line).run().exits(0);
    check(&scene, 60_000, &outcome);
    let report = outcome.report();
    assert_eq!((report.rows, report.attempts), (rows!(read: 60_000, inserted: 60_000), 2), "{outcome}");
    assert_eq!((report.guarantee.as_str(), audit(&scene.db)), ("exactly-once", report.rows), "{outcome}");
    let ranges: Vec<String> =
        bucket.api.asked().iter().filter_map(|ask| ask.header("range").map(str::to_owned)).collect();
    let [range] = &ranges[..] else { panic!("{ranges:?}") };
    let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!(from > whole / 10, "{range} of {whole} bytes after {stored} rows");
}

#[test]
fn a_load_that_was_killed_goes_on_inside_a_compressed_object() {
    let bucket = Bucket::new();
    // Hardly compressed, so that it takes its time.
    let text: String = (0..60_000_u64)
        .map(|i| {
            format!("{{\"id\":{i},\"v\":{},\"x\":\"{:x}\"}}\n", i * 7, i.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        })
        .collect();
    bucket.put("t.jsonl.gz", compress::gzip(text.as_bytes()));
    bucket.misbehave(|_, reply| slowly(reply));
    let scene = Scene::with(TABLE);
    let line = format!("{} --batch-rows 500 --extra ignore", Bucket::word("t.jsonl.gz"));
    kill_beyond(&scene, load(&scene, &bucket, &line).spawn(), 5_000);
    assert!(scene.db.count("t") < 60_000, "the kill came too late");
    bucket.behave();
    let outcome = load(&scene, &bucket, &line).run().exits(0);
    check(&scene, 60_000, &outcome);
    assert_eq!((outcome.report().attempts, audit(&scene.db)), (2, outcome.report().rows), "{outcome}");
}

#[test]
fn an_object_that_was_replaced_is_refused_on_a_resume_and_never_mixed() {
    let bucket = Bucket::new();
    bucket.put("t.jsonl", lines(0, 60_000));
    bucket.misbehave(|_, reply| slowly(reply));
    let scene = Scene::with(TABLE);
    let line = format!("{} --batch-rows 500", Bucket::word("t.jsonl"));
    kill_beyond(&scene, load(&scene, &bucket, &line).spawn(), 10_000);
    let before = scene.db.digest("t");
    bucket.behave();
    // As long as before.
    bucket.put("t.jsonl", lines(0, 60_000).replace("\"v\":", "\"v\":-").replace("-0", "00"));
    let refused = load(&scene, &bucket, &line).run().exits(8);
    refused.says("changed since the unfinished run").says("it was ETag");
    assert_eq!(scene.db.digest("t"), before);
    bucket.put("t.jsonl", lines(0, 10));
    scene.sql("TRUNCATE t");
    let outcome = load(&scene, &bucket, &format!("{line} --restart")).run().exits(0);
    check(&scene, 10, &outcome);
}

#[test]
fn a_version_that_the_store_keeps_survives_that_it_is_overwritten() {
    let bucket = Bucket::new().versioned();
    bucket.put("t.jsonl", lines(0, 60_000));
    bucket.misbehave(|_, reply| slowly(reply));
    let scene = Scene::with(TABLE);
    let line = format!("{} --batch-rows 500", Bucket::word("t.jsonl"));
    kill_beyond(&scene, load(&scene, &bucket, &line).spawn(), 10_000);
    assert!(scene.db.count("t") < 60_000, "the kill came too late");
    bucket.behave();
    bucket.put("t.jsonl", "{\"id\":0,\"v\":-1}\n");
    bucket.api.asked();
    let outcome = load(&scene, &bucket, &line).run().exits(0);
    check(&scene, 60_000, &outcome);
    let read: Vec<_> = bucket.api.asked().into_iter().filter(|ask| !lists(ask)).collect();
    assert!(!read.is_empty() && read.iter().all(|ask| ask.query["versionId"] == "v1"), "{read:?}");
    // The next load reads what is there now.
    load(&scene, &bucket, &line).run().exits(0);
    assert_eq!(scene.db.one("SELECT v FROM t WHERE id = 0"), "-1");
}

/// A6: what is new is told by key and version, and never by a time.
#[test]
fn a6_an_append_takes_what_is_new_by_its_key_and_its_version() {
    let bucket = Bucket::new();
    bucket.put("in/1.jsonl", lines(0, 10));
    let scene = Scene::with("CREATE TABLE t (id bigint, v bigint)");
    let line = format!("{} --mode append", Bucket::word("in/*.jsonl"));
    load(&scene, &bucket, &line).run().exits(0);
    // Of the same second, as all of them are.
    bucket.put("in/0.jsonl", lines(10, 20));
    let outcome = load(&scene, &bucket, &line).run().exits(0);
    check(&scene, 20, &outcome);
    load(&scene, &bucket, &line).run().exits(8);
    // Behind those that are left out, as most new objects are: their content is not taken for its own.
    bucket.put("in/2.jsonl", lines(20, 30));
    let outcome = load(&scene, &bucket, &line).run().exits(0);
    check(&scene, 30, &outcome);
    scene.sql("DELETE FROM t WHERE id >= 20");
    bucket.put("in/0.jsonl", lines(20, 30));
    load(&scene, &bucket, &line).run().exits(8).says("its ETag was");
    // Another server with such a bucket has other objects.
    let other = Bucket::new();
    other.put("in/1.jsonl", lines(20, 25));
    let outcome = load(&scene, &other, &line).run().exits(0);
    check(&scene, 25, &outcome);
}

#[test]
fn a_resume_at_another_server_is_refused() {
    let bucket = Bucket::new();
    bucket.put("t.jsonl", lines(0, 60_000));
    bucket.misbehave(|_, reply| slowly(reply));
    let scene = Scene::with(TABLE);
    let line = format!("{} --batch-rows 500", Bucket::word("t.jsonl"));
    kill_beyond(&scene, load(&scene, &bucket, &line).spawn(), 1_000);
    let other = Bucket::new();
    other.put("t.jsonl", lines(0, 60_000));
    load(&scene, &other, &line).run().exits(8).says("endpoint");
}

#[test]
fn the_library_reads_objects_with_what_it_is_handed() {
    let bucket = Bucket::new();
    bucket.put("in/1.jsonl", lines(0, 10));
    let public = Bucket::new().public();
    public.put("in/1.jsonl", lines(0, 10));
    let scene = Scene::with(TABLE);
    let dsn = dbload::Dsn::parse(scene.db.url()).unwrap();
    let keys = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some(crate::support::bucket::KEY_ID.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(crate::support::bucket::SECRET.to_owned()),
        _ => None,
    };
    let load = |bucket: &Bucket| {
        dbload::Load::from([Bucket::word("in/*.jsonl")])
            .into_table("t")
            .endpoint(bucket.endpoint())
            .region("auto")
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let signed = load(&bucket).store_variables(keys).request_payer();
    let report = runtime.block_on(signed.run(&dsn)).unwrap();
    assert_eq!((report.rows.inserted, scene.db.count("t")), (10, 10));
    assert!(bucket.api.asked().iter().all(|ask| ask.header("x-amz-request-payer") == Some("requester")));
    let report = runtime.block_on(load(&public).store_variables(keys).no_sign_request().run(&dsn)).unwrap();
    assert_eq!(report.rows.unchanged, 10);
    let error = runtime.block_on(load(&bucket).aws_profile("nobody").run(&dsn)).unwrap_err();
    assert!(error.to_string().contains("the profile nobody"), "{error}");
}

#[test]
fn members_of_archives_in_a_store_are_sources() {
    use crate::support::archive::{tar, zip};

    let (one, two) = (lines(0, 1_000), lines(1_000, 2_000));
    let bucket = Bucket::new();
    bucket.put("d/a.zip", zip(&[("x/one.jsonl", one.as_bytes()), ("read.me", b"no data")]));
    bucket.put("d/b.zip", zip(&[("x/two.jsonl", two.as_bytes()), ("read.me", b"no data")]));
    bucket.put("d/c.tar.gz", compress::gzip(&tar(&[], &[("one.jsonl", one.as_bytes())])));
    let scene = Scene::with(TABLE);
    let outcome = load(&scene, &bucket, &Bucket::word("d/*.zip#x/*")).run().exits(0);
    check(&scene, 2_000, &outcome);
    assert_eq!(outcome.report().rows, rows!(read: 2_000, inserted: 2_000), "{outcome}");
    let names: Vec<String> = outcome.report().sources.into_iter().map(|source| source.name).collect();
    assert_eq!(
        names,
        ["a.zip#x/one.jsonl", "b.zip#x/two.jsonl"].map(|key| Bucket::word(&format!("d/{key}")))
    );
    let outcome = load(&scene, &bucket, &Bucket::word("d/c.tar.gz")).run().exits(0);
    assert_eq!(outcome.report().rows, rows!(read: 1_000, unchanged: 1_000), "{outcome}");
    load(&scene, &bucket, &Bucket::word("d/a.zip#y")).run().exits(4).says("nothing in the archive is called");
}
