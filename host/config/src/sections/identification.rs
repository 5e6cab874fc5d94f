//! What of `[webmail]` says who the user of a browser is.

use std::sync::Arc;

use waypost_model::{HostPort, Target};
use waypost_webmail::Identification;
use waypost_webmail::place::{Branch, Place};

use crate::read::{Setting, Table};
use crate::value::{LoginForm, PageFile, Period, SealKeyFile};

pub(super) static KEY_FILE: Setting<SealKeyFile> = Setting::usual(
    "key-file",
    "\"webmail.keys\"",
    "a key that ends with the process, and that no other node knows",
    "The keys that seal the cookie in which a browser remembers its user: a line for each, made by \
     `openssl rand -base64 32`. Every node needs the same file. The first line seals, all of them \
     open; to change keys, put a new first line, and take the old one out when cookie-lifetime has \
     passed. The last line also chooses decoys. The file is read anew when it changes.",
);
pub(super) static COOKIE_LIFETIME: Setting<Period> = Setting::with_default(
    "cookie-lifetime",
    "\"30d\"",
    "For how long a browser remembers its user since it last came. The cookie names the user, never \
     the host, and lets nobody in.",
);
pub(super) static LOGIN_FORMS: Setting<Vec<LoginForm>> = Setting::usual(
    "login-forms",
    "[{ user = \"_user\", password = \"_pass\", failed-status = 401 }]",
    "nobody is known by one",
    "The back ends' own login forms: whoever stands in one is who the browser's user is from then \
     on. Forms (urlencoded, multipart, JSON) of up to 64KiB; a longer one with the password of one in \
     it is answered with 413. A path ties an entry to one place, where the back ends take its login \
     nowhere else: what is none here is let through without being counted. Where the front checks passwords, \
     password must name the field; failed-status or failed-location says how the back end's answer \
     to a failed login looks, so that it can be counted.",
);
pub(super) static LOG_OUT: Setting<Vec<Place>> = Setting::usual(
    "log-out",
    "[\"/?_task=logout\"]",
    "a browser remembers its user until cookie-lifetime has passed",
    "Paths at which the back ends log their users out. If they do, the browser forgets its user and \
     shows the page.",
);
pub(super) static ADDRESS_PARAMETER: Setting<Arc<str>> = Setting::usual(
    "address-parameter",
    "\"_user\"",
    "the user types it there again",
    "The parameter in which the back ends' login page takes the address that was given on the page.",
);
pub(super) static API_PATHS: Setting<Vec<Branch>> = Setting::with_default(
    "api-paths",
    "[\"/.well-known/caldav\", \"/.well-known/carddav\", \"/Microsoft-Server-ActiveSync\", \"/dav\", \
     \"/SOGo/dav\", \"/remote.php\"]",
    "Where programs come, and below: they are asked for a name and a password, and never get the \
     page. Methods that browsers do not use, such as PROPFIND, are a program's anywhere.",
);
pub(super) static DECOYS: Setting<Vec<HostPort>> = Setting::usual(
    "decoys",
    "[\"web1.example.test\", \"web2.example.test\"]",
    "the page says that there is no such mailbox",
    "Back ends whose login page somebody gets who does not exist, so that nobody learns who does; \
     each address always the same one. They get the passwords that are typed there.",
);
pub(super) static PAGE: Setting<PageFile> = Setting::optional(
    "page",
    "\"page.html\"",
    "it is the one that comes with Waypost",
    "A page of your own that asks for the address: a Jinja template.",
);

pub(super) fn read(table: &Table<'_>) -> Identification {
    let forms = table.find(&LOGIN_FORMS).unwrap_or_default();
    let page = table.find(&PAGE).map(|page| page.0);
    Identification {
        key_file: table.find(&KEY_FILE).map(|file| file.0),
        login_forms: forms.into_iter().map(|form| form.0).collect(),
        log_out: table.find(&LOG_OUT).unwrap_or_default(),
        api_paths: table.get(&API_PATHS),
        address_parameter: table.find(&ADDRESS_PARAMETER),
        cookie_lifetime: table.get(&COOKIE_LIFETIME).0,
        decoys: table.find(&DECOYS).unwrap_or_default().into_iter().map(target).collect(),
        page: page.unwrap_or_else(|| Identification::default().page),
    }
}

fn target(HostPort { host, port }: HostPort) -> Target {
    Target { host, port, encryption: None, tls_name: None }
}
