//! What a browser brings beside its request, and takes home beside the answer: cookies.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use waypost_model::Address;

use crate::cookie;
use crate::home::{Home, Past};
use crate::marks::{self, Marks, Setter};
use crate::proof::Proof;
use crate::seal::{RouteCookie, SealKeys};

/// How browsers are made to remember.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) keys: Arc<SealKeys>,
    pub(crate) lifetime: Duration,
    pub(crate) encrypted: bool,
}

/// The cookies of one request, and whose request it is. A program that keeps cookies is a browser
/// here.
#[derive(Debug)]
pub(crate) struct Browser {
    address: Address,
    /// What we have told it of this user; `None` too where it was of another.
    remembered: Option<RouteCookie>,
    past: Past,
    /// The `Cookie` fields as they came.
    fields: HeaderMap,
    marks: Marks,
    memory: Memory,
}

impl Memory {
    fn remember(&self, cookie: &RouteCookie) -> Option<HeaderValue> {
        cookie::set(cookie.seal(&self.keys)?, self.lifetime, self.encrypted)
    }

    /// Forgets the user. What is known of the others' cookies stays: they do too.
    pub(crate) fn forget(&self, past: Past) -> impl Iterator<Item = HeaderValue> {
        let sealed = (past != Past::default()).then(|| past.seal(&self.keys)).flatten();
        let past =
            sealed.and_then(|sealed| cookie::set_past(sealed, self.lifetime, self.encrypted));
        past.into_iter().chain(cookie::forget(self.encrypted))
    }

    /// What a browser knows that has forgotten its user.
    fn past(&self, headers: &HeaderMap) -> Option<Past> {
        Past::open(cookie::past(headers, self.encrypted)?, &self.keys)
    }
}

impl Browser {
    /// Looks at the cookies in `headers`, of a request of this user.
    pub(crate) fn of(
        address: Address,
        remembered: Option<RouteCookie>,
        headers: &HeaderMap,
        memory: Memory,
    ) -> Self {
        let mut fields = HeaderMap::new();
        for field in headers.get_all(COOKIE) {
            fields.append(COOKIE, field.clone());
        }
        let marks = Marks::of(&fields, &memory.keys);
        let now = SystemTime::now();
        let past = match &remembered {
            Some(known) if known.is_of(&address) => known.past,
            Some(known) => known.past.mixed(now),
            None => memory.past(&fields).unwrap_or_else(|| match marks.lack_one(&fields) {
                true => Past::default().mixed(now),
                false => Past::default(),
            }),
        };
        let remembered = remembered.filter(|known| known.is_of(&address));
        Self { address, remembered, past, fields, marks, memory }
    }

    /// As whom the front has found the password of this browser's user right. What another user has
    /// shown in the same browser is not theirs.
    pub(crate) fn proof(&self) -> Option<Proof> {
        self.remembered.as_ref()?.proof
    }

    /// The cookies that this target is shown: what it has set itself for this user, and what nobody
    /// behind us has set, if the browser has belonged to nobody else.
    pub(crate) fn shows(&self, target: &str) -> Option<HeaderValue> {
        let home = Home::of(&self.address, target);
        let is_only = self.past.is_only(home, SystemTime::now(), self.memory.lifetime);
        cookie::onward(&self.fields, |name, value| match self.marks.setter(name, value, home) {
            Setter::Here => true,
            Setter::Elsewhere => false,
            Setter::Nobody => is_only,
        })
    }

    /// Marks the cookies that this target sets.
    pub(crate) fn mark(&self, answer: &mut HeaderMap, target: &str) {
        if answer.contains_key(SET_COOKIE) {
            marks::mark(answer, Home::of(&self.address, target), &self.memory.keys);
        }
    }

    /// What is to be remembered after an answer of this target; `None` where nothing new is.
    /// `proof`: what the request itself has shown.
    fn renewed(&self, target: &str, proof: Option<Proof>, now: SystemTime) -> Option<RouteCookie> {
        let past = self.past.at(Home::of(&self.address, target), now);
        let proof = proof.or_else(|| self.proof());
        let is_old = |known: &RouteCookie| {
            (known.past, known.proof) == (past, proof) && known.age(now) < self.memory.lifetime / 2
        };
        if self.remembered.as_ref().is_some_and(is_old) {
            return None;
        }
        Some(RouteCookie { past, proof, ..RouteCookie::new(self.address.clone(), now) })
    }

    /// Adds to an answer of this target what the browser is to remember. One that has no cookies,
    /// and gets none, need not remember anything where `always` does not say so: its user comes
    /// with each request.
    pub(crate) fn remember(
        &self,
        answer: &mut HeaderMap,
        target: &str,
        proof: Option<Proof>,
        always: bool,
    ) {
        if !always && self.fields.is_empty() && !answer.contains_key(SET_COOKIE) {
            return;
        }
        let new = self.renewed(target, proof, SystemTime::now());
        if let Some(field) = new.and_then(|new| self.memory.remember(&new)) {
            answer.append(SET_COOKIE, field);
        }
    }

