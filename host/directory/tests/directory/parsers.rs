//! Seeds through the functions that the fuzz targets call, and a little of what fuzzing does.

use proptest::prelude::*;
use waypost_directory::fuzz;

const SEEDS: [&[u8]; 16] = [
    b"",
    b"(mail={0})\0a@b",
    b"(&(mail={0}*)(|(cn~=x)(!(uid>={1}))))\0*)(uid=*\0\xff",
    b"(cn:dn:caseExactMatch:={0})\0",
    b"(cn={0}*)\0",
    b"(cn=\\c3\\a9*\xc3\xa9*)",
    b"((((((((((((((((((((((((((((((((((((",
    b"dc={0},dc=example\0a,b",
    b"cn=a\\,b+uid=\\20x\\20,ou=#0401ff, dc = x ",
    b"ou={0}\0#\0 ",
    b"olcDatabase={1}mdb,cn=config",
    b"version: 1\n\ndn: dc=a\nobjectClass: top\ndc: a\nx::\n y\n",
    b"dn: dc=a\n\ndn: ou=b+cn=c,dc=a\r\nou: b\r\n\r\n",
    b"dn:: ZGM9YQ==\no:: /w==\n",
    b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
    b"\x30\x15\x02\x01\x01\x64\x10\x04\x00\x30\x0c\x30\x0a\x04\x03uid\x31\x03\x04\x01x",
];

fn replay(data: &[u8]) {
    fuzz::filter(data);
    fuzz::dn(data);
    fuzz::ldif(data);
    fuzz::server_message(data);
}

#[test]
fn seeds() {
    for seed in SEEDS {
        for end in 0..=seed.len() {
            replay(&seed[..end]);
        }
    }
}

proptest! {
    #[test]
    fn seeds_changed_at_random(
        seed in prop::sample::select(SEEDS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        tail in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut data = [seed, &tail].concat();
        for (index, octet) in changes {
            if !data.is_empty() {
                let at = index.index(data.len());
                data[at] = octet;
            }
        }
        replay(&data);
    }
}
