//! Bodies on their way: of requests to back ends, of answers to clients. Nothing of them is kept.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::back::Lease;
use crate::form::Watch;
use crate::headers::clean_trailers;
use crate::journal::Line;

/// After how long the body of a client that waits for `100 Continue` is fetched in any case: there
/// are servers that never say it (RFC 9110 section 10.1.1).
const CONTINUE_AFTER: Duration = Duration::from_secs(1);

/// What is wrong with the body of a request.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BodyFault {
    #[error("the body is longer than max-body-size")]
    TooLarge,
    #[error("the body came no further for too long")]
    Stalled,
    #[error("the body ended before its end, or breaks the protocol")]
    Broken,
    #[error("the body is longer than a login form, and has a field of one")]
    LongLogin,
}

impl BodyFault {
    /// The name in logs and metrics.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::TooLarge => "body-too-large",
            Self::Stalled => "body-stalled",
            Self::Broken => "body-broken",
            Self::LongLogin => "form",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge | Self::LongLogin => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Stalled => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// For how long something may come no further. Costs no timer as long as it does.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, waiting: None }
    }

    /// Something moved.
    pub(crate) fn renew(&mut self) {
        self.waiting = None;
    }

    /// Nothing moves; ready when that has been so for too long.
    pub(crate) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        self.waiting.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }
}

/// How the body of a request gets on, for whoever waits for the answer to it.
#[derive(Debug)]
pub(crate) struct Progress {
    last: Mutex<Instant>,
    fault: Mutex<Option<BodyFault>>,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { last: Mutex::new(Instant::now()), fault: Mutex::default() })
    }

    /// When a piece of it was last taken.
    pub(crate) fn last(&self) -> Instant {
        *self.last.lock()
    }

    /// What was wrong with it.
    pub(crate) fn fault(&self) -> Option<BodyFault> {
        *self.fault.lock()
    }

    fn touch(&self) {
        *self.last.lock() = Instant::now();
    }
}

/// Holds back a body until the back end has said `100 Continue`.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Release);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        *self.waker.lock() = Some(cx.waker().clone());
        if self.open.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The body of a request, on its way to a back end.
#[derive(Debug)]
pub(crate) enum ClientBody {
    /// There is none.
    Empty,
    /// All of it, read ahead; `None` once it is under way.
    Whole(Option<Bytes>),
    /// As it comes.
    Streamed(Box<Streamed>),
}

#[derive(Debug)]
pub(crate) struct Streamed {
    incoming: Incoming,
    /// What was read ahead of the rest.
    ahead: Option<Bytes>,
    /// How many octets may still come.
    left: u64,
    patience: Patience,
    progress: Arc<Progress>,
    gate: Option<(Arc<Gate>, Patience)>,
    /// Looks for what may not go on in it.
    watch: Option<Box<Watch>>,
    /// It has found that; how much more is read.
    condemned: Option<usize>,
}

