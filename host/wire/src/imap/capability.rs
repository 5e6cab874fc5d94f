//! Capability lists of back ends.

use crate::login::Mechanism;

/// What a back end offers before the login, as far as the login depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    pub(super) starttls: bool,
    pub(super) login_disabled: bool,
    pub(super) sasl_ir: bool,
    pub(super) literal_plus: bool,
    pub(super) literal_minus: bool,
    pub(super) id: bool,
    plain: bool,
    xoauth2: bool,
    oauthbearer: bool,
    scram_sha1: bool,
    scram_sha256: bool,
    scram_plus: bool,
}

impl Capabilities {
    /// Reads a list, separated by spaces.
    pub(super) fn parse(list: &[u8]) -> Self {
        let mut offered = Self::default();
        for word in words(list) {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            // RFC 9051 appendix E: SASL-IR and LITERAL- are part of it.
            let revision2 = is(b"IMAP4rev2");
            offered.starttls |= is(b"STARTTLS");
            offered.login_disabled |= is(b"LOGINDISABLED");
            offered.sasl_ir |= revision2 || is(b"SASL-IR");
            offered.literal_plus |= is(b"LITERAL+");
            offered.literal_minus |= revision2 || is(b"LITERAL-");
            offered.id |= is(b"ID");
            offered.plain |= is(b"AUTH=PLAIN");
            offered.xoauth2 |= is(b"AUTH=XOAUTH2");
            offered.oauthbearer |= is(b"AUTH=OAUTHBEARER");
            offered.scram_sha1 |= is(b"AUTH=SCRAM-SHA-1");
            offered.scram_sha256 |= is(b"AUTH=SCRAM-SHA-256");
            offered.scram_plus |= is(b"AUTH=SCRAM-SHA-1-PLUS") || is(b"AUTH=SCRAM-SHA-256-PLUS");
        }
        offered
    }

    /// Whether AUTHENTICATE takes `mechanism`. LOGIN is not asked for: who has it has PLAIN too.
    pub(super) fn offers(self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Plain => self.plain,
            Mechanism::Login | Mechanism::CramMd5 | Mechanism::External => false,
            Mechanism::XOauth2 => self.xoauth2,
            Mechanism::OauthBearer => self.oauthbearer,
            Mechanism::ScramSha1 => self.scram_sha1,
            Mechanism::ScramSha256 => self.scram_sha256,
        }
    }

    /// Whether SCRAM is offered with channel binding.
    pub(super) fn binds_channels(self) -> bool {
        self.scram_plus
    }
}

/// A back end's list after the login, for the client: without what has a meaning before the login
/// only (STARTTLS, LOGINDISABLED, AUTH=, and SASL-IR, which is about AUTH=), and without
/// UNAUTHENTICATE (RFC 8437), which would leave the client logged out behind the pump. `None`
/// where nothing is left.
pub(super) fn after_login(list: &[u8]) -> Option<String> {
    let mut kept = String::with_capacity(list.len());
    for word in words(list).filter(|word| !is_before_login(word)) {
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(str::from_utf8(word).unwrap_or_default());
    }
    (!kept.is_empty()).then_some(kept)
}

fn is_before_login(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [b"STARTTLS", b"LOGINDISABLED", b"SASL-IR", b"UNAUTHENTICATE"];
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(word))
        || word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH="))
}

/// The words that can be capabilities: atoms (RFC 3501 section 9) without `]`, which would end the
/// response code in which they are passed on.
fn words(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let atom = |word: &&[u8]| {
        !word.is_empty()
            && word.iter().all(|octet| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(octet))
    };
    list.split(|&octet| octet == b' ').filter(atom)
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, after_login};
    use crate::login::Mechanism;

    #[test]
    fn what_is_offered_is_found_in_any_case() {
        let offered = Capabilities::parse(b" IMAP4rev1  id AUTH=Plain LITERAL+ X-FOO");
        assert!(offered.id && offered.literal_plus && offered.offers(Mechanism::Plain));
        assert!(!offered.starttls && !offered.sasl_ir && !offered.offers(Mechanism::XOauth2));
        assert!(Capabilities::parse(b"IMAP4rev2").literal_minus);
    }

    #[test]
    fn the_client_hears_what_makes_sense_after_the_login() {
        let list = b"IMAP4rev1 STARTTLS AUTH=PLAIN auth=xoauth2 LoginDisabled SASL-IR UNAUTHENTICATE IDLE LITERAL+";
        assert_eq!(after_login(list).as_deref(), Some("IMAP4rev1 IDLE LITERAL+"));
        assert_eq!(after_login(b"AUTH=PLAIN"), None);
        assert_eq!(after_login(b""), None);
    }

    #[test]
    fn what_is_no_capability_is_left_out() {
        assert_eq!(after_login(b"IDLE a]b \xe4 x\ry \"q\" MOVE").as_deref(), Some("IDLE MOVE"));
    }
}
