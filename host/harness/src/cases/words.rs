//! What stands for a value in a file of cases.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use waypost_directory::SearchError;
use waypost_model::{Domain, Encryption, Principal, Target, Verification};

/// What of a type may be written in its place beside a table. Each method says no by default.
pub(super) trait Shorthand: Sized {
    /// What is expected, to follow that word.
    const EXPECTED: &'static str;

    fn text(_text: &str) -> Result<Self, String> {
        Err(format!("expected {}", Self::EXPECTED))
    }

    fn number(_number: u64) -> Option<Self> {
        None
    }

    fn flag(_flag: bool) -> Option<Self> {
        None
    }

    fn list<'de, L: SeqAccess<'de>>(_list: L) -> Option<Result<Self, L::Error>> {
        None
    }

    fn table<'de, T: MapAccess<'de>>(_table: T) -> Option<Result<Self, T::Error>> {
        None
    }
}

/// Reads a value with its [`Shorthand`].
pub(super) fn shorthand<'de, T: Shorthand, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    struct Reader<T>(PhantomData<T>);

    impl<'de, T: Shorthand> Visitor<'de> for Reader<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::EXPECTED)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            T::text(text).map_err(E::custom)
        }

        fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
            let wrong = || E::custom(format!("expected {}, found {flag}", T::EXPECTED));
            T::flag(flag).ok_or_else(wrong)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            let wrong = || E::custom(format!("expected {}, found {number}", T::EXPECTED));
            u64::try_from(number).ok().and_then(T::number).ok_or_else(wrong)
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
            let wrong = || E::custom(format!("expected {}, found {number}", T::EXPECTED));
            T::number(number).ok_or_else(wrong)
        }

        fn visit_seq<L: SeqAccess<'de>>(self, list: L) -> Result<T, L::Error> {
            let wrong = || Err(L::Error::custom(format!("expected {}, found a list", T::EXPECTED)));
            T::list(list).unwrap_or_else(wrong)
        }

        fn visit_map<M: MapAccess<'de>>(self, table: M) -> Result<T, M::Error> {
            let wrong =
                || Err(M::Error::custom(format!("expected {}, found a table", T::EXPECTED)));
            T::table(table).unwrap_or_else(wrong)
        }
    }

    from.deserialize_any(Reader(PhantomData))
}

/// Implements `Deserialize` by way of [`Shorthand`].
macro_rules! by_shorthand {
    ($($type:ty),+ $(,)?) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                shorthand(from)
            }
        }
    )+};
}

by_shorthand!(
    Period,
    Octets,
    Placed,
    Kept<Period>,
    Kept<Arc<str>>,
    Checked,
    Broken,
    Searches,
    Value
);

/// A duration with its unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period(pub(super) Duration);

impl Shorthand for Period {
    const EXPECTED: &'static str =
        "a duration such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"7d\"";

    fn text(text: &str) -> Result<Self, String> {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let milliseconds = quantity(text, &units);
        let period = milliseconds.map(|milliseconds| Self(Duration::from_millis(milliseconds)));
        period.ok_or_else(|| format!("expected {}, found {text:?}", Self::EXPECTED))
    }
}

/// An amount of memory or data with its unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octets(pub(super) usize);

impl Shorthand for Octets {
    const EXPECTED: &'static str = "a size such as \"512KiB\", \"64MiB\" or \"2GiB\"";

    fn text(text: &str) -> Result<Self, String> {
        let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let octets = quantity(text, &units).and_then(|octets| usize::try_from(octets).ok());
        octets.map(Self).ok_or_else(|| format!("expected {}, found {text:?}", Self::EXPECTED))
    }
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*size)
}

/// A target: as a string its host and port, as a table everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed(pub(super) Target);

impl Shorthand for Placed {
    const EXPECTED: &'static str =
        "a target: \"HOST\", \"HOST:PORT\" or { host, port, tls, tls-name }";

    fn text(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address without brackets has colons, and no port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let wrong = || format!("expected {}, found {text:?}", Self::EXPECTED);
        let port = port.map(|port| port.parse::<NonZeroU16>().map_err(|_| wrong())).transpose()?;
        let host = host.parse().map_err(|_| wrong())?;
        Ok(Self(Target { host, port, encryption: None, tls_name: None }))
    }

