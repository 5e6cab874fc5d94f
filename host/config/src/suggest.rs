/// The candidate that somebody may have meant who wrote `text`: one that is equal but for case and
/// separators, or that a few slips of the finger lead to.
pub(crate) fn nearest<'a>(
    text: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = folded(text);
    let slips = (written.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&written, &folded(candidate)), candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn folded(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_case_and_separators_are_seen_through() {
        let candidates = ["bind-dn", "bind-password", "base"];
        assert_eq!(nearest("bindDN", candidates), Some("bind-dn"));
        assert_eq!(nearest("bind_pasword", candidates), Some("bind-password"));
        assert_eq!(nearest("bsae", candidates), Some("base"));
        assert_eq!(nearest("url", candidates), None);
        assert_eq!(nearest("", candidates), None);
    }
}
