//! Mail that nobody hinders: from every client, to one back end and to many.

use super::queueing::Queued;
use crate::cases::Case;
use crate::clients::Tls;
use crate::clusters::mail::{BackEnd, MailCluster, MailPlan, SENDER, message};
use crate::clusters::mailboxes::local;
use crate::senders::{self, Envelope};
use crate::servers::Dovecot;

pub(crate) const CASES: &[Case] = &[
    ("mail::delivery::one_recipient_from_every_client_with_and_without_tls", clients),
    ("mail::delivery::fifty_recipients_on_one_back_end", fifty_on_one),
    ("mail::delivery::fifty_recipients_over_five_back_ends", fifty_over_five),
    ("mail::delivery::a_mixed_cluster_with_an_lmtp_back_end_that_stops", mixed),
    ("mail::delivery::many_messages_over_connections_that_stay", many_messages),
    ("mail::delivery::by_lmtp_each_recipient_has_an_answer", lmtp),
];

fn clients() {
    let cluster = MailCluster::start(&MailPlan::default());
    let ca = cluster.ca();
    let doors = cluster.doors;
    let user = cluster.users(1)[..1].to_vec();
    let mut sent = Vec::new();
    for (way, port, tls) in [
        ("clear", doors.smtp, None),
        ("starttls", doors.smtp, Some((Tls::Start, &*ca))),
        ("implicit", doors.smtps, Some((Tls::Implicit, &*ca))),
    ] {
        let subject = |client: &str| format!("{client}-{way}");
        let text = |client: &str| message(&subject(client));
        let server = local(port);
        // Nobody speaks in clear at a door that speaks TLS only.
        let (one, two, three) = (text("smtplib"), text("swaks"), text("msmtp"));
        let envelope = Envelope { tls, ..Envelope::new(server, SENDER, &user, &one) };
        let told = senders::smtplib(&envelope);
        assert!(told.is_taken(), "{way}: {told:?}");
        let (told, transcript) = senders::swaks(&Envelope { message: &two, ..envelope }, "ESMTP");
        assert!(told.is_taken(), "{way}: {transcript}");
        senders::msmtp(&Envelope { message: &three, ..envelope }).unwrap();
        sent.extend(["smtplib", "swaks", "msmtp"].map(subject));
    }
    cluster.settle();
    for subject in &sent {
        assert_eq!(cluster.copies(&user[0], subject), 1, "{subject}");
    }
    assert_eq!(cluster.mailbox(&user[0]).len(), sent.len());
}

fn fifty_on_one() {
    let plan = MailPlan { postfixes: 1, dovecots: 1, users_each: 50, ..MailPlan::default() };
    let mut cluster = MailCluster::start(&plan);
    for plan in [plan.clone(), plan.deferring()] {
        cluster.serve(&plan, None);
        for back_end in 0..2 {
            let mode = if plan.spool.is_some() { "spool" } else { "defer" };
            let subject = format!("fifty-{back_end}-{mode}");
            let users = cluster.users(back_end);
            assert_eq!(users.len(), 50);
            let told = senders::smtplib(&cluster.envelope(&users, &message(&subject)));
            // By LMTP each has an answer of its own, so that a copy is needed.
            if back_end == 1 && mode == "defer" {
                assert!(told.is_answered("250"), "{told:?}");
                assert!(told.is_refused(&users[1..], "452 4.5.3"), "{told:?}");
                continue;
            }
            assert!(told.is_taken(), "{told:?}");
            cluster.settle();
            for user in &users {
                assert_eq!(cluster.copies(user, &subject), 1, "{subject}: {user}");
            }
        }
    }
}

