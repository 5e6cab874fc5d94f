use waypost_sdk::{Delimiter, Subject};

/// The longest address, in octets.
const MOST_OCTETS: usize = 512;

/// A routing address as the directory has it: `user@domain`, or `@domain` for whoever is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoutingAddress(Subject);

impl RoutingAddress {
    /// Reads an address; `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (local_part, domain) = text.trim().rsplit_once('@')?;
        let is_label = |label: &str| {
            let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.is_empty() && label.bytes().all(inside)
        };
        let is_good = text.len() <= MOST_OCTETS
            && !local_part.contains(char::is_control)
            && domain.split('.').all(is_label);
        let domain = domain.to_ascii_lowercase();
        is_good.then(|| Self(Subject { local_part: local_part.into(), domain }))
    }

    /// The address that `from` is led to. `tag` goes on behind the user.
    pub(crate) fn of(&self, from: &Subject, tag: &str) -> Subject {
        let Subject { local_part, domain } = &self.0;
        let local_part = if local_part.is_empty() {
            from.local_part.clone()
        } else {
            format!("{local_part}{tag}")
        };
        Subject { local_part, domain: domain.clone() }
    }
}

/// Whether two addresses are one mailbox. Case does not matter; a tag does.
pub(crate) fn is_same(a: &Subject, b: &Subject) -> bool {
    a.local_part.eq_ignore_ascii_case(&b.local_part) && a.domain.eq_ignore_ascii_case(&b.domain)
}

/// The names under which a subject is looked up, in order, each with the tag that it leaves out.
pub(crate) fn names(
    subject: &Subject,
    delimiter: Delimiter,
    by_domain: bool,
) -> Vec<(Subject, &str)> {
    let named = |local_part: &str| Subject {
        local_part: local_part.into(),
        domain: subject.domain.clone(),
    };
    let split = delimiter.split(&subject.local_part);
    let mut names = vec![(subject.clone(), "")];
    names.extend(split.map(|(user, tag)| (named(user), tag)));
    if by_domain {
        names.push((named(""), split.map_or("", |(_, tag)| tag)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::RoutingAddress;

    #[test]
    fn what_is_an_address() {
        for good in ["a@b", "a@b.test", "@b.test", "a@x@b.test", " a@B.test ", "\"a b\"@b.test"] {
            assert!(RoutingAddress::parse(good).is_some(), "{good}");
        }
        let long = format!("{}@b.test", "a".repeat(506));
        for bad in ["", "a", "a@", "@", "a@b..test", "a@.b", "a@b c", "a\n@b", "a@bü", &long] {
            assert_eq!(RoutingAddress::parse(bad), None, "{bad}");
        }
    }
}
