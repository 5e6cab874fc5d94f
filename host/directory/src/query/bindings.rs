use super::MAX_TEXT;
use super::problem::{Misfit, Problem};

/// The most parameters of one query: a domain has at most 127 labels, each a `dc=` component.
pub const MAX_PARAMETERS: usize = 256;

/// The parameters of a query while its base and filter are parsed, and which of them were used.
pub(crate) struct Bindings<'a> {
    parameters: &'a [Vec<u8>],
    used: [u64; MAX_PARAMETERS / 64],
    /// How many octets were put in place of placeholders: one parameter may be taken many times.
    octets: usize,
}

impl<'a> Bindings<'a> {
    /// `parameters` beyond [`MAX_PARAMETERS`] can be bound but count as unused.
    pub(crate) fn new(parameters: &'a [Vec<u8>]) -> Self {
        Self { parameters, used: [0; MAX_PARAMETERS / 64], octets: 0 }
    }

    /// Reads the placeholder whose `{` stands at `at`: the parameter, and where the text goes on.
    /// An index has no sign and no leading zero, so that each placeholder has one spelling.
    pub(crate) fn read(&mut self, text: &[u8], at: usize) -> Result<(&'a [u8], usize), Misfit> {
        let malformed = || Misfit::new(at, Problem::Placeholder);
        let inside =
            text.get(at..).and_then(|rest| rest.strip_prefix(b"{")).ok_or_else(malformed)?;
        let digits = inside.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = inside.split_at_checked(digits).ok_or_else(malformed)?;
        let canonical = matches!(number, [b'0'] | [b'1'..=b'9', ..]) && digits <= 9;
        if !canonical || !rest.starts_with(b"}") {
            return Err(malformed());
        }
        let index = number.iter().fold(0, |index, digit| 10 * index + usize::from(digit - b'0'));
        let Some(value) = self.parameters.get(index) else {
            return Err(Misfit::new(at, Problem::NoParameter(index)));
        };
        if let Some(word) = self.used.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
        self.octets = self.octets.saturating_add(value.len());
        if self.octets > MAX_TEXT {
            return Err(Misfit::new(at, Problem::TooLong(MAX_TEXT)));
        }
        Ok((value, at + 1 + digits + 1))
    }

    /// The first parameter that no placeholder has taken.
    pub(crate) fn unused(&self) -> Option<usize> {
        let used = |index: usize| {
            self.used.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
        };
        (0..self.parameters.len()).find(|index| !used(*index))
    }
}
