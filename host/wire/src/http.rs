//! Telling a browser from a mail client.

/// Whether a line is the first of an HTTP request: a page can make a browser send one to any port,
/// with mail commands in its body (the ALPACA attack), and whatever it is answered is an answer
/// too much. No line of a mail client begins like this, since methods are in upper case and no
/// verb or likely tag is one of them.
pub(crate) fn is_request(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"OPTIONS ",
        b"DELETE ",
        b"CONNECT ",
        b"TRACE ",
        b"PATCH ",
        b"PRI ",
    ];
    METHODS.iter().any(|method| line.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::is_request;

    #[test]
    fn methods_are_recognised_and_words_that_begin_like_them_are_not() {
        assert!(is_request(b"GET / HTTP/1.1"));
        assert!(is_request(b"POST /a LOGIN b c HTTP/1.1"));
        assert!(is_request(b"PRI * HTTP/2.0"));
        assert!(!is_request(b"get NOOP"));
        assert!(!is_request(b"GETS NOOP"));
        assert!(!is_request(b"GET"));
    }
}
