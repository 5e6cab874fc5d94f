//! Doubles for the tests of a policy: a [`Double`] stands in for the host under `cargo test`.
//!
//! ```
//! use waypost_sdk::testing::{Double, entry, lookup};
//! use waypost_sdk::{Host, Level};
//!
//! let host = Double::new().entries(
//!     "dc=example,dc=test",
//!     "(mail=a@example.test)",
//!     vec![entry("uid=a,dc=example,dc=test", &[("mailHost", "mail1")])],
//! );
//! assert!(host.open("main").is_ok());
//! host.log(Level::Info, "a line");
//! assert_eq!(host.lines(), ["a line"]);
//! assert_eq!(lookup("a@example.test").local_part, "a");
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use crate::{
    Attribute, Client, Directory, Entry, Host, IpAddress, Level, Lookup, Page, Policy, Problem,
    Problems, Purpose, Query, SearchError, settings,
};

/// Makes a policy of its settings, a JSON text, as the component does.
pub fn configure<P: Policy>(json: &str) -> Result<P, Vec<Problem>> {
    P::configure(settings::read(json)?).map_err(Problems::into_list)
}

/// The problems of settings that are none, each as `POINTER: MESSAGE`; empty where they are good.
pub fn problems<P: Policy>(json: &str) -> Vec<String> {
    let problems = configure::<P>(json).err().unwrap_or_default();
    problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

/// The question of somebody who logs in. Panics where `address` has no `@`.
pub fn lookup(address: &str) -> Lookup {
    ask(Purpose::Login, address)
}

/// A question. Panics where `address` has no `@`.
pub fn ask(purpose: Purpose, address: &str) -> Lookup {
    let (local_part, domain) = address.rsplit_once('@').expect("an address has an @");
    Lookup {
        purpose,
        address: address.into(),
        local_part: local_part.into(),
        domain: domain.into(),
    }
}

/// An entry with an attribute for each pair of a name and a value; equal names are collected.
pub fn entry(dn: &str, attributes: &[(&str, &str)]) -> Entry {
    let mut entry = Entry { dn: dn.into(), attributes: Vec::new() };
    for (name, value) in attributes {
        match entry.attributes.iter_mut().find(|attribute| attribute.name == *name) {
            Some(attribute) => attribute.values.push(value.as_bytes().into()),
            None => entry
                .attributes
                .push(Attribute { name: (*name).into(), values: vec![value.as_bytes().into()] }),
        }
    }
    entry
}

/// The client of a [`Double`]. Without more: IMAP from 192.0.2.1, in clear text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what the function of this name in `Client` answers")]
pub struct Caller {
    pub protocol: String,
    pub listener: String,
    pub address: IpAddress,
    pub encrypted: bool,
    pub mechanism: Option<String>,
    pub login_name: Option<String>,
    pub authentication_id: Option<String>,
    pub certificate_name: Option<String>,
    pub sender: Option<String>,
    pub now: u64,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            protocol: "imap".into(),
            listener: "imap".into(),
            address: IpAddress::Ipv4((192, 0, 2, 1)),
            encrypted: false,
            mechanism: None,
            login_name: None,
            authentication_id: None,
            certificate_name: None,
            sender: None,
            now: 0,
        }
    }
}

/// A host with one directory, that answers the searches it was taught and knows nothing else. It
/// is granted under every name but the one given to [`Double::without`].
#[derive(Clone, Debug, Default)]
pub struct Double {
    answers: Vec<(String, Result<Page, SearchError>)>,
    otherwise: Option<SearchError>,
    without: Option<String>,
    base: String,
    caller: Caller,
    seen: Rc<Seen>,
}

/// What the policy did.
#[derive(Debug, Default)]
struct Seen {
    searches: RefCell<Vec<String>>,
    queries: RefCell<Vec<Query>>,
    lines: RefCell<Vec<(Level, String)>>,
    reads: RefCell<Vec<&'static str>>,
}

impl Double {
    /// A host whose directory is empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a search, given with its parameters in place, with these entries and no more.
    pub fn entries(self, base: &str, filter: &str, entries: Vec<Entry>) -> Self {
        self.answer(base, filter, Ok(Page { entries, complete: true }))
    }

    /// Answers a search, given with its parameters in place.
    pub fn answer(mut self, base: &str, filter: &str, answer: Result<Page, SearchError>) -> Self {
        self.answers.push((spell(base, filter), answer));
        self
    }

    /// Answers every search that was not taught with this error.
    pub fn otherwise(mut self, error: SearchError) -> Self {
        self.otherwise = Some(error);
        self
    }

