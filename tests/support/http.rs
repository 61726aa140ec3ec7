//! A raw HTTP server that plays a script byte by byte, in the open or over TLS with a test authority. It
//! keeps what it was sent, so that a canary can be looked for in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET /path HTTP/1.1` and the headers.
    pub head: String,
    pub body: String,
    /// Which request it is, over all connections, from 0.
    pub number: usize,
    pub connection: usize,
    pub at: Instant,
}

impl Seen {
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// Where a `Range: bytes=N-` begins.
    pub fn range(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok()
    }
}

/// What the server does with a connection, one behind the other. Behind the last step it waits for the next
/// request.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// A byte at a time.
    Dribble(Vec<u8>, Duration),
    Wait(Duration),
    /// Ends it as it should be ended (TLS: with a farewell).
    Close,
    /// Ends TCP alone: no farewell of TLS.
    Drop,
    /// RST.
    Reset,
}

pub fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().to_vec())
}

/// A whole answer with a length.
pub fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

pub fn json(body: &str) -> Vec<Step> {
    answer("200 OK", "Content-Type: application/json\r\n", body)
}

pub fn redirect(status: &str, to: &str) -> Vec<Step> {
    answer(status, &format!("Location: {to}\r\n"), "")
}

type Script = Arc<dyn Fn(&Seen) -> Vec<Step> + Send + Sync>;

/// The server. It ends when it is dropped.
pub struct HttpServer {
    address: SocketAddr,
    scheme: &'static str,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl HttpServer {
    pub async fn start(script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::run(None, script).await
    }

    pub async fn start_tls(
        authority: &Authority,
        script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::run(Some(authority.acceptor()), script).await
    }

    /// As `start_tls`, for clients that have a certificate of the same authority.
    pub async fn start_mutual(
        authority: &Authority,
        script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::run(Some(authority.acceptor_of_clients()), script).await
    }

    async fn run(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (all, script): (_, Script) = (Arc::clone(&seen), Arc::new(script));
        let connections = AtomicUsize::new(0);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                let (all, script, tls) = (Arc::clone(&all), Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    // A peer that goes away ends the connection, and that is all.
                    let _ = match tls {
                        None => serve(stream, connection, &all, &script).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, connection, &all, &script).await,
                            Err(_) => Ok(()),
                        },
                    };
                });
            }
        });
        Self { address, scheme, seen, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A stream under which the TCP stream can be reached.
trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for tokio_rustls::server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn serve(
    mut stream: impl Wire,
    connection: usize,
    all: &Mutex<Vec<Seen>>,
    script: &Script,
) -> std::io::Result<()> {
    while let Some((head, body)) = receive(&mut stream).await? {
        let seen = {
            let mut all = all.lock().unwrap();
            let seen = Seen { head, body, number: all.len(), connection, at: Instant::now() };
            all.push(seen.clone());
            seen
        };
        for step in script(&seen) {
            match step {
                Step::Send(bytes) => {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                }
                Step::Dribble(bytes, pause) => {
                    for byte in bytes {
                        stream.write_all(&[byte]).await?;
                        stream.flush().await?;
                        tokio::time::sleep(pause).await;
                    }
                }
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Close => return stream.shutdown().await,
                Step::Drop => return Ok(()),
                Step::Reset => {
                    // What was sent is to arrive before.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    return stream.tcp().set_zero_linger();
                }
            }
        }
    }
    Ok(())
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&more[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut body = bytes.split_off(end);
    let missing = length - body.len();
    let mut rest = vec![0; missing];
    stream.read_exact(&mut rest).await?;
    body.extend_from_slice(&rest);
    Ok(Some((head, String::from_utf8(body).unwrap())))
}

/// An authority of its own, with a certificate for localhost.
pub struct Authority {
    file: PathBuf,
    root: CertificateDer<'static>,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    chain: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    /// `folder`: where the authority's certificate is put, for `--ca-file`.
    pub fn new(folder: &Path) -> Self {
        Self::certifying(folder, &["localhost", "127.0.0.1"], 2100)
    }

    /// One whose certificate is for these names, and good until the beginning of this year.
    pub fn certifying(folder: &Path, names: &[&str], until: i32) -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let ca = params.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(params, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut server = rcgen::CertificateParams::new(names).unwrap();
        server.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = server.signed_by(&key, &issuer).unwrap();
        let file = folder.join("ca.pem");
        std::fs::write(&file, ca.pem()).unwrap();
        Self {
            file,
            root: ca.der().clone(),
            issuer,
            chain: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    /// A certificate of a client and its key, in PEM.
    pub fn certify_client(&self) -> [String; 2] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        [params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem()]
    }

    fn acceptor_of_clients(&self) -> TlsAcceptor {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut roots = tokio_rustls::rustls::RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![self.chain.clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_of(&[b"http/1.1"])
    }

    fn acceptor_of(&self, protocols: &[&[u8]]) -> TlsAcceptor {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.chain.clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// An HTTP/2 server over TLS. It answers every request with the same body and an ETag; the first one for
/// `/cut` ends its stream in the middle.
pub struct Http2Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Http2Server {
    pub async fn start(authority: &Authority, body: &'static [u8], latency: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections: Arc<AtomicUsize> = Arc::default();
        let (acceptor, count) = (authority.acceptor_of(&[b"h2"]), Arc::clone(&connections));
        let cut: Arc<AtomicUsize> = Arc::default();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (acceptor, cut) = (acceptor.clone(), Arc::clone(&cut));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        let cuts = request.uri().path() == "/cut" && cut.fetch_add(1, Ordering::SeqCst) == 0;
                        tokio::spawn(answer_h2(request, respond, (body, latency, cuts)));
                    }
                });
            }
        });
        Self { address, connections, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Http2Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer_h2(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<bytes::Bytes>,
    (body, latency, cuts): (&'static [u8], Duration, bool),
) {
    tokio::time::sleep(latency).await;
    let range = request.headers().get("range").and_then(|range| {
        range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
    });
    let from = range.unwrap_or(0);
    let head = http::Response::builder().header("etag", "\"1\"").header("content-length", body.len() - from);
    let head = match range {
        None => head.status(200),
        Some(from) => head
            .status(206)
            .header("content-range", format!("bytes {from}-{}/{}", body.len() - 1, body.len())),
    };
    let Ok(mut stream) = respond.send_response(head.body(()).unwrap(), false) else { return };
    let end = if cuts { body.len() / 2 } else { body.len() };
    let _ = stream.send_data(bytes::Bytes::from_static(&body[from..end]), !cuts);
    if cuts {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.send_reset(h2::Reason::INTERNAL_ERROR);
    }
}
