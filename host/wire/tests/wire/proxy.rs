//! The PROXY header as a listener meets it: well-formed, in pieces, and hostile.

use std::net::SocketAddr;

use proptest::prelude::*;
use waypost_wire::proxy::{Decoded, Header, Invalid, MAX_V1, MAX_V2, Ssl, decode};

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn header(source: &str, destination: &str) -> Header {
    Header::new(source.parse().unwrap(), destination.parse().unwrap())
}

#[track_caller]
fn decoded(input: &[u8]) -> (Header, usize) {
    match decode(input) {
        Decoded::Header(header, consumed) => (*header, consumed),
        other => panic!("{other:?} for {}", input.escape_ascii()),
    }
}

#[track_caller]
fn refused(input: &[u8], why: Invalid) {
    assert_eq!(decode(input), Decoded::Invalid(why), "for {}", input.escape_ascii());
}

/// A version 2 header with this command, family and body.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [V2, &[command, family], &length, body].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

#[test]
fn version_1_names_both_ends() {
    let line = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 143\r\n";
    let expected = header("192.0.2.1:56324", "198.51.100.7:143");
    assert_eq!(decoded(line), (expected, line.len()));

    let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 993\r\n";
    let expected = header("[2001:db8::1]:65535", "[2001:db8::2]:993");
    assert_eq!(decoded(line), (expected, line.len()));
}

#[test]
fn what_stands_behind_the_header_is_the_clients() {
    let (_, consumed) = decoded(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\na LOGIN u p\r\n");
    assert_eq!(consumed, 36);
    let mut input = v2(0x20, 0, b"");
    input.extend_from_slice(b"\r\n\r\n\0\r\nQUIT\n and the same once more");
    assert_eq!(decoded(&input).1, 16);
}

#[test]
fn an_unknown_client_is_no_client() {
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 whatever 0 99999999\r\n"] {
        assert_eq!(decoded(line.as_bytes()), (Header::default(), line.len()));
    }
}

#[test]
fn mapped_addresses_are_ipv4() {
    let (header, _) = decoded(b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n");
    assert_eq!(header.source.unwrap().to_string(), "192.0.2.1:1");
    assert_eq!(header.destination.unwrap().to_string(), "192.0.2.2:2");
}

#[test]
fn malformed_lines_are_refused() {
    for line in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 [::1] [::1] 1 2\r\n",
        "PROXY TCP5 ::1 ::1 1 2\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN\n",
        "PROXY UNKNOWN \t\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
    ] {
        refused(line.as_bytes(), Invalid::Line);
    }
    refused(b"PROXY UNKNOWN \xff\r\n", Invalid::Line);
}

#[test]
fn something_else_is_refused_at_its_first_octet_that_differs() {
    refused(b"a LOGIN u p\r\n", Invalid::Signature);
    refused(b"PROXYING", Invalid::Signature);
    refused(b"proxy TCP4", Invalid::Signature);
    refused(b"\r\n\r\nQUIT", Invalid::Signature);
    refused(b"\x16\x03\x01", Invalid::Signature);
    refused(b"PROXY TCP4 \rX", Invalid::Line);
}

#[test]
fn a_line_is_107_octets_at_most() {
    let mut line = b"PROXY UNKNOWN ".to_vec();
    line.resize(MAX_V1 - 2, b'x');
    line.extend_from_slice(b"\r\n");
    assert_eq!(decoded(&line).1, MAX_V1);

    line.insert(20, b'x');
    refused(&line, Invalid::TooLong);
    refused(line.get(..MAX_V1).unwrap(), Invalid::TooLong);
}

#[test]
fn version_2_names_both_ends() {
    let body = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0, 143];
    let input = v2(0x21, 0x11, &body);
    assert_eq!(decoded(&input), (header("192.0.2.1:56324", "198.51.100.7:143"), input.len()));
}

#[test]
fn other_families_are_valid_and_name_nobody() {
    for (family, length) in [(0x00, 0), (0x01, 7 + 3), (0x12, 12), (0x22, 36), (0x31, 216)] {
        let mut body = vec![0; length];
        if family == 0x01 {
            body = tlv(0x04, &[0; 7]);
        }
        let (header, _) = decoded(&v2(0x21, family, &body));
        assert_eq!(header, Header::default(), "family {family:#x}");
    }
}

