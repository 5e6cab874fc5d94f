//! What is returned of the message, and how the rest follows from the message.

use waypost_smtp::outcome::{Loss, Outcome};
use waypost_smtp::record::UnixTime;
use waypost_smtp::report::{self, Abilities, COPY_PREFIX, Issuer, Original};
use waypost_wire::smtp::{EnhancedCode, Notify, Reply, Ret};

use crate::scene::{NOW, Read, SCHEDULE, Scene, accepted, recipient, refused};

fn full() -> Scene {
    let mut scene = Scene::new();
    scene.parameters().ret = Some(Ret::Full);
    scene
}

mod ret {
    use super::*;

    #[test]
    fn full_is_the_message() {
        let scene = full();
        let read = scene.read();
        assert_eq!(read.parts[2].content_type, "message/rfc822");
        assert_eq!(read.parts[2].description, "Undelivered message");
        assert_eq!(read.parts[2].body, scene.copy);
        assert!(read.words().ends_with("then your message.\r\n"), "{}", read.words());
    }

    #[test]
    fn headers_or_nothing_is_the_header() {
        for ret in [None, Some(Ret::Headers)] {
            let mut scene = Scene::new();
            scene.parameters().ret = ret;
            let read = scene.read();
            assert_eq!(read.parts[2].content_type, "text/rfc822-headers");
            let body = String::from_utf8_lossy(&read.parts[2].body);
            assert!(body.ends_with("Subject: Hello\r\n"), "{body}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_lines_and_says_so() {
        let mut scene = full();
        while scene.copy.len() <= 2 * COPY_PREFIX {
            scene.copy.extend_from_slice(b"All work and no play makes Jack a dull boy.\r\n");
        }
        let read = scene.read();
        let part = &read.parts[2];
        assert!(scene.copy.starts_with(&part.body));
        assert!(part.body.ends_with(b"\r\n"));
        assert!((COPY_PREFIX - 100..=COPY_PREFIX).contains(&part.body.len()));
        let expected = format!("Undelivered message, the first {} octets", part.body.len());
        assert_eq!(part.description, expected);
        assert!(read.words().contains("the beginning of your message"));
    }

    #[test]
    fn a_message_that_just_fits_is_whole() {
        let mut scene = full();
        scene.copy = [&b"Subject: Hello\r\n\r\n"[..], &b"0123456789abcd\r\n".repeat(3198)].concat();
        scene.copy.resize(COPY_PREFIX - 2, b'x');
        scene.copy.extend_from_slice(b"\r\n");
        assert_eq!(scene.read().parts[2].description, "Undelivered message");
        assert_eq!(scene.read().parts[2].body, scene.copy);
        scene.copy.extend_from_slice(b"x\r\n");
        assert_eq!(
            scene.read().parts[2].description,
            "Undelivered message, the first 51200 octets"
        );
    }

    #[test]
    fn more_than_is_returned_may_be_handed_in() {
        let mut scene = full();
        scene.copy.extend_from_slice(&b"0123456789abcd\r\n".repeat(COPY_PREFIX));
        let mut record = scene.record();
        record.begin_report(NOW, &SCHEDULE);
        let rendered = report::render(
            &record,
            &record.reports_due(NOW)[0],
            &Issuer { postmaster: &scene.postmaster, now: NOW },
            &Original { octets: &scene.copy, whole: true },
            Abilities { eight_bit: true },
        );
        let read = Read::new(&rendered.unwrap().octets);
        assert!(read.parts[2].body.len() <= COPY_PREFIX);
        assert!(read.parts[2].description.contains("the first "));
    }

    #[test]
    fn a_header_without_body_or_end_is_one() {
        for copy in [&b"Subject: a\r\n"[..], b"Subject: a\r\n\r\n"] {
            let mut scene = Scene::new();
            scene.copy = copy.to_vec();
            assert_eq!(scene.read().parts[2].body, b"Subject: a\r\n");
        }
    }

    #[test]
    fn a_message_without_header_has_an_empty_one() {
        for ret in [Ret::Headers, Ret::Full] {
            let mut scene = full();
            scene.parameters().ret = Some(ret);
            scene.copy = b"\r\nbody\r\n".to_vec();
            let octets = scene.rendered().octets;
            let has_body = octets.windows(8).any(|it| it == b"\r\nbody\r\n");
            assert_eq!(has_body, ret == Ret::Full);
        }
    }
}

mod octets {
    use super::*;

    const LATIN: &[u8] = b"Subject: a\r\n\r\ncaf\xE9\r\n";

    #[test]
    fn eight_bit_bodies_are_declared() {
        let mut scene = full();
        scene.copy = LATIN.to_vec();
        let rendered = scene.rendered();
        assert!(rendered.eight_bit && !rendered.smtputf8);
        let read = Read::new(&rendered.octets);
        assert_eq!(read.field("Content-Transfer-Encoding"), "8bit");
        assert_eq!(read.parts[2].encoding, "8bit");
        assert_eq!(read.parts[2].body, LATIN);
        assert_eq!(read.parts[0].encoding, "7bit");
    }

    #[test]
    fn where_eight_bit_data_cannot_go_the_header_does() {
        let mut scene = full();
        scene.eight_bit = false;
        scene.copy = LATIN.to_vec();
        let rendered = scene.rendered();
        assert!(!rendered.eight_bit && rendered.octets.is_ascii());
        assert_eq!(scene.read().parts[2].content_type, "text/rfc822-headers");
    }

    #[test]
    fn eight_bit_headers_are_encoded() {
        let mut scene = Scene::new();
        scene.copy = b"Subject: caf\xE9=\r\n\r\n".to_vec();
        let read = scene.read();
        assert_eq!(read.parts[2].encoding, "quoted-printable");
        let octets = String::from_utf8(scene.rendered().octets).unwrap();
        assert!(octets.contains("Subject: caf=E9=3D\r\n"), "{octets}");
    }

    #[test]
    fn a_message_ends_before_a_line_that_cannot_be_sent() {
        for line in [b"x".repeat(999), b"a\0b".to_vec(), b"a\rb".to_vec(), b"a\nb".to_vec()] {
            let mut scene = full();
            scene.copy = [b"Subject: a\r\n\r\nb\r\n", &line[..], b"\r\nc\r\n"].concat();
            let read = scene.read();
            assert_eq!(read.parts[2].body, b"Subject: a\r\n\r\nb\r\n");
            assert_eq!(read.parts[2].description, "Undelivered message, the first 17 octets");
        }
    }

    #[test]
    fn a_header_with_a_line_that_cannot_be_sent_is_encoded() {
        for ret in [Ret::Full, Ret::Headers] {
            let mut scene = full();
            scene.parameters().ret = Some(ret);
            let long = [b"Subject: a\r\nX-Long: ", &b"x".repeat(2000)[..], b"\r\n"].concat();
            scene.copy = [&long, &b"\r\nbody\r\n"[..]].concat();
            let read = scene.read();
            assert_eq!(read.parts[2].content_type, "text/rfc822-headers");
            assert_eq!(read.parts[2].encoding, "quoted-printable");
            assert_eq!(read.parts[2].body, long);
        }
    }

    #[test]
    fn no_boundary_is_in_the_message() {
        let mut scene = full();
        scene.copy = b"Subject: a\r\n\r\n--=_01ARZ3NDEK-0\r\n--=_01ARZ3NDEK-0_1--\r\n".to_vec();
        let read = scene.read();
        assert_eq!(read.parts[2].body, scene.copy);
        let octets = String::from_utf8(scene.rendered().octets).unwrap();
        assert!(octets.contains("boundary=\"=_01ARZ3NDEK-0_2\""), "{octets}");
    }
}

mod international {
    use super::*;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.parameters().smtputf8 = true;
        scene.copy = "Subject: Gr\u{fc}\u{df}e\r\n\r\nHall\u{f6}chen\r\n".into();
        scene.envelope.recipients[0] =
            recipient("<j\u{f6}rg@example.test>", Some("utf-8;j\\x{F6}rg\\x{2B}@example.test"));
        scene
    }

    #[test]
    fn status_and_header_are_global() {
        let scene = scene();
        let rendered = scene.rendered();
        assert!(rendered.eight_bit && !rendered.smtputf8, "no address in the header needs it");
        let read = Read::new(&rendered.octets);
        assert_eq!(read.parts[1].content_type, "message/global-delivery-status");
        assert_eq!(read.parts[1].encoding, "8bit");
        assert_eq!(read.parts[2].content_type, "message/global-headers");
        let status = read.status();
        assert_eq!(status[1][0].1, "utf-8; j\u{f6}rg+@example.test");
        assert_eq!(status[1][1].1, "utf-8; j\u{f6}rg@example.test");
        assert!(read.words().contains("<j\u{f6}rg@example.test>"));
    }

    #[test]
    fn all_of_it_may_be_encoded() {
        let mut scene = scene();
        scene.parameters().ret = Some(Ret::Full);
        scene.eight_bit = false;
        let rendered = scene.rendered();
        assert!(rendered.octets.is_ascii() && !rendered.eight_bit);
        let read = Read::new(&rendered.octets);
        assert_eq!(read.parts[2].content_type, "message/global");
        assert!(read.parts.iter().all(|part| part.encoding == "quoted-printable"), "{read:#?}");
        let octets = String::from_utf8(rendered.octets).unwrap();
        assert!(octets.contains("Hall=C3=B6chen"), "{octets}");
    }

    #[test]
    fn a_sender_that_needs_it_makes_the_report_need_it() {
        let mut scene = scene();
        scene.envelope.mail.sender = "<\u{e5}sa@example.org>".parse().unwrap();
        let rendered = scene.rendered();
        assert!(rendered.smtputf8 && rendered.eight_bit);
        let read = Read::new(&rendered.octets);
        assert_eq!(read.field("To"), "<\u{e5}sa@example.org>");
    }

    #[test]
    fn an_ascii_message_gets_an_ascii_report() {
        let mut scene = Scene::new();
        scene.parameters().smtputf8 = true;
        let rendered = scene.rendered();
        assert!(rendered.octets.is_ascii() && !rendered.smtputf8);
        assert_eq!(scene.read().parts[1].content_type, "message/delivery-status");
    }

    #[test]
    fn without_smtputf8_an_international_name_is_escaped() {
        let mut scene = Scene::new();
        scene.envelope.recipients[0] =
            recipient("<bob@example.test>", Some("utf-8;j\\x{F6}rg\\x{2B}@example.test"));
        scene.outcomes[0] = refused(550, "5.1.1", "Unzul\u{e4}ssig");
        let read = scene.read();
        assert_eq!(read.parts[1].content_type, "message/delivery-status");
        assert_eq!(read.status()[1][0].1, "utf-8; j\\x{F6}rg\\x{2B}@example.test");
        assert!(
            read.status()[1]
                .contains(&("Diagnostic-Code".into(), "smtp; 550 5.1.1 Unzul?ssig".into()))
        );
        assert!(read.words().contains("Unzul\u{e4}ssig"));
    }
}

mod who {
    use super::*;

