//! TLS, in a build without the feature `tls`: connections are plain. An `sslmode` that asks for more is
//! refused before one is made ([`connect_pool`](super::connect_pool)).

use std::io;

use tokio::net::TcpStream;
use tokio_postgres::tls::NoTlsStream;

use super::dsn::Tls;

/// What the handshake would make of a connection.
pub(super) type Encrypted = NoTlsStream;

/// TLS settings that cannot be used: they are not looked at.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {}

/// What is wrong with a certificate: none is looked at.
#[derive(Debug)]
pub enum CertificateFault {}

impl CertificateFault {
    /// What is wrong with a server's certificate, where that is why the handshake failed.
    pub(super) const fn of(_error: &io::Error) -> Option<Self> {
        None
    }

    /// What can be done about it.
    pub(super) const fn hint(&self) -> &'static str {
        match *self {}
    }
}

impl std::fmt::Display for CertificateFault {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

/// Makes TLS connections: there is none.
#[derive(Clone)]
pub(super) enum Connector {}

impl Connector {
    /// Only the last server will do.
    pub(super) const fn pin(&self) {
        match *self {}
    }

    /// Fails: a build without `tls` makes no handshake.
    pub(super) async fn handshake(&self, _name: &str, _stream: TcpStream) -> io::Result<Encrypted> {
        match *self {}
    }
}

/// Makes no connector: a build without `tls` encrypts nothing.
pub(super) const fn connector(_tls: &Tls) -> Result<Option<Connector>, TlsError> {
    Ok(None)
}
