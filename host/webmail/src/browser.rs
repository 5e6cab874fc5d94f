//! What a browser brings beside its request, and takes home beside the answer: cookies.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use waypost_model::Address;

use crate::cookie::{self, Pass};
use crate::home::Home;
use crate::proof::Proof;
use crate::seal::{RouteCookie, SealKeys};

/// The cookies of one request, and whose request it is. A program that keeps cookies is a browser
/// here.
#[derive(Debug)]
pub(crate) struct Browser {
    address: Address,
    remembered: Option<RouteCookie>,
    /// The `Cookie` fields as they came.
    fields: HeaderMap,
    encrypted: bool,
}

impl Browser {
    /// Takes the cookies out of `headers`. What `remembered` says of the others counts if it is
    /// about this user.
    pub(crate) fn of(
        address: Address,
        remembered: Option<RouteCookie>,
        headers: &mut HeaderMap,
        encrypted: bool,
    ) -> Self {
        let mut fields = HeaderMap::new();
        for field in headers.get_all(COOKIE) {
            fields.append(COOKIE, field.clone());
        }
        headers.remove(COOKIE);
        Self { address, remembered, fields, encrypted }
    }

    /// As whom the front has found the password of this browser's user right. What another user has
    /// shown in the same browser is not theirs.
    pub(crate) fn proof(&self) -> Option<Proof> {
        let known = self.remembered.as_ref()?;
        let is_theirs =
            known.address.as_str().to_lowercase() == self.address.as_str().to_lowercase();
        known.proof.filter(|_| is_theirs)
    }

    /// The cookies that this target is shown.
    pub(crate) fn shows(&self, target: &str) -> Option<HeaderValue> {
        let pass = match self.at_home(target) {
            Some(known) => Pass::Except(&known.strangers),
            None => Pass::Nothing,
        };
        cookie::onward(&self.fields, pass)
    }

    /// What is remembered, if the browser's other cookies are of this user and this target: set
    /// there, or strangers that are known.
    fn at_home(&self, target: &str) -> Option<&RouteCookie> {
        let known = self.remembered.as_ref()?;
        let here = Home::of(&self.address, target);
        // Before the first back end was reached there is only the address to compare.
        let home = known.home.unwrap_or_else(|| Home::of(&known.address, target));
        (home == here).then_some(known)
    }

    /// What is to be remembered after an answer of this target; `None` where nothing new is.
    /// `proof`: what the request itself has shown.
    fn renewed(
        &self,
        target: &str,
        proof: Option<Proof>,
        now: SystemTime,
        lifetime: Duration,
    ) -> Option<RouteCookie> {
        let home = Some(Home::of(&self.address, target));
        let proof = proof.or_else(|| self.proof());
        let mut new = RouteCookie { home, proof, ..RouteCookie::new(self.address.clone(), now) };
        let is_new = |known: &RouteCookie| {
            known.home != home || known.proof != proof || known.age(now) >= lifetime / 2
        };
        match (self.at_home(target), &self.remembered) {
            (Some(known), _) if !is_new(known) => return None,
            (Some(known), _) => new.strangers = known.strangers.clone(),
            // Whatever is here now was set by somebody else.
            (None, known) => {
                new.strangers =
                    known.as_ref().map(|known| known.strangers.clone()).unwrap_or_default();
                new.strangers.extend(&cookie::strangers(&self.fields));
            }
        }
        Some(new)
    }

