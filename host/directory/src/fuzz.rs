//! Plain functions for fuzz targets, one for each parser: none panics, whatever the octets, and
//! each checks what its parser promises. Ordinary tests replay seeds through them.

use std::sync::Arc;

use crate::filter::Filter;
use crate::ldap;
use crate::query::{Bindings, Problem};
use crate::{Dn, LdifDirectory, LdifSettings, LdifSource, Metrics};

/// A template, a zero octet, and the parameters for it, each ended by a zero octet.
fn template(data: &[u8]) -> Option<(&str, Vec<Vec<u8>>)> {
    let mut parts = data.split(|b| *b == 0);
    let text = std::str::from_utf8(parts.next()?).ok()?;
    Some((text, parts.map(<[u8]>::to_vec).collect()))
}

/// Binds a filter. What is written reads back as the same filter, and no parameter changes its
/// shape: with each replaced by another, the filter has as many characters that are structure.
pub fn filter(data: &[u8]) {
    let Some((text, parameters)) = template(data) else { return };
    let Ok(bound) = Filter::bind(text, &mut Bindings::new(&parameters)) else { return };
    let written = bound.to_string();
    assert!(written.is_ascii());
    assert_same(&bound, &written);
    let others = vec![b"x".to_vec(); parameters.len()];
    let other = Filter::bind(text, &mut Bindings::new(&others)).map(|filter| filter.to_string());
    let structure = |text: &str| text.bytes().filter(|b| b"()*".contains(b)).count();
    assert_eq!(other.map(|other| structure(&other)), Ok(structure(&written)));
}

fn assert_same(bound: &Filter, written: &str) {
    match Filter::bind(written, &mut Bindings::new(&[])) {
        Ok(again) => assert_eq!(&again, bound),
        // Escaping makes a text longer.
        Err(misfit) => assert!(matches!(misfit.problem, Problem::TooLong(_)), "{misfit:?}"),
    }
}

/// Parses a name, as one and as a base. What is written reads back as the same name.
pub fn dn(data: &[u8]) {
    let Some((text, parameters)) = template(data) else { return };
    let bound = Dn::bind(text, &mut Bindings::new(&parameters)).ok();
    for dn in [Dn::parse(text).ok(), bound].into_iter().flatten() {
        let written = dn.to_string();
        assert!(written.is_ascii());
        match Dn::parse(&written) {
            Ok(again) => {
                assert_eq!(again, dn);
                assert_eq!(again.to_string(), written);
                assert!(dn.is_at_or_below(&again));
            }
            Err(error) => assert!(matches!(error.problem, Problem::TooLong(_)), "{error}"),
        }
    }
}

/// Loads a directory.
pub fn ldif(data: &[u8]) {
    let settings = LdifSettings::new("fuzz", LdifSource::Content(Arc::from(data)));
    if let Ok(directory) = LdifDirectory::load(settings, &Metrics::default()) {
        let text = directory.base_text();
        assert!(Dn::parse(text).is_ok_and(|base| base == *directory.base()), "{text:?}");
    }
}

/// Looks at what a server may have said.
pub fn server_message(data: &[u8]) {
    ldap::fuzz_message(data);
}
