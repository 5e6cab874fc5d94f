//! Digests of a challenge under the password, for clients that do not show it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use md5::{Digest as _, Md5};
use waypost_model::Secret;
use zeroize::Zeroizing;

/// The block of MD5, in octets.
const BLOCK: usize = 64;

/// What a client was asked, and what it answered.
#[derive(Clone, Copy, Debug)]
pub enum Challenge<'a> {
    /// RFC 2195: HMAC-MD5 (RFC 2104) of the challenge under the password.
    CramMd5 {
        /// What the client was asked.
        challenge: &'a str,
        /// What it answered.
        digest: &'a [u8; 16],
    },
    /// RFC 1939 section 7: MD5 of the greeting's timestamp and the password behind it.
    Apop {
        /// The timestamp, angle brackets included.
        timestamp: &'a str,
        /// What the client answered.
        digest: &'a [u8; 16],
    },
}

impl Challenge<'_> {
    /// Whether the answer was made with this password, compared in constant time.
    pub fn fits(&self, password: &Secret) -> bool {
        match self {
            Self::CramMd5 { challenge, digest } => {
                equal(&hmac_md5(password.expose(), challenge.as_bytes()), &digest[..])
            }
            Self::Apop { timestamp, digest } => {
                let hash = Md5::new_with_prefix(timestamp).chain_update(password.expose());
                equal(&hash.finalize(), &digest[..])
            }
        }
    }
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

fn hmac_md5(key: &[u8], message: &[u8]) -> [u8; 16] {
    let mut block = Zeroizing::new([0; BLOCK]);
    if key.len() > BLOCK {
        let hash = Md5::digest(key);
        block.iter_mut().zip(hash.iter()).for_each(|(to, from)| *to = *from);
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    let padded = |pad: u8| Zeroizing::new(block.map(|octet| octet ^ pad));
    let inner = Md5::new_with_prefix(*padded(0x36)).chain_update(message).finalize();
    Md5::new_with_prefix(*padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use waypost_model::Secret;

    use super::{Challenge, hmac_md5};

    fn octets(hexadecimal: &str) -> [u8; 16] {
        u128::from_str_radix(hexadecimal, 16).unwrap().to_be_bytes()
    }

    /// The examples of the RFCs.
    #[test]
    fn examples() {
        let digest = &octets("b913a602c7eda7a495b4e6e7334d3890");
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        let cram = Challenge::CramMd5 { challenge, digest };
        assert!(cram.fits(&Secret::from("tanstaaftanstaaf")));
        assert!(!cram.fits(&Secret::from("tanstaaf")));
        let digest = &octets("c4c9334bac560ecc979e58001b3e22fb");
        let apop = Challenge::Apop { timestamp: "<1896.697170952@dbc.mtview.ca.us>", digest };
        assert!(apop.fits(&Secret::from("tanstaaf")));
        assert!(!apop.fits(&Secret::from("tanstaaftanstaaf")));
        // RFC 2202, test cases 1 and 6.
        assert_eq!(hmac_md5(&[0x0b; 16], b"Hi There"), octets("9294727a3638bb1c13f48ef8158bfc9d"));
        let long = hmac_md5(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(long, octets("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"));
    }
}