impl ClientBody {
    /// At most `max` octets, none of which may take longer than `stall`.
    pub(crate) fn new(
        incoming: Incoming,
        max: u64,
        stall: Duration,
        progress: &Arc<Progress>,
        gate: Option<&Arc<Gate>>,
    ) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        Self::Streamed(Box::new(Streamed {
            incoming,
            ahead: None,
            left: max,
            patience: Patience::new(stall),
            progress: progress.clone(),
            gate: gate.map(|gate| (gate.clone(), Patience::new(CONTINUE_AFTER))),
            watch: None,
            condemned: None,
        }))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Reads all of it, if it is at most `max` octets; else as much as shows that it is more. It
    /// goes on with every octet all the same.
    ///
    /// # Errors
    /// What is wrong with the body so far.
    pub(crate) async fn read_ahead(&mut self, max: usize) -> Result<Ahead, BodyFault> {
        let mut streamed = match std::mem::replace(self, Self::Empty) {
            Self::Empty => return Ok(Ahead::Whole(Bytes::new())),
            Self::Whole(whole) => {
                *self = Self::Whole(whole.clone());
                return Ok(Ahead::Whole(whole.unwrap_or_default()));
            }
            Self::Streamed(streamed) => streamed,
        };
        if streamed.incoming.size_hint().lower() > max as u64 {
            *self = Self::Streamed(streamed);
            return Ok(Ahead::More);
        }
        // The client waits for a word before it sends what is to be read.
        if let Some((gate, _)) = &streamed.gate {
            gate.open();
        }
        let mut read = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| streamed.poll(cx)).await {
            let Ok(data) = frame?.into_data() else { continue };
            read.extend_from_slice(&data);
            if read.len() > max {
                streamed.ahead = Some(read.freeze());
                *self = Self::Streamed(streamed);
                return Ok(Ahead::More);
            }
        }
        let whole = read.freeze();
        *self = Self::Whole(Some(whole.clone()));
        Ok(Ahead::Whole(whole))
    }

    /// Lets a body that has only begun go no further than to what `watch` finds.
    pub(crate) fn watch(&mut self, watch: Watch) {
        if let Self::Streamed(streamed) = self {
            streamed.watch = Some(Box::new(watch));
        }
    }

    /// All of it; what is left is empty.
    #[must_use]
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Empty)
    }

    /// Reads on without use, up to [`LINGER`] and for no longer than [`LINGER_FOR`]: many clients hear
    /// nothing before they have said everything. `waits`: who wants a word first does wait for it,
    /// as over HTTP/1.1, and hears the last one now.
    pub(crate) async fn linger(&mut self, waits: bool) {
        let Self::Streamed(streamed) = self else { return };
        if streamed.gate.take().is_some() && waits {
            return;
        }
        let reading = async {
            let mut left = LINGER;
            while let Some(Ok(frame)) = poll_fn(|cx| streamed.poll(cx)).await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(less) => left = less,
                    None => return,
                }
            }
        };
        let _ = timeout(LINGER_FOR, reading).await;
    }
}

/// How much more of a body is read that is refused, so that the client comes to read why.
const LINGER: usize = 1 << 20;
/// And for how long.
const LINGER_FOR: Duration = Duration::from_secs(5);

/// What came of reading a body ahead.
#[derive(Debug)]
pub(crate) enum Ahead {
    /// All of it.
    Whole(Bytes),
    /// It is longer than that.
    More,
}

impl Streamed {
    fn size_hint(&self) -> SizeHint {
        let (ahead, rest) = (self.ahead.as_ref().map_or(0, Bytes::len), self.incoming.size_hint());
        let mut all = SizeHint::new();
        all.set_lower(rest.lower().saturating_add(ahead as u64));
        if let Some(upper) = rest.upper() {
            all.set_upper(upper.saturating_add(ahead as u64));
        }
        all
    }

    /// What goes on of it. From where the watch has found something nothing does, but the rest is read,
    /// as by [`ClientBody::linger`].
    fn poll_onward(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        loop {
            let frame = match self.ahead.take() {
                Some(ahead) => Some(Ok(Frame::data(ahead))),
                None => ready!(self.poll(cx)),
            };
            let data = match &frame {
                Some(Ok(frame)) => frame.data_ref(),
                Some(Err(_)) => return Poll::Ready(frame),
                None => None,
            };
            let octets = data.map_or(&b""[..], |data| data);
            let is_found = self.watch.as_mut().is_some_and(|watch| watch.finds(octets));
            self.condemned = match self.condemned {
                None if is_found => Some(LINGER),
                None => return Poll::Ready(frame),
                Some(left) => left.checked_sub(octets.len()).filter(|_| frame.is_some()),
            };
            if self.condemned.is_none() {
                return Poll::Ready(Some(Err(self.fail(BodyFault::LongLogin))));
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let Some((gate, patience)) = &mut self.gate {
            let is_open = gate.poll_open(cx).is_ready() || patience.poll_lost(cx).is_ready();
            if !is_open {
                return Poll::Pending;
            }
            self.gate = None;
            self.progress.touch();
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                return self
                    .patience
                    .poll_lost(cx)
                    .map(|()| Some(Err(self.fail(BodyFault::Stalled))));
            }
        };
        self.patience.renew();
        self.progress.touch();
        let Some(frame) = frame else { return Poll::Ready(None) };
        let Ok(mut frame) = frame else {
            return Poll::Ready(Some(Err(self.fail(BodyFault::Broken))));
        };
        if let Some(data) = frame.data_ref() {
            match self.left.checked_sub(data.remaining() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(self.fail(BodyFault::TooLarge)))),
            }
        }
        if let Some(trailers) = frame.trailers_mut() {
            clean_trailers(trailers);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn fail(&self, fault: BodyFault) -> BodyFault {
        *self.progress.fault.lock() = Some(fault);
        fault
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(whole) => Poll::Ready(whole.take().map(|whole| Ok(Frame::data(whole)))),
            Self::Streamed(streamed) => streamed.poll_onward(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Whole(None) => true,
            Self::Whole(Some(_)) => false,
            Self::Streamed(streamed) => {
                streamed.ahead.is_none() && streamed.incoming.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Whole(None) => SizeHint::with_exact(0),
            Self::Whole(Some(whole)) => SizeHint::with_exact(whole.len() as u64),
            Self::Streamed(streamed) => streamed.size_hint(),
        }
    }
}

/// Why an answer ended before its end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum AnswerFault {
    #[error("the back end broke off its answer")]
    Broken,
    #[error("the back end's answer came no further for too long")]
    Stalled,
}

/// The body of an answer, on its way to the client.
pub(crate) enum AnswerBody {
    /// One of ours.
    Own(Full<Bytes>, Option<Box<Line>>),
    /// A back end's, as it comes.
    Relayed(Box<Relayed>),
}

pub(crate) struct Relayed {
    incoming: Incoming,
    patience: Patience,
    /// The connection, for the next request once the body has ended.
    lease: Option<Lease>,
    line: Option<Box<Line>>,
}

impl AnswerBody {
    pub(crate) fn own(content: Bytes) -> Self {
        Self::Own(Full::new(content), None)
    }