#[test]
fn a_local_header_is_skipped_whatever_it_holds() {
    let input = v2(0x20, 0xff, &[0xff; 99]);
    let expected = Header { local: true, ..Header::default() };
    assert_eq!(decoded(&input), (expected, input.len()));
}

#[test]
fn unknown_versions_commands_and_families_are_refused() {
    for command in [0x00, 0x11, 0x22, 0x2f, 0x31] {
        refused(&v2(command, 0x11, &[0; 12]), Invalid::Command);
    }
    for family in [0x03, 0x13, 0x23, 0x33, 0x41, 0xff] {
        refused(&v2(0x21, family, &[0; 300]), Invalid::Family);
    }
}

#[test]
fn addresses_and_tlvs_must_fit() {
    refused(&v2(0x21, 0x11, &[0; 11]), Invalid::Truncated);
    refused(&v2(0x21, 0x21, &[0; 35]), Invalid::Truncated);
    refused(&v2(0x21, 0x31, &[0; 215]), Invalid::Truncated);
    for rest in [&[5][..], &[5, 0], &[5, 0, 1], &[5, 0xff, 0xff, 0]] {
        refused(&v2(0x21, 0x00, rest), Invalid::Truncated);
    }
    refused(&v2(0x21, 0x00, &tlv(0x05, &[0; 129])), Invalid::Tlv);
    refused(&v2(0x21, 0x00, &tlv(0x02, b"a\nb")), Invalid::Tlv);
    refused(&v2(0x21, 0x00, &tlv(0x02, b"\xff")), Invalid::Tlv);
    refused(&v2(0x21, 0x00, &tlv(0x20, &[1, 0, 0, 0])), Invalid::Tlv);
}

#[test]
fn a_long_header_is_refused_by_its_length_alone() {
    let length = u16::try_from(MAX_V2 - 16).unwrap();
    let start = |length: u16| [V2, &[0x21, 0x00], &length.to_be_bytes()].concat();
    assert_eq!(decode(&start(length)), Decoded::NeedMore(length.into()));
    refused(&start(length + 1), Invalid::TooLong);
}

#[test]
fn tlvs_are_read_and_unknown_ones_skipped() {
    let mut ssl = vec![0x01 | 0x02, 0, 0, 0, 0];
    ssl.extend(tlv(0x21, b"TLSv1.3"));
    ssl.extend(tlv(0x25, b"RSA2048"));
    ssl.extend(tlv(0x22, "Grüße".as_bytes()));
    ssl.extend(tlv(0x23, b"TLS_AES_128_GCM_SHA256"));
    let body = [
        tlv(0x01, b"imap"),
        tlv(0x02, b"mail.example.test"),
        tlv(0xea, b"\x01vpce-1"),
        tlv(0x05, b"\x00\xff"),
        tlv(0x20, &ssl),
    ]
    .concat();
    let (header, _) = decoded(&v2(0x21, 0x00, &body));
    let expected = Header {
        authority: Some("mail.example.test".into()),
        unique_id: Some(vec![0, 0xff]),
        ssl: Some(Ssl {
            encrypted: true,
            certificate: true,
            verified: true,
            version: Some("TLSv1.3".into()),
            common_name: Some("Grüße".into()),
            cipher: Some("TLS_AES_128_GCM_SHA256".into()),
        }),
        ..Header::default()
    };
    assert_eq!(header, expected);
}

#[test]
fn nothing_to_verify_is_not_verified() {
    let (header, _) = decoded(&v2(0x21, 0x00, &tlv(0x20, &[0x01, 0, 0, 0, 0])));
    let ssl = header.ssl.unwrap();
    assert!(ssl.encrypted && !ssl.certificate && !ssl.verified);
}

#[test]
fn a_checksum_is_checked() {
    // As HAProxy sends it with `proxy-v2-options crc32c`: the checksum counts as zero in itself.
    let mut input = v2(0x21, 0x11, &[127, 0, 0, 1, 127, 0, 0, 1, 0x30, 0x39, 0, 110]);
    input.extend_from_slice(&[0x03, 0, 4, 0, 0, 0, 0]);
    input[15] += 7;
    let checksum = crc32c(&input).to_be_bytes();
    let place = input.len() - 4;
    input[place..].copy_from_slice(&checksum);
    assert_eq!(decoded(&input).0, header("127.0.0.1:12345", "127.0.0.1:110"));

    input[16] ^= 1;
    refused(&input, Invalid::Checksum);
    refused(&v2(0x21, 0x00, &tlv(0x03, &[0; 5])), Invalid::Tlv);
}

