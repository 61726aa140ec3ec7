//! dbload as a library without features: it loads JSON lines, and refuses by its name what it lacks. The
//! server is that of `DATABASE_URL`; the table is the oracle.

#![cfg(test)]

use std::sync::{Arc, Mutex};

use dbload::{Dsn, ErrorKind, Event, Guarantee, Load};
use tempfile::TempDir;

fn url() -> String {
    std::env::var("DATABASE_URL").expect("scripts/check-features sets DATABASE_URL")
}

fn folder(name: &str, content: &[u8]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

async fn query(sql: &str) -> String {
    let (client, connection) = tokio_postgres::connect(&url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_are_loaded_without_a_ledger_and_the_report_says_so() {
    let (folder, path) =
        folder("plain.jsonl", b"{\"id\":1,\"v\":\"a\"}\n{\"id\":2}\n{\"id\":1,\"v\":\"b\"}\n{\"id\":\n");
    let notes = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&notes);
    let report = Load::from([path])
        .into_table("plain")
        .key(["id"])
        .reject_file(folder.path().join("rejects.jsonl"))
        .on_event(move |event, _| {
            if let Event::Note { text } = event {
                heard.lock().unwrap().push(text.clone());
            }
        })
        .run(&Dsn::parse(&url()).unwrap())
        .await
        .unwrap();
    assert_eq!(report.guarantee, Guarantee::EffectivelyOnce, "as under --no-ledger");
    assert_eq!((report.rows.read, report.rows.rejected), (4, 1));
    let rows = query("SELECT string_agg(id || coalesce(v, '-'), ' ' ORDER BY id) FROM plain").await;
    assert_eq!(rows, "1b 2-");
    assert_eq!(query("SELECT coalesce(to_regnamespace('_dbload')::text, 'none')").await, "none");
    let notes = notes.lock().unwrap();
    assert!(notes.iter().any(|note| note.contains("feature `ledger`")), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_without_a_ledger_is_at_least_once() {
    let (_folder, path) = folder("appended.jsonl", b"{\"id\":1}\n{\"id\":1}\n");
    let report = Load::from([path]).into_table("appended").run(&Dsn::parse(&url()).unwrap()).await.unwrap();
    assert_eq!(report.guarantee, Guarantee::AtLeastOnce);
    assert_eq!(query("SELECT count(*)::text FROM appended").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_build_lacks_is_refused_by_the_name_of_its_feature() {
    for (name, content, feature) in [
        ("a.csv", &b"id,v\n1,a\n"[..], "csv"),
        ("a.jsonl.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0", "compression"),
        ("zstd.jsonl", b"\x28\xb5\x2f\xfd\0\0\0\0", "compression"),
        ("utf16.jsonl", b"\xff\xfe{\0}\0\n\0", "encodings"),
    ] {
        let (_folder, path) = folder(name, content);
        refused(Load::from([path]), &url(), feature).await;
    }
    // Of several, before the first is loaded.
    let (_folder, first) = folder("first.jsonl", b"{\"id\":1}\n");
    let (_other, second) = folder("second.csv", b"id\n2\n");
    refused(Load::from([first, second]), &url(), "csv").await;
    assert_eq!(query("SELECT coalesce(to_regclass('nothing')::text, 'none')").await, "none");
    refused(Load::from(["https://127.0.0.1:1/a.jsonl"]), &url(), "http").await;
    let (_folder, path) = folder("a.jsonl", b"{\"id\":1}\n");
    refused(Load::from([path.as_str()]).encoding("windows-1252"), &url(), "encodings").await;
    refused(Load::from([path]), "postgres://me@127.0.0.1:1/shop?sslmode=verify-full", "tls").await;
}

async fn refused(load: Load, url: &str, feature: &str) {
    let error = load.into_table("nothing").run(&Dsn::parse(url).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert_eq!(error.kind().exit_class().code(), 2);
    assert!(error.to_string().contains(&format!("feature `{feature}`")), "{error}");
}
