use super::{Placeholder, TemplateError};

/// The longest template, in octets. Filled, it stays well below the host's limit for a text.
const MAX_TEXT: usize = 4096;

/// One character of a template, `%%` taken for `%`, or a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(char),
    Placeholder(Placeholder),
}

/// The tokens of a template, with a place to read on from.
pub(super) struct Lexer {
    /// Each with the number of its first character, from 1.
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
}

impl Lexer {
    /// Takes `text` apart. Fails on anything behind `%` that is no placeholder.
    pub(super) fn new(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEXT {
            let message = format!("this is longer than {MAX_TEXT} octets");
            return Err(TemplateError { at: 1, message });
        }
        let mut tokens = Vec::new();
        let mut characters = (1..).zip(text.chars());
        while let Some((at, character)) = characters.next() {
            let token = match character {
                '%' => placeholder(at, characters.next())?,
                other => Token::Literal(other),
            };
            tokens.push((at, token));
        }
        Ok(Self { tokens, next: 0, end: text.chars().count() + 1 })
    }

    /// The next token; it stays the next.
    pub(super) fn peek(&self) -> Option<Token> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }

    /// Whether the next token is the character `literal`.
    pub(super) fn at(&self, literal: char) -> bool {
        self.peek() == Some(Token::Literal(literal))
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.next += 1;
        Some(token)
    }

    /// Takes the next token if it is the character `literal`.
    pub(super) fn take_if(&mut self, literal: char) -> bool {
        let there = self.at(literal);
        if there {
            self.next += 1;
        }
        there
    }

    /// Takes spaces, tabs and line ends.
    pub(super) fn skip_space(&mut self) {
        self.take_while(|c| c.is_ascii_whitespace());
    }

    /// Takes the next token, which may not be a control character.
    pub(super) fn take_printable(&mut self) -> Result<(), TemplateError> {
        match self.peek() {
            Some(Token::Literal(c)) if c.is_control() => self.error(
                r"in a value, a control character is written as \ with its two hexadecimal digits",
            ),
            _ => {
                self.take();
                Ok(())
            }
        }
    }

    /// Takes literal characters for as long as they are `wanted`.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(Token::Literal(literal)) = self.peek() {
            if !wanted(literal) {
                break;
            }
            taken.push(literal);
            self.next += 1;
        }
        taken
    }

    /// Takes a backslash and the two hexadecimal digits behind it; nothing if they do not stand
    /// there.
    pub(super) fn take_hex_pair(&mut self) -> Option<[char; 2]> {
        let digit = |offset: usize| match self.tokens.get(self.next + offset)?.1 {
            Token::Literal(digit) if digit.is_ascii_hexdigit() => Some(digit),
            _ => None,
        };
        let pair = self.at('\\').then_some([digit(1)?, digit(2)?])?;
        self.next += 3;
        Some(pair)
    }

    /// Takes a backslash and one of `special` behind it; nothing if they do not stand there.
    pub(super) fn take_escaped(&mut self, special: &str) -> Option<char> {
        let escaped = match self.tokens.get(self.next + 1)?.1 {
            Token::Literal(escaped) if self.at('\\') && special.contains(escaped) => escaped,
            _ => return None,
        };
        self.next += 2;
        Some(escaped)
    }

    /// An error at the next token, that `character` must be written as `escape` there.
    pub(super) fn unescaped<T>(&self, character: char, escape: &str) -> Result<T, TemplateError> {
        self.error(format!("in a value, {character} is written {escape}"))
    }

    /// An error at the next token.
    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T, TemplateError> {
        let at = self.tokens.get(self.next).map_or(self.end, |(at, _)| *at);
        Err(TemplateError { at, message: message.into() })
    }

    /// An error at the next token, that `expected` should stand there.
    pub(super) fn expected<T>(&self, expected: &str) -> Result<T, TemplateError> {
        let here = match self.peek() {
            None => "this is the end".to_owned(),
            Some(Token::Literal(literal)) => format!("here is {literal:?}"),
            Some(Token::Placeholder(placeholder)) => format!("here is {placeholder}"),
        };
        self.error(format!("{expected} was expected, {here}"))
    }
}

fn placeholder(at: usize, next: Option<(usize, char)>) -> Result<Token, TemplateError> {
    Ok(match next {
        Some((_, '%')) => Token::Literal('%'),
        Some((_, 'e')) => Token::Placeholder(Placeholder::Address),
        Some((_, 'u')) => Token::Placeholder(Placeholder::LocalPart),
        Some((_, 'd')) => Token::Placeholder(Placeholder::Domain),
        Some((_, 's')) => Token::Placeholder(Placeholder::Components),
        other => {
            let here =
                other.map_or_else(|| "the end".to_owned(), |(_, other)| format!("{other:?}"));
            let message = format!("behind % stands {here}; %e, %u, %d, %s or %% was expected");
            return Err(TemplateError { at, message });
        }
    })
}
