//! From text to tree. The grammar is RFC 4515 section 3, with white space allowed between filters.

use super::{Extensible, Filter, Test};
use crate::attribute::{self, AttributeName};
use crate::query::{Bindings, MAX_DEPTH, MAX_FILTERS, MAX_TEXT, Misfit, Problem};

impl Filter {
    /// Parses a filter and puts the parameters in place of its placeholders.
    pub(crate) fn bind(text: &str, bindings: &mut Bindings<'_>) -> Result<Self, Misfit> {
        if text.len() > MAX_TEXT {
            return Err(Misfit::new(MAX_TEXT, Problem::TooLong(MAX_TEXT)));
        }
        let mut parser = Parser { text, position: 0, filters: 0, bindings };
        parser.skip_space();
        let filter = parser.filter(0)?;
        parser.skip_space();
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.misfit(Problem::Trailing)),
        }
    }
}

struct Parser<'a, 'b, 'p> {
    text: &'a str,
    position: usize,
    /// How many filters were begun.
    filters: usize,
    bindings: &'b mut Bindings<'p>,
}

/// An assertion value.
struct Value {
    /// The parts between asterisks; one where there is no asterisk.
    parts: Vec<Vec<u8>>,
    /// Where a placeholder stands whose part is empty all the same.
    empty_parameter: Option<usize>,
    /// Where the value starts.
    start: usize,
}

impl<'a> Parser<'a, '_, '_> {
    fn filter(&mut self, depth: usize) -> Result<Filter, Misfit> {
        if depth >= MAX_DEPTH {
            return Err(self.misfit(Problem::TooDeep));
        }
        self.filters += 1;
        if self.filters > MAX_FILTERS {
            return Err(self.misfit(Problem::TooMany(MAX_FILTERS)));
        }
        match self.peek() {
            Some(b'(') => self.position += 1,
            Some(b'{') => return Err(self.misfit(Problem::PlaceholderPlace)),
            _ => return Err(self.misfit(Problem::Open)),
        }
        let filter = match self.peek() {
            Some(b'&') => Filter::And(self.list(depth)?),
            Some(b'|') => Filter::Or(self.list(depth)?),
            Some(b'!') => self.not(depth)?,
            _ => self.item()?,
        };
        match self.peek() {
            Some(b')') => self.position += 1,
            _ => return Err(self.misfit(Problem::Close)),
        }
        Ok(filter)
    }

