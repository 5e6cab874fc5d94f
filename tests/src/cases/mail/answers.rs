//! What senders are told, and what back ends learn of them.

use std::thread::sleep;
use std::time::Duration;

use crate::cases::Case;
use crate::clients::Tls;
use crate::clusters::mail::{BackEnd, MailCluster, MailPlan, SENDER, message};
use crate::clusters::mailboxes::local;
use crate::senders::{self, Envelope};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("mail::answers::unknown_and_foreign_recipients_are_refused_at_rcpt", unknown),
    ("mail::answers::mail_waits_for_a_directory_that_is_down", directory_down),
    ("mail::answers::mail_waits_while_a_mailbox_is_being_moved", moving),
    ("mail::answers::no_copy_is_kept_for_senders_who_cannot_be_told", no_backscatter),
    ("mail::answers::back_ends_learn_who_the_client_is_by_xclient", by_xclient),
    ("mail::answers::back_ends_learn_who_the_client_is_by_proxy_header", by_proxy),
    ("mail::answers::submission_goes_through_the_back_end_of_who_logs_in", submission),
];

fn unknown() {
    let cluster = MailCluster::start(&MailPlan { postfixes: 2, ..MailPlan::default() });
    let known = cluster.users(1)[0].clone();
    let nobody = "nobody@localdomain.test".to_owned();
    let foreign = "somebody@elsewhere.test".to_owned();
    let to = [nobody.clone(), known.clone(), foreign.clone()];
    for subject in ["some-unknown", "some-unknown-again"] {
        let (told, transcript) = senders::swaks(&cluster.envelope(&to, &message(subject)), "ESMTP");
        assert!(told.is_answered("250"), "{transcript}");
        assert_eq!(told.refused.len(), 2, "{transcript}");
        assert!(told.refused[&nobody].starts_with("550 5.1.1"), "{transcript}");
        assert!(told.refused[&foreign].starts_with("550 5.7.1"), "{transcript}");
    }
    // The directory knows more than the back end: its word counts.
    cluster.slapd.add_user("ghost", "127.0.0.3");
    let ghost = ["ghost@localdomain.test".to_owned()];
    let told = senders::smtplib(&cluster.envelope(&ghost, &message("ghost")));
    assert!(told.is_refused(&ghost, "550 5.1.1"), "{told:?}");
    assert!(told.refused[&ghost[0]].contains("virtual mailbox table"), "{told:?}");
    // msmtp gives up when one is refused, as any program that sends for a person.
    let said = senders::msmtp(&cluster.envelope(&to, &message("msmtp"))).unwrap_err();
    assert!(said.contains("550") && said.contains("5.1.1"), "{said}");
    cluster.settle();
    assert_eq!(cluster.mailbox(&known).len(), 2, "who is known gets both");
    assert_eq!(cluster.mailbox(SENDER).len(), 0, "and the sender no report");
}

fn directory_down() {
    let mut cluster = MailCluster::start(&MailPlan::default());
    let users = cluster.users(1);
    cluster.slapd.stop();
    let told = senders::smtplib(&cluster.envelope(&users, &message("down")));
    assert!(told.is_refused(&users, "451 4.4.3"), "{told:?}");
    cluster.slapd.resume();
    let mut queued = super::queueing::Queued::new("down", &users);
    queued.finish(&cluster);
    cluster.settle();
    assert_eq!(cluster.copies(&users[0], "down"), 1);
}

fn moving() {
    let cluster = MailCluster::start(&MailPlan::default());
    let users = cluster.users(1)[..1].to_vec();
    let name = users[0].split('@').next().unwrap();
    let told = senders::smtplib(&cluster.envelope(&users, &message("before")));
    assert!(told.is_answered("250"), "{told:?}");
    cluster.slapd.replace(name, "employeeType", "TRUE");
    // The cache's time is one second in these tests.
    sleep(Duration::from_millis(1300));
    let told = senders::smtplib(&cluster.envelope(&users, &message("meanwhile")));
    assert!(told.is_refused(&users, "451 4.2.1"), "{told:?}");
    cluster.slapd.replace(name, "employeeType", "FALSE");
    let mut queued = super::queueing::Queued::new("meanwhile", &users);
    queued.finish(&cluster);
    cluster.settle();
    assert_eq!(cluster.copies(&users[0], "before"), 1);
    assert_eq!(cluster.copies(&users[0], "meanwhile"), 1);
}

