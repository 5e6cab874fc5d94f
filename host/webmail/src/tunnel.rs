//! A connection that has become something else: WebSocket, most often.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::{Instant, sleep_until};
use waypost_routing::Decide;

use crate::body::AnswerBody;
use crate::journal::Line;
use crate::session::Session;

/// What is read at once, in octets.
const BUFFER: usize = 16 << 10;

/// Answers that the protocol changes, and relays what comes behind the answer in both directions. A
/// back end that changes it unasked, or does not say to what, has broken the protocol.
pub(crate) fn switch<P: Decide>(
    session: &Arc<Session<P>>,
    mut response: Response<Incoming>,
    client: Option<OnUpgrade>,
    protocols: Option<HeaderValue>,
    mut line: Box<Line>,
) -> Response<AnswerBody> {
    let (Some(client), Some(protocols)) = (client, protocols) else {
        line.reason = "upgrade";
        line.status = StatusCode::BAD_GATEWAY;
        let mut response = Response::new(AnswerBody::own(Bytes::new()).noted(line));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(UPGRADE, protocols);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    let back = hyper::upgrade::on(&mut response);
    line.reason = "switched";
    tokio::spawn(relay(session.clone(), client, back, line));
    response.map(|_| AnswerBody::own(Bytes::new()))
}

async fn relay<P: Decide>(
    session: Arc<Session<P>>,
    client: OnUpgrade,
    back: OnUpgrade,
    mut line: Box<Line>,
) {
    let (Ok(client), Ok(back)) = tokio::join!(client, back) else { return };
    let moved = Arc::new(Mutex::new(Instant::now()));
    let watched = |stream| Watched { stream: TokioIo::new(stream), moved: moved.clone() };
    let (mut client, mut back) = (watched(client), watched(back));
    let relaying = copy_bidirectional_with_sizes(&mut client, &mut back, BUFFER, BUFFER);
    tokio::select! {
        relayed = relaying => {
            line.octets = relayed.map_or(0, |(_, from_back)| from_back);
        }
        _ = session.record.ended() => {}
        () = silence(&moved, session.service.settings.tunnel_timeout) => line.reason = "idle",
    }
}

/// Waits until nothing has moved for `limit`.
async fn silence(moved: &Mutex<Instant>, limit: Duration) {
    loop {
        let end = *moved.lock() + limit;
        if end <= Instant::now() {
            return;
        }
        sleep_until(end).await;
    }
}

/// A stream that notes when something moves.
struct Watched {
    stream: TokioIo<Upgraded>,
    moved: Arc<Mutex<Instant>>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        *self.moved.lock() = Instant::now();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
