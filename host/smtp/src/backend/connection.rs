use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::timeout;
use waypost_model::{Protocol, Target};
use waypost_net::backend::BackendSettings;
use waypost_wire::login::Advance;
use waypost_wire::smtp::{
    Asked, Back, BackAction, BackFailure, ForwardPath, Mail, RecipientParameters, Reply,
};

use super::Broken;
use crate::link::Link;
use crate::translate::Offers;

/// A connection with a back end that takes mail.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: Link,
    pub(crate) back: Back,
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    pub(crate) lmtp: bool,
    assume_8bit: bool,
    /// For each reply up to DATA's.
    patience: Duration,
    /// A transaction was begun that was not ended by its data: RSET is due before the next.
    unfinished: bool,
    /// A transaction has ended well on it before: it may have grown old meanwhile.
    used: bool,
}

/// What a back end says to MAIL and to the first RCPT behind it.
#[derive(Debug)]
pub(crate) enum Begun {
    /// No to MAIL.
    Refused(Reply),
    /// This to RCPT, which has this number.
    Recipient(usize, Reply),
}

impl Connection {
    pub(super) fn new(
        link: Link,
        back: Back,
        target: Target,
        address: SocketAddr,
        settings: &BackendSettings,
    ) -> Self {
        Self {
            link,
            back,
            target,
            address,
            lmtp: settings.protocol == Protocol::Lmtp,
            assume_8bit: settings.assume_8bit,
            patience: settings.reply_timeout,
            unfinished: false,
            used: false,
        }
    }

    /// What the back end takes.
    pub(crate) fn offers(&self) -> Offers {
        let capabilities = self.back.capabilities();
        Offers {
            // Where it says SIZE without a number, none is too large.
            size: capabilities.size.filter(|size| *size < u64::MAX),
            eight_bit: capabilities.eight_bit_mime || self.assume_8bit,
            smtputf8: capabilities.smtputf8,
        }
    }

    /// Whether it has served before and may have been closed since, for its age.
    pub(crate) const fn is_used(&self) -> bool {
        self.used
    }

    /// A transaction has come to its end: the next may begin with MAIL.
    pub(crate) const fn finished(&mut self) {
        self.unfinished = false;
        self.used = true;
    }

    /// Says MAIL and the first RCPT, in one go where the back end lets us.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(crate) async fn begin(
        &mut self,
        mail: &Mail,
        recipient: &ForwardPath,
        parameters: &RecipientParameters,
    ) -> Result<Begun, Broken> {
        self.quiet().await?;
        let pipelining = self.back.capabilities().pipelining;
        if self.unfinished {
            self.back.reset(&mut self.link.out);
            if !pipelining {
                self.reset_heard().await?;
            }
        }
        self.back.mail(&mail.sender, &mail.parameters, &mut self.link.out);
        let mut number = None;
        if pipelining {
            number = Some(self.back.recipient(recipient, parameters, &mut self.link.out));
        }
        if self.unfinished && pipelining {
            self.reset_heard().await?;
        }
        let reply = self.reply().await?;
        let refused = !reply.is_positive();
        // A back end that refuses MAIL and takes RCPT all the same is brought to order by RSET.
        self.unfinished = !refused || number.is_some();
        if refused && number.is_some() && !reply.is_goodbye() {
            self.reply().await?;
        }
        if refused {
            return Ok(Begun::Refused(reply));
        }
        let number = match number {
            Some(number) => number,
            None => self.back.recipient(recipient, parameters, &mut self.link.out),
        };
        Ok(Begun::Recipient(number, self.reply().await?))
    }

    /// Says a further RCPT.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(crate) async fn recipient(
        &mut self,
        recipient: &ForwardPath,
        parameters: &RecipientParameters,
    ) -> Result<(usize, Reply), Broken> {
        self.quiet().await?;
        let number = self.back.recipient(recipient, parameters, &mut self.link.out);
        Ok((number, self.reply().await?))
    }

    /// The next reply, to whatever it is.
    pub(crate) fn poll_reply(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Asked, Reply), Broken>> {
        loop {
            let (input, out) = self.link.parts();
            let Advance { consumed, action } = self.back.advance(input, out);
            self.link.consume(consumed);
            match action {
                BackAction::Reply(asked, reply) => return Poll::Ready(Ok((asked, reply))),
                BackAction::Failed(failure) => return Poll::Ready(Err(failure.into())),
                BackAction::Read if consumed > 0 => {}
                BackAction::Read => ready!(self.link.poll_fill(cx))?,
                BackAction::StartTls | BackAction::Ready => {
                    return Poll::Ready(Err(BackFailure::Unasked.into()));
                }
            }
        }
    }

    /// Says QUIT and closes the connection. Nobody waits for the answer.
    pub(crate) async fn quit(mut self) {
        if self.back.pending() > 0 {
            return;
        }
        self.back.quit(&mut self.link.out);
        let closing = async {
            self.link.flush().await?;
            self.link.stream.shutdown().await
        };
        // What the socket does not take at once need not go.
        let mut closing = std::pin::pin!(closing);
        poll_fn(|cx| {
            let _ = closing.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
    }

    /// Looks whether the back end has said what nobody has asked for, or has gone: it would be taken
    /// for the answer to what is about to be asked.
    async fn quiet(&mut self) -> Result<(), Broken> {
        poll_fn(|cx| match self.poll_reply(cx) {
            Poll::Pending => Poll::Ready(Ok(())),
            Poll::Ready(Ok(_)) => Poll::Ready(Err(BackFailure::Unasked.into())),
            Poll::Ready(Err(broken)) => Poll::Ready(Err(broken)),
        })
        .await
    }

    async fn reset_heard(&mut self) -> Result<(), Broken> {
        let reply = self.reply().await?;
        if !reply.is_positive() {
            return Err(BackFailure::Unexpected(Asked::Reset.as_str(), reply).into());
        }
        Ok(())
    }

    async fn reply(&mut self) -> Result<Reply, Broken> {
        let patience = self.patience;
        let replying = async {
            self.link.flush().await?;
            poll_fn(|cx| self.poll_reply(cx)).await
        };
        let replied = timeout(patience, replying).await.map_err(|_| Broken::Timeout)?;
        replied.map(|(_, reply)| reply)
    }
}
