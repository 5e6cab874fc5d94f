//! From tree to text, in ASCII: every octet of a value that could mean something is escaped.

use std::fmt::{self, Display, Formatter};

use super::{Extensible, Filter, Test};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let list = |f: &mut Formatter<'_>, sign: &str, filters: &[Self]| {
            f.write_str(sign)?;
            filters.iter().try_for_each(|filter| filter.fmt(f))
        };
        f.write_str("(")?;
        match self {
            Self::And(filters) => list(f, "&", filters)?,
            Self::Or(filters) => list(f, "|", filters)?,
            Self::Not(filter) => write!(f, "!{filter}")?,
            Self::Item(attribute, test) => write!(f, "{}{test}", attribute.spelt())?,
            Self::Extensible(extensible) => extensible.fmt(f)?,
        }
        f.write_str(")")
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_str("=*"),
            Self::Equal(value) => write!(f, "={}", Escaped(value)),
            Self::Substrings { initial, any, last } => {
                write!(f, "={}*", Escaped(initial))?;
                any.iter().try_for_each(|part| write!(f, "{}*", Escaped(part)))?;
                Escaped(last).fmt(f)
            }
            Self::AtLeast(value) => write!(f, ">={}", Escaped(value)),
            Self::AtMost(value) => write!(f, "<={}", Escaped(value)),
            Self::Approximate(value) => write!(f, "~={}", Escaped(value)),
        }
    }
}

impl Display for Extensible {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(attribute) = &self.attribute {
            f.write_str(attribute.spelt())?;
        }
        if self.dn {
            f.write_str(":dn")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, ":{rule}")?;
        }
        write!(f, ":={}", Escaped(&self.value))
    }
}

/// A value with everything escaped that is special in a filter or in a query's template, or is not
/// printable ASCII.
struct Escaped<'a>(&'a [u8]);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for b in self.0 {
            match b {
                b'(' | b')' | b'*' | b'\\' | b'{' | b'}' => write!(f, "\\{b:02x}")?,
                b' '..=b'~' => write!(f, "{}", char::from(*b))?,
                _ => write!(f, "\\{b:02x}")?,
            }
        }
        Ok(())
    }
}
