use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use waypost_model::Target;

use crate::form::FormRule;
use crate::page::Page;
use crate::place::{Branch, Place};

/// How users are made out who bring no Basic credentials: what of `[webmail]` is for browsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identification {
    /// `key-file`: what seals the route cookie. A key that ends with the process.
    pub key_file: Option<PathBuf>,
    /// `login-forms`: the back ends' own login forms. None.
    pub login_forms: Vec<FormRule>,
    /// `log-out`: where the user is forgotten. Nowhere.
    pub log_out: Vec<Place>,
    /// `api-paths`: what is for programs: they are asked for credentials and never get a page.
    /// CalDAV, CardDAV, ActiveSync.
    pub api_paths: Vec<Branch>,
    /// `address-parameter`: the parameter in which the back ends' login page takes the address.
    /// None.
    pub address_parameter: Option<Arc<str>>,
    /// `cookie-lifetime`: for how long a browser remembers its user. 30 days.
    pub cookie_lifetime: Duration,
    /// `decoys`: whose login page somebody gets who does not exist. Nobody's: the page says so.
    pub decoys: Vec<Target>,
    /// `page`: the identifier-first page. The one that comes with Waypost.
    pub page: Arc<Page>,
}

impl Default for Identification {
    fn default() -> Self {
        Self {
            key_file: None,
            login_forms: Vec::new(),
            log_out: Vec::new(),
            api_paths: API_PATHS.iter().filter_map(|path| path.parse().ok()).collect(),
            address_parameter: None,
            cookie_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            decoys: Vec::new(),
            page: Arc::new(Page::embedded()),
        }
    }
}

/// RFC 6764 section 5, MS-ASHTTP section 2.2.1.1.1, and where SOGo and Nextcloud have DAV.
const API_PATHS: [&str; 6] = [
    "/.well-known/caldav",
    "/.well-known/carddav",
    "/Microsoft-Server-ActiveSync",
    "/dav",
    "/SOGo/dav",
    "/remote.php",
];
