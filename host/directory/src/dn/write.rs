//! From components to text, in ASCII.

use std::fmt::{self, Display, Formatter};

use super::{Ava, AvaValue, Dn};

impl Display for Dn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, rdn) in self.rdns.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            for (index, ava) in rdn.0.iter().enumerate() {
                if index > 0 {
                    f.write_str("+")?;
                }
                ava.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl Display for Ava {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.attribute.spelt())?;
        match &self.value {
            AvaValue::Text(value) => write_text(f, value),
            AvaValue::Ber(value) => {
                f.write_str("#")?;
                value.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }
    }
}

/// Writes a value with everything escaped that is special in a name (RFC 4514 section 2.4) or in a
/// query's template, or is not printable ASCII.
fn write_text(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    let last = value.len().saturating_sub(1);
    for (index, b) in value.iter().enumerate() {
        match b {
            b'"' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\' | b'{' | b'}' => {
                write!(f, "\\{b:02x}")?;
            }
            b'#' | b' ' if index == 0 => write!(f, "\\{b:02x}")?,
            b' ' if index == last => write!(f, "\\{b:02x}")?,
            b' '..=b'~' => write!(f, "{}", char::from(*b))?,
            _ => write!(f, "\\{b:02x}")?,
        }
    }
    Ok(())
}
