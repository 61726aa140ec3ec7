//! The engines below: one for http, one for https, made when they are first needed. Reading the system's
//! authorities takes longer than a request on the same machine.
//!
//! One TLS stack: rustls with ring. Certificates are always verified. No redirects, no cookies, no
//! decompression of their own.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use url::Url;

use super::error::{HttpError, TlsFault};
use super::origin::Origin;
use super::proxy::Proxies;
use super::settings::Settings;

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
    pub(super) proxies: Proxies,
    plain: OnceLock<reqwest::Client>,
    tls: OnceLock<reqwest::Client>,
}

impl Engines {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            connect: settings.timeouts.connect,
            user_agent: settings.user_agent.clone(),
            idle_max: settings.concurrency,
            ca_file: settings.ca_file.clone(),
            proxies: Proxies::new(settings.proxy.as_ref(), &settings.proxy_variables),
            plain: OnceLock::new(),
            tls: OnceLock::new(),
        }
    }

    /// The engine for a URL.
    pub(super) fn of(&self, url: &Url) -> Result<&reqwest::Client, HttpError> {
        let is_tls = url.scheme() == "https";
        let cell = if is_tls { &self.tls } else { &self.plain };
        if let Some(engine) = cell.get() {
            return Ok(engine);
        }
        let roots = if is_tls { self.roots()? } else { RootCertStore::empty() };
        let engine = self.build(roots)?;
        Ok(cell.get_or_init(|| engine))
    }

    fn build(&self, roots: RootCertStore) -> Result<reqwest::Client, HttpError> {
        let failed = |reason: String| HttpError::Tls { reason };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
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
            let failed = |reason: String| HttpError::Tls { reason: format!("{}: {reason}", path.display()) };
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
            let certificates =
                certificates.collect::<Result<Vec<_>, _>>().map_err(|error| failed(error.to_string()))?;
            if certificates.is_empty() {
                return Err(failed("there is no certificate in it".to_owned()));
            }
            for certificate in certificates {
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
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

/// Why the server behind a failed handshake is not trusted, in words.
pub(super) fn untrusted(origin: &Origin, error: &rustls::Error) -> HttpError {
    use CertificateError as C;
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
        other => (TlsFault::Protocol, format!("it does not speak TLS as it should ({other})")),
    };
    HttpError::Untrusted { origin: origin.to_string(), reason, fault }
}

fn of_certificate(error: &rustls::Error) -> String {
    error.to_string().trim_start_matches("invalid peer certificate: ").to_owned()
}
