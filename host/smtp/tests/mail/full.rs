//! A disk without room: the client is told, or the message is kept; nothing in between.

use std::path::PathBuf;
use std::time::Duration;

use waypost_spool::simulated::Simulated;

use crate::support::{BackEnd, Do, House, Plan, Spooling, Ways, child, to, until};

/// One accepts, one defers: the message has to be kept.
struct World {
    house: House,
    first: BackEnd,
    second: BackEnd,
}

impl World {
    async fn new(spooling: Spooling) -> Self {
        let first = BackEnd::good().await;
        let second = BackEnd::start(Ways::ending(Do::Say("451 4.3.0 later\r\n"))).await;
        let mut plan = Plan { spooling, ..Plan::default() };
        plan.settings.max_message_size = 16 * 1024;
        plan.settings.retry_after = Duration::from_secs(3600);
        let house = House::start_with(plan);
        house.answer("user1@a.test", to(&[first.address]));
        house.answer("user2@a.test", to(&[second.address]));
        house.answer("sender@b.test", to(&[first.address]));
        Self { house, first, second }
    }

    /// The answer to the message, or to DATA in its place.
    async fn send(&self, body: &str) -> String {
        let mut client = self.house.client().await;
        client.envelope("sender@b.test", &["user1@a.test", "user2@a.test"]).await;
        let reply = client.ask("DATA").await;
        if !reply.starts_with("354") {
            return reply;
        }
        client.say(format!("Subject: x\r\n\r\n{body}\r\n.\r\n")).await;
        client.reply().await
    }

    /// Has everything that is kept delivered.
    async fn settle(&self) {
        self.second.behave(Ways::default());
        let queue = self.house.queue.clone().unwrap();
        for id in queue.ids() {
            queue.retry_now(id).unwrap();
        }
        until("nothing is kept", || self.house.kept() == 0).await;
    }
}

fn is_no_room(reply: &str) -> bool {
    reply == "452 4.3.1 There is no room for the message now."
        || reply == "451 4.3.0 The message could not be stored, try again later"
        || reply == "451 4.3.0 The message cannot be stored now, try again later."
}

#[tokio::test]
async fn wherever_the_room_ends_nothing_is_lost() {
    let body = "x".repeat(70).repeat(100);
    let (mut kept, mut refused) = (0, 0);
    // Around each multiple of a block: the copy, the record's two slots, and what was reserved.
    for block in 0..30_u64 {
        for space in [block * 4096, block * 4096 + 1, block * 4096 + 4095] {
            let disk = Simulated::new();
            let world = World::new(Spooling::Simulated(disk.clone())).await;
            // What was reserved may be gone when it is needed: others fill the disk.
            let early = space % 2 == 0;
            if early {
                disk.limit_space(space);
            } else {
                let disk = disk.clone();
                let closing = async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    disk.limit_space(space);
                };
                tokio::spawn(closing);
            }
            let reply = world.send(&body).await;
            disk.limit_space(u64::MAX);
            if reply.starts_with("250") {
                kept += 1;
                assert_eq!(world.house.kept(), 1, "{space}");
                world.settle().await;
                assert_eq!(world.first.mailbox("user1@a.test").len(), 1, "{space}");
            } else {
                refused += 1;
                assert!(is_no_room(&reply), "{space}: {reply}");
                assert_eq!(world.house.kept(), 0, "{space}");
                world.second.behave(Ways::default());
                let again = world.send(&body).await;
                assert!(again.starts_with("250"), "{space}: {again}");
            }
            assert_eq!(world.second.mailbox("user2@a.test").len(), 1, "{space}");
        }
    }
    assert!(kept > 0 && refused > 0, "{kept} {refused}");
}

#[test]
fn a_real_small_disk_fills_up_and_nothing_is_lost() {
    let test = "full::a_real_small_disk_fills_up_and_nothing_is_lost";
    if let Some(folder) = child::told() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(on_small_disk(folder.into()));
    }
    // A file system of its own, in namespaces of its own.
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let script = r#"mount -t tmpfs -o size=1m,mode=0700 small "$0" && exec "$@""#;
    let is_root = nix::unistd::geteuid().is_root();
    let namespaces: &[&str] = if is_root { &["--mount"] } else { &["--mount", "--map-root-user"] };
    let program = [&["unshare"], namespaces, &["sh", "-c", script, folder]].concat();
    child::run_again(test, folder, &program);
}

async fn on_small_disk(folder: PathBuf) {
    let world = World::new(Spooling::Folder(folder.join("spool"), 1 << 30)).await;
    let body = "x".repeat(70).repeat(200);
    let (mut kept, mut refused) = (0, 0);
    while refused < 3 {
        let reply = world.send(&body).await;
        if reply.starts_with("250") {
            kept += 1;
            assert!(kept < 100, "the disk never fills up");
        } else {
            assert!(is_no_room(&reply), "{reply}");
            refused += 1;
        }
    }
    assert!(kept > 1);
    world.settle().await;
    assert_eq!(world.second.mailbox("user2@a.test").len(), kept);
    world.house.queue.clone().unwrap().close().await;
}
