//! The end of a connection: it counts until the server has closed its side.
//!
//! A server's process outlives our side of the connection by a moment; a new connection opened in that moment
//! would be one too many for it. So what is dropped goes on in a task of its own: it says that nothing more
//! comes, waits for the server to close, for a while, and only then gives its place back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use super::places::ConnectionPermit;

/// How long a server may take: one that is busy, or hangs, notices later.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// A wire with the place that it takes.
pub(super) struct CountedTransport<W: AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    /// The transport, taken when this is dropped.
    transport: Option<W>,
    place: ConnectionPermit,
    /// The other side has closed, or the wire broke.
    is_over: bool,
}

impl<W: AsyncRead + AsyncWrite + Unpin + Send + 'static> CountedTransport<W> {
    pub(super) fn new(transport: W, place: ConnectionPermit) -> Self {
        Self { transport: Some(transport), place, is_over: false }
    }

    fn transport(&mut self) -> io::Result<Pin<&mut W>> {
        self.transport.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<W: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for CountedTransport<W> {
    fn drop(&mut self) {
        // Without a runtime nobody opens another one either.
        let (Some(mut transport), false, Ok(runtime)) =
            (self.transport.take(), self.is_over, tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let place = ConnectionPermit::clone(&self.place);
        runtime.spawn(async move {
            let farewell = async {
                let mut rest = [0; 4096];
                let _ = transport.shutdown().await;
                while matches!(transport.read(&mut rest).await, Ok(1..)) {}
            };
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
            drop(transport);
            drop(place);
        });
    }
}

impl<W: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for CountedTransport<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = (buf.filled().len(), buf.remaining());
        let read = ready!(self.transport()?.poll_read(cx, buf));
        self.is_over |= read.is_err() || (before.1 > 0 && buf.filled().len() == before.0);
        Poll::Ready(read)
    }
}

impl<W: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for CountedTransport<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.transport()?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport()?.poll_shutdown(cx)
    }
}

impl<W: TlsStream + AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsStream for CountedTransport<W> {
    fn channel_binding(&self) -> ChannelBinding {
        self.transport.as_ref().map_or_else(ChannelBinding::none, TlsStream::channel_binding)
    }
}
