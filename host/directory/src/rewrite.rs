//! The same names and queries with other values in them: for recordings that name nobody.

use crate::dn::{Ava, AvaValue, Rdn};
use crate::filter::{Extensible, Filter, Test};
use crate::query::Bindings;
use crate::{Dn, Entry, Exchange, Page};

/// What puts a value in the place of another.
pub type Rewrite<'a> = dyn FnMut(&[u8]) -> Vec<u8> + 'a;

impl Dn {
    /// This name with `rewrite` of each value that is written as text.
    #[must_use]
    pub fn rewritten(&self, rewrite: &mut Rewrite<'_>) -> Self {
        let mut ava = |ava: &Ava| Ava {
            attribute: ava.attribute.clone(),
            value: match &ava.value {
                AvaValue::Text(text) => AvaValue::Text(rewrite(text)),
                // BER is a form and not a text: none of it can be left.
                AvaValue::Ber(ber) => AvaValue::Text(rewrite(ber)),
            },
        };
        let rdns = self.rdns().iter().map(|rdn| Rdn(rdn.0.iter().map(&mut ava).collect()));
        Self::new(rdns.collect())
    }
}

impl Exchange {
    /// This search with `rewrite` of each value in its base, its filter and its answer. Names of
    /// attributes stay. `None` for a search that was never bound and cannot be read.
    #[must_use]
    pub fn rewritten(&self, rewrite: &mut Rewrite<'_>) -> Option<Self> {
        let filter = Filter::bind(&self.filter, &mut Bindings::new(&[])).ok()?;
        Some(Self {
            base: Dn::parse(&self.base).ok()?.rewritten(rewrite).to_string(),
            scope: self.scope,
            filter: filter.rewritten(rewrite).to_string(),
            attributes: self.attributes.clone(),
            size_limit: self.size_limit,
            answer: match &self.answer {
                Ok(page) => Ok(page.rewritten(rewrite)),
                Err(error) => Err(error.clone()),
            },
        })
    }
}

impl Page {
    fn rewritten(&self, rewrite: &mut Rewrite<'_>) -> Self {
        let entries = self.entries.iter().map(|entry| entry.rewritten(rewrite)).collect();
        Self { entries, complete: self.complete }
    }
}

impl Entry {
    fn rewritten(&self, rewrite: &mut Rewrite<'_>) -> Self {
        let mut attribute = |(name, values): &(String, Vec<Vec<u8>>)| {
            (name.clone(), values.iter().map(|value| rewrite(value)).collect())
        };
        let attributes = self.attributes.iter().map(&mut attribute).collect();
        Self { dn: rewritten_dn(&self.dn, rewrite), attributes }
    }
}

/// A name as a directory or a plugin writes it, with `rewrite` of each value in it; of the whole
/// where it is no name.
pub fn rewritten_dn(dn: &str, rewrite: &mut Rewrite<'_>) -> String {
    match Dn::parse(dn) {
        Ok(dn) => dn.rewritten(rewrite).to_string(),
        Err(_) => String::from_utf8_lossy(&rewrite(dn.as_bytes())).into_owned(),
    }
}

impl Filter {
    fn rewritten(&self, rewrite: &mut Rewrite<'_>) -> Self {
        match self {
            Self::And(filters) => Self::And(all(filters, rewrite)),
            Self::Or(filters) => Self::Or(all(filters, rewrite)),
            Self::Not(filter) => Self::Not(Box::new(filter.rewritten(rewrite))),
            Self::Item(attribute, test) => Self::Item(attribute.clone(), test.rewritten(rewrite)),
            Self::Extensible(extensible) => Self::Extensible(Extensible {
                value: rewrite(&extensible.value),
                ..extensible.clone()
            }),
        }
    }
}

fn all(filters: &[Filter], rewrite: &mut Rewrite<'_>) -> Vec<Filter> {
    filters.iter().map(|filter| filter.rewritten(rewrite)).collect()
}

impl Test {
    fn rewritten(&self, rewrite: &mut Rewrite<'_>) -> Self {
        match self {
            Self::Present => Self::Present,
            Self::Equal(value) => Self::Equal(rewrite(value)),
            Self::Substrings { initial, any, last } => Self::Substrings {
                initial: rewrite(initial),
                any: any.iter().map(|part| rewrite(part)).collect(),
                last: rewrite(last),
            },
            Self::AtLeast(value) => Self::AtLeast(rewrite(value)),
            Self::AtMost(value) => Self::AtMost(rewrite(value)),
            Self::Approximate(value) => Self::Approximate(rewrite(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rewritten_dn;
    use crate::{Entry, Exchange, Page, Scope, SearchError};

    /// Letters and digits become `x`; what parts them stays.
    fn cover(value: &[u8]) -> Vec<u8> {
        value.iter().map(|b| if b.is_ascii_alphanumeric() { b'x' } else { *b }).collect()
    }

    fn exchange(filter: &str) -> Exchange {
        Exchange {
            base: "ou=a\\2cb+l=c,dc=test".into(),
            scope: Scope::Subtree,
            filter: filter.into(),
            attributes: vec!["mail".into()],
            size_limit: 2,
            answer: Ok(Page {
                entries: vec![Entry {
                    dn: "uid=user1,dc=test".into(),
                    attributes: vec![("mail".into(), vec![b"a@b.test".to_vec(), vec![0xff]])],
                }],
                complete: false,
            }),
        }
    }

    #[test]
    fn values_are_rewritten_and_nothing_else() {
        let filter = "(&(mail=ab@c)(!(|(uid>=1)(uid<=2)(uid~=3)))(cn=a*b*c)(sn=*)(cn:dn:x:=y))";
        let rewritten = exchange(filter).rewritten(&mut cover).unwrap();
        assert_eq!(rewritten.base, "ou=x\\2cx+l=x,dc=xxxx");
        assert_eq!(
            rewritten.filter,
            "(&(mail=xx@x)(!(|(uid>=x)(uid<=x)(uid~=x)))(cn=x*x*x)(sn=*)(cn:dn:x:=x))"
        );
        let page = rewritten.answer.unwrap();
        assert!(!page.complete);
        assert_eq!(page.entries[0].dn, "uid=xxxxx,dc=xxxx");
        let values = vec![b"x@x.xxxx".to_vec(), vec![0xff]];
        assert_eq!(page.entries[0].attributes, [("mail".to_owned(), values)]);
    }

    #[test]
    fn escapes_are_undone_before_and_made_anew_after() {
        let mut star = |value: &[u8]| {
            assert!(value == b"a*(b" || value == b"a,b" || !value.contains(&b'\\'), "{value:?}");
            b"*)".to_vec()
        };
        let rewritten = exchange("(cn=a\\2a\\28b)").rewritten(&mut star).unwrap();
        assert_eq!(rewritten.filter, "(cn=\\2a\\29)");
        assert_eq!(rewritten_dn("no name", &mut |value| value.to_vec()), "no name");
    }

    #[test]
    fn errors_stay_and_what_cannot_be_read_is_left_out() {
        let timeout = Exchange { answer: Err(SearchError::Timeout), ..exchange("(a=b)") };
        let rewritten = timeout.rewritten(&mut cover).unwrap();
        assert_eq!(
            (rewritten.filter.as_str(), rewritten.answer),
            ("(a=x)", Err(SearchError::Timeout))
        );
        assert!(exchange("(a=b").rewritten(&mut cover).is_none());
        assert!(exchange("(a={0})").rewritten(&mut cover).is_none());
    }
}
