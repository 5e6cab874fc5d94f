//! SMTP and LMTP (RFC 5321, RFC 2033, RFC 6409).

mod reply;

pub use reply::{
    EnhancedCode, EnhancedCodeError, MAX_REPLY_LINE, MAX_REPLY_LINES, MAX_REPLY_TEXT, Reply,
    ReplyError, ReplyParser,
};