    /// Adds to an answer of this target what the browser is to remember. One that has no cookies,
    /// and gets none, need not remember anything where `always` does not say so: its user comes
    /// with each request.
    pub(crate) fn remember(
        &self,
        answer: &mut HeaderMap,
        target: &str,
        proof: Option<Proof>,
        keys: &SealKeys,
        lifetime: Duration,
        always: bool,
    ) {
        if !always && self.fields.is_empty() && !answer.contains_key(SET_COOKIE) {
            return;
        }
        let Some(new) = self.renewed(target, proof, SystemTime::now(), lifetime) else { return };
        let field = new.seal(keys).and_then(|sealed| cookie::set(sealed, lifetime, self.encrypted));
        if let Some(field) = field {
            answer.append(SET_COOKIE, field);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::HeaderMap;
    use waypost_model::{Address, Principal, Verification};

    use super::Browser;
    use crate::proof::Proof;
    use crate::seal::RouteCookie;

    const LIFETIME: Duration = Duration::from_secs(1000);

    fn browser(user: &str, remembered: Option<RouteCookie>, cookies: &'static str) -> Browser {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", cookies.parse().unwrap());
        Browser::of(Address::new(user, None).unwrap(), remembered, &mut headers, true)
    }

    fn shown(browser: &Browser, target: &str) -> String {
        browser.shows(target).map(|field| field.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_back_end_is_shown_what_was_set_there() {
        let now = SystemTime::now();
        let first = browser("a@x.test", None, "old=1");
        assert_eq!(shown(&first, "north"), "", "nobody knows who has set it");
        let known = first.renewed("north", None, now, LIFETIME).unwrap();

        let then = browser("a@x.test", Some(known.clone()), "old=1; session=n");
        assert_eq!(shown(&then, "north"), "session=n");
        assert_eq!(then.renewed("north", None, now, LIFETIME), None, "nothing is new");
        assert_eq!(shown(&then, "south"), "", "moved");
        let moved = then.renewed("south", None, now, LIFETIME).unwrap();
        let there = browser("a@x.test", Some(moved), "old=1; session=n; other=s");
        assert_eq!(shown(&there, "south"), "other=s");

        let same = browser("A@x.test", Some(known.clone()), "session=n");
        assert_eq!(shown(&same, "north"), "session=n", "as somebody else writes it");

        let other = browser("b@x.test", Some(known), "session=n");
        assert_eq!(shown(&other, "north"), "", "another user's");
        let known = other.renewed("north", None, now, LIFETIME).unwrap();
        assert_eq!(known.address.as_str(), "b@x.test");
        let then = browser("b@x.test", Some(known), "session=n");
        assert_eq!(shown(&then, "north"), "", "and still");
    }

    #[test]
    fn what_is_remembered_is_renewed_half_way() {
        let now = SystemTime::now();
        let known = browser("a@x.test", None, "").renewed("north", None, now, LIFETIME).unwrap();
        let later = browser("a@x.test", Some(known.clone()), "");
        assert_eq!(
            later.renewed("north", None, now + LIFETIME / 2 - Duration::from_secs(2), LIFETIME),
            None
        );
        let renewed = later.renewed("north", None, now + LIFETIME / 2, LIFETIME).unwrap();
        assert_eq!((renewed.home, renewed.address), (known.home, known.address));
        assert!(renewed.sealed_at > known.sealed_at);
    }
    #[test]
    fn a_proof_is_of_one_user_and_stays_with_them() {
        let by = |dn: &str| {
            let principal = Principal { directory: "main".into(), dn: dn.into() };
            Proof::of(&Verification::ByBind(principal))
        };
        let now = SystemTime::now();
        let known = browser("a@x.test", None, "").renewed("north", by("cn=a"), now, LIFETIME);
        let known = known.unwrap();
        let then = browser("A@x.test", Some(known.clone()), "");
        assert_eq!(then.proof(), by("cn=a"));
        assert_eq!(then.renewed("north", None, now, LIFETIME), None, "nothing is new");
        let moved = then.renewed("south", None, now, LIFETIME).unwrap();
        assert_eq!(moved.proof, by("cn=a"), "who has moved is the same");
        let anew = then.renewed("north", by("cn=b"), now, LIFETIME).unwrap();
        assert_eq!(anew.proof, by("cn=b"));
        let other = browser("b@x.test", Some(known), "");
        assert_eq!(other.proof(), None);
        assert_eq!(other.renewed("north", None, now, LIFETIME).unwrap().proof, None);
    }
}
