use serde::de::{Deserialize, Deserializer};

use crate::outside::is_outside;
use crate::template::Placeholder;
use crate::{
    AttributeName, Base, Directory, Failure, Filter, Host, Page, Parameters, Query, Scope,
    SearchError, Subject, text,
};

/// The name of a directory in the operator's configuration.
///
/// ```
/// assert_eq!(waypost_sdk::DirectoryName::new("main").unwrap().as_str(), "main");
/// assert!(waypost_sdk::DirectoryName::new("").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryName(String);

impl DirectoryName {
    /// The name; `None` where it is empty.
    pub fn new(name: &str) -> Option<Self> {
        (!name.is_empty()).then(|| Self(name.into()))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for DirectoryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WHAT: &str = "the name of a directory";
        text(deserializer, WHAT, |name| {
            Self::new(name).ok_or_else(|| format!("{WHAT} was expected, here is an empty string"))
        })
    }
}

/// A search of a directory, as operators configure it: `directory`, `search-base` and
/// `search-pattern`, with placeholders for who is asked for.
///
/// What can go wrong is answered as the [`Failure`] that it is to a policy, in the operator's
/// words, and names these three settings.
///
/// ```
/// use waypost_sdk::testing::{Double, entry};
/// use waypost_sdk::{AttributeName, DirectoryName, Search, Subject};
///
/// let search = Search {
///     directory: DirectoryName::new("main").unwrap(),
///     base: "%s".parse().unwrap(),
///     filter: "mail=%e".parse().unwrap(),
///     attributes: vec![AttributeName::new("mailHost").unwrap()],
///     size_limit: 2,
/// };
/// let found = entry("uid=a,dc=example,dc=test", &[("mailHost", "mail1")]);
/// let host =
///     Double::new().entries("dc=example,dc=test", "(mail=a@example.test)", vec![found.clone()]);
/// let directory = search.open(&host).unwrap();
/// let subject = Subject { local_part: "a".into(), domain: "example.test".into() };
/// assert_eq!(search.ask(&*directory, &subject).unwrap().entries, [found]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Whom to ask.
    pub directory: DirectoryName,
    /// The entry below which to search.
    pub base: Base,
    /// What an entry must have.
    pub filter: Filter,
    /// The attributes to return.
    pub attributes: Vec<AttributeName>,
    /// More entries than this make the page incomplete; not zero.
    pub size_limit: u32,
}

impl Search {
    /// Opens the directory.
    pub fn open(&self, host: &dyn Host) -> Result<Box<dyn Directory>, Failure> {
        host.open(self.directory.as_str()).map_err(|error| self.failure(error))
    }

    /// Searches for `subject`, the whole tree below the base.
    ///
    /// A subject whose domain, by `%s`, makes a base outside the directory's own has no entry: that
    /// is the client's mistake, not the operator's.
    pub fn ask(&self, directory: &dyn Directory, subject: &Subject) -> Result<Page, Failure> {
        let mut parameters = Parameters::new(subject);
        let query = Query {
            base: self.base.fill(&mut parameters),
            scope: Scope::Subtree,
            filter: self.filter.fill(&mut parameters),
            parameters: parameters.into_values(),
            attributes: self.attributes.iter().map(|name| name.as_str().into()).collect(),
            size_limit: self.size_limit,
        };
        match directory.search(&query) {
            Ok(page) => Ok(page),
            Err(SearchError::BadRequest(_)) if self.is_elsewhere(directory, subject) => {
                Ok(Page { entries: Vec::new(), complete: true })
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Whether base or filter depend on the placeholder.
    pub fn uses(&self, placeholder: Placeholder) -> bool {
        self.base.uses(placeholder) || self.filter.uses(placeholder)
    }

    /// Whether the search base, made of the subject's domain, lies outside the directory.
    fn is_elsewhere(&self, directory: &dyn Directory, subject: &Subject) -> bool {
        self.base.uses(Placeholder::Components)
            && is_outside(&self.base.spell(subject), &directory.base())
    }

    fn failure(&self, error: SearchError) -> Failure {
        let directory = self.directory.as_str();
        match error {
            SearchError::Unavailable | SearchError::Timeout => Failure::DirectoryUnavailable,
            SearchError::NotGranted => Failure::Misconfigured(format!(
                "the policy's `directories` do not list {directory:?}, which `directory` names"
            )),
            SearchError::BadRequest(reason) => Failure::Misconfigured(format!(
                "the directory {directory:?} refuses the search: {reason}"
            )),
            SearchError::TooLarge => Failure::BadData(format!(
                "what the directory {directory:?} found is larger than it may be: \
                 `search-pattern` matches too much"
            )),
            SearchError::Other(reason) => {
                Failure::Other(format!("the directory {directory:?}: {reason}"))
            }
        }
    }
}
