use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use waypost_model::{Domain, Host};

use crate::networks::{Network, NetworkError};

/// Which targets an entry of the back-end table is for: the `PATTERN` of `[backend."PATTERN"]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `*`: every target that no other pattern matches.
    Any,
    /// `*.example.test`: every name below, however deep, but not the name itself.
    Suffix(Domain),
    /// `10.0.0.0/8`: every target that is named by an address of the network.
    Network(Network),
    /// `mail.example.test` or `10.0.0.1`: this one.
    Exact(Host),
}

/// Why some text is no pattern.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    /// None of the forms.
    #[error(
        "this is no pattern: write *, a host name, *.example.test, an address or a network such \
         as 10.0.0.0/8"
    )]
    Form,
    /// Nearly a network.
    #[error("{0}")]
    Network(#[from] NetworkError),
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            return Domain::new(suffix).map(Self::Suffix).map_err(|_| PatternError::Form);
        }
        if text.contains('/') {
            let network: Network = text.parse()?;
            // One address is one pattern, however it is written.
            if network.is_single() {
                return Ok(Self::Exact(Host::Address(network.address())));
            }
            return Ok(Self::Network(network));
        }
        text.parse().map(Self::Exact).map_err(|_| PatternError::Form)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Suffix(domain) => write!(f, "*.{domain}"),
            Self::Network(network) => network.fmt(f),
            Self::Exact(host) => host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn every_form_is_read_and_written_again() {
        for text in ["*", "*.example.test", "mail.example.test", "10.0.0.0/8", "10.0.0.1", "::1"] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
        assert_eq!("10.0.0.1/32".parse::<Pattern>(), "10.0.0.1".parse());
        assert_eq!("[::1]".parse::<Pattern>().unwrap().to_string(), "::1");
        assert_eq!("*.Example.TEST".parse::<Pattern>().unwrap().to_string(), "*.example.test");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "**", "*.", "*example.test", "a.*", "mail:143", "10.0.0.1/8", "a/8", "1"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
        let error = "10.0.0.1/8".parse::<Pattern>().unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
    }
}
