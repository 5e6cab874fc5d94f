//! Who the user is: everything that is said of it without a connection.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod basic;
mod cookies;
mod decoys;
mod forms;
mod marks;
mod page;
mod places;
mod same_origin;
mod seal;
mod way_back;

use http::{HeaderMap, HeaderName, HeaderValue};

/// A request's fields.
fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    fields.iter().map(field).collect()
}