    fn table<'de, T: MapAccess<'de>>(table: T) -> Option<Result<Self, T::Error>> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct Table {
            host: String,
            port: Option<NonZeroU16>,
            tls: Option<Tls>,
            tls_name: Option<String>,
        }
        let read = || {
            let Table { host, port, tls, tls_name } =
                Deserialize::deserialize(MapAccessDeserializer::new(table))?;
            let wrong = |name: &str| T::Error::custom(format!("{name:?} names no host"));
            let tls_name =
                tls_name.map(|name| Domain::new(&name).map_err(|_| wrong(&name))).transpose()?;
            let encryption = tls.map(Tls::encryption);
            let host = host.parse().map_err(|_| wrong(&host))?;
            Ok(Self(Target { host, port, encryption, tls_name }))
        };
        Some(read())
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tls {
    None,
    Starttls,
    Implicit,
}

impl Tls {
    fn encryption(self) -> Encryption {
        match self {
            Self::None => Encryption::None,
            Self::Starttls => Encryption::Starttls,
            Self::Implicit => Encryption::Implicit,
        }
    }
}

/// Something that an answer may leave as it is, which is written `false`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept<T>(pub(super) Option<T>);

impl Shorthand for Kept<Period> {
    const EXPECTED: &'static str = "a duration such as \"1h\", or false for the operator's time";

    fn text(text: &str) -> Result<Self, String> {
        Period::text(text).map(|period| Self(Some(period)))
    }

    fn flag(flag: bool) -> Option<Self> {
        (!flag).then_some(Self(None))
    }
}

impl Shorthand for Kept<Arc<str>> {
    const EXPECTED: &'static str = "a name, or false for the client's own";

    fn text(text: &str) -> Result<Self, String> {
        Ok(Self(Some(text.into())))
    }

    fn flag(flag: bool) -> Option<Self> {
        (!flag).then_some(Self(None))
    }
}

/// How the password is to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked(pub(super) Verification);

impl Shorthand for Checked {
    const EXPECTED: &'static str = "\"by-backend\", { by-bind = { directory, dn } } or \
                                    { by-password = { directory, dn } }";

    fn text(text: &str) -> Result<Self, String> {
        match text {
            "by-backend" => Ok(Self(Verification::ByBackend)),
            _ => Err(format!("expected {}, found {text:?}", Self::EXPECTED)),
        }
    }

    fn table<'de, T: MapAccess<'de>>(table: T) -> Option<Result<Self, T::Error>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Table {
            ByBind(Entry),
            ByPassword(Entry),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            directory: String,
            dn: String,
        }
        let principal = |Entry { directory, dn }: Entry| Principal {
            directory: directory.into(),
            dn: dn.into(),
        };
        let read = Table::deserialize(MapAccessDeserializer::new(table));
        Some(read.map(|table| match table {
            Table::ByBind(entry) => Self(Verification::ByBind(principal(entry))),
            Table::ByPassword(entry) => Self(Verification::ByPassword(principal(entry))),
        }))
    }
}

/// An error that a directory ends a search in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) SearchError);

impl Shorthand for Broken {
    const EXPECTED: &'static str = "\"unavailable\", \"timeout\", \"too-large\", \
                                    { other = \"WORDS\" } or { bad-request = \"WORDS\" }";

    fn text(text: &str) -> Result<Self, String> {
        Ok(Self(match text {
            "unavailable" => SearchError::Unavailable("as the case wants it".into()),
            "timeout" => SearchError::Timeout,
            "too-large" => SearchError::TooLarge,
            _ => return Err(format!("expected {}, found {text:?}", Self::EXPECTED)),
        }))
    }

    fn table<'de, T: MapAccess<'de>>(table: T) -> Option<Result<Self, T::Error>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Table {
            Other(String),
            BadRequest(String),
        }
        let read = Table::deserialize(MapAccessDeserializer::new(table));
        Some(read.map(|table| match table {
            Table::Other(words) => Self(SearchError::Other(words)),
            Table::BadRequest(words) => Self(SearchError::BadRequest(words)),
        }))
    }
}

/// The searches that a decision must make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Searches {
    /// So many.
    Count(u64),
    /// These, in this order.
    These(Vec<String>),
}

impl Shorthand for Searches {
    const EXPECTED: &'static str =
        "a number, or a list of searches, each \"DIRECTORY BASE FILTER\"";

    fn number(number: u64) -> Option<Self> {
        Some(Self::Count(number))
    }

    fn list<'de, L: SeqAccess<'de>>(list: L) -> Option<Result<Self, L::Error>> {
        Some(Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self::These))
    }
}

