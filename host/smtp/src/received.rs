//! The trace that a message gets here: its `Received` field.

use std::net::IpAddr;

use waypost_wire::smtp::{ClientProtocol, ForwardPath, Hello};

use crate::record::UnixTime;

/// What a `Received` field says (RFC 5321 section 4.4).
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// How the client introduced itself, if it did.
    pub hello: Option<&'a Hello>,
    /// Where it is.
    pub client: IpAddr,
    /// What we are called: a host name.
    pub hostname: &'a str,
    /// Whether the transaction is one with SMTPUTF8.
    pub smtputf8: bool,
    /// The cipher suite, where the connection is encrypted.
    pub cipher: Option<&'a str>,
    /// The message's id.
    pub id: &'a str,
    /// Its recipients. One alone is named; several are not, since some may be hidden from the
    /// others.
    pub recipients: &'a [&'a ForwardPath],
    /// When it came.
    pub at: UnixTime,
}

impl Received<'_> {
    /// Appends the field, folded and ended by CRLF. Whatever the client has said, it stays one
    /// field, and one that can be parsed.
    pub fn write(&self, out: &mut Vec<u8>) {
        let client = literal(self.client);
        let mut field = match self.hello {
            Some(hello) => format!("Received: from {} ({client})", name(&hello.name)),
            None => format!("Received: from {client}"),
        };
        let (by, with, id) = (name(self.hostname), self.protocol(), name(self.id));
        field.push_str(&format!("\r\n\tby {by} with {with} id {id}"));
        if let Some(recipient) = self.recipient() {
            field.push_str(&format!("\r\n\tfor {recipient}"));
        }
        if let Some(cipher) = self.cipher {
            // RFC 8314 section 4.3. The names of TLS 1.3 are spelled otherwise in the registry.
            let cipher = cipher.replacen("TLS13_", "TLS_", 1);
            field.push_str(&format!("\r\n\ttls {}", name(&cipher)));
        }
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(format!("; {}\r\n", self.at.date()).as_bytes());
    }

    /// RFC 3848 and RFC 6531 section 4.3.
    fn protocol(&self) -> &'static str {
        let protocol = self.hello.map_or(ClientProtocol::Smtp, |hello| hello.protocol);
        let encrypted = self.cipher.is_some();
        match (protocol, self.smtputf8, encrypted) {
            // Nothing is registered for TLS behind HELO.
            (ClientProtocol::Smtp, ..) => "SMTP",
            (ClientProtocol::Esmtp, false, false) => "ESMTP",
            (ClientProtocol::Esmtp, false, true) => "ESMTPS",
            (ClientProtocol::Esmtp, true, false) => "UTF8SMTP",
            (ClientProtocol::Esmtp, true, true) => "UTF8SMTPS",
            (ClientProtocol::Lmtp, false, false) => "LMTP",
            (ClientProtocol::Lmtp, false, true) => "LMTPS",
            (ClientProtocol::Lmtp, true, false) => "UTF8LMTP",
            (ClientProtocol::Lmtp, true, true) => "UTF8LMTPS",
        }
    }

    fn recipient(&self) -> Option<&ForwardPath> {
        let [recipient] = self.recipients else { return None };
        let may_be_named = recipient.mailbox().is_some() && (self.smtputf8 || recipient.is_ascii());
        may_be_named.then_some(recipient)
    }
}

/// RFC 5321 section 4.1.3.
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

