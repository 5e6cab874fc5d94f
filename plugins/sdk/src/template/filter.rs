use std::str::FromStr;

use super::lexer::{Lexer, Token};
use super::{Parameters, Piece, Placeholder, TemplateError, push_literal, push_text, uses};
use crate::{Place, Setting, Value};

/// How deep parentheses may nest. Deeper filters are a slip, and recursion has a stack to fit in.
const MAX_DEPTH: usize = 32;

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
        let mut parser = Parser { lexer: Lexer::new(text)?, pieces: Vec::new() };
        parser.lexer.skip_spaces();
        if parser.lexer.at('(') {
            parser.filter(0)?;
        } else {
            push_text(&mut parser.pieces, "(");
            parser.component(0)?;
            push_text(&mut parser.pieces, ")");
        }
        parser.lexer.skip_spaces();
        match parser.lexer.peek() {
            None => Ok(Self(parser.pieces)),
            Some(_) => parser.lexer.expected("the end of the filter"),
        }
    }
}

impl Setting for Filter {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        let text = place.text("a search filter, such as \"mail=%e\",", value)?;
        text.parse().map_or_else(|error| place.problem(format!("{error}")), Some)
    }
}

/// The grammar of RFC 4515 section 3, one function for a rule. Spaces between filters are taken
/// and left out, as most servers do.
struct Parser {
    lexer: Lexer,
    pieces: Vec<Piece>,
}

impl Parser {
    /// `filter = LPAREN filtercomp RPAREN`
    fn filter(&mut self, depth: usize) -> Result<(), TemplateError> {
        if depth == MAX_DEPTH {
            return self.lexer.error(format!("parentheses more than {MAX_DEPTH} deep"));
        }
        if !self.lexer.at('(') {
            return self.lexer.expected("a filter in parentheses");
        }
        self.delimiter('(')?;
        self.component(depth + 1)?;
        self.delimiter(')')
    }

    /// `filtercomp = and / or / not / item`
    fn component(&mut self, depth: usize) -> Result<(), TemplateError> {
        self.lexer.skip_spaces();
        match self.lexer.peek() {
            Some(Token::Literal(operator @ ('&' | '|'))) => {
                self.delimiter(operator)?;
                // None at all is the absolute true or false of RFC 4526.
                self.lexer.skip_spaces();
                while self.lexer.at('(') {
                    self.filter(depth)?;
                    self.lexer.skip_spaces();
                }
                Ok(())
            }
            Some(Token::Literal('!')) => {
                self.delimiter('!')?;
                self.lexer.skip_spaces();
                self.filter(depth)?;
                self.lexer.skip_spaces();
                Ok(())
            }
            _ => self.item(),
        }
    }

    /// `item = simple / present / substring / extensible`
    fn item(&mut self) -> Result<(), TemplateError> {
        let description = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
        let attribute = self.lexer.take_while(description);
        // `:dn`, a matching rule and the colon before the equals sign of an extensible match;
        // whether they make sense is the host's to check.
        let extension = self.lexer.take_while(|c| c == ':' || description(c));
        if attribute.is_empty() && extension.len() < 2 {
            return self.lexer.expected("an attribute");
        }
        push_text(&mut self.pieces, &attribute);
        push_text(&mut self.pieces, &extension);
        if extension.is_empty() {
            for comparison in ['~', '>', '<'] {
                if self.lexer.at(comparison) {
                    self.delimiter(comparison)?;
                    break;
                }
            }
        } else if !extension.ends_with(':') {
            return self.lexer.expected("':'");
        }
        self.delimiter('=')?;
        self.value()
    }

    /// `assertionvalue = valueencoding`, with `*` for substrings and presence.
    fn value(&mut self) -> Result<(), TemplateError> {
        if matches!(self.lexer.peek(), None | Some(Token::Literal(')'))) {
            return self.lexer.expected("a value");
        }
        loop {
            match self.lexer.peek() {
                None | Some(Token::Literal(')')) => return Ok(()),
                Some(Token::Literal('(')) => {
                    return self.lexer.error(r"in a value, ( is written \28");
                }
                Some(Token::Literal('\\')) => {
                    self.lexer.take();
                    let Some([high, low]) = self.lexer.take_hex_pair() else {
                        return self.lexer.error(r"two hexadecimal digits were expected behind \");
                    };
                    push_text(&mut self.pieces, &format!("\\{high}{low}"));
                }
                Some(Token::Literal(literal)) => {
                    self.lexer.take();
                    push_literal(&mut self.pieces, literal);
                }
                Some(Token::Placeholder(placeholder)) => {
                    self.lexer.take();
                    self.pieces.push(Piece::Placeholder(placeholder));
                }
            }
        }
    }

    /// Takes `delimiter` into the text, or says that it is missing.
    fn delimiter(&mut self, delimiter: char) -> Result<(), TemplateError> {
        if !self.lexer.take_if(delimiter) {
            return self.lexer.expected(&format!("{delimiter:?}"));
        }
        push_literal(&mut self.pieces, delimiter);
        Ok(())
    }
}
