/// Between the draws of one shard: the golden ratio as a 64-bit fraction.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that the shard `name` draws for `key`, its draw number `i`. The highest wins.
pub fn draw(key: &[u8], name: &[u8], i: u32) -> u64 {
    draw_with(fnv(key), seed(name, i))
}

/// The draw of a key's hash against a shard's seed.
pub(crate) fn draw_with(key: u64, seed: u64) -> u64 {
    mix(key ^ seed)
}

/// What of a draw depends on the shard alone.
pub(crate) fn seed(name: &[u8], i: u32) -> u64 {
    mix(fnv(name).wrapping_add(u64::from(i).wrapping_mul(STEP)))
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finalizer of MurmurHash3: each bit of the input turns about half of those of the output.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use super::{draw, fnv, mix};

    /// Known answers of FNV-1a.
    #[test]
    fn fnv_is_fnv_1a() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn mix_loses_nothing_and_spreads() {
        assert_eq!(mix(0), 0);
        let far = (0..64).map(|bit| (mix(1 << bit) ^ mix(0)).count_ones());
        assert!(far.into_iter().all(|bits| (16..=48).contains(&bits)));
    }

    /// These are what mailboxes were placed by: they never change.
    #[test]
    fn draws_stay_what_they_are() {
        for (key, name, i, number) in [
            ("user@example.test", "store1", 0, 0x157a_df80_2fa6_bc5d_u64),
            ("user@example.test", "store2", 7, 0xd4d7_afce_40bb_1b34_u64),
            ("", "", 0, 0x0c67_4da6_90f5_fbb8_u64),
            ("ü@example.test", "store1", 9999, 0xcab4_3582_7c50_009e_u64),
        ] {
            assert_eq!(draw(key.as_bytes(), name.as_bytes(), i), number, "{key} {name} {i}");
        }
    }
}
