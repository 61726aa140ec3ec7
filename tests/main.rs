//! The program from outside, on real servers. One binary; each test has a database of its own.
//!
//! `cargo test --test main`                      all of it
//! `cargo test --test main rejects::`            one module
//! `DBLOAD_TEST_SEED=n cargo test ..`            replays what a failing test printed
//! `EQUIVALENCE_SECONDS=600 cargo test --release --test main equivalence`   a long run of the property

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and libtest shows what it printed"
)]
#![expect(
    unreachable_pub,
    dead_code,
    reason = "a kit, used by the modules of one binary; the report is parsed whole"
)]

mod accounted;
mod accumulate;
mod anew;
mod appends;
mod architecture;
mod archives;
mod aside;
mod bottleneck;
mod canonical;
mod cli;
mod columns;
mod conformance;
mod conformance_formats;
mod conformance_sources;
mod csv;
mod databases;
mod deletes;
mod direct;
mod end_mark;
mod engine;
mod equality;
mod equivalence;
mod evolution;
mod exactness;
mod expressions;
mod faults;
mod fixtures;
mod formats;
mod full_disk;
mod fuzz;
mod guards;
mod hints;
mod hostile;
mod http;
mod jobs;
mod kit;
mod library;
mod loading;
mod local;
mod many_bad;
mod masked;
mod memory;
mod merging;
mod mysql;
mod outside;
mod pg_connections;
mod published;
mod published_json;
mod reference;
mod rejects;
mod reload;
mod replace;
mod runs;
mod seen;
mod shaping;
mod sheets;
mod sources;
mod sqlite;
mod stores;
mod support;
mod sync;
mod tables;
mod testing;
mod torture;
mod types;
mod unnest;
mod values;
mod web;
mod xml;
