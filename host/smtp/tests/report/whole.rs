//! One report from its first octet to its last.

use crate::scene::Scene;

#[test]
fn a_report() {
    let mut scene = Scene::new();
    scene.parameters().envelope_id = Some("QQ314159+2B".parse().unwrap());
    let report = String::from_utf8(scene.rendered().octets).unwrap();
    let expected = "\
From: Mail delivery <postmaster@example.test>
To: <ann@example.org>
Subject: Your message could not be delivered
Date: Sat, 30 Jul 2016 23:54:20 +0000
Message-ID: <report-01ARZ3NDEK-0@mail.example.test>
In-Reply-To: <1@ann.example.org>
References: <1@ann.example.org>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary=\"=_01ARZ3NDEK-0\"

--=_01ARZ3NDEK-0
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

This is the mail system at mail.example.test.

Your message, which came here on Sat, 30 Jul 2016 23:54:10 +0000,
could not be delivered to the following recipients, and nobody will try
again. Recipients that are not named here are not concerned.

<bob@example.test>
    The answer of the recipient's mail server was:
    550 5.1.1 No such user: bob

<dan@example.test>
    The answer of the recipient's mail server was:
    550 5.1.1 No such user: dan

A report for programs follows, then the header of your message.

--=_01ARZ3NDEK-0
Content-Description: Delivery report
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Reporting-MTA: dns; mail.example.test
Original-Envelope-Id: QQ314159+
Arrival-Date: Sat, 30 Jul 2016 23:54:10 +0000

Final-Recipient: rfc822; bob@example.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp;
 550 5.1.1 No such user: bob
Last-Attempt-Date: Sat, 30 Jul 2016 23:54:20 +0000
Final-Log-ID: 01ARZ3NDEK

Original-Recipient: rfc822; Dan+Other@example.test
Final-Recipient: rfc822; dan@example.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp;
 550 5.1.1 No such user: dan
Last-Attempt-Date: Sat, 30 Jul 2016 23:54:20 +0000
Final-Log-ID: 01ARZ3NDEK

--=_01ARZ3NDEK-0
Content-Description: Header of the undelivered message
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 7bit

Received: from ann
Message-ID: <1@ann.example.org>
Subject: Hello

--=_01ARZ3NDEK-0--
";
    assert_eq!(report, expected.replace('\n', "\r\n"));
}

#[test]
fn it_is_read_as_it_was_meant() {
    let scene = Scene::new();
    let rendered = scene.rendered();
    assert!(!rendered.eight_bit && !rendered.smtputf8);
    let read = scene.read();
    assert_eq!(read.field("Auto-Submitted"), "auto-replied");
    assert_eq!(read.field("MIME-Version"), "1.0");
    assert_eq!(read.field("In-Reply-To"), "<1@ann.example.org>");
    let kinds: Vec<&str> = read.parts.iter().map(|part| &*part.content_type).collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status", "text/rfc822-headers"]);
    let status = read.status();
    assert_eq!(status.len(), 3);
    assert_eq!(status[0][0], ("Reporting-MTA".into(), "dns; mail.example.test".into()));
    assert_eq!(status[2][0].1, "rfc822; Dan+Other@example.test");
}

#[test]
fn it_is_always_the_same() {
    let scene = Scene::new();
    assert_eq!(scene.rendered(), scene.rendered());
}
