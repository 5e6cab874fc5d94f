//! Postfix's XCLIENT: telling a back end that trusts Waypost who the client is
//! (`XCLIENT_README` of Postfix; Dovecot takes the same and more).

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{hello, xtext};

/// The longest command, without its CRLF, that every server takes (RFC 5321 section 4.5.3.1.4).
const MAX_COMMAND: usize = 510;
/// The longest session id that Dovecot keeps.
const MAX_SESSION_ID: usize = 64;

/// What a back end is told of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// Where the client is.
    pub client: SocketAddr,
    /// Where it connected to.
    pub local: SocketAddr,
    /// What it called itself in EHLO, HELO or LHLO. One that is no host name and no address
    /// literal is not passed on.
    pub hello: Option<Arc<str>>,
    /// What it speaks.
    pub protocol: ClientProtocol,
    /// The session's id in the log, for Dovecot.
    pub session: Option<Arc<str>>,
    /// How many further proxies the session may pass, for Dovecot.
    pub ttl: Option<u8>,
}

/// What a client speaks, as XCLIENT's PROTO has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProtocol {
    /// It said HELO.
    Smtp,
    /// It said EHLO.
    Esmtp,
    /// It said LHLO. Said to LMTP back ends only: Postfix does not know the word.
    Lmtp,
}

/// The attributes that a back end takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XclientAttributes {
    name: bool,
    addr: bool,
    port: bool,
    proto: bool,
    helo: bool,
    destaddr: bool,
    destport: bool,
    session: bool,
    ttl: bool,
}

impl XclientAttributes {
    /// Reads the words behind XCLIENT in the answer to EHLO. Those that have no use here, such as
    /// LOGIN, are left out: who is logged in is for the back end to find out.
    pub(super) fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut offered = Self::default();
        for word in words {
            let known = match word.to_ascii_uppercase().as_str() {
                "NAME" => &mut offered.name,
                "ADDR" => &mut offered.addr,
                "PORT" => &mut offered.port,
                "PROTO" => &mut offered.proto,
                "HELO" => &mut offered.helo,
                "DESTADDR" => &mut offered.destaddr,
                "DESTPORT" => &mut offered.destport,
                "SESSION" => &mut offered.session,
                "TTL" => &mut offered.ttl,
                _ => continue,
            };
            *known = true;
        }
        offered
    }

    /// The command that tells of `identity`, without its CRLF; `None` where the back end takes none of
    /// what matters: the address, and how many further proxies the session may pass.
    pub(super) fn command(self, identity: &ClientIdentity, lmtp: bool) -> Option<String> {
        let matters = self.addr || self.ttl && identity.ttl.is_some();
        if !matters {
            return None;
        }
        let mut command = Command("XCLIENT".to_owned());
        // Whoever does not say a name leaves Waypost's own beside the client's address. Nobody has
        // looked for the client's.
        command.push(self.name, "NAME", UNAVAILABLE);
        command.push(self.addr, "ADDR", Address(identity.client.ip()));
        command.push(self.port, "PORT", identity.client.port());
        let protocol = match identity.protocol {
            ClientProtocol::Smtp => "SMTP",
            ClientProtocol::Lmtp if lmtp => "LMTP",
            ClientProtocol::Esmtp | ClientProtocol::Lmtp => "ESMTP",
        };
        command.push(self.proto, "PROTO", protocol);
        command.push(self.destaddr, "DESTADDR", Address(identity.local.ip()));
        command.push(self.destport, "DESTPORT", identity.local.port());
        if let Some(session) = &identity.session {
            let fits = (1..=MAX_SESSION_ID).contains(&session.len());
            command.push(self.session && fits, "SESSION", encoded(session));
        }
        if let Some(ttl) = identity.ttl {
            command.push(self.ttl, "TTL", ttl);
        }
        let hello = identity.hello.as_deref().filter(|name| hello::may_be_said(name));
        let hello = hello.map_or_else(|| UNAVAILABLE.to_owned(), encoded);
        let room = MAX_COMMAND.saturating_sub(command.0.len() + " HELO=".len());
        let hello = if hello.len() <= room { hello.as_str() } else { UNAVAILABLE };
        command.push(self.helo, "HELO", hello);
        Some(command.0)
    }
}

/// What a front of ours offers: of the client a PROXY header tells, and who says how many further
/// proxies the session may pass need not be trusted.
pub(crate) const TTL_ALONE: &str = "XCLIENT TTL";

