//! What the user of a browser sees: Chromium, and Roundcube behind Waypost.

use std::path::PathBuf;
use std::time::Duration;

use crate::cases::Case;
use crate::clusters::mailboxes::{DOMAIN, NORTH};
use crate::clusters::webmails::{Roundcubes, WebCluster, smtp_door};
use crate::servers::{Browser, wait_for};

pub(crate) const CASES: &[Case] = &[
    ("webmail::users_work_on_their_own_back_end_and_move", work),
    ("webmail::the_page_is_for_everybody", page),
];

/// WebDriver section 17.4.2: the key that sends a form, and the one that goes to the next field.
const ENTER: &str = "\u{e007}";
const TAB: &str = "\u{e004}";

fn work() {
    let smtp = smtp_door();
    let roundcubes = Roundcubes::start(smtp);
    let cluster = WebCluster::start(&roundcubes.plan, smtp);
    let (user1, user3) = (format!("user1@{DOMAIN}"), format!("user3@{DOMAIN}"));
    let browser = Browser::start("en-US,en");

    // By keyboard alone: the focus is where the address belongs.
    browser.open(&cluster.url());
    browser.wait_for_title("Your mail");
    assert!(browser.url().ends_with("/.waypost/"), "{}", browser.url());
    browser.press(&format!("{user1}{ENTER}"));
    log_in(&browser, "North Webmail", &user1, "user1");
    assert_eq!(subjects(&browser), ["Welcome to north"]);
    read(&browser, &cluster, "Welcome to north");
    send(&browser, &cluster, &user3, "From north to south");
    let delivered = || {
        let mailbox = roundcubes.south.0.mailbox(&user3);
        (mailbox.len() == 2).then_some(())
    };
    wait_for("the message", Duration::from_secs(10), delivered);

    // The other user, in the same browser.
    log_out(&browser, &cluster);
    browser.write("#address", "USER3");
    browser.click("button");
    log_in(&browser, "South Webmail", &format!("USER3@{DOMAIN}"), "user3");
    let mut found = subjects(&browser);
    found.sort();
    assert_eq!(found, ["From north to south", "Welcome to south"]);
    let south = browser.cookies();

    // Who is moved lands on the new one, and logs in there anew.
    roundcubes.north.0.add_user(&user3, "user3", "Moved to north");
    roundcubes.north.0.add_user(&format!("USER3@{DOMAIN}"), "user3", "Moved to north");
    cluster.slapd.move_user("user3", NORTH);
    std::thread::sleep(Duration::from_millis(1200));
    browser.open(&format!("{}/?_task=mail", cluster.url()));
    browser.wait_for_title("North Webmail");
    browser.wait_for("#rcmloginuser");
    let session = |cookies: &[serde_json::Value]| {
        let mut cookies = cookies.iter();
        let found = cookies.find(|cookie| cookie["name"] == "roundcube_sessid");
        found.map(|cookie| cookie["value"].clone())
    };
    assert_ne!(session(&south), session(&browser.cookies()), "a session of its own");
    log_in(&browser, "North Webmail", &user3, "user3");
    assert_eq!(subjects(&browser), ["Moved to north"]);
    let log = [roundcubes.north.1.log(), roundcubes.south.1.log()].concat();
    assert!(!log.contains("PHP"), "{log}");
}

/// On Roundcube's own login page.
fn log_in(browser: &Browser, title: &str, user: &str, password: &str) {
    browser.wait_for_title(title);
    if user != browser.value("#rcmloginuser") {
        browser.write("#rcmloginuser", user);
    }
    browser.write("#rcmloginpwd", password);
    browser.click("#rcmloginsubmit");
    browser.wait_for_title("Inbox");
    browser.wait_for("#messagelist tbody tr");
}

