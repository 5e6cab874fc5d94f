//! Mail that nobody hinders: from every client, to one back end and to many.

use crate::cases::Case;
use crate::clients::Tls;
use crate::cluster::local;
use crate::mail_cluster::{MailCluster, MailPlan, SENDER, message};
use crate::senders::{self, Envelope};

pub(crate) const CASES: &[Case] =
    &[("mail::delivery::one_recipient_from_every_client_with_and_without_tls", clients)];

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