    /// The filters behind `&` or `|`.
    fn list(&mut self, depth: usize) -> Result<Vec<Filter>, Misfit> {
        self.position += 1;
        let mut filters = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b')') | None => return Ok(filters),
                Some(_) => filters.push(self.filter(depth + 1)?),
            }
        }
    }

    fn not(&mut self, depth: usize) -> Result<Filter, Misfit> {
        self.position += 1;
        self.skip_space();
        let filter = self.filter(depth + 1)?;
        self.skip_space();
        Ok(Filter::Not(Box::new(filter)))
    }

    fn item(&mut self) -> Result<Filter, Misfit> {
        let start = self.position;
        let name = self.word();
        if self.peek() == Some(b':') {
            return self.extensible(start, name);
        }
        let attribute = self.attribute(start, name)?;
        let test = if self.take("=") {
            self.equality()?
        } else if self.take("~=") {
            Test::Approximate(self.single_value()?)
        } else if self.take(">=") {
            Test::AtLeast(self.single_value()?)
        } else if self.take("<=") {
            Test::AtMost(self.single_value()?)
        } else {
            return Err(self.misfit(Problem::Comparison));
        };
        Ok(Filter::Item(attribute, test))
    }

    /// What stands behind `=`: a presence, equality or substring test, by the number of asterisks.
    fn equality(&mut self) -> Result<Test, Misfit> {
        let value = self.value(true)?;
        let mut parts = value.parts;
        let last = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            return Ok(Test::Equal(last));
        }
        // An empty parameter beside an asterisk would widen the filter or make it a presence test.
        if let Some(position) = value.empty_parameter {
            return Err(Misfit::new(position, Problem::EmptyPart));
        }
        let initial = parts.remove(0);
        let any = parts;
        if any.iter().any(Vec::is_empty) {
            return Err(Misfit::new(value.start, Problem::EmptyPart));
        }
        if initial.is_empty() && any.is_empty() && last.is_empty() {
            return Ok(Test::Present);
        }
        Ok(Test::Substrings { initial, any, last })
    }

    /// `attr [":dn"] [":" rule] ":=" value`, or the same without `attr` and with a rule; the
    /// position is at the first colon.
    fn extensible(&mut self, start: usize, name: &'a str) -> Result<Filter, Misfit> {
        let attribute = match name {
            "" => None,
            name => Some(self.attribute(start, name)?),
        };
        let (mut dn, mut rule) = (false, None);
        while !self.take(":=") {
            if !self.take(":") {
                return Err(self.misfit(Problem::Comparison));
            }
            let start = self.position;
            let word = self.word();
            if word.eq_ignore_ascii_case("dn") && !dn && rule.is_none() {
                dn = true;
            } else if attribute::is_type(word) && rule.is_none() {
                rule = Some(Box::from(word));
            } else if self.peek() == Some(b'{') {
                return Err(self.misfit(Problem::PlaceholderPlace));
            } else {
                return Err(Misfit::new(start, Problem::Rule));
            }
        }
        if attribute.is_none() && rule.is_none() {
            return Err(Misfit::new(start, Problem::NoRule));
        }
        let value = self.single_value()?;
        Ok(Filter::Extensible(Extensible { attribute, dn, rule, value }))
    }

    fn attribute(&self, start: usize, name: &str) -> Result<AttributeName, Misfit> {
        if self.peek() == Some(b'{') {
            return Err(self.misfit(Problem::PlaceholderPlace));
        }
        AttributeName::parse(name).ok_or_else(|| Misfit::new(start, Problem::Attribute))
    }

    /// A value in which an asterisk must be escaped.
    fn single_value(&mut self) -> Result<Vec<u8>, Misfit> {
        Ok(self.value(false)?.parts.pop().unwrap_or_default())
    }

    /// The value up to the `)` that ends it, which is left in place.
    fn value(&mut self, asterisks: bool) -> Result<Value, Misfit> {
        let mut value = Value { parts: Vec::new(), empty_parameter: None, start: self.position };
        let mut part = Vec::new();
        let mut placeholder = None;
        loop {
            let Some(b) = self.peek() else {
                return Err(self.misfit(Problem::Close));
            };
            match b {
                b')' | b'*' => {
                    if b == b'*' && !asterisks {
                        return Err(self.misfit(Problem::Character(b)));
                    }
                    if part.is_empty() {
                        value.empty_parameter = value.empty_parameter.or(placeholder);
                    }
                    value.parts.push(std::mem::take(&mut part));
                    placeholder = None;
                    if b == b')' {
                        return Ok(value);
                    }
                    if value.parts.len() > MAX_FILTERS {
                        return Err(self.misfit(Problem::TooMany(MAX_FILTERS)));
                    }
                    self.position += 1;
                }
                b'{' => {
                    placeholder = Some(self.position);
                    let (parameter, end) =
                        self.bindings.read(self.text.as_bytes(), self.position)?;
                    part.extend_from_slice(parameter);
                    self.position = end;
                }
                b'\\' => part.push(self.escaped()?),
                b'(' | b'}' | 0 => return Err(self.misfit(Problem::Character(b))),
                _ => {
                    part.push(b);
                    self.position += 1;
                }
            }
        }
    }

    /// The octet that `\` and two hexadecimal digits stand for.
    fn escaped(&mut self) -> Result<u8, Misfit> {
        let digits = self.text.get(self.position + 1..self.position + 3);
        let octet = digits
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.misfit(Problem::Escape))?;
        self.position += 3;
        Ok(octet)
    }

    /// Everything up to a character that ends an attribute or a rule.
    fn word(&mut self) -> &'a str {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let end = rest.find(['=', '~', '<', '>', ':', '(', ')', '{']).unwrap_or(rest.len());
        self.position += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Steps over `token` where it stands here.
    fn take(&mut self, token: &str) -> bool {
        let here = self.text.get(self.position..).is_some_and(|rest| rest.starts_with(token));
        if here {
            self.position += token.len();
        }
        here
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
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