/// A value of an attribute: text, or any octets in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(pub(super) Vec<u8>);

impl Shorthand for Value {
    const EXPECTED: &'static str = "a string, or { base64 = \"…\" } for octets that are no text";

    fn text(text: &str) -> Result<Self, String> {
        Ok(Self(text.into()))
    }

    fn table<'de, T: MapAccess<'de>>(table: T) -> Option<Result<Self, T::Error>> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            base64: String,
        }
        let read = || {
            let Table { base64 } = Table::deserialize(MapAccessDeserializer::new(table))?;
            let octets = STANDARD.decode(&base64);
            octets.map(Self).map_err(|_| T::Error::custom("this is no base64 (RFC 4648 section 4)"))
        };
        Some(read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Of<T> {
        v: T,
    }

    fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
        let read = toml::from_str::<Of<T>>(&format!("v = {text}"));
        read.map(|of| of.v).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn quantities_need_units() {
        assert_eq!(read::<Period>("\"1500ms\"").unwrap().0, Duration::from_millis(1500));
        assert_eq!(read::<Period>("\"2h\"").unwrap().0, Duration::from_secs(7200));
        assert_eq!(read::<Octets>("\"64MiB\"").unwrap().0, 64 << 20);
        for wrong in ["\"5\"", "5", "\"s\"", "\"1w\"", "true", "\"99999999999999999999s\""] {
            let said = read::<Period>(wrong).unwrap_err();
            assert!(said.contains("a duration such as"), "{wrong}: {said}");
        }
        assert!(read::<Octets>("\"99999999999GiB\"").is_err());
    }

    #[test]
    fn targets_are_written_short_or_in_full() {
        for (text, host, port) in [
            ("\"10.0.0.1\"", "10.0.0.1", None),
            ("\"10.0.0.1:143\"", "10.0.0.1", NonZeroU16::new(143)),
            ("\"a.example.test:143\"", "a.example.test", NonZeroU16::new(143)),
            ("\"2001:db8::1\"", "2001:db8::1", None),
            ("\"[2001:db8::1]\"", "2001:db8::1", None),
            ("\"[2001:db8::1]:993\"", "2001:db8::1", NonZeroU16::new(993)),
        ] {
            let Placed(target) = read(text).unwrap();
            assert_eq!((target.host, target.port), (host.parse().unwrap(), port), "{text}");
            assert_eq!((target.encryption, target.tls_name), (None, None));
        }
        let Placed(full) = read(
            "{ host = \"a.example.test\", port = 993, tls = \"implicit\", tls-name = \"b.test\" }",
        )
        .unwrap();
        assert_eq!(full.encryption, Some(Encryption::Implicit));
        assert_eq!(full.tls_name, Some(Domain::new("b.test").unwrap()));
        for wrong in ["\"\"", "\"a b\"", "\"a:0\"", "\"a:port\"", "7", "{ host = \"a\", prot = 1 }"]
        {
            assert!(read::<Placed>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_stays_is_false() {
        assert_eq!(read::<Kept<Arc<str>>>("false").unwrap().0, None);
        assert_eq!(read::<Kept<Arc<str>>>("\"a\"").unwrap().0.as_deref(), Some("a"));
        assert_eq!(read::<Kept<Period>>("\"1h\"").unwrap().0.unwrap().0.as_secs(), 3600);
        assert!(read::<Kept<Period>>("true").unwrap_err().contains("found true"));
    }

    #[test]
    fn errors_verifications_and_values() {
        assert_eq!(read::<Broken>("\"timeout\"").unwrap().0, SearchError::Timeout);
        let other = read::<Broken>("{ other = \"busy\" }").unwrap().0;
        assert_eq!(other, SearchError::Other("busy".into()));
        assert!(read::<Broken>("\"gone\"").unwrap_err().contains("\"unavailable\""));
        let bind = read::<Checked>("{ by-bind = { directory = \"main\", dn = \"uid=a\" } }");
        let principal = Principal { directory: "main".into(), dn: "uid=a".into() };
        assert_eq!(bind.unwrap().0, Verification::ByBind(principal));
        assert_eq!(read::<Value>("{ base64 = \"/wA=\" }").unwrap().0, [0xff, 0]);
        assert!(read::<Value>("{ base64 = \"!\" }").is_err());
        assert_eq!(read::<Searches>("2").unwrap(), Searches::Count(2));
        assert!(read::<Searches>("-1").unwrap_err().contains("found -1"));
    }
}
