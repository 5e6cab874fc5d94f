//! Dialogues that are mostly wrong.

use proptest::prelude::*;

/// `choices` octets and lines behind them, the last perhaps unfinished.
pub(crate) fn dialogue(
    choices: usize,
    line: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Vec<u8>> {
    let end = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", ""]);
    let lines = prop::collection::vec((line, end), 0..12);
    (prop::collection::vec(any::<u8>(), choices), lines).prop_map(|(mut octets, lines)| {
        for (line, end) in lines {
            octets.extend_from_slice(&line);
            octets.extend_from_slice(end.as_bytes());
        }
        octets
    })
}
