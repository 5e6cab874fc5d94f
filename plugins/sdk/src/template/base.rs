use std::str::FromStr;

use super::lexer::{Lexer, Token};
use super::{Parameters, Piece, Placeholder, TemplateError, push_literal, push_text, uses};
use crate::{Place, Setting, Value};

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
                    fill_components(parameters, &mut text)
                }
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

/// Writes `dc={0},dc={1}`, one for each label of the domain.
fn fill_components(parameters: &mut Parameters<'_>, text: &mut String) {
    for (index, label) in parameters.subject.domain.split('.').enumerate() {
        text.push_str(if index == 0 { "dc=" } else { ",dc=" });
        parameters.write_value(label.into(), text);
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

impl Setting for Base {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        let text = place.text("a distinguished name, such as \"ou=people,%s\",", value)?;
        text.parse().map_or_else(|error| place.problem(format!("{error}")), Some)
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
            self.lexer.skip_spaces();
            if self.lexer.peek() == Some(Token::Placeholder(Placeholder::Components)) {
                self.lexer.take();
                self.pieces.push(Piece::Placeholder(Placeholder::Components));
            } else {
                self.relative_name()?;
            }
            self.lexer.skip_spaces();
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
            self.lexer.skip_spaces();
            let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
            let attribute = self.lexer.take_while(part);
            if attribute.is_empty() {
                return self.lexer.expected("an attribute, such as \"dc\", or %s");
            }
            self.lexer.skip_spaces();
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
        self.lexer.skip_spaces();
        if self.lexer.at('#') {
            return self.lexer.error(r"at the start of a value, # is written \23");
        }
        if matches!(self.lexer.peek(), None | Some(Token::Literal(',' | '+'))) {
            return self.lexer.expected("a value");
        }
        loop {
            let spaces = self.lexer.take_while(|c| c == ' ');
            match self.lexer.peek() {
                None | Some(Token::Literal(',' | '+')) => return Ok(()),
                _ => push_text(&mut self.pieces, &spaces),
            }
            match self.lexer.peek() {
                Some(Token::Placeholder(Placeholder::Components)) => {
                    return self
                        .lexer
                        .error("%s stands for whole components: put it between commas");
                }
                Some(Token::Literal(special @ ('"' | ';' | '<' | '>'))) => {
                    return self
                        .lexer
                        .error(format!(r"in a value, {special} is written \{special}"));
                }
                Some(Token::Literal('\\')) => self.escape()?,
                Some(Token::Literal(literal)) => {
                    self.lexer.take();
                    push_literal(&mut self.pieces, literal);
                }
                Some(Token::Placeholder(placeholder)) => {
                    self.lexer.take();
                    self.pieces.push(Piece::Placeholder(placeholder));
                }
                None => return Ok(()),
            }
        }
    }

    /// `pair = ESC ( ESC / special / hexpair )`
    fn escape(&mut self) -> Result<(), TemplateError> {
        self.lexer.take();
        push_text(&mut self.pieces, r"\");
        if let Some(Token::Literal(special)) = self.lexer.peek()
            && r##" "#+,;<=>\"##.contains(special)
        {
            self.lexer.take();
            push_literal(&mut self.pieces, special);
            return Ok(());
        }
        let Some([high, low]) = self.lexer.take_hex_pair() else {
            return self
                .lexer
                .error(r"a special character or two hexadecimal digits were expected behind \");
        };
        push_text(&mut self.pieces, &format!("{high}{low}"));
        Ok(())
    }
}
