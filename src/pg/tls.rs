//! TLS: one stack, rustls with ring, the same choices as libpq's `sslmode`.
//!
//! The provider is named here, so no process-wide default is needed or disturbed. Whatever is not verified
//! (`prefer`, `require`), the handshake's signatures always are: the peer holds the key of the certificate it
//! shows.
//!
//! Never OpenSSL, never aws-lc, never the system's authorities beside those of an `sslrootcert` file.

mod verify;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect as _};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::verify::{Unverified, Verified, Witness, Witnessed};
use super::dsn::{ClientCertificate, Negotiation, Roots, SslMode, Tls};

/// The protocol's name in ALPN: servers insist on it where the handshake starts at once.
const ALPN: &[u8] = b"postgresql";

/// TLS settings that cannot be used: a file is missing or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read.
    #[error("cannot read the {role} {path}")]
    File {
        /// What the file is for.
        role: &'static str,
        /// The file that the error is about.
        path: String,
        /// The error that lies behind it.
        source: rustls::pki_types::pem::Error,
    },
    /// A PEM file has nothing of the kind in it.
    #[error("cannot find a certificate in the {role} {path}")]
    Empty {
        /// What the file is for.
        role: &'static str,
        /// The file that the error is about.
        path: String,
    },
    /// The operating system trusts nobody, or its store cannot be read.
    #[error("cannot find any trusted certificate in the system's store")]
    NoSystemRoots,
    /// rustls refuses a certificate or key.
    #[error("cannot use the {role}")]
    Refused {
        /// What was refused: a certificate or a key.
        role: &'static str,
        /// The error that lies behind it.
        source: rustls::Error,
    },
}

/// What the handshake makes of a connection.
pub(super) type Encrypted = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::Stream;

/// Makes TLS connections by one connection's settings.
#[derive(Clone)]
pub(super) struct Connector {
    make: MakeRustlsConnect,
    witnessed: Arc<Witnessed>,
}

impl Connector {
    /// From now on, only the certificate that the last server showed will do: for a second connection that
    /// must reach the very server of the first.
    pub(super) fn pin(&self) {
        self.witnessed.pin();
    }

    /// The handshake, with the server of this name.
    pub(super) async fn handshake(&self, name: &str, stream: TcpStream) -> io::Result<Encrypted> {
        let mut make = self.make.clone();
        match MakeTlsConnect::<TcpStream>::make_tls_connect(&mut make, name) {
            Ok(connect) => connect.connect(stream).await,
            Err(never) => match never {},
        }
    }
}

/// What is wrong with a server's certificate.
#[derive(Debug)]
pub struct CertificateFault(pub CertificateError);

impl CertificateFault {
    /// The same, where that is why the handshake failed.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            rustls::Error::InvalidCertificate(error) => Some(Self(error.clone())),
            _ => None,
        }
    }

    /// What can be done about it.
    pub(super) fn hint(&self) -> &'static str {
        use CertificateError::{
            BadEncoding, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
        };
        match &self.0 {
            UnknownIssuer => "name the authority's certificate by sslrootcert=FILE",
            NotValidForName | NotValidForNameContext { .. } => {
                "connect by a name in the certificate's subjectAltName (its common name does not count), or \
                 settle for sslmode=verify-ca"
            }
            Expired | ExpiredContext { .. } => "renew the server's certificate",
            BadEncoding => "the certificate must be X.509 version 3; many made by hand are version 1",
            _ => "sslmode=require encrypts without checking the certificate",
        }
    }
}

impl std::fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use CertificateError::{ApplicationVerificationFailure, BadEncoding, UnknownIssuer};
        match &self.0 {
            UnknownIssuer => f.write_str("does not come from a trusted authority"),
            BadEncoding => f.write_str("cannot be read"),
            ApplicationVerificationFailure => f.write_str("changed between two connections"),
            error => write!(f, "is not acceptable: {error}"),
        }
    }
}

/// Builds the connector for a connection's TLS settings; `None` where TLS is off. Reads files.
pub(super) fn connector(tls: &Tls) -> Result<Option<Connector>, TlsError> {
    if tls.mode == SslMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let witnessed = Arc::new(Witnessed::default());
    let inner = verifier(tls, Arc::clone(&provider))?;
    let verifier = Arc::new(Witness { inner, witnessed: Arc::clone(&witnessed) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Refused { role: "TLS versions", source })?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.identity {
        None => config.with_no_client_auth(),
        Some(ClientCertificate { cert, key }) => {
            let chain = certificates("client certificate", cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File {
                role: "private key",
                path: key.display().to_string(),
                source,
            })?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(|source| TlsError::Refused { role: "client certificate and key", source })?
        }
    };
    if tls.negotiation == Negotiation::Direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(Some(Connector { make: MakeRustlsConnect::new(config), witnessed }))
}

fn verifier(tls: &Tls, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let check_name = match tls.mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => {
            return Ok(Arc::new(Unverified { provider }));
        }
        SslMode::VerifyCa => false,
        SslMode::VerifyFull => true,
    };
    let named = match &tls.roots {
        Roots::File(path) => certificates("root certificate file", path)?,
        Roots::System => Vec::new(),
    };
    let mut roots = RootCertStore::empty();
    match &tls.roots {
        Roots::File(_) => {
            for root in &named {
                roots
                    .add(root.clone())
                    .map_err(|source| TlsError::Refused { role: "root certificate", source })?;
            }
        }
        Roots::System => {
            // Single certificates that cannot be parsed are common in system stores; all of them is an error.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoSystemRoots);
    }
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|_| TlsError::NoSystemRoots)?;
    Ok(Arc::new(Verified { chain, provider, named, check_name }))
}

fn certificates(role: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |source| TlsError::File { role, path: path.display().to_string(), source };
    let all = CertificateDer::pem_file_iter(path).map_err(file)?;
    let all = all.collect::<Result<Vec<_>, _>>().map_err(file)?;
    if all.is_empty() {
        return Err(TlsError::Empty { role, path: path.display().to_string() });
    }
    Ok(all)
}