fn subjects(browser: &Browser) -> Vec<String> {
    let script = "return [...document.querySelectorAll('#messagelist span.subject a')]\
                  .map(a => a.innerText.trim())";
    let found = browser.run(script);
    found.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn read(browser: &Browser, cluster: &WebCluster, subject: &str) {
    browser.open(&format!("{}/?_task=mail&_mbox=INBOX&_uid=1&_action=show", cluster.url()));
    assert!(browser.text("#message-header .subject").contains(subject));
    assert_eq!(browser.text("#messagebody .message-part").trim(), "Hello.");
}

fn send(browser: &Browser, cluster: &WebCluster, to: &str, subject: &str) {
    browser.open(&format!("{}/?_task=mail&_action=compose&_to={to}", cluster.url()));
    browser.write("#compose-subject", subject);
    browser.write("#composebody", "Written in a browser.");
    browser.click("#compose-content button.send, .formbuttons button.send");
    browser.wait_for_title("Inbox");
}

fn log_out(browser: &Browser, cluster: &WebCluster) {
    browser.open(&format!("{}/?_task=mail", cluster.url()));
    browser.wait_for("#messagelist");
    // While it loads something, Roundcube passes over what it is told.
    wait_for("Roundcube", Duration::from_secs(20), || {
        (browser.run("return rcmail.busy") == false).then_some(())
    });
    browser.run("rcmail.command('switch-task', 'logout')");
    browser.wait_for_title("Your mail");
    let left = browser.cookies().iter().any(|cookie| cookie["name"] == "__Host-waypost");
    assert!(!left, "the user is forgotten");
}

fn page() {
    let smtp = smtp_door();
    let roundcubes = Roundcubes::start(smtp);
    let cluster = WebCluster::start(&roundcubes.plan, smtp);
    let browser = Browser::start("de-AT,de,en");
    browser.open(&format!("{}/?_task=mail&_mbox=Sent", cluster.url()));
    browser.wait_for_title("Ihre E-Mail");

    // Labels and order, as a screen reader and the keyboard find them.
    assert_eq!(browser.text("label[for=address]"), "E-Mail-Adresse");
    browser.press(TAB);
    assert_eq!(browser.run("return document.activeElement.tagName"), "BUTTON");
    let loaded = browser.run("return performance.getEntriesByType('resource').length");
    assert_eq!(loaded, 0, "the page needs nothing but itself");

    // What is no address is said, and stays to be corrected.
    browser.write("#address", &format!("@{ENTER}"));
    browser.wait_for_title("Fehler: ");
    assert_eq!(browser.value("#address"), "@");
    assert!(browser.text("[role=alert]").contains("vollständige E-Mail-Adresse"));

    // Somebody who does not exist gets a login page like anybody else.
    browser.write("#address", &format!("nobody@{DOMAIN}{ENTER}"));
    browser.wait_for_title("Webmail");
    assert_eq!(browser.value("#rcmloginuser"), format!("nobody@{DOMAIN}"));
    assert!(browser.url().contains("_mbox=Sent"), "the way back: {}", browser.url());

    // The page remembers, and forgets.
    browser.open(&format!("{}/.waypost/", cluster.url()));
    assert_eq!(browser.value("#address"), format!("nobody@{DOMAIN}"));
    browser.click("p.remembered a");
    browser.wait_for_title("Ihre E-Mail");
    assert_eq!(browser.value("#address"), "");

    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        let dark = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(dark, scheme == "dark");
        let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
        let expected = if scheme == "dark" { "rgb(18, 22, 28)" } else { "rgb(238, 241, 245)" };
        assert_eq!(ground, expected, "{scheme}");
    }
    if let Some(folder) = std::env::var_os("WAYPOST_PICTURES") {
        pictures(&cluster, &PathBuf::from(folder));
    }
}

/// The pictures in the documentation: `WAYPOST_PICTURES=docs/src/images` with the name of the test.
fn pictures(cluster: &WebCluster, folder: &std::path::Path) {
    let browser = Browser::start("en-US,en");
    browser.open(&format!("{}/.waypost/", cluster.url()));
    browser.write("#address", "user1@example.test");
    browser.run(
        "document.querySelector('.host').innerText = 'mail.example.test'; \
         document.activeElement.blur()",
    );
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.picture(640, 440, &folder.join(format!("webmail-{scheme}.png")));
    }
}
