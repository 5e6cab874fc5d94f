use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use super::lexer::{Lexer, Token};
use super::{
    Parameters, Piece, Placeholder, Subject, TemplateError, push_literal, push_text, uses,
};
use crate::{AttributeName, text};

/// A distinguished name (RFC 4514) with placeholders in the values of its components.
///
/// `%s` stands between commas, for as many components as the domain has labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Vec<Piece>);

impl Base {
    /// The name's text for a query, with `{n}` for each placeholder.
    pub fn fill(&self, parameters: &mut Parameters<'_>) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Placeholder(Placeholder::Components) => {
                    parameters.write_components(&mut text)
                }
                Piece::Placeholder(placeholder) => parameters.write(*placeholder, &mut text),
            }
        }
        text
    }

    /// The name for `subject` with the values in their places, unescaped: to compare, not to send.
    pub fn spell(&self, subject: &Subject) -> String {
        let spelt = self.0.iter().map(|piece| match piece {
            Piece::Text(literal) => literal.clone(),
            Piece::Placeholder(placeholder) => placeholder.value(subject),
        });
        spelt.collect()
    }

    /// Whether the placeholder occurs.
    pub fn uses(&self, placeholder: Placeholder) -> bool {
        uses(&self.0, placeholder)
    }
}

impl FromStr for Base {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser { lexer: Lexer::new(text)?, pieces: Vec::new() };
        parser.name()?;
        Ok(Self(parser.pieces))
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WHAT: &str = "a distinguished name, such as \"ou=people,%s\",";
        text(deserializer, WHAT, |text| {
            text.parse().map_err(|error: TemplateError| error.to_string())
        })
    }
}

/// The grammar of RFC 4514 section 3, one function for a rule. Spaces around separators, which RFC
/// 2253 allowed, are taken and left out.
struct Parser {
    lexer: Lexer,
    pieces: Vec<Piece>,
}

impl Parser {
    /// `distinguishedName = relativeDistinguishedName *( COMMA relativeDistinguishedName )`
    fn name(&mut self) -> Result<(), TemplateError> {
        loop {
            self.lexer.skip_space();
            if self.lexer.peek() == Some(Token::Placeholder(Placeholder::Components)) {
                self.lexer.take();
                self.pieces.push(Piece::Placeholder(Placeholder::Components));
            } else {
                self.relative_name()?;
            }
            self.lexer.skip_space();
            if self.lexer.peek().is_none() {
                return Ok(());
            }
            if !self.lexer.take_if(',') {
                return self.lexer.expected("',' or the end");
            }
            push_text(&mut self.pieces, ",");
        }
    }

    /// `relativeDistinguishedName = attributeTypeAndValue *( PLUS attributeTypeAndValue )`
    fn relative_name(&mut self) -> Result<(), TemplateError> {
        loop {
            self.lexer.skip_space();
            // An attribute of a name has no options (RFC 4514 section 2.3).
            let in_attribute = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
            let attribute = self.lexer.take_while(in_attribute);
            if AttributeName::new(&attribute).is_none() {
                return self.lexer.expected("an attribute in front, such as \"dc\", or %s");
            }
            self.lexer.skip_space();
            if !self.lexer.take_if('=') {
                return self.lexer.expected("'='");
            }
            push_text(&mut self.pieces, &attribute);
            push_text(&mut self.pieces, "=");
            self.value()?;
            if !self.lexer.take_if('+') {
                return Ok(());
            }
            push_text(&mut self.pieces, "+");
        }
    }

    /// `attributeValue = string / hexstring`, without the second.
    fn value(&mut self) -> Result<(), TemplateError> {
        self.lexer.skip_space();
        if self.lexer.at('#') {
            return self.lexer.unescaped('#', r"\23 at the start");
        }
        if matches!(self.lexer.peek(), None | Some(Token::Literal(',' | '+'))) {
            return self.lexer.expected("a value");
        }
        loop {
            let spaces = self.lexer.take_while(|c| c == ' ');
            if !matches!(self.lexer.peek(), None | Some(Token::Literal(',' | '+'))) {
                push_text(&mut self.pieces, &spaces);
            }
            match self.lexer.peek() {
                None | Some(Token::Literal(',' | '+')) => return Ok(()),
                Some(Token::Literal(special @ ('"' | ';' | '<' | '>'))) => {
                    return self.lexer.unescaped(special, &format!("\\{special}"));
                }
                Some(Token::Literal('\\')) => self.escape()?,
                Some(Token::Literal(literal)) => {
                    self.lexer.take_printable()?;
                    push_literal(&mut self.pieces, literal);
                }
                Some(Token::Placeholder(Placeholder::Components)) => {
                    let message = "%s stands for whole components: it stands between commas";
                    return self.lexer.error(message);
                }
                Some(Token::Placeholder(placeholder)) => {
                    self.lexer.take();
                    self.pieces.push(Piece::Placeholder(placeholder));
                }
            }
        }
    }

    /// `pair = ESC ( ESC / special / hexpair )`
    fn escape(&mut self) -> Result<(), TemplateError> {
        if let Some([high, low]) = self.lexer.take_hex_pair() {
            push_text(&mut self.pieces, &format!("\\{high}{low}"));
            return Ok(());
        }
        let Some(special) = self.lexer.take_escaped(r##" "#+,;<=>\"##) else {
            return self.lexer.expected(r"\ with a special character or two hexadecimal digits");
        };
        push_text(&mut self.pieces, &format!("\\{special}"));
        Ok(())
    }
}
