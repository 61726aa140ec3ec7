//! dbload streams records from files into PostgreSQL and upserts them through a connection pool: resumable, with
//! books that balance. The table ends up exactly as if one careful program had read the sources in the order given
//! and applied each record in turn, once.
//!
//! # The path of a record
//!
//! ```text
//! source -> decompress -> split into records -> decode -> map -> partition -> batch
//!        -> write (one transaction, checkpoint last) -> account -> report
//! ```
//!
//! [`pipeline`] is that sentence as code; [`load`] prepares it and closes the books behind it.
//!
//! | rooms | what they do |
//! |---|---|
//! | [`job`], [`load`], [`pipeline`] | the wiring: an inert description, the preparation, all stages joined in one function |
//! | [`mod@write`] | the transaction: one batch, staged, merged, its checkpoint moved last |
//! | [`source`], [`batch`], [`ledger`] | the stages: bytes of files to blocks, records to batches, runs and their resume points |
//! | [`format`](mod@format), [`map`], [`plan`], [`pg`], [`report`], [`rejects`] | the engines: records in bytes, fields in columns, decisions, drivers, the result |
//! | [`http`](mod@http) | requests to servers: manners, credentials, bodies, pages |
//! | [`schema`], [`record`], [`account`], [`event`], [`secret`] | the vocabulary |
//! | [`error`], [`exit`] | the public error, sorted by what the caller can do; the exit codes |
//! | [`fault`] | crash points and defects for the tests; empty in a release build |
//! | [`local`] | PostgreSQL servers of dbload's own: the default target, and throwaway ones for tests |
//!
//! What each may touch, and what it never does, is in docs/ARCHITECTURE.md and kept by `tests/architecture.rs`. The
//! library never sees argv, the terminal or the exit code: those are the program's.
//!
//! # Loading from a program
//!
//! ```no_run
//! use dbload::job::Job;
//! use dbload::load::{Ended, load};
//! use dbload::pg::Dsn;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn nightly() -> Result<(), Box<dyn std::error::Error>> {
//! let dsn = Dsn::parse("postgres://me@db.example.org/shop")?;
//! let mut job = Job::new(dsn, vec!["orders.csv".to_owned()]);
//! job.key = Some(vec!["id".to_owned()]);
//!
//! // Cancelled, the load finishes what is in flight and ends; the same job goes on there.
//! let stop = CancellationToken::new();
//! let outcome = load(&job, &|_event, tally| println!("{} read", tally.books.read), &stop).await;
//! match outcome.ended {
//!     Ended::Complete => {
//!         if let Some(report) = outcome.report {
//!             println!("{} inserted, {} rejected", report.rows.inserted, report.rows.rejected);
//!         }
//!     }
//!     Ended::Failed(error) => return Err(error.into()),
//!     other => println!("not finished: {other:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The load is a future on tokio. Dropped, it leaves the run unfinished, as a crash would: what was committed stays,
//! and the same job resumes.

#![warn(missing_docs)]

pub mod account;
pub mod batch;
pub mod error;
pub mod event;
pub mod exit;
pub mod fault;
pub mod format;
pub mod http;
pub mod job;
pub mod ledger;
pub mod load;
pub mod local;
pub mod map;
pub mod pg;
pub mod pipeline;
pub mod plan;
pub mod record;
pub mod rejects;
pub mod report;
pub mod schema;
pub mod secret;
pub mod source;
pub mod write;
