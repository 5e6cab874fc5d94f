//! SMTP and LMTP (RFC 5321, RFC 2033, RFC 6409).

mod back;
pub(crate) mod command;
pub mod content;
mod front;
mod hello;
mod parameters;
mod path;
mod reply;
pub mod submission;
mod xclient;
mod xtext;

pub use back::{Asked, Back, BackAction, BackFailure, BackSettings, Capabilities, Lacks};
pub use command::{Chunk, CommandError, Mail, Recipient};
pub use front::{Front, FrontAction, FrontSettings, Hello};
pub use parameters::{
    Body, EnvelopeId, MailParameters, Notify, OriginalRecipient, ParameterError,
    RecipientParameters, Ret,
};
pub use path::{ForwardPath, Mailbox, PathError, ReversePath};
pub use reply::{
    EnhancedCode, EnhancedCodeError, MAX_REPLY_LINE, MAX_REPLY_LINES, MAX_REPLY_TEXT, Reply,
    ReplyError, ReplyParser,
};
pub use xclient::{ClientIdentity, ClientProtocol, XclientAttributes};
