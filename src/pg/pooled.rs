//! Is a pooler in between? The process id that the login announced, against the one that answers.
//!
//! A pooler cannot hand out the server's own cancellation keys, for its clients change sessions: it makes up
//! its own, with a process id of its own. The driver keeps what was announced to itself, but writes it into a
//! request to cancel; so one is written to nobody, and read. Never sent to a server, and never to be trusted
//! for more than how to stage.

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio_postgres::CancelToken;

use super::connect::Dialled;
use super::transport::Transport;

/// Length, request code, process id; a secret follows.
const HEAD_BYTES: usize = 12;

/// The process id that the login announced; nothing if it cannot be had, which proves nothing.
pub(super) async fn announced(token: &CancelToken) -> Option<i32> {
    let (ours, mut other) = UnixStream::pair().ok()?;
    // The driver waits for nothing: what it writes fits into the pipe.
    token.cancel_query_raw(Transport::Unix(ours), Dialled).await.ok()?;
    let mut head = [0; HEAD_BYTES];
    other.read_exact(&mut head).await.ok()?;
    let [.., a, b, c, d] = head;
    Some(i32::from_be_bytes([a, b, c, d]))
}