fn fifty_over_five() {
    let plan = MailPlan { postfixes: 5, users_each: 10, ..MailPlan::default() };
    let mut cluster = MailCluster::start(&plan);
    let users = cluster.all_users();
    assert_eq!(users.len(), 50);
    let told = senders::smtplib(&cluster.envelope(&users, &message("at-once")));
    assert!(told.is_taken(), "{told:?}");
    let told = senders::swaks(&cluster.envelope(&users, &message("swaks")), "ESMTP");
    assert!(told.0.is_taken(), "{}", told.1);
    senders::msmtp(&cluster.envelope(&users, &message("msmtp"))).unwrap();
    cluster.settle();
    cluster.serve(&plan.deferring(), None);
    let mut queued = Queued::new("one-by-one", &users);
    for round in 1..=5 {
        let told = queued.attempt(&cluster);
        assert!(told.is_answered("250"), "{told:?}");
        assert!(told.refused.values().all(|it| it.starts_with("452 4.5.3")), "{told:?}");
        assert_eq!(queued.sent.len(), round * 10, "each time those of one back end");
    }
    cluster.settle_back_ends();
    for subject in ["at-once", "swaks", "msmtp", "one-by-one"] {
        for user in &users {
            assert_eq!(cluster.copies(user, subject), 1, "{subject}: {user}");
        }
    }
    assert_eq!(cluster.mailbox(SENDER).len(), 0, "there is nothing to report");
}

fn mixed() {
    let plan = MailPlan { postfixes: 1, dovecots: 2, users_each: 3, ..MailPlan::default() };
    let mut cluster = MailCluster::start(&plan);
    let users = cluster.all_users();
    let told = senders::smtplib(&cluster.envelope(&users, &message("mixed")));
    assert!(told.is_taken(), "{told:?}");
    dovecot(&mut cluster, 2).stop();
    let mut queued = Queued::new("stopped", &users);
    let told = queued.attempt(&cluster);
    assert!(told.is_answered("250") && told.is_refused(&users[6..], "451 4.4.1"), "{told:?}");
    dovecot(&mut cluster, 2).resume();
    queued.finish(&cluster);
    cluster.settle();
    for user in &users {
        assert_eq!(cluster.copies(user, "mixed"), 1, "{user}");
        assert_eq!(cluster.copies(user, "stopped"), 1, "{user}");
    }
}

fn dovecot(cluster: &mut MailCluster, number: usize) -> &mut Dovecot {
    match &mut cluster.back_ends[number] {
        BackEnd::Dovecot(dovecot) => dovecot,
        BackEnd::Postfix(_) => panic!("{number} is a Postfix"),
    }
}

fn many_messages() {
    let cluster = MailCluster::start(&MailPlan::default());
    let user = &cluster.users(1)[0];
    senders::smtp_source(local(cluster.doors.smtp), SENDER, user, 100, 5, "many").unwrap();
    cluster.settle();
    assert_eq!(cluster.copies(user, "many"), 100);
}

fn lmtp() {
    let plan = MailPlan { postfixes: 0, dovecots: 2, ..MailPlan::default() };
    let mut cluster = MailCluster::start(&plan);
    let nobody = "nobody@localdomain.test".to_owned();
    let mut users = cluster.all_users();
    users.insert(1, nobody.clone());
    let text = message("lmtp");
    let server = local(cluster.doors.lmtp);
    let (told, transcript) = senders::swaks(&Envelope::new(server, SENDER, &users, &text), "LMTP");
    assert!(told.is_refused(&[nobody], "550 5.1.1"), "{transcript}");
    let answers = told.answer.unwrap();
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), 4, "{transcript}");
    assert!(answers.iter().all(|answer| answer.starts_with("250 2.0.0")), "{transcript}");
    let users = cluster.all_users();
    for user in &users {
        assert_eq!(cluster.copies(user, "lmtp"), 1, "{user}");
    }
    // Nobody is kept waiting by another's back end, and nothing is kept.
    dovecot(&mut cluster, 1).stop();
    let text = message("half");
    let (told, transcript) = senders::swaks(&Envelope::new(server, SENDER, &users, &text), "LMTP");
    assert!(told.is_refused(&users[2..], "451 4.4.1"), "{transcript}");
    assert_eq!(told.answer.unwrap().lines().count(), 2, "{transcript}");
    for (user, copies) in users.iter().zip([1, 1, 0, 0]) {
        assert_eq!(cluster.copies(user, "half"), copies, "{user}");
    }
    assert!(cluster.spool(&["list"]).contains("no message is kept"));
}
