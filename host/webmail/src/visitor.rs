//! Who a request comes from.

use http::HeaderMap;

use crate::answer::Reason;
use crate::basic::{Basic, BasicError};
use crate::scrutiny::Misfit;

/// Who a request comes from, as far as the request itself says.
#[derive(Debug)]
pub(crate) enum Visitor {
    /// Credentials in the request (RFC 7617).
    Basic(Basic),
    /// Nobody says.
    Nobody,
}

impl Visitor {
    /// Looks at what the head of a request says.
    ///
    /// # Errors
    /// Credentials that are none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Reason> {
        match Basic::read(headers) {
            Ok(Some(basic)) => Ok(Self::Basic(basic)),
            Ok(None) => Ok(Self::Nobody),
            Err(BasicError::Twice) => Err(Misfit::TwoAuthorizations.into()),
            Err(BasicError::Malformed) => Err(Reason::Credentials),
        }
    }
}