    /// The field that remembers who has said who they are, before a back end was asked.
    pub(crate) fn introduction(&self) -> Option<HeaderValue> {
        let new = RouteCookie::new(self.address.clone(), SystemTime::now());
        self.memory.remember(&RouteCookie { past: self.past, proof: self.proof(), ..new })
    }

    /// The fields that make it forget its user. `target`: whose answer they go with.
    pub(crate) fn forgetting(&self, target: Option<&str>) -> impl Iterator<Item = HeaderValue> {
        let home = target.map(|target| Home::of(&self.address, target));
        let past = home.map_or(self.past, |home| self.past.at(home, SystemTime::now()));
        self.memory.forget(past)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use http::HeaderMap;
    use http::header::{COOKIE, HeaderValue, SET_COOKIE};
    use waypost_model::{Address, Principal, Verification};

    use super::{Browser, Memory};
    use crate::cookie::ours;
    use crate::proof::Proof;
    use crate::seal::{RouteCookie, SealKeys};

    const LIFETIME: Duration = Duration::from_secs(1000);

    fn memory() -> Memory {
        Memory { keys: Arc::new(SealKeys::random()), lifetime: LIFETIME, encrypted: true }
    }

    fn address(user: &str) -> Address {
        Address::new(user, None).unwrap()
    }

    fn browser(user: &str, remembered: Option<RouteCookie>) -> Browser {
        Browser::of(address(user), remembered, &HeaderMap::new(), memory())
    }

    /// The cookies of somebody's browser, each with its name, value and path.
    struct Jar {
        memory: Memory,
        cookies: Vec<[String; 3]>,
    }

    impl Jar {
        fn new() -> Self {
            Self { memory: memory(), cookies: Vec::new() }
        }

        fn keep<'a>(&mut self, set: impl IntoIterator<Item = &'a HeaderValue>) {
            for field in set {
                let field = ::cookie::Cookie::parse(field.to_str().unwrap().to_owned()).unwrap();
                let [name, path] = [field.name(), field.path().unwrap_or("/")].map(str::to_owned);
                self.cookies.retain(|[n, _, p]| (n, p) != (&name, &path));
                if field.max_age().is_none_or(|age| !age.is_zero()) {
                    self.cookies.push([name, field.value().to_owned(), path]);
                }
            }
        }

        /// A request of this user for this path.
        fn ask(&self, user: &str, path: &str) -> Browser {
            let mut headers = HeaderMap::new();
            for [name, value, at] in &self.cookies {
                if path.starts_with(at.as_str()) {
                    headers.append(COOKIE, format!("{name}={value}").parse().unwrap());
                }
            }
            let sealed = ours(&headers, true);
            let open = |sealed| {
                RouteCookie::open(sealed, &self.memory.keys, SystemTime::now(), LIFETIME).unwrap()
            };
            Browser::of(address(user), sealed.map(open), &headers, self.memory.clone())
        }

        /// A target's answer to a request.
        fn hear(&mut self, asked: &Browser, target: &str, set: &[&'static str]) {
            let mut answer = HeaderMap::new();
            for field in set {
                answer.append(SET_COOKIE, HeaderValue::from_static(field));
            }
            asked.mark(&mut answer, target);
            asked.remember(&mut answer, target, None, true);
            self.keep(answer.get_all(SET_COOKIE));
        }

        /// What this target is shown, which answers with nothing to set.
        fn visit(&mut self, user: &str, path: &str, target: &str) -> String {
            let asked = self.ask(user, path);
            self.hear(&asked, target, &[]);
            shown(&asked, target)
        }
    }

    fn shown(browser: &Browser, target: &str) -> String {
        browser.shows(target).map(|field| field.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_back_end_is_shown_what_was_set_there_whatever_the_path() {
        let mut jar = Jar::new();
        jar.hear(&jar.ask("a@x.test", "/"), "north", &["r=1", "s=1; Path=/app/; HttpOnly"]);
        assert_eq!(jar.visit("a@x.test", "/app/", "north"), "r=1; s=1");
        assert_eq!(jar.visit("A@x.test", "/app/", "north"), "r=1; s=1", "as others write it");

        // Where none of the old one's cookies are sent, the change is noticed first.
        assert_eq!(jar.visit("b@x.test", "/.waypost/", "north"), "");
        assert_eq!(jar.visit("b@x.test", "/app/", "north"), "", "another user's");
        jar.hear(&jar.ask("b@x.test", "/app/"), "north", &["s=2; Path=/app/"]);
        assert_eq!(jar.visit("b@x.test", "/app/", "north"), "s=2", "over the other's");

        // Moved.
        assert_eq!(jar.visit("b@x.test", "/", "south"), "");
        assert_eq!(jar.visit("b@x.test", "/app/", "south"), "");
        jar.hear(&jar.ask("b@x.test", "/app/x"), "south", &["s=3; Path=/app/x"]);
        assert_eq!(jar.visit("b@x.test", "/app/x", "south"), "s=3", "beside the other's");
        assert_eq!(jar.visit("b@x.test", "/app/", "south"), "");
    }

    #[test]
    fn what_an_old_back_end_sets_late_is_its_own() {
        let mut jar = Jar::new();
        jar.visit("a@x.test", "/", "north");
        let under_way = jar.ask("a@x.test", "/app/");
        jar.visit("b@x.test", "/", "south");
        jar.hear(&under_way, "north", &["s=1", "t=1; Path=/app/"]);
        assert_eq!(jar.visit("b@x.test", "/app/", "south"), "");
    }

    #[test]
    fn what_nobody_has_marked_is_of_the_only_user() {
        let mut jar = Jar::new();
        let script = |jar: &mut Jar, set: &'static str| jar.keep([&HeaderValue::from_static(set)]);
        jar.visit("a@x.test", "/", "north");
        script(&mut jar, "theme=dark; Path=/");
        assert_eq!(jar.visit("a@x.test", "/", "north"), "theme=dark");
        // Who is forgotten and comes back is the same; another is not.
        let forgetting: Vec<_> = jar.ask("a@x.test", "/").forgetting(Some("north")).collect();
        jar.keep(&forgetting);
        assert!(jar.ask("a@x.test", "/").remembered.is_none());
        assert_eq!(shown(&jar.ask("b@x.test", "/"), "north"), "");
        assert_eq!(jar.visit("a@x.test", "/", "north"), "theme=dark");
        jar.keep(&jar.ask("b@x.test", "/.waypost/").introduction());
        script(&mut jar, "late=1; Path=/app/");
        assert_eq!(jar.visit("b@x.test", "/app/", "north"), "");
        assert_eq!(jar.visit("b@x.test", "/app/", "north"), "", "and still");
        assert_eq!(jar.visit("a@x.test", "/app/", "north"), "", "who may have seen the other's");

        // Of a browser that we have never seen before nobody knows.
        let mut jar = Jar::new();
        script(&mut jar, "old=1; Path=/");
        assert_eq!(jar.visit("a@x.test", "/", "north"), "");
        assert_eq!(jar.visit("a@x.test", "/", "north"), "");
    }

    #[test]
    fn what_a_script_changes_stays_the_back_ends() {
        let mut jar = Jar::new();
        jar.hear(&jar.ask("a@x.test", "/"), "north", &["language=de; Path=/"]);
        jar.keep([&HeaderValue::from_static("language=fr; Path=/")]);
        assert_eq!(jar.visit("a@x.test", "/", "north"), "language=fr");
        assert_eq!(jar.visit("a@x.test", "/", "south"), "");
    }

    #[test]
    fn what_is_remembered_is_renewed_half_way() {
        let now = SystemTime::now();
        let known = browser("a@x.test", None).renewed("north", None, now).unwrap();
        let later = browser("a@x.test", Some(known.clone()));
        let before = now + LIFETIME / 2 - Duration::from_secs(2);
        assert_eq!(later.renewed("north", None, before), None);
        let renewed = later.renewed("north", None, now + LIFETIME / 2).unwrap();
        assert_eq!((renewed.past, renewed.address), (known.past, known.address));
        assert!(renewed.sealed_at > known.sealed_at);
    }

    #[test]
    fn a_proof_is_of_one_user_and_stays_with_them() {
        let by = |dn: &str| {
            let principal = Principal { directory: "main".into(), dn: dn.into() };
            Proof::of(&Verification::ByBind(principal))
        };
        let now = SystemTime::now();
        let known = browser("a@x.test", None).renewed("north", by("cn=a"), now).unwrap();
        let then = browser("A@x.test", Some(known.clone()));
        assert_eq!(then.proof(), by("cn=a"));
        assert_eq!(then.renewed("north", None, now), None, "nothing is new");
        let moved = then.renewed("south", None, now).unwrap();
        assert_eq!(moved.proof, by("cn=a"), "who has moved is the same");
        let anew = then.renewed("north", by("cn=b"), now).unwrap();
        assert_eq!(anew.proof, by("cn=b"));
        let other = browser("b@x.test", Some(known));
        assert_eq!(other.proof(), None);
        assert_eq!(other.renewed("north", None, now).unwrap().proof, None);
    }
}
