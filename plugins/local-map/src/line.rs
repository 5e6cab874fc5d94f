/// A line of the list that says something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) who: Who<'a>,
    /// Hosts.
    pub(crate) to: &'a str,
    /// The name to pass on, where it is not the client's.
    pub(crate) identity: Option<&'a str>,
}

/// Whom a line is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Who<'a> {
    Address { local_part: &'a str, domain: &'a str },
    Pattern(&'a str),
}

/// Takes a line apart; `None` for one that says nothing.
pub(crate) fn parse(line: &str) -> Result<Option<Line<'_>>, String> {
    // A file's line ends may be CRLF, and the first line begin with a byte order mark.
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let who = who(words.next().unwrap_or_default())?;
    let to = words.next().ok_or("a host was expected behind the address or pattern")?;
    let identity = words.next();
    match words.next() {
        Some(word) => Err(format!("the end of the line was expected, here is {word:?}")),
        None => Ok(Some(Line { who, to, identity })),
    }
}

fn who(word: &str) -> Result<Who<'_>, String> {
    if let Some(pattern) = word.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        return Ok(Who::Pattern(pattern));
    }
    let is_in_domain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    match word.rsplit_once('@') {
        Some((local_part, domain))
            if !local_part.is_empty()
                && !domain.is_empty()
                && domain.bytes().all(is_in_domain)
                && !local_part.contains(char::is_control) =>
        {
            Ok(Who::Address { local_part, domain })
        }
        _ => Err(format!(
            "an address, or a pattern without spaces between slashes, was expected, here is {word:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Who, parse};

    #[test]
    fn lines_that_say_nothing() {
        for line in ["", "  \t ", "# user@example.test mail1", "  #", "\r", "\u{feff}# list"] {
            assert_eq!(parse(line), Ok(None), "{line:?}");
        }
    }

    #[test]
    fn lines_that_say_something() {
        let address = |local_part, domain| Who::Address { local_part, domain };
        for (line, who, to, identity) in [
            ("a@b.test m", address("a", "b.test"), "m", None),
            ("\u{feff}a@b.test\t m \r", address("a", "b.test"), "m", None),
            ("  a@x@b.test m,n:1 i@j", address("a@x", "b.test"), "m,n:1", Some("i@j")),
            ("/a@b.test m", address("/a", "b.test"), "m", None),
            ("/.*/@b/ m $0", Who::Pattern(".*/@b"), "m", Some("$0")),
            ("// m", Who::Pattern(""), "m", None),
        ] {
            assert_eq!(parse(line), Ok(Some(Line { who, to, identity })), "{line:?}");
        }
    }

    #[test]
    fn lines_that_are_wrong() {
        for (line, part) in [
            ("a@b.test", "a host was expected"),
            ("a@b.test m i more", "the end of the line was expected, here is \"more\""),
            ("a m", "here is \"a\""),
            ("@b.test m", "here is \"@b.test\""),
            ("a@ m", "here is \"a@\""),
            ("a@bücher.test m", "here is \"a@bücher.test\""),
            ("/a b/ m", "here is \"/a\""),
            ("/ m", "here is \"/\""),
            ("a\u{1}@b m", "here is"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(part), "{line:?}: {error}");
        }
    }
}
