use crate::proxy::{Decoded, Header, decode};

/// The PROXY header: whatever arrives, the answer is the same however it was cut, never reaches
/// past the input, and is what an encoded header says.
pub fn proxy(data: &[u8]) {
    let whole = decode(data);
    check_cuts(data, &whole);
    if let Decoded::Header(header, consumed) = whole {
        assert!(consumed <= data.len());
        check_encoding(&header);
    }
}

/// Up to the octet that settles it every prefix asks for more, and never for more than that; from
/// there on the answer stays.
fn check_cuts(data: &[u8], whole: &Decoded) {
    let mut settled = None;
    for cut in 0..=data.len() {
        match decode(&data[..cut]) {
            Decoded::NeedMore(least) => {
                assert!(settled.is_none() && least > 0, "asks for more at {cut}, once settled");
                assert!(
                    !matches!(whole, Decoded::Header(_, consumed) if cut + least > *consumed),
                    "reads past the header at {cut}"
                );
            }
            answer => assert_eq!(settled.get_or_insert_with(|| answer.clone()), &answer),
        }
    }
    if let Some(settled) = settled {
        assert_eq!(&settled, whole);
    }
}

fn check_encoding(header: &Header) {
    let mut encoded = Vec::new();
    header.encode_v2(&mut encoded);
    let expected = Decoded::Header(Box::new(header.clone()), encoded.len());
    assert_eq!(decode(&encoded), expected, "version 2");

    encoded.clear();
    header.encode_v1(&mut encoded);
    let Header { source, destination, .. } = *header;
    let ends = Header { source, destination, ..Header::default() };
    assert_eq!(decode(&encoded), Decoded::Header(Box::new(ends), encoded.len()), "version 1");
}