    /// Sets the directory's own base, which is empty without.
    pub fn base(mut self, base: &str) -> Self {
        self.base = base.into();
        self
    }

    /// Says who the client is.
    ///
    /// ```
    /// use waypost_sdk::Host;
    /// use waypost_sdk::testing::{Caller, Double};
    ///
    /// let host = Double::new().caller(Caller { encrypted: true, ..Caller::default() });
    /// assert!(host.client().encrypted());
    /// assert_eq!(host.reads(), ["encrypted"]);
    /// ```
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Does not grant this directory.
    pub fn without(mut self, directory: &str) -> Self {
        self.without = Some(directory.into());
        self
    }

    /// The searches so far, each as `BASE FILTER` with the parameters in place.
    pub fn searches(&self) -> Vec<String> {
        self.seen.searches.borrow().clone()
    }

    /// The searches so far, as they were asked.
    pub fn queries(&self) -> Vec<Query> {
        self.seen.queries.borrow().clone()
    }

    /// The lines logged so far.
    pub fn lines(&self) -> Vec<String> {
        self.seen.lines.borrow().iter().map(|(_, line)| line.clone()).collect()
    }

    /// The lines logged so far, each with how much it matters.
    pub fn log_lines(&self) -> Vec<(Level, String)> {
        self.seen.lines.borrow().clone()
    }

    /// What was read of the client so far, by the interface's names, each once: the values that
    /// part the route cache.
    pub fn reads(&self) -> Vec<&'static str> {
        self.seen.reads.borrow().clone()
    }

    fn read<T: Clone>(&self, what: &'static str, value: &T) -> T {
        let mut reads = self.seen.reads.borrow_mut();
        if !reads.contains(&what) {
            reads.push(what);
        }
        value.clone()
    }
}

impl Host for Double {
    fn client(&self) -> &dyn Client {
        self
    }

    fn open(&self, directory: &str) -> Result<Box<dyn Directory>, SearchError> {
        if self.without.as_deref() == Some(directory) {
            return Err(SearchError::NotGranted);
        }
        Ok(Box::new(self.clone()))
    }

    fn log(&self, level: Level, message: &str) {
        self.seen.lines.borrow_mut().push((level, message.into()));
    }
}

impl Directory for Double {
    fn base(&self) -> String {
        self.base.clone()
    }

    fn search(&self, query: &Query) -> Result<Page, SearchError> {
        let asked = spell(&place(&query.base, query), &place(&query.filter, query));
        self.seen.searches.borrow_mut().push(asked.clone());
        self.seen.queries.borrow_mut().push(query.clone());
        match self.answers.iter().find(|(search, _)| *search == asked) {
            Some((_, answer)) => answer.clone(),
            None => match &self.otherwise {
                Some(error) => Err(error.clone()),
                None => Ok(Page { entries: Vec::new(), complete: true }),
            },
        }
    }
}

impl Client for Double {
    fn protocol(&self) -> String {
        self.read("protocol", &self.caller.protocol)
    }

    fn listener(&self) -> String {
        self.read("listener", &self.caller.listener)
    }

    fn address(&self) -> IpAddress {
        self.read("client-address", &self.caller.address)
    }

    fn encrypted(&self) -> bool {
        self.read("encrypted", &self.caller.encrypted)
    }

    fn mechanism(&self) -> Option<String> {
        self.read("mechanism", &self.caller.mechanism)
    }

    fn login_name(&self) -> Option<String> {
        self.read("login-name", &self.caller.login_name)
    }

    fn authentication_id(&self) -> Option<String> {
        self.read("authentication-id", &self.caller.authentication_id)
    }

    fn certificate_name(&self) -> Option<String> {
        self.read("certificate-name", &self.caller.certificate_name)
    }

    fn sender(&self) -> Option<String> {
        self.read("sender", &self.caller.sender)
    }

    fn now(&self) -> u64 {
        self.read("now", &self.caller.now)
    }
}

fn spell(base: &str, filter: &str) -> String {
    format!("{base} {filter}")
}

/// The text with its parameters in place, unescaped. Panics where a parameter is missing, as the
/// host would refuse the query.
fn place(text: &str, query: &Query) -> String {
    let mut placed = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (number, behind) = after.split_once('}').expect("a parameter ends with }");
        let number: usize = number.parse().expect("a parameter has a number");
        let value = query.parameters.get(number).expect("a parameter has a value");
        placed.push_str(before);
        placed.push_str(&String::from_utf8_lossy(value));
        rest = behind;
    }
    placed.push_str(rest);
    placed
}
