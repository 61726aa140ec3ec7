//! The local PostgreSQL, tried on real servers.

use dbload::local::{Options, SharedServer, TempServer};
use std::time::Instant;

#[test]
fn a_throwaway_server_is_ready_soon_and_leaves_nothing() {
    let start = Instant::now();
    let server = TempServer::start(Options::default()).unwrap();
    println!("started in {:?}: {}", start.elapsed(), server.url());
    server.create_database("we \"quote\"").unwrap();
    server.execute("we \"quote\"", &["CREATE TABLE t (i int)"]).unwrap();
    let (dir, postmaster) = (server.dir().to_owned(), server.cluster().postmaster().unwrap());
    let data = server.cluster().data.clone();
    assert!(postmaster.is_running(&data));
    let start = Instant::now();
    drop(server);
    println!("gone in {:?}", start.elapsed());
    assert!(!dir.exists());
    assert!(!postmaster.is_running(&data));
}

#[test]
fn a_fresh_database_takes_a_moment() {
    let shared = SharedServer::get().unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        let database = shared.fresh_database().unwrap();
        println!("database in {:?}", start.elapsed());
        database.execute(&["CREATE TABLE t (i int)"]).unwrap();
        let start = Instant::now();
        drop(database);
        println!("dropped in {:?}", start.elapsed());
    }
}

#[test]
fn a_killed_server_starts_again_with_its_data() {
    let server = TempServer::start(Options::default().tcp(0)).unwrap();
    server.execute("postgres", &["CREATE TABLE t (i int)"]).unwrap();
    for how in ["kill", "immediate", "fast"] {
        match how {
            "kill" => server.kill9(),
            "immediate" => server.stop_immediate().unwrap(),
            _ => server.stop_fast().unwrap(),
        }
        assert!(server.execute("postgres", &["SELECT 1"]).is_err(), "{how}");
        let start = Instant::now();
        server.restart().unwrap();
        println!("after {how} again in {:?}", start.elapsed());
        server.execute("postgres", &["INSERT INTO t VALUES (1)"]).unwrap();
    }
    assert!(server.tcp_dsn("postgres").unwrap().contains("127.0.0.1"));
}