/// CRC-32C by polynomial division from the top, another way than the decoder's.
fn crc32c(octets: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for octet in octets {
        crc ^= u32::from(octet.reverse_bits()) << 24;
        for _ in 0..8 {
            crc = if crc >> 31 == 1 { (crc << 1) ^ 0x1EDC_6F41 } else { crc << 1 };
        }
    }
    !crc.reverse_bits()
}

#[test]
fn what_does_not_fit_is_left_out() {
    let long = Header {
        authority: Some("a".repeat(MAX_V2)),
        unique_id: Some(vec![7; 129]),
        ..header("192.0.2.1:1", "192.0.2.2:2")
    };
    let mut out = Vec::new();
    long.encode_v2(&mut out);
    assert_eq!(decoded(&out).0, header("192.0.2.1:1", "192.0.2.2:2"));
}

fn socket() -> impl Strategy<Value = SocketAddr> {
    let address = prop_oneof![
        any::<std::net::Ipv4Addr>().prop_map(std::net::IpAddr::from),
        any::<std::net::Ipv6Addr>().prop_map(|a| std::net::IpAddr::from(a).to_canonical()),
    ];
    (address, any::<u16>()).prop_map(|(address, port)| SocketAddr::new(address, port))
}

prop_compose! {
    fn ssl()(
        encrypted: bool,
        certificate: bool,
        verified: bool,
        version in proptest::option::of("TLSv1\\.[0-3]"),
        common_name in proptest::option::of("\\PC{1,64}"),
        cipher in proptest::option::of("[A-Z0-9_-]{1,40}"),
    ) -> Ssl {
        Ssl {
            encrypted, certificate, verified: certificate && verified, version, common_name, cipher
        }
    }
}

prop_compose! {
    fn any_header()(
        ends in proptest::option::of((socket(), socket())),
        authority in proptest::option::of("[a-z.]{1,60}"),
        unique_id in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..=128)),
        ssl in proptest::option::of(ssl()),
    ) -> Header {
        let (source, destination) = ends.unzip();
        Header { local: false, source, destination, authority, unique_id, ssl }
    }
}

/// Every cut asks for more, never for more than there is, and the whole is what was encoded.
fn comes_back(encoded: &[u8], header: &Header) -> Result<(), TestCaseError> {
    for cut in 0..encoded.len() {
        let missing = encoded.len() - cut;
        match decode(&encoded[..cut]) {
            Decoded::NeedMore(least) => prop_assert!((1..=missing).contains(&least)),
            other => prop_assert!(false, "{other:?} at {cut}"),
        }
    }
    let mut followed = encoded.to_vec();
    followed.extend_from_slice(b"* OK ready\r\n");
    for input in [encoded, &followed] {
        let expected = Decoded::Header(Box::new(header.clone()), encoded.len());
        prop_assert_eq!(decode(input), expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn version_2_comes_back_from_every_cut(header in any_header()) {
        let mut encoded = Vec::new();
        header.encode_v2(&mut encoded);
        comes_back(&encoded, &header)?;
    }

    #[test]
    fn version_1_comes_back_from_every_cut(header in any_header()) {
        let mut encoded = Vec::new();
        header.encode_v1(&mut encoded);
        let Header { source, destination, .. } = header;
        comes_back(&encoded, &Header { source, destination, ..Header::default() })?;
    }

    #[test]
    fn garbage_is_answered(
        start in prop::sample::select(vec![b"".as_slice(), b"PROXY ", b"PROXY TCP4 ", V2]),
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        waypost_wire::fuzz::proxy(&[start, &rest].concat());
    }

    #[test]
    fn a_damaged_header_is_answered(header in any_header(), at: prop::sample::Index, octet: u8) {
        let mut encoded = Vec::new();
        header.encode_v2(&mut encoded);
        *at.get_mut(&mut encoded) = octet;
        waypost_wire::fuzz::proxy(&encoded);
    }
}
