//! Messages in lines: base64, the empty message, cancelling.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use waypost_model::Secret;

use super::SaslError;

/// The longest line with a SASL message, in octets of base64 without the terminator
/// (RFC 4954 section 4 asks for 12,288; tokens need that much).
pub const MAX_LINE: usize = 12_288;

/// A client's line in answer to a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslResponse {
    /// The decoded message; it may be empty.
    Data(Secret),
    /// `*`: the client wants no more of this exchange.
    Cancel,
}

/// Reads a whole line, without its terminator, that answers a challenge.
pub fn response(line: &[u8]) -> Result<SaslResponse, SaslError> {
    if line == b"*" { Ok(SaslResponse::Cancel) } else { decode(line).map(SaslResponse::Data) }
}

/// Reads the initial response behind a command, where `=` is the empty message (RFC 4959
/// section 3, RFC 5034 section 4).
pub fn initial_response(argument: &[u8]) -> Result<Secret, SaslError> {
    match argument {
        b"=" => Ok(Secret::default()),
        b"" => Err(SaslError::Base64),
        _ => decode(argument),
    }
}

/// Decodes base64 (RFC 4648 section 4): padded, canonical, without anything between.
pub fn decode(base64: &[u8]) -> Result<Secret, SaslError> {
    // Sized beforehand: a buffer that grew would leave copies behind.
    let mut decoded = vec![0; base64::decoded_len_estimate(base64.len())];
    let result = STANDARD.decode_slice(base64, &mut decoded);
    if let Ok(len) = result {
        decoded.truncate(len);
    }
    let secret = Secret::new(decoded);
    result.map(|_| secret).map_err(|_| SaslError::Base64)
}

/// How many octets [`encode`] writes for a message of `len` octets.
pub const fn encoded_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4)
}

/// Appends `message` in base64. The empty message is the empty string.
pub fn encode(message: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start.saturating_add(encoded_len(message.len())), 0);
    let written = match out.get_mut(start..) {
        Some(room) => STANDARD.encode_slice(message, room).unwrap_or(0),
        None => 0,
    };
    out.truncate(start.saturating_add(written));
}

/// Appends `message` as an initial response, where `=` is the empty message.
pub fn encode_initial(message: &[u8], out: &mut Vec<u8>) {
    if message.is_empty() {
        out.push(b'=');
    } else {
        encode(message, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waypost_model::Secret;

    use super::{
        SaslResponse, decode, encode, encode_initial, encoded_len, initial_response, response,
    };
    use crate::sasl::SaslError;

    #[test]
    fn lines_and_initial_responses() {
        assert_eq!(response(b"*"), Ok(SaslResponse::Cancel));
        assert_eq!(response(b""), Ok(SaslResponse::Data(Secret::default())));
        assert_eq!(response(b"AQ=="), Ok(SaslResponse::Data(Secret::from("\u{1}"))));
        assert_eq!(initial_response(b"="), Ok(Secret::default()));
        assert_eq!(initial_response(b""), Err(SaslError::Base64));
        assert_eq!(initial_response(b"*"), Err(SaslError::Base64));
    }

    #[test]
    fn what_is_not_canonical_base64_is_refused() {
        for text in
            ["=", "A", "AQ", "AQ=", "AR==", "AQ==AQ==", " AQ==", "AQ==\r", "A\u{fc}==", "A-_="]
        {
            assert_eq!(decode(text.as_bytes()), Err(SaslError::Base64), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = b"+ ".to_vec();
            encode(&message, &mut out);
            prop_assert_eq!(out.len(), 2 + encoded_len(message.len()));
            prop_assert_eq!(decode(&out[2..]), Ok(Secret::new(message.clone())));

            let mut initial = Vec::new();
            encode_initial(&message, &mut initial);
            prop_assert_eq!(initial_response(&initial), Ok(Secret::new(message)));
        }
    }
}
