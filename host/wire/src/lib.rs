//! The mail protocols without I/O: lines, literals, SASL, IMAP, POP3 and the PROXY header.
