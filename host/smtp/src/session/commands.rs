use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;
use waypost_model::{Context, Lookup, Purpose};
use waypost_routing::Decide;
use waypost_session::{Generation, Grant, proxy_header};
use waypost_wire::smtp::{
    ClientIdentity, ClientProtocol, EnhancedCode, ForwardPath, Mail, Recipient, Reply, ReversePath,
};

use super::{Ended, Session};
use crate::backend::Caller;
use crate::client::Client;
use crate::journal;
use crate::offer::{Offered, Offerer};
use crate::pool::Pool;
use crate::recipient::{Finder, Found};
use crate::settings::Split;
use crate::transaction::{Accepted, Transaction};

/// How many further proxies a session may pass before it counts as running in a circle.
const TTL: u8 = 7;

const SENDER_OK: Reply = Reply::new(250, EnhancedCode::new(2, 1, 0), "Ok.");
/// RFC 5321 section 4.5.3.1.10.
const TOO_MANY_RECIPIENTS: Reply =
    Reply::new(452, EnhancedCode::new(4, 5, 3), "Too many recipients.");

/// What a session's mail comes to.
pub(crate) struct Mailing<P: Decide> {
    pub(crate) transaction: Option<Transaction>,
    /// What policies are told of the client; made with MAIL.
    pub(crate) context: Option<Arc<Context>>,
    /// What back ends are told of it.
    pub(crate) caller: Option<Caller>,
    /// How often RCPT was said in this transaction.
    named: usize,
    pub(crate) pool: Pool<P>,
    pub(crate) counts: Counts,
}

/// What the log says of a session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// MAILs that were taken.
    pub(crate) transactions: usize,
    /// Messages that were answered with 250.
    pub(crate) messages: usize,
    /// Recipients that were refused.
    pub(crate) refused: usize,
    /// Octets of messages.
    pub(crate) octets: u64,
}

impl<P: Decide> Default for Mailing<P> {
    fn default() -> Self {
        Self {
            transaction: None,
            context: None,
            caller: None,
            named: 0,
            pool: Pool::default(),
            counts: Counts::default(),
        }
    }
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    /// MAIL: no back end is concerned yet.
    pub(super) async fn mail(
        &self,
        client: &mut Client,
        mailing: &mut Mailing<P>,
        mail: Mail,
    ) -> Result<(), Ended> {
        if mailing.counts.transactions >= self.service.settings.max_transactions.get() {
            return Err(Ended::TooManyMessages);
        }
        mailing.counts.transactions += 1;
        mailing.named = 0;
        mailing.context = Some(Arc::new(self.context(client, &mail.sender)));
        let caller = self.caller(client);
        // Connections that wait were told who the client said it was then.
        if mailing.caller.as_ref().is_some_and(|before| before.identity != caller.identity) {
            mailing.pool.quit().await;
        }
        mailing.caller = Some(caller);
        mailing.transaction = Some(Transaction::new(mail));
        client.reply(&SENDER_OK);
        Ok(())
    }

    /// TLS has begun: what was said in clear, maybe by somebody in between, is forgotten, and so are
    /// the connections to which it was passed on (RFC 3207 section 4.2).
    pub(super) async fn forget(&self, mailing: &mut Mailing<P>) {
        self.reset(mailing).await;
        mailing.pool.quit().await;
        (mailing.context, mailing.caller) = (None, None);
    }

    /// RSET, or what stands for it.
    pub(super) async fn reset(&self, mailing: &mut Mailing<P>) {
        let Some(transaction) = mailing.transaction.take() else { return };
        let generation = self.service.process.generation.load_full();
        for opening in transaction.openings {
            if opening.lost.is_none() {
                mailing.pool.keep(opening.connection, &generation).await;
            }
        }
    }