/// A copy may have to be reported on. That must reach the sender, and nobody who did not send.
fn no_backscatter() {
    let cluster = MailCluster::start(&MailPlan::default());
    let users = cluster.all_users();
    let server = local(cluster.doors.smtp);
    for sender in ["", "forged@elsewhere.test"] {
        let text = message("unreportable");
        let told = senders::smtplib(&Envelope::new(server, sender, &users, &text));
        assert!(told.is_answered("250"), "{sender:?}: {told:?}");
        assert!(told.is_refused(&cluster.users(1), "452 4.5.3"), "{sender:?}: {told:?}");
    }
    cluster.settle();
    assert_eq!(cluster.copies(&users[0], "unreportable"), 2);
    assert_eq!(cluster.copies(&users[2], "unreportable"), 0, "the client comes again");
}

fn by_xclient() {
    identity(MailPlan { dovecots: 1, ..MailPlan::default() });
}

fn by_proxy() {
    identity(MailPlan { identity: "proxy-v2", ..MailPlan::default() });
}

fn identity(plan: MailPlan) {
    let cluster = MailCluster::start(&plan);
    let mut talk = Talk::connect(cluster.doors.balanced);
    talk.send(b"PROXY TCP4 198.51.100.7 203.0.113.9 40001 25\r\n");
    let users = cluster.all_users();
    assert!(talk.smtp_reply().starts_with("220"));
    let mut commands = vec!["EHLO client.test".to_owned(), format!("MAIL FROM:<{SENDER}>")];
    commands.extend(users.iter().map(|user| format!("RCPT TO:<{user}>")));
    for command in &commands {
        let said = talk.smtp(command);
        assert!(said.starts_with("250"), "{command}: {said}");
    }
    assert!(talk.smtp("DATA").starts_with("354"));
    let said = talk.smtp(&(message("balanced") + "."));
    assert!(said.starts_with("250"), "{said}");
    cluster.settle();
    for user in &users {
        let mailbox = cluster.mailbox(user);
        let first = mailbox.first().unwrap().text();
        assert!(first.contains("198.51.100.7"), "the Received line names the client: {first}");
    }
    for back_end in &cluster.back_ends {
        let BackEnd::Postfix(postfix) = back_end else { continue };
        let log = postfix.log();
        assert!(log.contains("client=unknown[198.51.100.7]"), "{log}");
        // XCLIENT and PROXY headers come from Waypost, whose own address is no client's.
        assert!(!log.contains("client=unknown[127.0.0.1]"), "{log}");
    }
}

fn submission() {
    let cluster =
        MailCluster::start(&MailPlan { postfixes: 2, dovecots: 1, ..MailPlan::default() });
    let ca = cluster.ca();
    let from = cluster.users(1)[0].clone();
    let to = cluster.users(1)[1..].to_vec();
    let BackEnd::Dovecot(dovecot) = &cluster.back_ends[2] else { panic!("a Postfix") };
    dovecot.add_account(&from, "secret");
    for (client, text) in
        ["smtplib", "swaks", "msmtp"].map(|client| (client, message(&format!("{client}-submits"))))
    {
        let server = local(cluster.doors.submission);
        let login = |password| Envelope {
            tls: Some((Tls::Start, &ca)),
            login: Some((&from, password)),
            ..Envelope::new(server, &from, &to, &text)
        };
        match client {
            "smtplib" => {
                let told = senders::smtplib(&login("secret"));
                assert!(told.is_taken(), "{told:?}");
            }
            "swaks" => {
                let (told, transcript) = senders::swaks(&login("secret"), "ESMTP");
                assert!(told.is_taken(), "{transcript}");
                let (told, transcript) = senders::swaks(&login("wrong"), "ESMTP");
                assert!(!told.is_taken() && transcript.contains("535 5.7.8"), "{transcript}");
            }
            _ => senders::msmtp(&login("secret")).unwrap(),
        }
    }
    cluster.settle();
    for client in ["smtplib", "swaks", "msmtp"] {
        assert_eq!(cluster.copies(&to[0], &format!("{client}-submits")), 1, "{client}");
    }
    let log = |number: usize| match &cluster.back_ends[number] {
        BackEnd::Postfix(postfix) => postfix.log(),
        BackEnd::Dovecot(dovecot) => dovecot.log(),
    };
    let login = format!("sasl_method=PLAIN, sasl_username={from}");
    assert_eq!(log(1).matches(&login).count(), 3, "{}", log(1));
    assert!(!log(0).contains("sasl_"), "it is another's back end: {}", log(0));
}
