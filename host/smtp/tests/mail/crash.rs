//! The process ends at every change of state of a mixed delivery, with every first part of what was
//! not synced on the disk; a new one starts, and a client that has read no reply sends again. Then
//! every recipient has the message, or the sender was told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;
use waypost_smtp::{FailPoint, FailPoints, Fate};
use waypost_spool::simulated::Simulated;

use crate::support::{BackEnd, Client, Do, House, Plan, Spooling, Ways, to, until};

const BODY: &str = "Subject: precious\r\n\r\nhello\r\n";
/// How many of the states in which the disk may be found are tried at each point.
const STATES: usize = 6;
const RECIPIENTS: [&str; 4] = ["user1@a.test", "user2@a.test", "user3@a.test", "user4@a.test"];

/// What becomes of the legs at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Accepted, deferred, refused, and accepted after the client was answered.
    Mixed,
    /// All accepted.
    Smooth,
}

/// Four back ends, with a recipient each, and the sender's. They outlive every Waypost.
struct World {
    back_ends: Vec<BackEnd>,
    reports: BackEnd,
}

/// The end of a process.
struct Crash {
    point: Option<FailPoint>,
    disk: Simulated,
    has_come: AtomicBool,
    passed: Mutex<BTreeSet<String>>,
}

impl World {
    async fn new(course: Course) -> Self {
        let ways = match course {
            Course::Smooth => vec![Ways::default(); 4],
            Course::Mixed => vec![
                Ways::default(),
                Ways::ending(Do::Say("451 4.3.0 later\r\n")),
                Ways::ending(Do::Say("554 5.6.0 never\r\n")),
                Ways::ending(Do::After(Duration::from_millis(900), "250 2.0.0 at last\r\n")),
            ],
        };
        let mut back_ends = Vec::new();
        for ways in ways {
            back_ends.push(BackEnd::start(ways).await);
        }
        Self { back_ends, reports: BackEnd::good().await }
    }

    fn house(&self, disk: &Simulated, fail_points: FailPoints) -> House {
        let mut plan = Plan::with(|it| it.answer_within = Duration::from_millis(400));
        plan.spooling = Spooling::Simulated(disk.clone());
        plan.fail_points = fail_points;
        plan.backend.reply_timeout = Duration::from_secs(10);
        let house = House::start_with(plan);
        for (recipient, back_end) in RECIPIENTS.iter().zip(&self.back_ends) {
            house.answer(recipient, to(&[back_end.address]));
        }
        house.answer("sender@b.test", to(&[self.reports.address]));
        house
    }

    fn copies(&self) -> Vec<usize> {
        let boxes = RECIPIENTS.iter().zip(&self.back_ends);
        boxes.map(|(recipient, back_end)| back_end.mailbox(recipient).len()).collect()
    }

    /// How many different reports there were.
    fn reports(&self) -> usize {
        let name = |text: String| {
            text.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned()
        };
        let names =
            self.reports.delivered().iter().map(|it| name(it.text())).collect::<BTreeSet<_>>();
        names.len()
    }
}

impl Crash {
    fn new(point: Option<FailPoint>, disk: &Simulated) -> Arc<Self> {
        Arc::new(Self {
            point,
            disk: disk.clone(),
            has_come: AtomicBool::new(false),
            passed: Mutex::default(),
        })
    }

    /// Whoever comes to a fail point after the crash goes no further.
    fn fail_points(self: &Arc<Self>) -> FailPoints {
        let crash = self.clone();
        FailPoints::new(move |point| {
            if crash.has_come.load(Ordering::SeqCst) {
                return Fate::Stop;
            }
            crash.passed.lock().insert(point.name());
            if crash.point != Some(point) {
                return Fate::GoOn;
            }
            crash.disk.crash_after(crash.disk.operations());
            crash.has_come.store(true, Ordering::SeqCst);
            Fate::Stop
        })
    }

    fn has_come(&self) -> bool {
        self.has_come.load(Ordering::SeqCst)
    }
}

