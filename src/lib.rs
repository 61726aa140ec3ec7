//! dbload streams records into PostgreSQL and upserts them in parallel: from files, URLs and pipes, or as the
//! caller hands them over. Resumable, with books that balance: the table ends up exactly as if one careful
//! program had read the sources in the order given and applied each record in turn, once.
//!
//! # Sources into a table
//!
//! ```
//! use dbload::{Dsn, Load};
//!
//! async fn nightly(dsn: &Dsn) -> Result<(), dbload::Error> {
//!     let report = Load::from(["orders.csv", "more/*.jsonl"])
//!         .into_table("orders")
//!         .key(["id"])
//!         .run(dsn)
//!         .await?;
//!     println!("{} inserted, {} rejected", report.rows.inserted, report.rows.rejected);
//!     Ok(())
//! }
//! # use dbload::internals::local::{Options, TempServer};
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! # std::fs::write("orders.csv", "id,total\n1,2.50\n")?;
//! # std::fs::create_dir("more")?;
//! # std::fs::write("more/1.jsonl", "{\"id\":2,\"total\":3}\n")?;
//! # let server = TempServer::start(Options::default())?;
//! # tokio::runtime::Runtime::new()?.block_on(nightly(&Dsn::parse(&server.dsn("postgres"))?))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Run again after a crash, a stop or a lost server, the same load goes on behind what is committed.
//! [`Load::plan`] says what it would do, [`Load::verify`] compares sources and table; neither writes.
//!
//! # Records that the caller has
//!
//! ```
//! use dbload::{Dsn, Loader};
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Reading {
//!     sensor: u32,
//!     celsius: f64,
//! }
//!
//! async fn push(dsn: &Dsn) -> Result<(), dbload::Error> {
//!     let mut loader = Loader::open("readings").key(["sensor"]).start(dsn).await?;
//!     for sensor in 0..100 {
//!         loader.send(&Reading { sensor, celsius: 20.5 }).await?;
//!     }
//!     let so_far = loader.flush().await?; // all of them are committed
//!     assert_eq!(so_far.inserted, 100);
//!     loader.send_json(br#"{"sensor": 7, "celsius": 21.0}"#).await?;
//!     let report = loader.finish().await?;
//!     assert_eq!(report.rows.updated, 1);
//!     Ok(())
//! }
//! # use dbload::internals::local::{Options, TempServer};
//! # let server = TempServer::start(Options::default())?;
//! # tokio::runtime::Runtime::new()?.block_on(push(&Dsn::parse(&server.dsn("postgres"))?))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! An [`Error`] is sorted by what the caller can do ([`ErrorKind`]), says whether the same load goes on where
//! it ended ([`Error::is_resumable`]), has a hint, its causes, and the [`Report`] of what was committed all
//! the same. Records that the table cannot hold are no error: they are rejected one by one, counted, and
//! kept.
//!
//! ```
//! use dbload::{Dsn, ErrorKind, Load};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let dsn = Dsn::parse("postgres://me@127.0.0.1:1/shop")?;
//! let error = Load::from(["examples/weather.csv"]).run(&dsn).await.unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Database);
//! assert_eq!(error.kind().exit_class().code(), 5);
//! assert!(error.is_resumable());
//! # Ok::<(), dbload::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Many loads at once
//!
//! Loads of one process share an [`Engine`]: connections, memory, worker threads, and the rate at which
//! servers are asked. None touches another.
//!
//! ```no_run
//! use dbload::{Dsn, Engine, EngineOptions, Load};
//!
//! # async fn both(shop: Dsn) -> Result<(), dbload::Error> {
//! let mut options = EngineOptions::default();
//! options.connections = 4;
//! let engine = Engine::new(&options);
//! let orders = Load::from(["orders.csv"]).engine(&engine).run(&shop);
//! let items = Load::from(["items.csv"]).engine(&engine).run(&shop);
//! let (orders, items) = tokio::join!(orders, items);
//! # orders?; items?; Ok(())
//! # }
//! ```
//!
//! # Runtimes
//!
//! Loads are futures on tokio, on a runtime with one thread or many, with its clock and its I/O enabled. They
//! are `Send`. The library never prints, never ends the process, and reads no environment variable;
//! `Load::proxies` takes those that name proxies. It logs by `tracing`.

#![deny(missing_docs)]

mod account;
mod batch;
mod calendar;
mod causes;
mod engine;
mod error;
mod event;
mod exit;
mod face;
mod fault;
mod feature;
mod feed;
#[cfg(feature = "testing")]
mod fixtures;
mod format;
#[cfg_attr(not(feature = "http"), path = "http/absent.rs")]
mod http;
mod input;
mod job;
mod ledger;
mod load;
#[cfg(feature = "local")]
mod local;
mod map;
mod mysql;
mod pg;
mod pipeline;
mod plan;
mod prepared;
mod process;
mod record;
mod reject;
mod reject_codes;
mod rejects;
mod report;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod row_text;
mod schedule;
mod schema;
mod secret;
#[cfg(feature = "testing")]
mod seed;
mod shape;
mod shell;
mod sqlite;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod write;

pub use account::Books;
pub use engine::{Engine, EngineOptions};
pub use error::{Error, ErrorKind};
pub use event::{Event, Requests, Totals};
pub use exit::ExitClass;
pub use face::{Dsn, Load, Loader, OpenLoader};
pub use format::{Compression, HeaderRule, OnNul};
pub use job::{DateOrder, FormatName, Pooler, RejectBudget, VerifySource};
pub use load::{Example, FailedSource, LoadPlan, Verification};
pub use map::{Extra, Narrowing};
pub use report::{
    Bottleneck, Guarantee, HttpReport, PoolReport, Reason, Rejects, Report, Seconds, SourceReport,
    SourceState,
};
pub use schema::{MergePolicy, Mode};
pub use shape::Shaping;
/// What [`Load::stop`] takes.
pub use tokio_util::sync::CancellationToken;

/// The rooms, for the program, the fuzz targets, the benches and the tests of this repository. No promise
/// holds for them: any version may change all of it.
#[doc(hidden)]
pub mod internals {
    pub mod account {
        pub use crate::account::*;
    }
    pub mod batch {
        pub use crate::batch::*;
    }
    pub mod causes {
        pub use crate::causes::*;
    }
    pub mod error {
        pub use crate::error::*;
    }
    pub mod event {
        pub use crate::event::*;
    }
    pub mod exit {
        pub use crate::exit::*;
    }
    pub mod fault {
        pub use crate::fault::*;
    }
    pub mod feature {
        pub use crate::feature::*;
    }
    pub mod feed {
        pub use crate::feed::*;
    }
    #[cfg(feature = "testing")]
    pub mod fixtures {
        pub use crate::fixtures::*;
    }
    pub mod format {
        pub use crate::format::*;
    }
    pub mod http {
        pub use crate::http::*;
    }
    pub mod job {
        pub use crate::job::*;
    }
    pub mod ledger {
        pub use crate::ledger::*;
    }
    pub mod load {
        pub use crate::load::*;
    }
    #[cfg(feature = "local")]
    pub mod local {
        pub use crate::local::*;
    }
    pub mod map {
        pub use crate::map::*;
    }
    pub mod pg {
        pub use crate::pg::*;
    }
    pub mod pipeline {
        pub use crate::pipeline::*;
    }
    pub mod plan {
        pub use crate::plan::*;
    }
    pub mod prepared {
        pub use crate::prepared::*;
    }
    pub mod record {
        pub use crate::record::*;
    }
    pub mod reject {
        pub use crate::reject::*;
    }
    pub mod reject_codes {
        pub use crate::reject_codes::is_of_text;
    }
    pub mod rejects {
        pub use crate::rejects::*;
    }
    pub mod report {
        pub use crate::report::*;
    }
    pub mod schedule {
        pub use crate::schedule::*;
    }
    pub mod schema {
        pub use crate::schema::*;
    }
    pub mod shell {
        pub use crate::shell::*;
    }
    pub mod secret {
        pub use crate::secret::*;
    }
    #[cfg(feature = "testing")]
    pub mod seed {
        pub use crate::seed::*;
    }
    pub mod shape {
        pub use crate::shape::*;
    }
    pub mod mysql {
        pub use crate::mysql::*;
    }
    pub mod sqlite {
        pub use crate::sqlite::*;
    }
    pub mod store {
        pub use crate::store::*;
    }
    pub mod input {
        pub use crate::input::*;
    }
    pub mod write {
        pub use crate::write::*;
    }
}