    /// Passes on what `incoming` brings. The connection goes back to where `lease` came from when
    /// all of it has come, and the request's line is written when the client has it, or will not
    /// get it.
    pub(crate) fn relayed(
        incoming: Incoming,
        stall: Duration,
        lease: Option<Lease>,
        line: Box<Line>,
    ) -> Self {
        let patience = Patience::new(stall);
        let mut relayed = Box::new(Relayed { incoming, patience, lease, line: Some(line) });
        if relayed.incoming.is_end_stream() {
            relayed.finish();
        }
        Self::Relayed(relayed)
    }

    /// The line of one that nobody will read.
    pub(crate) fn into_line(self) -> Option<Box<Line>> {
        match self {
            Self::Own(_, line) => line,
            Self::Relayed(mut relayed) => relayed.line.take(),
        }
    }

    /// The line to be written when this has gone out.
    #[must_use]
    pub(crate) fn noted(self, line: Box<Line>) -> Self {
        match self {
            Self::Own(content, _) => Self::Own(content, Some(line)),
            relayed @ Self::Relayed(_) => relayed,
        }
    }
}

impl Relayed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                return self
                    .patience
                    .poll_lost(cx)
                    .map(|()| Some(Err(self.fail(AnswerFault::Stalled))));
            }
        };
        self.patience.renew();
        match frame {
            None => {
                self.finish();
                Poll::Ready(None)
            }
            Some(Err(_)) => Poll::Ready(Some(Err(self.fail(AnswerFault::Broken)))),
            Some(Ok(mut frame)) => {
                if let (Some(data), Some(line)) = (frame.data_ref(), &mut self.line) {
                    line.octets += data.remaining() as u64;
                }
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers);
                }
                // Nobody asks further where the length was known.
                if self.incoming.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        if let Some(mut line) = self.line.take() {
            line.complete = true;
        }
    }

    fn fail(&mut self, fault: AnswerFault) -> AnswerFault {
        if let Some(mut line) = self.line.take() {
            line.reason = match fault {
                AnswerFault::Broken => "answer-broken",
                AnswerFault::Stalled => "answer-stalled",
            };
        }
        fault
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        match self.get_mut() {
            Self::Own(content, line) => {
                let frame = Pin::new(content).poll_frame(cx);
                if let Some(line) = line {
                    line.complete = true;
                }
                frame.map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Relayed(relayed) => relayed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(content, _) => content.is_end_stream(),
            Self::Relayed(relayed) => relayed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(content, _) => content.size_hint(),
            Self::Relayed(relayed) => relayed.incoming.size_hint(),
        }
    }
}
