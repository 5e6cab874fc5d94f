use std::sync::LazyLock;

use fluent_langneg::{LanguageIdentifier, NegotiationStrategy, negotiate_languages};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use super::texts::{self, Texts};

/// More languages than anybody reads are not looked at.
const MAX_LANGUAGES: usize = 32;

/// A language that the page speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Where the browser asks for none of them.
    #[default]
    English,
    #[expect(missing_docs, reason = "its name says it")]
    German,
    #[expect(missing_docs, reason = "its name says it")]
    French,
    #[expect(missing_docs, reason = "its name says it")]
    Spanish,
}

impl Language {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Spanish];

    /// The one that a browser's `Accept-Language` likes best (RFC 9110 section 12.5.4).
    pub fn of(headers: &HeaderMap) -> Self {
        static AVAILABLE: LazyLock<Vec<LanguageIdentifier>> = LazyLock::new(|| {
            Language::ALL.iter().filter_map(|language| language.tag().parse().ok()).collect()
        });
        let wanted = wanted(headers);
        let strategy = NegotiationStrategy::Lookup;
        let found = negotiate_languages(&wanted, &AVAILABLE, None, strategy);
        let tag = found.first().map(|found| found.language.as_str());
        let mut all = Self::ALL.into_iter();
        all.find(|language| Some(language.tag()) == tag).unwrap_or_default()
    }

    /// Its tag: RFC 5646.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
        }
    }

    /// What the page says in it.
    pub const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &texts::ENGLISH,
            Self::German => &texts::GERMAN,
            Self::French => &texts::FRENCH,
            Self::Spanish => &texts::SPANISH,
        }
    }
}

/// The languages of the header, the best liked first, without those that are refused. The library
/// takes them in the order in which they come, so that is done here.
fn wanted(headers: &HeaderMap) -> Vec<LanguageIdentifier> {
    let fields = headers.get_all(ACCEPT_LANGUAGE).into_iter();
    let ranges = fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
    let mut weighed: Vec<(u16, LanguageIdentifier)> = ranges
        .take(MAX_LANGUAGES)
        .filter_map(|range| {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = weight(parameters)?;
            Some((weight, tag.trim().parse().ok()?)).filter(|_| weight > 0)
        })
        .collect();
    weighed.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    weighed.into_iter().map(|(_, language)| language).collect()
}

/// In thousandths.
fn weight(parameters: &str) -> Option<u16> {
    if parameters.trim().is_empty() {
        return Some(1000);
    }
    let weight: f32 = parameters.trim().strip_prefix("q=")?.trim().parse().ok()?;
    // The conversion saturates, and rubbish is zero.
    (0.0..=1.0).contains(&weight).then_some((weight * 1000.0) as u16)
}
