//! A server that is none: it plays a script to every caller, message by message or byte by byte.
//!
//! Crates that serve PostgreSQL's protocol (pgwire, and what is built on it) exist to answer rightly; what is
//! asked of this one they refuse to send: lengths that lie, tags that are none, half a login. Threads and
//! blocking reads; a caller that says nothing for a minute is left.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The request for TLS; the request for GSSAPI is its successor.
const SSL_REQUEST: u32 = 80_877_103;
/// Nobody in these tests is silent for longer unless for ever.
const SILENCE: Duration = Duration::from_secs(60);

/// A message of the server.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

/// An authentication request with its code.
pub fn authentication(code: u32, data: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes(), data].concat())
}

/// ErrorResponse (`E`) or NoticeResponse (`N`) with these fields.
pub fn report(kind: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body: Vec<u8> = fields.iter().flat_map(|(name, text)| [&[*name], *text, &[0]].concat()).collect();
    body.push(0);
    message(kind, &body)
}

/// Ready for a query, outside a transaction.
pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// A row description and rows with so many columns, all text.
pub fn rows(columns: u16, rows: u16) -> Vec<u8> {
    let mut description = columns.to_be_bytes().to_vec();
    for _ in 0..columns {
        // Name, table, column, type text, size, modifier, format.
        description.extend(b"c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
    }
    let mut row = columns.to_be_bytes().to_vec();
    (0..columns).for_each(|_| row.extend(b"\0\0\0\x01x"));
    let mut bytes = message(b'T', &description);
    (0..rows).for_each(|_| bytes.extend(message(b'D', &row)));
    bytes
}

/// Who has called.
pub struct Caller {
    stream: TcpStream,
}

impl Caller {
    /// Reads the greeting; requests for encryption are answered `N`. The start-up message's body.
    pub fn greeting(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (code, body) = self.first()?;
            if code != SSL_REQUEST && code != SSL_REQUEST + 1 {
                return Ok(body);
            }
            self.say(b"N")?;
        }
    }

    /// The very first message: its code and what is behind it.
    pub fn first(&mut self) -> io::Result<(u32, Vec<u8>)> {
        let body = self.body()?;
        let (code, rest) = body.split_at(4);
        Ok((u32::from_be_bytes(code.try_into().unwrap()), rest.to_vec()))
    }

    /// Greets and lets the caller in, whoever it is.
    pub fn let_in(&mut self) -> io::Result<()> {
        self.greeting()?;
        self.say(&authentication(0, b""))?;
        for status in ["server_version\x0017.0\0", "client_encoding\0UTF8\0", "integer_datetimes\0on\0"] {
            self.say(&message(b'S', status.as_bytes()))?;
        }
        self.say(&message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]))?;
        self.say(&ready())
    }

    /// The next message: its type and its body.
    pub fn hear(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut kind = [0];
        self.stream.read_exact(&mut kind)?;
        Ok((kind[0], self.body()?))
    }

    /// Answers each query with these bytes, until the caller goes.
    pub fn answer_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        while self.hear()?.0 != b'X' {
            self.say(bytes)?;
        }
        Ok(())
    }

    fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    /// Sends bytes, whatever they are.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says it again and again, until the caller goes.
    pub fn say_for_ever(&mut self, bytes: &[u8]) -> io::Result<()> {
        let many = bytes.repeat((64 << 10) / bytes.len() + 1);
        loop {
            self.say(&many)?;
        }
    }

    /// Says nothing more; listens until the caller goes.
    pub fn fall_silent(&mut self) -> io::Result<()> {
        io::copy(&mut self.stream, &mut io::sink()).map(|_| ())
    }
}

/// What is played to a caller; its error is the end of the connection.
pub type Script = dyn Fn(&mut Caller) -> io::Result<()> + Send + Sync;

pub struct Fake {
    port: u16,
    callers: Arc<AtomicU64>,
}

impl Fake {
    pub fn new(script: impl Fn(&mut Caller) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let callers = Arc::new(AtomicU64::new(0));
        let (script, count): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&callers));
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let script = Arc::clone(&script);
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(SILENCE)).unwrap();
                    stream.set_nodelay(true).unwrap();
                    let _ = script(&mut Caller { stream });
                });
            }
        });
        Self { port, callers }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many have called.
    pub fn callers(&self) -> u64 {
        self.callers.load(Ordering::Relaxed)
    }
}
