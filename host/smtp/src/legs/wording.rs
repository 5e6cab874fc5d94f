//! What we say in our own name. Never which back end did what.

use waypost_wire::smtp::{EnhancedCode, Reply};

/// The copy or the promise could not be written (RFC 3463 X.3.0: other or undefined system status).
pub(super) const STORAGE: Reply =
    Reply::new(451, EnhancedCode::new(4, 3, 0), "The message could not be stored, try again later");

/// Every leg has accepted.
pub(super) fn delivered(id: &str, recipients: usize) -> Reply {
    ok(&format!("{id} delivered to all {recipients} recipients"))
}

/// Some legs have accepted, the rest is promised.
pub(super) fn promised(id: &str, accepted: usize, recipients: usize) -> Reply {
    ok(&match accepted {
        0 => format!("Queued as {id}"),
        _ => format!(
            "Delivered to {accepted} of {recipients} recipients, the rest is queued as {id}"
        ),
    })
}

fn ok(text: &str) -> Reply {
    Reply::worded(250, EnhancedCode::of(250), text)
}
