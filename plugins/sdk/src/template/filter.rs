use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use super::lexer::{Lexer, Token};
use super::{Parameters, Piece, Placeholder, TemplateError, push_literal, push_text, uses};
use crate::{AttributeName, text};

/// How deep filters may be nested; the host's own limit.
const MAX_DEPTH: usize = 16;
/// The most filters in one filter; the host's own limit.
const MAX_FILTERS: usize = 256;

/// A search filter (RFC 4515) with placeholders in its assertion values.
///
/// The outer parentheses may be left out: `mail=%e` is `(mail=%e)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Vec<Piece>);

impl Filter {
    /// The filter's text for a query, parenthesised, with `{n}` for each placeholder. `%s` is one
    /// value here.
    pub fn fill(&self, parameters: &mut Parameters<'_>) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Placeholder(placeholder) => parameters.write(*placeholder, &mut text),
            }
        }
        text
    }

    /// Whether the placeholder occurs.
    pub fn uses(&self, placeholder: Placeholder) -> bool {
        uses(&self.0, placeholder)
    }
}

impl FromStr for Filter {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser { lexer: Lexer::new(text)?, pieces: Vec::new(), filters: 0 };
        parser.lexer.skip_space();
        if parser.lexer.at('(') {
            parser.filter(0)?;
        } else {
            push_text(&mut parser.pieces, "(");
            parser.component(1)?;
            push_text(&mut parser.pieces, ")");
        }
        parser.lexer.skip_space();
        match parser.lexer.peek() {
            None => Ok(Self(parser.pieces)),
            Some(_) => parser.lexer.expected("the end of the filter"),
        }
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WHAT: &str = "a search filter, such as \"mail=%e\",";
        text(deserializer, WHAT, |text| {
            text.parse().map_err(|error: TemplateError| error.to_string())
        })
    }
}

/// The grammar of RFC 4515 section 3, one function for a rule. White space between filters, which
/// the host would skip, is left out.
struct Parser {
    lexer: Lexer,
    pieces: Vec<Piece>,
    filters: usize,
}

impl Parser {
    /// `filter = LPAREN filtercomp RPAREN`
    fn filter(&mut self, depth: usize) -> Result<(), TemplateError> {
        if !self.lexer.at('(') {
            return self.lexer.expected("a filter in parentheses");
        }
        self.filters += 1;
        if depth == MAX_DEPTH || self.filters > MAX_FILTERS {
            return self.lexer.error(format!(
                "more than {MAX_DEPTH} filters inside each other or {MAX_FILTERS} in all"
            ));
        }
        self.delimiter('(')?;
        self.component(depth + 1)?;
        self.delimiter(')')
    }

    /// `filtercomp = and / or / not / item`
    fn component(&mut self, depth: usize) -> Result<(), TemplateError> {
        self.lexer.skip_space();
        match self.lexer.peek() {
            Some(Token::Literal(operator @ ('&' | '|'))) => {
                self.delimiter(operator)?;
                // None at all is the absolute true or false of RFC 4526.
                self.lexer.skip_space();
                while self.lexer.at('(') {
                    self.filter(depth)?;
                    self.lexer.skip_space();
                }
                Ok(())
            }
            Some(Token::Literal('!')) => {
                self.delimiter('!')?;
                self.lexer.skip_space();
                self.filter(depth)?;
                self.lexer.skip_space();
                Ok(())
            }
            _ => self.item(),
        }
    }

    /// `item = simple / present / substring / extensible`
    fn item(&mut self) -> Result<(), TemplateError> {
        let in_attribute = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
        let attribute = self.lexer.take_while(in_attribute);
        if self.lexer.at(':') {
            return self.extensible(&attribute);
        }
        if AttributeName::new(&attribute).is_none() {
            return self.lexer.expected("an attribute in front");
        }
        push_text(&mut self.pieces, &attribute);
        let comparison = ['~', '>', '<'].into_iter().find(|c| self.lexer.at(*c));
        if let Some(comparison) = comparison {
            self.delimiter(comparison)?;
        }
        self.delimiter('=')?;
        self.value(comparison.is_none())
    }

    /// `extensible = ( attr [":dn"] [":" rule] / [":dn"] ":" rule ) ":=" value`; the attribute has
    /// been read.
    fn extensible(&mut self, attribute: &str) -> Result<(), TemplateError> {
        let in_extension = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
        let extension = self.lexer.take_while(in_extension);
        let is_dn = |part: &str| part.eq_ignore_ascii_case("dn");
        let has_rule = match extension.split(':').collect::<Vec<_>>().as_slice() {
            ["", ""] => Some(false),
            ["", dn, ""] if is_dn(dn) => Some(false),
            ["", rule, ""] if AttributeName::new(rule).is_some() => Some(true),
            ["", dn, rule, ""] if is_dn(dn) && AttributeName::new(rule).is_some() => Some(true),
            _ => None,
        };
        let has_attribute = AttributeName::new(attribute).is_some();
        if !(has_rule == Some(true) && attribute.is_empty() || has_rule.is_some() && has_attribute)
        {
            return self.lexer.expected("an attribute, a matching rule or both, then \":=\",");
        }
        push_text(&mut self.pieces, attribute);
        push_text(&mut self.pieces, &extension);
        self.delimiter('=')?;
        self.value(false)
    }

    /// `assertionvalue = valueencoding`; with asterisks it is a substring or presence test.
    fn value(&mut self, asterisks: bool) -> Result<(), TemplateError> {
        if matches!(self.lexer.peek(), None | Some(Token::Literal(')'))) {
            return self.lexer.expected("a value");
        }
        loop {
            match self.lexer.peek() {
                None | Some(Token::Literal(')')) => return Ok(()),
                Some(Token::Literal('(')) => return self.lexer.unescaped('(', r"\28"),
                Some(Token::Literal('*')) => {
                    if !asterisks {
                        return self.lexer.unescaped('*', r"\2a");
                    }
                    self.delimiter('*')?;
                    if self.lexer.at('*') {
                        return self.lexer.error("nothing stands between two asterisks");
                    }
                }
                Some(Token::Literal('\\')) => {
                    let Some([high, low]) = self.lexer.take_hex_pair() else {
                        return self.lexer.expected(r"\ with two hexadecimal digits");
                    };
                    push_text(&mut self.pieces, &format!("\\{high}{low}"));
                }
                Some(Token::Literal(literal)) => {
                    self.lexer.take_printable()?;
                    push_literal(&mut self.pieces, literal);
                }
                Some(Token::Placeholder(placeholder)) => {
                    self.lexer.take();
                    self.pieces.push(Piece::Placeholder(placeholder));
                }
            }
        }
    }

    /// Takes a character of the syntax into the text, or says that it is missing.
    fn delimiter(&mut self, delimiter: char) -> Result<(), TemplateError> {
        if !self.lexer.take_if(delimiter) {
            return self.lexer.expected(&format!("{delimiter:?}"));
        }
        push_literal(&mut self.pieces, delimiter);
        Ok(())
    }
}
