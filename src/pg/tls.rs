//! TLS: one stack, rustls with ring, the same choices as libpq's `sslmode`.
//!
//! The provider is named here, so no process-wide default is needed or disturbed. Whatever is not verified (`prefer`,
//! `require`), the handshake's signatures always are: the peer holds the key of the certificate it shows.
//!
//! Never OpenSSL, never aws-lc, never the system's authorities beside those of an `sslrootcert` file.

mod verify;

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::verify::{Unverified, Verified, Witness, Witnessed};
use super::dsn::{Identity, Negotiation, Roots, SslMode, Tls};

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
        /// The file.
        path: String,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// A PEM file has nothing of the kind in it.
    #[error("cannot find a certificate in the {role} {path}")]
    Empty {
        /// What the file is for.
        role: &'static str,
        /// The file.
        path: String,
    },
    /// The operating system trusts nobody, or its store cannot be read.
    #[error("cannot find any trusted certificate in the system's store")]
    NoSystemRoots,
    /// rustls refuses a certificate or key.
    #[error("cannot use the {role}")]
    Refused {
        /// What was refused.
        role: &'static str,
        /// Why.
        source: rustls::Error,
    },
}

/// Makes TLS connections by one connection's settings.
#[derive(Clone)]
pub(super) struct Connector {
    /// The handshake, for a stream and a host's name.
    pub(super) make: MakeRustlsConnect,
    witnessed: Arc<Witnessed>,
}

impl Connector {
    /// From now on, only the certificate that the last server showed will do: for a second connection that must reach
    /// the very server of the first.
    pub(super) fn pin(&self) {
        self.witnessed.pin();
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
        Some(Identity { cert, key }) => {
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
