//! From text to components. The grammar is RFC 4514 section 3, with the spaces around `,`, `+` and
//! `=` that RFC 2253 section 4 asks to accept.

use super::{Ava, AvaValue, Dn, DnError, MAX_COMPONENTS, Rdn};
use crate::attribute::AttributeName;
use crate::query::{Bindings, MAX_TEXT, Misfit, Problem};

impl Dn {
    /// Parses a name as a directory or an operator writes it.
    ///
    /// # Errors
    /// What is wrong, and at which octet.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        Ok(Parser::new(text, None)?.dn()?)
    }

    /// Parses a query's base and puts the parameters in place of its placeholders.
    pub(crate) fn bind(text: &str, bindings: &mut Bindings<'_>) -> Result<Self, Misfit> {
        Parser::new(text, Some(bindings))?.dn()
    }
}

struct Parser<'a, 'b, 'p> {
    text: &'a str,
    position: usize,
    components: usize,
    /// Without bindings a brace stands for itself.
    bindings: Option<&'b mut Bindings<'p>>,
}

impl<'a, 'b, 'p> Parser<'a, 'b, 'p> {
    fn new(text: &'a str, bindings: Option<&'b mut Bindings<'p>>) -> Result<Self, Misfit> {
        if text.len() > MAX_TEXT {
            return Err(Misfit::new(MAX_TEXT, Problem::TooLong(MAX_TEXT)));
        }
        Ok(Self { text, position: 0, components: 0, bindings })
    }

    fn dn(mut self) -> Result<Dn, Misfit> {
        let mut rdns = Vec::with_capacity(4);
        self.skip_spaces();
        if self.peek().is_none() {
            return Ok(Dn::new(rdns));
        }
        loop {
            rdns.push(self.rdn()?);
            match self.peek() {
                None => return Ok(Dn::new(rdns)),
                Some(b',') => self.position += 1,
                Some(_) => return Err(self.misfit(Problem::Trailing)),
            }
        }
    }

    fn rdn(&mut self) -> Result<Rdn, Misfit> {
        let mut avas = Vec::with_capacity(1);
        loop {
            self.components += 1;
            if self.components > MAX_COMPONENTS {
                return Err(self.misfit(Problem::TooMany(MAX_COMPONENTS)));
            }
            avas.push(self.ava()?);
            match self.peek() {
                Some(b'+') => self.position += 1,
                _ => return Ok(Rdn(avas)),
            }
        }
    }

    fn ava(&mut self) -> Result<Ava, Misfit> {
        self.skip_spaces();
        let attribute = self.attribute()?;
        self.skip_spaces();
        if self.peek() != Some(b'=') {
            return Err(self.misfit(Problem::Equals));
        }
        self.position += 1;
        self.skip_spaces();
        let start = self.position;
        let value = match self.peek() {
            Some(b'#') => AvaValue::Ber(self.hexadecimal()?),
            _ => AvaValue::Text(self.string()?),
        };
        let (AvaValue::Text(octets) | AvaValue::Ber(octets)) = &value;
        if octets.is_empty() {
            return Err(Misfit::new(start, Problem::EmptyValue));
        }
        Ok(Ava { attribute, value })
    }

    fn attribute(&mut self) -> Result<AttributeName, Misfit> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let end = rest.find(['=', ',', '+', ' ', '{']).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if self.bindings.is_some() && rest.get(end..).is_some_and(|rest| rest.starts_with('{')) {
            return Err(Misfit::new(self.position + end, Problem::PlaceholderPlace));
        }
        // A name's attribute has no options (RFC 4514 section 2.3).
        let attribute = AttributeName::parse(name)
            .filter(|attribute| attribute.type_spelt() == name)
            .ok_or_else(|| self.misfit(Problem::Attribute))?;
        self.position += end;
        Ok(attribute)
    }

    /// A value as text: up to an unescaped `,` or `+`, without the unescaped spaces before it.
    fn string(&mut self) -> Result<Vec<u8>, Misfit> {
        let mut value = Vec::new();
        // How much of the value is more than trailing spaces.
        let mut significant = 0;
        while let Some(b) = self.peek() {
            match b {
                b',' | b'+' => break,
                b'\\' => value.push(self.escaped()?),
                b'{' if self.bindings.is_some() => self.placeholder(&mut value)?,
                b'"' | b';' | b'<' | b'>' | 0 => return Err(self.misfit(Problem::Character(b))),
                b'}' if self.bindings.is_some() => {
                    return Err(self.misfit(Problem::Character(b)));
                }
                _ => {
                    value.push(b);
                    self.position += 1;
                    if b == b' ' {
                        continue;
                    }
                }
            }
            significant = value.len();
        }
        value.truncate(significant);
        Ok(value)
    }

    fn placeholder(&mut self, value: &mut Vec<u8>) -> Result<(), Misfit> {
        let text = self.text.as_bytes();
        if let Some(bindings) = &mut self.bindings {
            let (parameter, end) = bindings.read(text, self.position)?;
            value.extend_from_slice(parameter);
            self.position = end;
        }
        Ok(())
    }

    /// `\` with a special character, or with two hexadecimal digits.
    fn escaped(&mut self) -> Result<u8, Misfit> {
        const SPECIAL: &[u8] = b" \"#+,;<=>\\";
        let rest = self.text.as_bytes().get(self.position + 1..).unwrap_or_default();
        let (octet, length) = match rest {
            [b, ..] if SPECIAL.contains(b) => (*b, 2),
            [high, low, ..] => match (hexadecimal_digit(*high), hexadecimal_digit(*low)) {
                (Some(high), Some(low)) => (16 * high + low, 3),
                _ => return Err(self.misfit(Problem::Escape)),
            },
            _ => return Err(self.misfit(Problem::Escape)),
        };
        self.position += length;
        Ok(octet)
    }

    /// A value as `#` and hexadecimal digits.
    fn hexadecimal(&mut self) -> Result<Vec<u8>, Misfit> {
        let malformed = self.misfit(Problem::Hexadecimal);
        self.position += 1;
        let rest = self.text.as_bytes().get(self.position..).unwrap_or_default();
        let end = rest.iter().position(|b| matches!(b, b',' | b'+' | b' ')).unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        let mut value = Vec::with_capacity(end / 2);
        for pair in digits.chunks(2) {
            let [high, low] = pair else { return Err(malformed) };
            match (hexadecimal_digit(*high), hexadecimal_digit(*low)) {
                (Some(high), Some(low)) => value.push(16 * high + low),
                _ => return Err(malformed),
            }
        }
        self.position += end;
        self.skip_spaces();
        Ok(value)
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.position += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn misfit(&self, problem: Problem) -> Misfit {
        Misfit::new(self.position, problem)
    }
}

fn hexadecimal_digit(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