/// Sends the message; what is not answered before the crash is answered by nobody.
async fn send(house: &House, crash: &Crash) -> Option<String> {
    let sending = async {
        let mut client = Client::connect(house.address).await;
        client.hello(false).await;
        client.send("sender@b.test", &RECIPIENTS, BODY).await
    };
    let crashed = async {
        until("it crashes", || crash.has_come()).await;
        // What was on its way to the client may still arrive.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    tokio::select! {
        biased;
        reply = sending => Some(reply).filter(|reply| !reply.is_empty()),
        () = crashed, if crash.point.is_some() => None,
    }
}

/// One life and the next. Comes back with the points that were passed.
async fn live(course: Course, point: Option<FailPoint>, state: usize) -> BTreeSet<String> {
    let name = format!("{course:?} {point:?} {state}");
    let world = World::new(course).await;
    let disk = Simulated::new();
    let crash = Crash::new(point, &disk);
    let house = world.house(&disk, crash.fail_points());
    let reply = send(&house, &crash).await;
    if let Some(reply) = &reply {
        assert!(reply.starts_with("250"), "{name}: {reply}");
    }
    // From now on the one that deferred takes everything.
    if course == Course::Mixed {
        world.back_ends[1].behave(Ways::default());
    }
    let over = || crash.has_come() || house.kept() == 0 && reply.is_some();
    until(&name, over).await;
    if !crash.has_come() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if crash.has_come() {
        let states = disk.survivors(STATES);
        let chosen = &states[state % states.len()];
        let calm = Crash::new(None, chosen);
        let house = world.house(chosen, calm.fail_points());
        if reply.is_none() {
            let again = send(&house, &calm).await.unwrap();
            assert!(again.starts_with("250"), "{name}: {again}");
        }
        // Nobody waits for ten minutes to hear back ends that the last process was hearing.
        let queue = house.queue.clone().unwrap();
        for id in queue.ids() {
            let _ = queue.retry_now(id);
        }
        until(&format!("{name}: nothing is kept"), || house.kept() == 0).await;
    } else {
        let expected = if course == Course::Mixed { [1, 1, 0, 1] } else { [1, 1, 1, 1] };
        assert_eq!(world.copies(), expected, "{name}: nobody has it twice");
    }
    let copies = world.copies();
    for (number, copies) in copies.iter().enumerate() {
        let told = number == 2 && course == Course::Mixed && world.reports() > 0;
        assert!(*copies > 0 || told, "{name}: {} has nothing", RECIPIENTS[number]);
    }
    // A client that sends again sends another message, on which there may be another report.
    assert!(world.reports() <= 1 + usize::from(reply.is_none()), "{name}");
    let passed = crash.passed.lock();
    passed.clone()
}

async fn all_states(course: Course) -> BTreeSet<String> {
    let mut lives = tokio::task::JoinSet::new();
    let gate = Arc::new(tokio::sync::Semaphore::new(12));
    let points = FailPoint::ALL.into_iter().map(Some).chain([None]);
    for point in points {
        for state in 0..if point.is_some() { STATES } else { 1 } {
            let gate = gate.clone();
            lives.spawn(async move {
                let _permit = gate.acquire_owned().await;
                let living = live(course, point, state);
                timeout(Duration::from_secs(120), living)
                    .await
                    .unwrap_or_else(|_| panic!("{point:?}"))
            });
        }
    }
    let mut passed = BTreeSet::new();
    while let Some(life) = lives.join_next().await {
        passed.extend(life.unwrap());
    }
    passed
}

#[tokio::test]
async fn nothing_is_lost_at_any_change_of_state() {
    let mut passed = all_states(Course::Mixed).await;
    passed.extend(all_states(Course::Smooth).await);
    let all: BTreeSet<String> = FailPoint::ALL.into_iter().map(FailPoint::name).collect();
    assert_eq!(passed, all, "every point has been come to");
}
