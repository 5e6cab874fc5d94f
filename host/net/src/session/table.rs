//! The table.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use super::record::Record;
use super::{EndReason, SessionInfo, SessionKind, SessionRecord, SessionRoute};
use crate::clock;
use crate::metrics::Metrics;

/// How many records are looked at before others may have the table.
const BATCH: usize = 1024;

/// Every session of the process. Cheap to clone; clones are the same table.
#[derive(Clone, Default)]
pub struct SessionTable {
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
    slab: Mutex<Slab>,
    from_clients: Counter,
    from_backends: Counter,
}

#[derive(Default)]
struct Slab {
    slots: Vec<Option<Arc<Record>>>,
    free: Vec<u32>,
    /// With how many sessions have it.
    routes: HashMap<Arc<SessionRoute>, usize>,
    opened: u64,
}

impl SessionTable {
    /// A table without sessions.
    pub fn new() -> Self {
        Self::default()
    }

    /// A table without sessions that counts what they relay.
    pub fn counted(metrics: &Metrics) -> Self {
        let shared = Shared {
            slab: Mutex::default(),
            from_clients: metrics.relayed("client"),
            from_backends: metrics.relayed("backend"),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Opens the record of a session with `client`.
    pub fn open(&self, kind: &Arc<SessionKind>, client: SocketAddr) -> SessionRecord {
        let mut slab = self.shared.slab.lock();
        slab.opened += 1;
        let id = slab.opened;
        let slot = slab.free.pop().unwrap_or_else(|| {
            slab.slots.push(None);
            u32::try_from(slab.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let record = Arc::new(Record::new(id, slot, kind.clone(), client));
        if let Some(place) = slab.slots.get_mut(slot as usize) {
            *place = Some(record.clone());
        }
        SessionRecord { record, table: self.shared.clone() }
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        let slab = self.shared.slab.lock();
        slab.slots.len() - slab.free.len()
    }

    /// Every session, in no order. Those that open or close meanwhile may be missing or not.
    pub fn list(&self) -> Vec<SessionInfo> {
        let now = clock::seconds();
        let mut list = Vec::with_capacity(self.count());
        self.visit(|record| list.push(record.info(now)));
        list
    }

    /// Ends the session with this number. Returns whether there was one to end.
    pub fn kill(&self, id: u64) -> bool {
        self.end_where(EndReason::Killed, |record| record.id == id) > 0
    }

    /// Ends every session of a user. Returns how many.
    pub fn kill_user(&self, user: &str) -> usize {
        self.end_where(EndReason::Killed, |record| {
            record.route().is_some_and(|route| &*route.user == user)
        })
    }

    /// Ends every session because the program ends. Returns how many.
    pub fn kill_all(&self) -> usize {
        self.end_where(EndReason::Shutdown, |_| true)
    }

    /// Ends the sessions that have been silent for longer than they may. Returns how many.
    pub fn sweep(&self) -> usize {
        self.sweep_at(clock::seconds())
    }

    fn sweep_at(&self, now: u32) -> usize {
        self.end_where(EndReason::Idle, |record| record.is_overdue(now))
    }

    /// Sweeps once a second, until it is dropped.
    pub async fn sweep_forever(self) {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        every_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every_second.tick().await;
            self.sweep();
        }
    }

    fn end_where(&self, reason: EndReason, mut which: impl FnMut(&Record) -> bool) -> usize {
        let mut chosen = Vec::new();
        self.visit(|record| {
            if which(record) {
                chosen.push(record.clone());
            }
        });
        // Outside the table's lock: a session that is woken may close at once.
        chosen.iter().filter(|record| record.end(reason)).count()
    }

    /// Looks at every record without keeping others from the table for long.
    fn visit(&self, mut look: impl FnMut(&Arc<Record>)) {
        let mut start = 0;
        loop {
            let slab = self.shared.slab.lock();
            let Some(rest) = slab.slots.get(start..).filter(|rest| !rest.is_empty()) else {
                return;
            };
            rest.iter().take(BATCH).flatten().for_each(&mut look);
            start += BATCH;
        }
    }
}

impl Shared {
    /// Gives a record its route, the same that other sessions of that user and target have.
    pub(super) fn set_route(&self, record: &Record, user: &str, target: &str) {
        // Over a connection for requests it is mostly the same again.
        if record.has_route(user, target) {
            return;
        }
        let wanted = SessionRoute { user: user.into(), target: target.into() };
        let mut slab = self.slab.lock();
        let route = match slab.routes.get_key_value(&wanted) {
            Some((route, _)) => route.clone(),
            None => Arc::new(wanted),
        };
        *slab.routes.entry(route.clone()).or_default() += 1;
        if let Some(earlier) = record.set_route(route) {
            slab.forget(&earlier);
        }
    }

    pub(super) fn close(&self, record: &Record) {
        let (from_client, from_backend) = record.relayed();
        self.from_clients.inc_by(from_client);
        self.from_backends.inc_by(from_backend);
        let mut slab = self.slab.lock();
        if let Some(place) = slab.slots.get_mut(record.slot as usize) {
            *place = None;
            slab.free.push(record.slot);
        }
        if let Some(route) = record.take_route() {
            slab.forget(&route);
        }
        // The last session of a burst takes the burst's memory along.
        if slab.slots.len() == slab.free.len() {
            slab.slots = Vec::new();
            slab.free = Vec::new();
        }
    }
}

impl Slab {
    /// Notes that one session less has this route.
    fn forget(&mut self, route: &Arc<SessionRoute>) {
        match self.routes.get_mut(route) {
            Some(sessions) if *sessions > 1 => *sessions -= 1,
            _ => drop(self.routes.remove(route)),
        }
    }
}

impl fmt::Debug for SessionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTable").field("count", &self.count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use waypost_model::Protocol;

    use super::SessionTable;
    use crate::clock;
    use crate::metrics::Metrics;
    use crate::session::{EndReason, SessionKind};

    fn kind(idle_limit: u64) -> Arc<SessionKind> {
        Arc::new(SessionKind {
            listener: "imaps".into(),
            protocol: Protocol::Imap,
            idle_limit: Duration::from_secs(idle_limit),
        })
    }

    fn client() -> std::net::SocketAddr {
        "192.0.2.1:4242".parse().unwrap()
    }

    #[test]
    fn a_session_is_listed_while_its_record_lives() {
        let table = SessionTable::new();
        let first = table.open(&kind(60), client());
        let second = table.open(&kind(60), client());
        second.set_route("user@a.test", "north:143");
        assert_eq!(table.count(), 2);
        drop(first);
        let listed = table.list();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].id, second.id());
        assert_eq!(&*listed[0].route.as_ref().unwrap().user, "user@a.test");
        assert_eq!((listed[0].client, listed[0].client_port), (client().ip(), 4242));
        drop(second);
        assert_eq!(table.count(), 0);
    }

    #[test]
    fn sessions_of_one_user_share_their_route_and_the_last_takes_it_along() {
        let table = SessionTable::new();
        let records: Vec<_> = (0..3).map(|_| table.open(&kind(60), client())).collect();
        records.iter().for_each(|record| record.set_route("user@a.test", "north:143"));
        let route = records[0].info().route.unwrap();
        assert!(Arc::ptr_eq(&route, &records[2].info().route.unwrap()));
        drop(route);
        records[0].set_route("user@a.test", "south:143");
        assert_eq!(table.shared.slab.lock().routes.len(), 2);
        drop(records);
        assert!(table.shared.slab.lock().routes.is_empty());
    }

    #[tokio::test]
    async fn the_silent_are_swept_and_hear_why() {
        let table = SessionTable::new();
        let (short, long) = (table.open(&kind(60), client()), table.open(&kind(1860), client()));
        let now = clock::seconds();
        assert_eq!(table.sweep_at(now + 60), 0);
        assert_eq!(table.sweep_at(now + 61), 1);
        assert_eq!(table.sweep_at(now + 62), 0, "once is enough");
        assert_eq!(short.ended().await, EndReason::Idle);
        assert_eq!(table.sweep_at(now + 400), 0);
        long.set_half_closed();
        assert_eq!(table.sweep_at(now + 400), 1, "half closed, it has less time");
        assert_eq!(long.ended().await, EndReason::Idle);
        let broken = table.open(&kind(1860), client());
        broken.set_lingering();
        let now = clock::seconds();
        assert_eq!(table.sweep_at(now + 10), 0);
        assert_eq!(table.sweep_at(now + 11), 1, "nobody is there to speak with");
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_when_the_session_is_killed() {
        let table = SessionTable::new();
        let record = table.open(&kind(60), client());
        record.set_route("user@a.test", "north:143");
        let (id, waiting) = (record.id(), tokio::spawn(async move { record.ended().await }));
        tokio::task::yield_now().await;
        assert!(!table.kill(id + 1));
        assert_eq!(table.kill_user("another@a.test"), 0);
        assert_eq!(table.kill_user("user@a.test"), 1);
        assert_eq!(waiting.await.unwrap(), EndReason::Killed);
        assert_eq!(table.kill_all(), 0);
    }

    #[test]
    fn what_was_relayed_is_counted_at_the_end() {
        let mut registry = Registry::default();
        let table = SessionTable::counted(&Metrics::register(&mut registry));
        let record = table.open(&kind(60), client());
        record.count_from_client(40);
        record.count_from_client(2);
        record.count_from_backend(7);
        assert_eq!((record.info().from_client, record.info().from_backend), (42, 7));
        drop(record);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("waypost_net_relayed_bytes_total{from=\"client\"} 42"), "{text}");
        assert!(text.contains("waypost_net_relayed_bytes_total{from=\"backend\"} 7"), "{text}");
    }

    #[test]
    fn sessions_of_many_threads_leave_nothing_behind() {
        let table = SessionTable::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..5_000 {
                        let record = table.open(&kind(60), client());
                        record.set_route(&format!("user{}@a.test", round % 7), "north:143");
                        if round % 100 == 0 {
                            table.list();
                            table.sweep();
                        }
                    }
                });
            }
        });
        assert_eq!(table.count(), 0);
        assert!(table.shared.slab.lock().routes.is_empty());
    }
}
