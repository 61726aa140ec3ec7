//! Receivers that do not work, for what is sent while loads run.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// How it does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Nobody listens.
    Down,
    /// It takes what it gets, and never answers.
    Silent,
    /// It answers with what is no HTTP.
    Nonsense,
    /// It answers that it has failed.
    Failing,
}

impl Broken {
    pub(super) const ALL: [Self; 4] = [Self::Down, Self::Silent, Self::Nonsense, Self::Failing];
}

pub(super) struct Receiver(SocketAddr);

impl Receiver {
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0)
    }
}

/// It goes with the process.
pub(super) fn serve(broken: Broken) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    if broken != Broken::Down {
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let answer: &[u8] = match broken {
                    Broken::Nonsense => b"\x00\xff{\"partialSuccess\":\r\n\r\n<html>",
                    _ => b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
                };
                if broken == Broken::Silent {
                    silent.push(stream);
                    continue;
                }
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(answer);
            }
        });
    }
    Receiver(address)
}
