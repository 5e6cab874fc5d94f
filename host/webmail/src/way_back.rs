//! The way back: where a browser wanted to go before it was asked whose it is.
//!
//! It comes from the address bar, so anybody can write it. It leads to a path of this host or to
//! its root, never to another site.

use std::borrow::Cow;

use url::Url;

use crate::page::PREFIX;

/// The longest way back, in octets. A longer one is forgotten.
const MAX_WAY_BACK: usize = 2048;

/// A path on this host, with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayBack(String);

impl WayBack {
    /// The way back that a text names, or the root if it does not name one.
    pub fn read(text: &str) -> Self {
        match leads_back(text) {
            true => Self(text.to_owned()),
            false => Self::default(),
        }
    }

    /// As it stands in `Location`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same with one more parameter in the query, in the place of those of its name.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let (path, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let mut written = form_urlencoded::Serializer::new(String::new());
        written.extend_pairs(form_urlencoded::parse(query.as_bytes()).filter(|(n, _)| n != name));
        written.append_pair(name, value);
        Self(format!("{path}?{}", written.finish()))
    }

    /// The address of the page that leads there when it has an answer.
    pub fn by_page(&self) -> Cow<'static, str> {
        match self.0.as_str() {
            "/" => Cow::Borrowed(PREFIX),
            way => {
                let way: String = form_urlencoded::byte_serialize(way.as_bytes()).collect();
                Cow::Owned(format!("{PREFIX}?to={way}"))
            }
        }
    }
}

impl Default for WayBack {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

/// Whether a browser that is sent there stays on this host. `//host` and `/\host` are other hosts
/// to it (WHATWG URL, relative slash state), and it takes tabs and line ends out before it looks.
fn leads_back(text: &str) -> bool {
    let is_plain = text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'\\');
    let is_path = text.starts_with('/') && !text.starts_with("//");
    if text.len() > MAX_WAY_BACK || !is_plain || !is_path || text.starts_with(PREFIX) {
        return false;
    }
    // What we think of it is what a browser's own reader thinks of it.
    let Ok(here) = Url::parse("https://here.invalid/") else { return false };
    let stays = |there: Url| there.origin() == here.origin() && !there.path().starts_with("//");
    here.join(text).is_ok_and(stays)
}
