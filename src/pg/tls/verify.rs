//! Who is believed to be the server: the verifiers behind `sslmode`.
//!
//! Each checks the handshake's signature against the certificate shown, also those that believe any
//! certificate.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

/// `prefer` and `require`: encryption only. Keeps listeners out, not impostors, as documented for libpq.
#[derive(Debug)]
pub(super) struct Unverified {
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies as `verify-ca` and `verify-full` ask for.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) chain: Arc<WebPkiServerVerifier>,
    pub(super) provider: Arc<CryptoProvider>,
    /// The certificates of `sslrootcert`. A server's own self-signed certificate there is trusted as it
    /// stands, as OpenSSL does (rustls by itself refuses an authority's certificate as a server's).
    pub(super) named: Vec<CertificateDer<'static>>,
    pub(super) check_name: bool,
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.named.iter().any(|named| named.as_ref() == end_entity.as_ref()) {
            if self.check_name {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        if ParsedCertificate::try_from(end_entity).is_err() {
            return Err(CertificateError::BadEncoding.into()); // version 1, most likely: the hint says so
        }
        let verified =
            self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The chain is checked before the name, so here the chain is good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// What certificates were shown, and which one must be.
#[derive(Debug, Default)]
pub(super) struct Witnessed {
    last: Mutex<Option<CertificateDer<'static>>>,
    pinned: OnceLock<CertificateDer<'static>>,
}

impl Witnessed {
    pub(super) fn pin(&self) {
        if let Some(last) = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            self.pinned.get_or_init(|| last);
        }
    }
}

/// Remembers the certificate shown, and refuses another than the one pinned; believes what the verifier
/// inside does.
#[derive(Debug)]
pub(super) struct Witness {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    pub(super) witnessed: Arc<Witnessed>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.witnessed.pinned.get().is_some_and(|pinned| pinned != end_entity) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let verified =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let mut last = self.witnessed.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(end_entity.clone().into_owned());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether the holder of the certificate's key signed the handshake.
///
/// A certificate of X.509 version 1, as PostgreSQL's own documentation had them made for years, is not read
/// by rustls. Its public key can be taken out all the same, and nothing else of it matters here.
fn tls13_signature(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    if ParsedCertificate::try_from(cert).is_ok() {
        return rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms);
    }
    let Some(key) = public_key(cert) else {
        return Err(CertificateError::BadEncoding.into());
    };
    rustls::crypto::verify_tls13_signature_with_raw_key(
        message,
        &SubjectPublicKeyInfoDer::from(key),
        dss,
        algorithms,
    )
}

/// The SubjectPublicKeyInfo of a certificate, by its place in the DER structure.
fn public_key<'a>(cert: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    /// Between the version and the key: serial number, algorithm, issuer, validity, subject.
    const FIELDS_BEFORE_KEY: usize = 5;
    let certificate = element(cert.as_ref()).filter(|certificate| certificate.tag == SEQUENCE)?;
    let body = element(certificate.content).filter(|body| body.tag == SEQUENCE)?;
    let mut rest = body.content;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.after;
    }
    for _ in 0..FIELDS_BEFORE_KEY {
        rest = element(rest)?.after;
    }
    element(rest).filter(|key| key.tag == SEQUENCE).map(|key| key.whole)
}

/// One DER element: its tag, its content, all of its bytes, and what follows.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
    after: &'a [u8],
}

fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
    let (header, length) = match first {
        0..=0x7f => (2, usize::from(first)),
        0x81..=0x83 => {
            let digits = usize::from(first & 0x0f);
            let length = bytes.get(2..2 + digits)?;
            (2 + digits, length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
        _ => return None,
    };
    let (whole, after) = bytes.split_at_checked(header + length)?;
    Some(Element { tag, content: &whole[header..], whole, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_certificate_will_do() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let witnessed = Arc::new(Witnessed::default());
        let witness = Witness { inner: Arc::new(Unverified { provider }), witnessed: Arc::clone(&witnessed) };
        let name = ServerName::try_from("h").unwrap();
        let shows = |bytes: &[u8]| {
            witness.verify_server_cert(&CertificateDer::from(bytes), &[], &name, &[], UnixTime::now()).is_ok()
        };
        assert!(shows(b"one") && shows(b"two"));
        witnessed.pin();
        assert!(shows(b"two") && !shows(b"one"));
        witnessed.pin();
        assert!(shows(b"two") && !shows(b"one"));
    }

    #[test]
    fn damaged_certificates_have_no_key() {
        for bytes in [
            &b""[..],
            b"\x30",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x82\xff",
            b"\x30\x03\x30\x01\x02",
            b"\x30\x80",
        ] {
            assert_eq!(public_key(&CertificateDer::from(bytes)), None, "{bytes:?}");
        }
    }
}
