use http::StatusCode;
use waypost_net::connect::ConnectError;
use waypost_net::tls::TlsError;

use crate::entry::NoEntry;

/// Why a target came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetFailure {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("TLS with the back end: {0}")]
    Tls(#[from] TlsError),
    #[error("HTTP knows no STARTTLS: say tls = \"implicit\" or \"none\" for webmail")]
    NoStarttls,
    #[error("{0}")]
    Entry(#[from] NoEntry),
    /// Nothing of the request has gone out.
    #[error("the connection ended before the request went out: {0}")]
    Unsent(hyper::Error),
    /// The request has gone out, or some of it.
    #[error("talking with the back end: {0}")]
    Broken(hyper::Error),
    #[error("the back end did not answer in time")]
    Timeout,
    #[error("the answer is in a transfer coding that nobody asked for")]
    Coding,
}

impl TargetFailure {
    /// The name in logs and metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.label(),
            Self::Tls(_) => "tls",
            Self::NoStarttls => "no-starttls",
            Self::Entry(_) => "no-entry-configured",
            Self::Unsent(_) => "unsent",
            Self::Broken(_) => "broken",
            Self::Timeout => "timeout",
            Self::Coding => "coding",
        }
    }

    /// What the client is told. Where nobody has seen the request, it may come again.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Connect(_) | Self::Tls(_) | Self::NoStarttls => StatusCode::SERVICE_UNAVAILABLE,
            Self::Entry(_) | Self::Unsent(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) | Self::Coding => StatusCode::BAD_GATEWAY,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}