    /// RCPT: asks where the mailbox lives, and its back end whether it takes the mail.
    pub(super) async fn recipient(
        &self,
        client: &Client,
        mailing: &mut Mailing<P>,
        recipient: Recipient,
    ) -> Reply {
        let began = Instant::now();
        self.record.touch();
        mailing.named += 1;
        if mailing.named > self.service.settings.max_recipients.get() {
            return TOO_MANY_RECIPIENTS;
        }
        let Mailing { transaction, context, caller, pool, counts, .. } = mailing;
        let (Some(transaction), Some(context), Some(caller)) = (transaction, context, caller)
        else {
            return TOO_MANY_RECIPIENTS;
        };
        let Recipient { path, parameters } = recipient;
        let generation = self.service.process.generation.load_full();
        let finder = Finder {
            router: &self.service.process.router,
            generation: &generation,
            settings: &self.service.settings,
            context,
        };
        let mut found = match finder.find(&path).await {
            Ok(found) => found,
            Err(not_found) => {
                counts.refused += 1;
                self.refused(&path, not_found.kind(), &not_found.reply(), Some(&not_found), None);
                return not_found.reply();
            }
        };
        let offerer = Offerer {
            process: &self.service.process,
            generation: &generation,
            settings: &self.service.settings,
            metrics: &self.service.metrics,
            caller,
            id: &self.id,
            is_kept: false,
            may_split: self.may_split(&generation, transaction),
        };
        let offering = offerer.offer(transaction, pool, &finder, &mut found, &parameters);
        let Offered { reply, place, way, .. } = Box::pin(offering).await;
        let (Some(place), Some(way)) = (place, &way) else {
            counts.refused += 1;
            let backend = way.as_ref().map(|way| way.target.as_str());
            self.refused(&path, "backend", &reply, None, backend);
            return reply;
        };
        self.service.metrics.recipient(self.entrance.kind.protocol, "accepted");
        let Found { lookup, .. } = found;
        let (way, took) = (way.clone(), began.elapsed());
        transaction.accept(place, Accepted { path, parameters, lookup, way, took });
        let _ = client;
        reply
    }

    /// Whether the message may go to several back ends: a copy of it needs a spool, and somebody to
    /// report to.
    fn may_split(&self, generation: &Generation<P>, transaction: &Transaction) -> bool {
        if self.entrance.is_lmtp() {
            return true;
        }
        let settings = &self.service.settings;
        if self.service.queue.is_none() || settings.split == Split::Defer {
            return false;
        }
        let Some(sender) = transaction.mail.sender.mailbox() else { return false };
        if settings.relay.is_some() && settings.report_networks.contains(self.client.ip()) {
            return true;
        }
        sender.address().is_ok_and(|address| {
            generation.domains.find(&Lookup { purpose: Purpose::Recipient, address }).is_some()
        })
    }

    fn refused(
        &self,
        path: &ForwardPath,
        kind: &'static str,
        reply: &Reply,
        detail: Option<&dyn std::fmt::Display>,
        backend: Option<&str>,
    ) {
        self.service.metrics.recipient(self.entrance.kind.protocol, kind);
        journal::refused(self, path, kind, reply, detail, backend);
    }

    fn context(&self, client: &Client, sender: &ReversePath) -> Context {
        Context {
            protocol: self.entrance.kind.protocol,
            listener: self.entrance.kind.listener.clone(),
            client_address: self.client.ip(),
            encrypted: client.is_encrypted(),
            mechanism: None,
            login_name: None,
            authentication_id: None,
            certificate_name: None,
            sender: Some(sender.mailbox().map_or_else(Arc::default, |it| it.to_string().into())),
            now: SystemTime::now(),
        }
    }

    fn caller(&self, client: &Client) -> Caller {
        let hello = client.front.hello();
        Caller {
            protocol: self.entrance.kind.protocol,
            header: proxy_header(self.client, self.local, self.id.as_str(), client.stream()),
            identity: Some(ClientIdentity {
                client: self.client,
                local: self.local,
                hello: hello.map(|hello| hello.name.clone()),
                protocol: hello.map_or(ClientProtocol::Smtp, |hello| hello.protocol),
                session: Some(Arc::from(self.id.as_str())),
                ttl: Some(TTL),
            }),
        }
    }
}
