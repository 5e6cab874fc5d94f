//! How many further proxies a session may pass, so that none runs in a circle: Dovecot's
//! `x-proxy-ttl` in IMAP's ID, and TTL in XCLIENT.

/// What the proxies in front of a session have said of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ttl(Option<u8>);

impl Ttl {
    /// How many further proxies a session may pass of which nobody has said anything.
    const MOST: u8 = 7;

    /// What the next proxy is told, one less than was said here; `None`: the session has passed as
    /// many as it may, and must go no further.
    pub fn next(self) -> Option<u8> {
        match self.0 {
            None => Some(Self::MOST),
            Some(said) => said.checked_sub(1).map(|next| next.min(Self::MOST)),
        }
    }

    /// Whether a proxy in front has said anything.
    pub fn is_said(self) -> bool {
        self.0.is_some()
    }

    /// Takes a client's word. Whoever says it can only lower what was said before, and so nobody need
    /// be trusted for it. What is no number is nothing.
    pub(crate) fn hear(&mut self, value: &[u8]) {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return;
        }
        let digit = |number: u8, digit: &u8| {
            number.saturating_mul(10).saturating_add(digit.saturating_sub(b'0'))
        };
        let said = value.iter().fold(0, digit);
        self.0 = Some(self.0.map_or(said, |before| before.min(said)));
    }

    /// Takes the arguments of XCLIENT, of which nothing else is of use here: who the client is, a
    /// PROXY header says.
    pub(crate) fn hear_xclient(&mut self, arguments: &[u8]) {
        for attribute in arguments.split(|&octet| octet == b' ') {
            if let Some((name, value)) = attribute.split_at_checked(b"TTL=".len())
                && name.eq_ignore_ascii_case(b"TTL=")
            {
                self.hear(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ttl;

    fn heard(values: &[&str]) -> Ttl {
        let mut ttl = Ttl::default();
        values.iter().for_each(|value| ttl.hear(value.as_bytes()));
        ttl
    }

    #[test]
    fn each_proxy_takes_one() {
        assert_eq!(Ttl::default().next(), Some(7));
        assert_eq!(heard(&["5"]).next(), Some(4));
        assert_eq!(heard(&["1"]).next(), Some(0));
        assert_eq!(heard(&["0"]).next(), None);
    }

    #[test]
    fn a_word_can_only_lower_it() {
        assert_eq!(heard(&["250"]).next(), Some(7));
        assert_eq!(heard(&["99999999999999999999999"]).next(), Some(7));
        assert_eq!(heard(&["3", "200"]).next(), Some(2));
        assert_eq!(heard(&["200", "3"]).next(), Some(2));
        assert_eq!(heard(&["0", "7"]).next(), None);
    }

    #[test]
    fn what_is_no_number_is_nothing() {
        for value in ["", "-1", "+1", "1.5", " 1", "0x1", "one", "\u{661}"] {
            assert!(!heard(&[value]).is_said(), "{value:?}");
        }
    }

    #[test]
    fn of_xclient_nothing_else_is_taken() {
        let mut ttl = Ttl::default();
        ttl.hear_xclient(b"ADDR=192.0.2.1 PORT=25 XTTL=1 TTL SESSION=TTL=1");
        assert!(!ttl.is_said());
        ttl.hear_xclient(b"ADDR=192.0.2.1 ttl=4 PORT=25");
        assert_eq!(ttl.next(), Some(3));
    }
}
