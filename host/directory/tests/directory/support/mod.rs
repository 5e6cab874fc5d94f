//! What several tests need.

pub(crate) mod certificates;
pub(crate) mod slapd;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use waypost_directory::{
    BoundQuery, Directory, LdapDirectory, LdapSettings, LdifDirectory, LdifSettings, LdifSource,
    Metrics, Page, Query, Scope, SearchError,
};

/// The base of every directory in these tests.
pub(crate) const BASE: &str = "dc=example,dc=test";

/// The entries of most of them.
pub(crate) const PEOPLE: &str = include_str!("people.ldif");

/// An LDIF directory of some content.
pub(crate) fn ldif(content: &str) -> Directory {
    let source = LdifSource::Content(Arc::from(content.as_bytes()));
    let settings =
        LdifSettings { base: Some(BASE.to_owned()), ..LdifSettings::new("ldif", source) };
    Directory::Ldif(LdifDirectory::load(settings, &Metrics::default()).unwrap())
}

/// A query with everything that a test does not care about.
pub(crate) struct Ask<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) parameters: &'a [&'a [u8]],
    pub(crate) attributes: &'a [&'a str],
    pub(crate) size_limit: u32,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            base: BASE,
            scope: Scope::Subtree,
            filter: "(objectClass=*)",
            parameters: &[],
            attributes: &[],
            size_limit: 100,
        }
    }
}

impl Ask<'_> {
    pub(crate) fn bind(&self, directory: &Directory) -> BoundQuery {
        let parameters: Vec<Vec<u8>> = self.parameters.iter().map(|p| p.to_vec()).collect();
        let attributes: Vec<String> = self.attributes.iter().map(|a| (*a).to_owned()).collect();
        let query = Query {
            base: self.base,
            scope: self.scope,
            filter: self.filter,
            parameters: &parameters,
            attributes: &attributes,
            size_limit: self.size_limit,
        };
        BoundQuery::bind(&query, directory.base_dn()).unwrap()
    }

    /// Asks, with a deadline of ten seconds: further off than any of a directory's own.
    pub(crate) async fn of(&self, directory: &Directory) -> Result<Page, SearchError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        directory.search(&self.bind(directory), deadline).await
    }
}

/// Settings for some servers, with times that suit a test.
pub(crate) fn settings(urls: &[String]) -> LdapSettings {
    let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
    LdapSettings {
        connect_timeout: Duration::from_secs(2),
        search_timeout: Duration::from_secs(1),
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(200),
        fail_back_after: Duration::from_millis(300),
        ..LdapSettings::new("slapd", urls, BASE)
    }
}

/// A directory on servers.
pub(crate) fn ldap(settings: LdapSettings) -> Directory {
    Directory::Ldap(LdapDirectory::new(settings, &Metrics::default()).unwrap())
}

/// What the only server's probe found.
pub(crate) async fn finding(directory: &Directory) -> Result<String, String> {
    let [finding] = <[_; 1]>::try_from(directory.probe().await).unwrap();
    finding.result
}

/// Looks one entry up by its mail address.
pub(crate) async fn look_up(directory: &Directory) -> Result<Page, SearchError> {
    let filter = "(mail={0})";
    Ask { filter, parameters: &[b"bert@example.test"], attributes: &["uid"], ..Ask::default() }
        .of(directory)
        .await
}

/// Asks until `done`, for at most fifteen seconds: what happens in the background has no moment
/// that a test could know.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !done().await {
        assert!(start.elapsed() < Duration::from_secs(15), "not within fifteen seconds: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
