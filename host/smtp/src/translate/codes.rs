use waypost_wire::smtp::EnhancedCode;

use super::Situation;

/// The enhanced code of a reply that came without one: what its code most often means in that
/// situation (RFC 5321 section 4.2.2, RFC 3463, RFC 5248). None for 3yz.
pub(super) fn usual(situation: Situation, code: u16) -> Option<EnhancedCode> {
    let (subject, detail) = match situation {
        Situation::Mail => mail(code),
        Situation::Recipient => recipient(code),
        Situation::Data | Situation::Final => content(code),
    };
    EnhancedCode::of(code).map(|known| EnhancedCode::new(known.class(), subject, detail))
}

/// About the sender, or the whole transaction. Never X.1.1: the recipient is not what is refused,
/// and senders take addresses with 5.1.1 off their lists.
const fn mail(code: u16) -> (u16, u16) {
    match code {
        200..=299 => (1, 0),
        450 | 550 => (7, 1),
        552 => (3, 4),
        553 => (1, 7),
        _ => anywhere(code),
    }
}

const fn recipient(code: u16) -> (u16, u16) {
    match code {
        200..=299 => (1, 5),
        450 => (2, 0),
        550 => (1, 1),
        551 => (1, 6),
        552 => (2, 2),
        553 => (1, 3),
        // RFC 7504 section 4: the domain accepts no mail.
        556 => (1, 10),
        _ => anywhere(code),
    }
}

const fn content(code: u16) -> (u16, u16) {
    match code {
        450 => (2, 0),
        550 => (7, 1),
        551 => (1, 6),
        552 => (3, 4),
        553 => (1, 3),
        _ => anywhere(code),
    }
}

/// What means the same everywhere, or nothing in particular.
const fn anywhere(code: u16) -> (u16, u16) {
    match code {
        452 => (3, 1),
        454 => (7, 0),
        451 => (3, 0),
        455 | 555 => (5, 4),
        _ => (0, 0),
    }
}
