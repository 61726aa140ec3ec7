//! Where to connect, as whom, and how carefully: the connection string in all its forms.
//!
//! A connection string is read in three steps: its text into `words` (`url`, `keyword`), what it leaves out
//! from a service file and `PG*` as libpq does (`surroundings`), and the words into a typed, validated
//! [`ConnInfo`] (`build`). The process environment comes in through a closure, so all of it can be tested.
//!
//! Never connects. Never shows a password, nor the text of a connection string that could not be read: the
//! part that could not be read may be the password. What is not supported is refused by its name, never
//! ignored.

mod build;
mod defaults;
mod description;
mod env;
mod error;
mod keyword;
mod params;
mod passfile;
mod shown;
#[cfg(test)]
mod tests;
mod url;
mod words;

pub use defaults::from_env;
pub use description::{
    ChannelBinding, ClientCertificate, ConnInfo, ConnectTarget, Host, Keepalive, Negotiation, Roots, Server,
    SessionTarget, SslMode, Tls,
};
pub use env::Lookup;
pub use error::DsnError;
pub use shown::without_password;
