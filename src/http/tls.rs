//! The engines below: one for http, one for https, and one that says who we are, made when they are first
//! needed. Reading the system's authorities takes longer than a request on the same machine.
//!
//! One TLS stack: rustls with ring. Certificates are always verified. No redirects, no cookies, no
//! decompression of their own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use url::Url;

use super::error::{HttpError, TlsFault};
use super::origin::Origin;
use super::proxy::Proxies;
use super::settings::{ClientIdentity, Settings};

/// Headers of an answer: more are not meant for us. In HTTP/1.1 their bytes are limited too, by the parser's
/// buffer of 400 KiB.
const HEADERS_MAX: usize = 100;
/// Bytes of an answer's headers in HTTP/2.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// What the server may send of one HTTP/2 stream before we read it, and of all on a connection: memory that
/// is held for us in advance.
const STREAM_WINDOW_BYTES: u32 = 512 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// A connection that is dead without a word is noticed after about this long.
const PROBED_AFTER: Duration = Duration::from_secs(20);

/// TLS engines, one for each set of settings that an origin needs.
pub(super) struct Engines {
    connect: Duration,
    user_agent: String,
    idle_max: usize,
    ca_file: Option<PathBuf>,
    certificate: Option<ClientIdentity>,
    pub(super) proxies: Proxies,
    plain: OnceLock<reqwest::Client>,
    tls: OnceLock<reqwest::Client>,
    /// With the client's certificate, if there is one.
    known: OnceLock<reqwest::Client>,
}

impl Engines {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            connect: settings.timeouts.connect,
            user_agent: settings.user_agent.clone(),
            idle_max: settings.concurrency,
            ca_file: settings.ca_file.clone(),
            certificate: settings.client_certificate.clone(),
            proxies: Proxies::new(settings.proxy.as_ref(), &settings.proxy_variables),
            plain: OnceLock::new(),
            tls: OnceLock::new(),
            known: OnceLock::new(),
        }
    }

    /// The engine for a URL. Who we are is shown to an origin that was named, and to no other.
    pub(super) fn of(&self, url: &Url, is_named: bool) -> Result<&reqwest::Client, HttpError> {
        let is_tls = url.scheme() == "https";
        let certificate = self.certificate.as_ref().filter(|_| is_tls && is_named);
        let cell = match (is_tls, certificate) {
            (false, _) => &self.plain,
            (true, None) => &self.tls,
            (true, Some(_)) => &self.known,
        };
        if let Some(engine) = cell.get() {
            return Ok(engine);
        }
        let roots = if is_tls { self.roots()? } else { RootCertStore::empty() };
        let engine = self.build(roots, certificate)?;
        Ok(cell.get_or_init(|| engine))
    }

    fn build(
        &self,
        roots: RootCertStore,
        certificate: Option<&ClientIdentity>,
    ) -> Result<reqwest::Client, HttpError> {
        let failed = |reason: String| HttpError::Tls { reason };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => config.with_no_client_auth(),
            Some(files) => {
                let (chain, key) = (certificates(&files.chain)?, private_key(&files.key)?);
                config.with_client_auth_cert(chain, key).map_err(|error| {
                    let files = format!("{} and {}", files.chain.display(), files.key.display());
                    failed(format!("{files} do not belong together ({error})"))
                })?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        self.proxies
            .of(reqwest::Client::builder())?
            .tls_backend_preconfigured(config)
            .user_agent(&self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(self.connect)
            .pool_max_idle_per_host(self.idle_max)
            .tcp_nodelay(true)
            .tcp_keepalive(PROBED_AFTER)
            .http1_max_headers(HEADERS_MAX)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
            .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_keep_alive_interval(PROBED_AFTER)
            .http2_keep_alive_timeout(PROBED_AFTER)
            .build()
            .map_err(|error| failed(error.without_url().to_string()))
    }

    /// The system's authorities, and those of `--ca-file`.
    fn roots(&self) -> Result<RootCertStore, HttpError> {
        let mut roots = RootCertStore::empty();
        // Single certificates that cannot be parsed are common in system stores; none at all is an error.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &self.ca_file {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| in_file(path, &error.to_string()))?;
            }
        }
        if roots.is_empty() {
            return Err(HttpError::Tls {
                reason: "no authority is trusted: the system's store is empty".to_owned(),
            });
        }
        Ok(roots)
    }
}

fn in_file(path: &Path, reason: &str) -> HttpError {
    HttpError::Tls { reason: format!("{}: {reason}", path.display()) }
}

/// All certificates of a file in PEM.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| in_file(path, &error.to_string()))?;
    if found.is_empty() {
        return Err(in_file(path, "there is no certificate in it"));
    }
    Ok(found)
}

/// The key in a file in PEM.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, HttpError> {
    let is_locked = std::fs::read_to_string(path).is_ok_and(|text| text.contains("ENCRYPTED"));
    if is_locked {
        return Err(in_file(
            path,
            "the key is locked by a passphrase: openssl pkey -in FILE -out NEW unlocks it",
        ));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| in_file(path, &error.to_string()))
}

/// Why the server behind a failed handshake is not trusted, in words.
pub(super) fn untrusted(origin: &Origin, error: &rustls::Error) -> HttpError {
    use CertificateError as C;
    let stranger = |reason| HttpError::Stranger { origin: origin.to_string(), reason };
    let (fault, reason) = match error {
        rustls::Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => {
            (TlsFault::Issuer, "its certificate is from an issuer that is not trusted here".to_owned())
        }
        rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            (TlsFault::Name, of_certificate(error))
        }
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            (TlsFault::Time, format!("its certificate has expired ({})", of_certificate(error)))
        }
        rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            (TlsFault::Time, format!("its certificate is not valid yet ({})", of_certificate(error)))
        }
        rustls::Error::InvalidCertificate(_) => (TlsFault::Issuer, of_certificate(error)),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            return stranger("it wants a certificate of who asks".to_owned());
        }
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => return stranger(format!("it does not accept the certificate of who asks ({alert:?})")),
        other => (TlsFault::Protocol, format!("it does not speak TLS as it should ({other})")),
    };
    HttpError::Untrusted { origin: origin.to_string(), reason, fault }
}

fn of_certificate(error: &rustls::Error) -> String {
    error.to_string().trim_start_matches("invalid peer certificate: ").to_owned()
}
