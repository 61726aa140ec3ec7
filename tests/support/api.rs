//! A real HTTP server (axum) in this process: what it answers is a function of what it is asked, and it keeps
//! a log of every request, so that a test can say what was asked and what was not.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was asked.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: HeaderMap,
    pub body: String,
    pub bytes: Bytes,
    /// How many requests came before, of this path and query.
    pub before: usize,
    /// Since the server was started.
    pub at: Duration,
}

impl Ask {
    pub fn number(&self, name: &str) -> Option<u64> {
        self.query.get(name)?.parse().ok()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn target(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) }
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Before the head.
    pub delay: Duration,
    /// The connection breaks after so many bytes of the body.
    pub cut_after: Option<usize>,
    /// The body comes in pieces of so many bytes with pauses in between.
    pub pieces: Option<(usize, Duration)>,
    /// The body so many times, one behind the other.
    pub copies: usize,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let (delay, cut_after, pieces) = (Duration::ZERO, None, None);
        Self { status, headers, body: body.into(), delay, cut_after, pieces, copies: 1 }
    }

    pub fn json(body: impl Into<String>) -> Self {
        Self::new(200, "application/json", body.into())
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    pub fn in_pieces(mut self, bytes: usize, pause: Duration) -> Self {
        self.pieces = Some((bytes, pause));
        self
    }

    pub fn repeated(mut self, copies: usize) -> Self {
        self.copies = copies;
        self
    }

    /// A file with an ETag, whole or by range, as a file server gives it.
    pub fn file(ask: &Ask, body: impl Into<Bytes>, etag: &str) -> Self {
        let body: Bytes = body.into();
        let whole = Self::new(200, "application/octet-stream", body.clone())
            .header("etag", etag)
            .header("accept-ranges", "bytes");
        let same = ask.header("if-range").is_none_or(|tag| tag == etag);
        let range: Option<usize> = ask
            .header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        match range {
            Some(from) if same && from < body.len() => {
                let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
                let part = Self { status: 206, body: body.slice(from..), ..whole };
                part.header("content-range", range)
            }
            _ => whole,
        }
    }

    fn response(self) -> Response<Body> {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status).unwrap());
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        if self.copies > 1 {
            let length = self.body.len() * self.copies;
            let pieces = std::iter::repeat_n(self.body, self.copies).map(Ok::<_, Infallible>);
            let body = Body::from_stream(futures::stream::iter(pieces));
            return response.header("content-length", length).body(body).unwrap();
        }
        let length = self.body.len();
        let sent = self.body.slice(..self.cut_after.unwrap_or(length).min(length));
        if self.cut_after.is_none() && self.pieces.is_none() {
            return response.body(Body::from(sent)).unwrap();
        }
        let (size, pause) = self.pieces.unwrap_or((sent.len().max(1), Duration::ZERO));
        let pieces =
            (0..sent.len().div_ceil(size)).map(|i| sent.slice(i * size..sent.len().min((i + 1) * size)));
        let pieces: Vec<Result<Bytes, std::io::Error>> = pieces.map(Ok).collect();
        let broken = self.cut_after.map(|_| Err(std::io::Error::other("cut")));
        let stream = futures::stream::unfold(pieces.into_iter().chain(broken), move |mut rest| async move {
            let piece = rest.next()?;
            tokio::time::sleep(pause).await;
            Some((piece, rest))
        });
        response.header("content-length", length).body(Body::from_stream(stream)).unwrap()
    }
}

type Answer = dyn Fn(&Ask) -> Reply + Send + Sync;

/// A server; gone when dropped.
pub struct Api {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Ask>>>,
    answer: Arc<Mutex<Arc<Answer>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Api {
    pub fn serve(answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let log: Arc<Mutex<Vec<Ask>>> = Arc::default();
        let answer: Arc<Mutex<Arc<Answer>>> = Arc::new(Mutex::new(Arc::new(answer)));
        let state = (Arc::clone(&log), Arc::clone(&answer), Instant::now());
        let router = axum::Router::new().fallback(move |request: Request<Body>| {
            let (log, answer, since) = state.clone();
            async move { Ok::<_, Infallible>(respond(request, &log, &answer, since).await) }
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, log, answer, _runtime: runtime }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on it answers otherwise.
    pub fn answer_with(&self, answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(answer);
    }

    /// Takes the log of what was asked, in order.
    pub fn asked(&self) -> Vec<Ask> {
        std::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, as targets.
    pub fn targets(&self) -> Vec<String> {
        self.asked().iter().map(Ask::target).collect()
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

async fn respond(
    request: Request<Body>,
    log: &Mutex<Vec<Ask>>,
    answer: &Mutex<Arc<Answer>>,
    since: Instant,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let query =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let mut ask = Ask {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        bytes: body,
        before: 0,
        at: since.elapsed(),
    };
    {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        ask.before = log.iter().filter(|other| other.target() == ask.target()).count();
        log.push(ask.clone());
    }
    let answer = Arc::clone(&answer.lock().unwrap_or_else(PoisonError::into_inner));
    let reply = answer(&ask);
    tokio::time::sleep(reply.delay).await;
    reply.response()
}