const UNAVAILABLE: &str = "[UNAVAILABLE]";

struct Command(String);

impl Command {
    fn push(&mut self, offered: bool, attribute: &str, value: impl fmt::Display) {
        if offered {
            let _ = write!(self.0, " {attribute}={value}");
        }
    }
}

fn encoded(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    xtext::encode(text.as_bytes(), &mut value);
    value
}

/// An address as Postfix writes it, which marks IPv6.
struct Address(IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_canonical() {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "IPV6:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ClientIdentity, ClientProtocol, MAX_COMMAND, XclientAttributes};

    const POSTFIX: &str = "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT";

    fn identity() -> ClientIdentity {
        ClientIdentity {
            client: ([192, 0, 2, 1], 50123).into(),
            local: ([192, 0, 2, 2], 25).into(),
            hello: Some(Arc::from("ann.example.test")),
            protocol: ClientProtocol::Esmtp,
            session: Some(Arc::from("a+1")),
            ttl: Some(4),
        }
    }

    fn command(offered: &str, identity: &ClientIdentity) -> String {
        let attributes = XclientAttributes::parse(offered.split(' '));
        attributes.command(identity, false).unwrap_or_default()
    }

    #[test]
    fn postfix_is_told_what_it_asks_for() {
        assert_eq!(
            command(POSTFIX, &identity()),
            "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=50123 PROTO=ESMTP \
             DESTADDR=192.0.2.2 DESTPORT=25 HELO=ann.example.test"
        );
    }

    #[test]
    fn only_what_is_offered_is_said() {
        assert_eq!(
            command("addr Port session ttl", &identity()),
            "XCLIENT ADDR=192.0.2.1 PORT=50123 SESSION=a+2B1 TTL=4"
        );
        assert_eq!(command("NAME HELO PORT", &identity()), "");
        assert_eq!(command("", &identity()), "");
    }

    #[test]
    fn ipv6_is_marked_and_ipv4_in_ipv6_is_ipv4() {
        let client = |address: &str| {
            command("ADDR", &ClientIdentity { client: address.parse().unwrap(), ..identity() })
        };
        assert_eq!(client("[2001:db8::1]:5"), "XCLIENT ADDR=IPV6:2001:db8::1");
        assert_eq!(client("[::ffff:192.0.2.1]:5"), "XCLIENT ADDR=192.0.2.1");
    }

    #[test]
    fn a_name_that_is_none_is_not_passed_on() {
        for name in [None, Some("a b"), Some("x\r\nMAIL"), Some("")] {
            let identity = ClientIdentity { hello: name.map(Arc::from), ..identity() };
            assert_eq!(
                command("ADDR HELO", &identity),
                "XCLIENT ADDR=192.0.2.1 HELO=[UNAVAILABLE]"
            );
        }
    }

    #[test]
    fn a_literal_keeps_its_form() {
        let identity = ClientIdentity { hello: Some("[IPv6:2001:db8::1]".into()), ..identity() };
        assert_eq!(
            command("ADDR HELO", &identity),
            "XCLIENT ADDR=192.0.2.1 HELO=[IPv6:2001:db8::1]"
        );
    }

    #[test]
    fn the_command_stays_within_its_limit() {
        let long = ClientIdentity {
            client: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap(),
            local: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap(),
            session: Some("=".repeat(64).into()),
            hello: Some("a".repeat(255).into()),
            ..identity()
        };
        let all = format!("{POSTFIX} SESSION TTL");
        assert!(command(&all, &long).len() <= MAX_COMMAND);
        assert!(command(&all, &long).ends_with(" HELO=[UNAVAILABLE]"));
        assert!(command(POSTFIX, &long).ends_with(&format!(" HELO={}", "a".repeat(255))));
    }

    #[test]
    fn lmtp_is_said_to_lmtp_alone() {
        let attributes = XclientAttributes::parse(["ADDR", "PROTO"].into_iter());
        let said = |protocol, lmtp| {
            attributes.command(&ClientIdentity { protocol, ..identity() }, lmtp).unwrap()
        };
        assert!(said(ClientProtocol::Lmtp, true).ends_with("PROTO=LMTP"));
        assert!(said(ClientProtocol::Lmtp, false).ends_with("PROTO=ESMTP"));
        assert!(said(ClientProtocol::Esmtp, true).ends_with("PROTO=ESMTP"));
        assert!(said(ClientProtocol::Smtp, true).ends_with("PROTO=SMTP"));
    }
}
