//! Passwords checked at the front, against a real directory and in front of real back ends, by
//! subject.

use std::process::Command;

use crate::clusters::mailboxes::{Cluster, Plan};
use crate::servers::run;

mod clients;
mod traces;
mod typed;

pub(super) mod active_directory;
pub(super) mod entries;
pub(super) mod external;
pub(super) mod freshness;
pub(super) mod hostile;
pub(super) mod mechanisms;
pub(super) mod parrot;
pub(super) mod programs;
pub(super) mod refusals;
pub(super) mod schemes;
pub(super) mod secrecy;
pub(super) mod table;
pub(super) mod throttle;

/// Waypost checks passwords so.
fn checked_by(way: &str) -> Plan {
    Plan {
        policy: format!("verification = [\"{way}\"]\n"),
        settings: format!("verify = \"{way}\"\n"),
        // Each failure of a test would hold back the next one.
        login:
            "auth-failure-delay = \"200ms\"\nretry-for = \"1s\"\nfailures-without-delay = 1000\n"
                .to_owned(),
        directory: "clear-binds-to = [\"127.0.0.1\"]\n".to_owned(),
        ..Plan::default()
    }
}

const PASSWORD: &str = "correct horse";

/// A program's whole output.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = run(Command::new(program).args(arguments));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Answers what a client of the command line says, once it has ended.
fn said_by(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = run(Command::new(program).args(arguments));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn slappasswd(module: Option<&str>, scheme: &str) -> String {
    let module = module.map(|module| format!("module-load={module}"));
    let mut arguments: Vec<&str> = module.iter().flat_map(|module| ["-o", module]).collect();
    arguments.extend(["-h", scheme, "-s", PASSWORD]);
    output("/usr/sbin/slappasswd", &arguments)
}

fn add_person(cluster: &Cluster, name: &str, stored: Option<&str>) {
    let password = stored.map(|stored| format!("userPassword: {stored}\n")).unwrap_or_default();
    cluster.slapd.add(&format!(
        "dn: cn={name},dc=localdomain,dc=test\nobjectClass: inetOrgPerson\n\
         objectClass: inetLocalMailRecipient\ncn: {name}\nsn: {name}\n\
         mail: {name}@localdomain.test\nmailHost: 127.0.0.2\n{password}"
    ));
}
