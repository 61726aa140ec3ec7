//! PostgreSQL, the only room that knows a driver: connection strings, TLS, sessions, the pool, SQLSTATEs,
//! identifiers.
//!
//! [`dsn`] says where to go, [`connect_pool`] opens the connections that the writers use (tokio-postgres by
//! way of deadpool), [`connect_sqlx`] lets sqlx (migrations, ledger reads) reach the same server under the
//! same protection. [`classify`] is the one table of what an error means; [`Ident`] and [`TableName`] the
//! only way into SQL text.
//!
//! Never retries: it says what to do about an error, `write` does it. Never shows a password or a record.

#[cfg(feature = "local")]
mod administer;
mod alter;
mod answer;
pub mod catalog;
mod connect;
mod constraints;
pub mod contents;
mod copy;
mod copy_out;
mod counted_transport;
mod db_error;
mod driver_error;
pub mod dsn;
mod error;
pub mod expressions;
mod frame_limit;
mod indexes;
mod json_rows;
#[cfg_attr(not(feature = "ledger"), expect(dead_code, reason = "what sqlx is lent"))]
mod lease;
#[cfg(feature = "testing")]
mod linked;
mod opening;
mod outcome;
mod places;
#[cfg_attr(not(feature = "ledger"), expect(dead_code, reason = "what sqlx is lent"))]
mod pool;
mod pooled;
pub mod probe;
pub mod sequences;
pub mod server_info;
mod session;
mod session_tag;
mod source_table;
pub mod sqlstate;
#[cfg(feature = "ledger")]
mod sqlx_relay;
mod surroundings;
mod target;
#[cfg_attr(not(feature = "ledger"), expect(dead_code, reason = "only sqlx's way in pins"))]
#[cfg_attr(not(feature = "tls"), path = "tls/absent.rs")]
mod tls;
mod transport;

pub use crate::schema::{IDENT_LIMIT_BYTES, Ident, IdentError, TableName, literal, quote_literal};
pub use crate::secret::Secret;
#[cfg(feature = "local")]
pub use administer::{Administrator, administer};
pub use alter::{add_columns, alter_table, as_this_role_finds};
pub use copy::{Accept, BeginOrCopy, CopyOrStatement, Sent};
pub use copy_out::CopyOut;
pub use db_error::{DbError, ServerError, SharedCause};
pub use dsn::{ConnInfo, ConnectTarget, DsnError};
pub use error::{LoginFailure, PgError, TlsFailure, Unreachable};
pub use json_rows::json_rows;
pub use lease::{Lease, PooledClient, connect_pool};
#[cfg(feature = "testing")]
pub use linked::{TableReference, name_of_table, names_of_tables, read_linked, references_between};
pub use outcome::{StatementResult, number};
pub use pool::Pool;
pub use session::Session;
pub use session_tag::{mark, terminate_tagged, terminate_tagged_writer};
pub use source_table::{SourceTable, SourceTableError, identity};
pub use sqlstate::{Action, Raised, SingleRecord, Stage, classify};
#[cfg(feature = "ledger")]
pub use sqlx_relay::{connect_sqlx, connect_sqlx_beside};
pub use target::check_target;
pub use tls::{CertificateFault, TlsError};
