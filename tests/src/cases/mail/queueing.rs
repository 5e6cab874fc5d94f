//! A client that does what mail servers do: it tries again for those who were deferred.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::clusters::mail::{MailCluster, message};
use crate::senders::{self, Told};

/// A message in a client's queue.
#[derive(Debug)]
pub(super) struct Queued {
    text: String,
    pub(super) subject: String,
    /// Who is still to get it; who was tried longest ago comes first.
    pub(super) waiting: Vec<String>,
    /// Who will never get it, and what the client was told.
    pub(super) bounced: BTreeMap<String, String>,
    /// Who has got it, as far as the client knows.
    pub(super) sent: Vec<String>,
}

impl Queued {
    pub(super) fn new(subject: &str, to: &[String]) -> Self {
        Self::with_text(subject, message(subject), to)
    }

    pub(super) fn with_text(subject: &str, text: String, to: &[String]) -> Self {
        Self {
            text,
            subject: subject.to_owned(),
            waiting: to.to_vec(),
            bounced: BTreeMap::new(),
            sent: Vec::new(),
        }
    }

    /// Sends the message to all who wait.
    pub(super) fn attempt(&mut self, cluster: &MailCluster) -> Told {
        let told = senders::smtplib(&cluster.envelope(&self.waiting, &self.text));
        let mut deferred = Vec::new();
        let mut tried = Vec::new();
        for recipient in std::mem::take(&mut self.waiting) {
            match told.refused.get(&recipient) {
                Some(reply) if reply.starts_with('5') => {
                    self.bounced.insert(recipient, reply.clone());
                }
                Some(_) => deferred.push(recipient),
                None => match &told.answer {
                    Some(answer) if answer.starts_with('2') => self.sent.push(recipient),
                    Some(answer) if answer.starts_with('5') => {
                        self.bounced.insert(recipient, answer.clone());
                    }
                    _ => tried.push(recipient),
                },
            }
        }
        self.waiting = [deferred, tried].concat();
        told
    }

    /// Goes on until nobody waits.
    pub(super) fn finish(&mut self, cluster: &MailCluster) {
        for _ in 0..40 {
            if self.waiting.is_empty() {
                return;
            }
            self.attempt(cluster);
            sleep(Duration::from_millis(100));
        }
        assert!(self.waiting.is_empty(), "{} still wait: {:?}", self.subject, self.waiting);
    }
}