    #[test]
    fn only_those_that_failed_and_are_to_be_told_of() {
        let mut scene = Scene::new();
        let notify = Notify { success: true, failure: false, delay: false };
        scene.envelope.recipients[2].parameters.notify = Some(notify);
        let read = scene.read();
        assert_eq!(read.status().len(), 2);
        assert!(!read.words().contains("dan@") && !read.words().contains("carol@"));
    }

    #[test]
    fn the_postmaster_has_an_address() {
        let mut scene = Scene::new();
        scene.envelope.recipients[0] = recipient("<Postmaster>", None);
        assert_eq!(scene.read().status()[1][0].1, "rfc822; user@example.test");
    }

    #[test]
    fn what_expired_has_the_code_of_what_happened() {
        let mut scene = Scene::new();
        let full = Reply::new(452, EnhancedCode::new(4, 2, 2), "Mailbox full");
        scene.outcomes[0] = Outcome::Temporary(full.clone());
        scene.outcomes[2] = accepted();
        let mut record = scene.record();
        let expires = record.expires();
        record.settle(&[0], &Outcome::Temporary(full), expires, &SCHEDULE, 0.0);
        record.begin_report(expires, &SCHEDULE);
        let read = Read::new(&scene.render(&record).octets);
        let status = &read.status()[1];
        assert_eq!(
            status[1..3].iter().map(|(_, value)| &**value).collect::<Vec<_>>(),
            ["failed", "4.2.2"]
        );
        assert!(read.words().contains("tried for a long time. The last answer was:"));
    }

