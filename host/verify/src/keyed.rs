use aws_lc_rs::hmac;

/// A key of this process, under which passwords are recognised without being kept.
pub(crate) struct Keyed(hmac::Key);

/// What stands for a password, or for stored values, under the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Print([u8; 32]);

impl Print {
    pub(crate) const fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Keyed {
    /// A new key, which nobody learns and which ends with the process.
    pub(crate) fn new() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>()))
    }

    /// The print of all of these parts, in this order. Their lengths count, so that two lists never
    /// look alike because one part ends where the next begins.
    pub(crate) fn print<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Print {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut print = [0; 32];
        let tag = context.sign();
        print.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Print(print)
    }
}

#[cfg(test)]
mod tests {
    use super::Keyed;

    #[test]
    fn prints_differ_by_part_and_by_key() {
        let (one, other) = (Keyed::new(), Keyed::new());
        let print = |keyed: &Keyed, parts: &[&str]| keyed.print(parts.iter().map(|p| p.as_bytes()));
        assert!(print(&one, &["a", "b"]) == print(&one, &["a", "b"]));
        assert!(print(&one, &["a", "b"]) != print(&one, &["ab", ""]));
        assert!(print(&one, &["a"]) != print(&other, &["a"]));
    }
}