/// A name that somebody else may have chosen, so that it is one word and opens no comment, no quoted
/// string and no domain literal that it does not close.
pub(crate) fn name(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Some(inside) = inside.filter(|it| it.chars().all(|c| is_plain(c) || c == ':')) {
        return format!("[{inside}]");
    }
    let name: String = text.chars().map(|c| if is_plain(c) { c } else { '?' }).take(255).collect();
    if name.is_empty() { "?".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use waypost_wire::smtp::{ClientProtocol, ForwardPath, Hello};

    use super::Received;
    use crate::record::UnixTime;

    const RECEIVED: Received<'static> = Received {
        hello: None,
        client: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
        hostname: "mail.example.test",
        smtputf8: false,
        cipher: None,
        id: "01ARZ3NDEK",
        recipients: &[],
        at: UnixTime(1_469_922_850),
    };

    fn hello(protocol: ClientProtocol, name: &str) -> Hello {
        Hello { name: Arc::from(name), protocol }
    }

    fn written(received: &Received<'_>) -> String {
        let mut out = Vec::new();
        received.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn who_what_and_when() {
        let hello = hello(ClientProtocol::Esmtp, "ann.example.org");
        let recipient: ForwardPath = "<\"a b\"@example.test>".parse().unwrap();
        let received = Received {
            hello: Some(&hello),
            cipher: Some("TLS13_AES_256_GCM_SHA384"),
            recipients: &[&recipient],
            ..RECEIVED
        };
        assert_eq!(
            written(&received),
            "Received: from ann.example.org ([192.0.2.1])\r\n\
             \tby mail.example.test with ESMTPS id 01ARZ3NDEK\r\n\
             \tfor <\"a b\"@example.test>\r\n\
             \ttls TLS_AES_256_GCM_SHA384; Sat, 30 Jul 2016 23:54:10 +0000\r\n"
        );
        assert_eq!(
            written(&Received { client: "2001:db8::1".parse().unwrap(), ..RECEIVED }),
            "Received: from [IPv6:2001:db8::1]\r\n\
             \tby mail.example.test with SMTP id 01ARZ3NDEK; Sat, 30 Jul 2016 23:54:10 +0000\r\n"
        );
    }

    #[test]
    fn with_what() {
        use ClientProtocol::{Esmtp, Lmtp, Smtp};
        for (protocol, smtputf8, cipher, expected) in [
            (Smtp, false, false, "SMTP"),
            (Smtp, false, true, "SMTP"),
            (Esmtp, false, false, "ESMTP"),
            (Esmtp, false, true, "ESMTPS"),
            (Esmtp, true, false, "UTF8SMTP"),
            (Esmtp, true, true, "UTF8SMTPS"),
            (Lmtp, false, false, "LMTP"),
            (Lmtp, false, true, "LMTPS"),
            (Lmtp, true, false, "UTF8LMTP"),
            (Lmtp, true, true, "UTF8LMTPS"),
        ] {
            let hello = hello(protocol, "ann");
            let cipher = cipher.then_some("TLS_X");
            let text = written(&Received { hello: Some(&hello), smtputf8, cipher, ..RECEIVED });
            assert!(text.contains(&format!(" with {expected} id ")), "{text}");
        }
    }

    #[test]
    fn hidden_recipients_stay_hidden() {
        let paths = ["<a@example.test>", "<b@example.test>"].map(|it| it.parse().unwrap());
        let [first, second]: &[ForwardPath; 2] = &paths;
        let named = |recipients: &[&ForwardPath], smtputf8| {
            written(&Received { recipients, smtputf8, ..RECEIVED }).contains("\tfor <")
        };
        assert!(named(&[first], false));
        assert!(!named(&[first, second], false));
        assert!(!named(&["<Postmaster>".parse().as_ref().unwrap()], false));
        let utf8 = "<j\u{f6}rg@example.test>".parse().unwrap();
        assert!(!named(&[&utf8], false));
        assert!(named(&[&utf8], true));
    }

    #[test]
    fn names_are_words() {
        for (said, expected) in [
            ("[192.0.2.7]", "[192.0.2.7]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[a", "?a"),
            ("a]", "a?"),
            ("[a[b]", "?a?b?"),
            ("(a", "?a"),
            ("a;b", "a?b"),
            ("<a@b>", "?a?b?"),
            ("a\r\nX-Injected: b", "a??X-Injected??b"),
            ("j\u{f6}rg", "j?rg"),
            ("", "?"),
        ] {
            let hello = hello(ClientProtocol::Esmtp, said);
            let text = written(&Received { hello: Some(&hello), ..RECEIVED });
            assert!(text.starts_with(&format!("Received: from {expected} ([")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_always_one_field(said in any::<String>(), cipher in any::<String>(), id in any::<String>(), seconds: u64) {
            let hello = hello(ClientProtocol::Esmtp, &said);
            let text = written(&Received {
                hello: Some(&hello), cipher: Some(&cipher), id: &id, at: UnixTime(seconds), ..RECEIVED
            });
            prop_assert!(text.is_ascii());
            prop_assert!(text.ends_with(" +0000\r\n"));
            let lines: Vec<&str> = text.split_terminator("\r\n").collect();
            prop_assert_eq!(lines.len(), 3);
            prop_assert!(lines[1..].iter().all(|line| line.starts_with('\t')));
            prop_assert!(lines.iter().all(|line| line.len() < 998 && !line[1..].contains(['\r', '\n', '\t', '(', ')']) || line.starts_with("Received")));
        }
    }
}