    #[test]
    fn what_expired_in_silence_has_expired() {
        let mut scene = Scene::new();
        scene.outcomes = vec![Outcome::Unknown(Loss::Silent), accepted(), accepted()];
        let read = scene.read();
        let status = &read.status()[1];
        assert!(status.contains(&("Status".into(), "4.4.7".into())));
        assert!(!status.iter().any(|(name, _)| name == "Diagnostic-Code"));
        assert!(read.words().contains("The mailbox server broke off the connection"));
    }

    #[test]
    fn a_second_report_is_about_the_others() {
        let mut scene = Scene::new();
        let later = Reply::new(450, EnhancedCode::new(4, 2, 0), "Later");
        scene.outcomes[0] = Outcome::Temporary(later);
        let mut record = scene.record();
        assert!(record.begin_report(NOW, &SCHEDULE));
        let first = Read::new(&scene.render(&record).octets);
        assert!(first.field("Message-ID").starts_with("<report-01ARZ3NDEK-2@"));

        record.settle(&[0], &refused(550, "5.2.1", "Closed"), UnixTime(NOW.0 + 60), &SCHEDULE, 0.0);
        assert!(record.begin_report(UnixTime(NOW.0 + 60), &SCHEDULE));
        let second = Read::new(&scene.render(&record).octets);
        assert!(second.field("Message-ID").starts_with("<report-01ARZ3NDEK-0@"));
        assert!(!second.words().contains("dan@"));
    }
}
