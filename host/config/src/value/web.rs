use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;

use waypost_model::Secret;
use waypost_webmail::form::{FailedAnswer, FormRule};
use waypost_webmail::page::Page;
use waypost_webmail::place::{Branch, Place};
use waypost_webmail::seal::SealKeys;

use super::file::{ExistingFile, PrivateFile, unreadable};
use super::network::parsed;
use crate::read::{Node, Section, Setting, Value};

impl Value for Place {
    fn expected() -> String {
        "a path such as \"/login\" or \"/?_task=login\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        parsed(node, Self::expected())
    }
}

impl Value for Branch {
    fn expected() -> String {
        "a path such as \"/dav\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        parsed(node, Self::expected())
    }
}

static PATH: Setting<Place> = Setting::optional(
    "path",
    "\"/login\"",
    "a form with these fields is a login wherever it is sent",
    "Where it is sent; what stands behind a ? must be in the query or in the form, beside whatever \
     else. Leave it out where the back ends take a login at more than one path, as Roundcube does.",
);
static USER: Setting<String> =
    Setting::required("user", "\"_user\"", "The field with the user's name.");
static PASSWORD: Setting<String> = Setting::optional(
    "password",
    "\"_pass\"",
    "any form with a user's name is a login, and the front can check none",
    "The field with the password: without it the form is no login.",
);
static FAILED_STATUS: Setting<Status> = Setting::optional(
    "failed-status",
    "401",
    "it is not known by its status",
    "The status of the back end's answer to a login that has failed, so that it can be counted.",
);
static FAILED_LOCATION: Setting<Place> = Setting::optional(
    "failed-location",
    "\"/login?error=1\"",
    "it is not known by its Location",
    "Where the back end's answer sends the browser after a login that has failed.",
);
static FORM: Section = Section {
    header: "",
    about: "A login form of the back ends.",
    settings: &[&PATH, &USER, &PASSWORD, &FAILED_STATUS, &FAILED_LOCATION],
};

/// The status of an answer.
#[derive(Clone, Copy, Debug)]
struct Status(u16);

impl Value for Status {
    fn expected() -> String {
        "the status of an answer, from 200 to 599".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let status = node.read::<NonZeroU16>()?.get();
        match (200..600).contains(&status) {
            true => Some(Self(status)),
            false => node.expected(Self::expected()),
        }
    }
}

/// A login form: `{ user = "…", password = "…" }`.
#[derive(Clone, Debug)]
pub(crate) struct LoginForm(pub(crate) FormRule);

impl Value for LoginForm {
    fn expected() -> String {
        "a login form: { user = \"…\", password = \"…\" }".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        if !node.is_table() {
            return node.expected(Self::expected());
        }
        node.table(&FORM, |form| {
            let place = form.find(&PATH);
            // One that was not understood is not one that was left out.
            if place.is_none() && form.has(&PATH) {
                return None;
            }
            let (user, password) = (form.find(&USER), form.find(&PASSWORD));
            let status = form.find(&FAILED_STATUS).map(|status| status.0);
            let failed = FailedAnswer { status, location: form.find(&FAILED_LOCATION) };
            Some(Self(FormRule { place, user: user?, password, failed }))
        })?
    }
}

/// A template of the identifier-first page.
#[derive(Clone, Debug)]
pub(crate) struct PageFile(pub(crate) Arc<Page>);

impl Value for PageFile {
    fn expected() -> String {
        ExistingFile::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let ExistingFile(path) = node.read()?;
        let octets = match node.reading.surroundings.read(&path) {
            Ok(octets) => octets,
            Err(error) => return node.error(unreadable(&path, &error)),
        };
        let path = path.display();
        let Ok(source) = String::from_utf8(octets) else {
            return node.error(format_args!("{path} is not a text in UTF-8"));
        };
        match Page::from_template(&source) {
            Ok(page) => Some(Self(Arc::new(page))),
            Err(error) => node.error(format_args!("{path}: {error}")),
        }
    }
}

/// A file of keys that can be used. It is read again when it changes.
#[derive(Clone, Debug)]
pub(crate) struct SealKeyFile(pub(crate) PathBuf);

impl Value for SealKeyFile {
    fn expected() -> String {
        ExistingFile::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let PrivateFile(path) = node.read()?;
        let octets = match node.reading.surroundings.read(&path) {
            Ok(octets) => Secret::new(octets),
            Err(error) => return node.error(unreadable(&path, &error)),
        };
        match SealKeys::parse(octets.expose()) {
            Ok(_) => Some(Self(path)),
            Err(error) => node.error(format_args!("{}: {error}", path.display())),
        }
    }
}
