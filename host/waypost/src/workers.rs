//! The threads that serve: one for each core, each with a single-threaded runtime and sockets of
//! its own, so that nothing of a session crosses a thread.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use waypost_net::listener::{BoundSocket, Listener};

use crate::doors::{Door, Doors};

/// The threads that serve.
pub(crate) struct Workers {
    threads: Vec<thread::JoinHandle<io::Result<()>>>,
    stage: watch::Sender<Stage>,
}

/// How far a worker is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It accepts connections and serves sessions.
    Serve,
    /// It accepts nothing any more; sessions go on.
    Drain,
    /// Its sessions end with it.
    End,
}

impl Workers {
    /// Starts one thread for each list of sockets.
    pub(crate) fn start(sockets: Vec<Vec<BoundSocket>>, doors: &Arc<Doors>) -> io::Result<Self> {
        let (stage, _) = watch::channel(Stage::Serve);
        let mut threads = Vec::with_capacity(sockets.len());
        for (number, sockets) in sockets.into_iter().enumerate() {
            let doors = doors.clone();
            let stage = stage.subscribe();
            let name = format!("worker-{number}");
            let thread =
                thread::Builder::new().name(name).spawn(move || work(sockets, &doors, stage))?;
            threads.push(thread);
        }
        Ok(Self { threads, stage })
    }

    /// Stops accepting.
    pub(crate) fn drain(&self) {
        self.stage.send_replace(Stage::Drain);
    }

    /// Whether a thread has ended that nobody told to.
    pub(crate) fn any_ended(&self) -> bool {
        self.threads.iter().any(thread::JoinHandle::is_finished)
    }

    /// Ends the threads with whatever they still do.
    pub(crate) fn end(self) {
        self.stage.send_replace(Stage::End);
        for thread in self.threads {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(target: "waypost::worker", %error, "a worker failed");
                }
                Err(_) => tracing::error!(target: "waypost::worker", "a worker panicked"),
            }
        }
    }
}

fn work(
    sockets: Vec<BoundSocket>,
    doors: &Doors,
    mut stage: watch::Receiver<Stage>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut accepting = JoinSet::new();
        for socket in sockets {
            let listener = Listener::new(socket)?;
            let Some(door) = doors.get(&listener.settings().name) else { continue };
            accepting.spawn(accept(listener, door.clone()));
        }
        let _ = stage.wait_for(|stage| *stage >= Stage::Drain).await;
        accepting.shutdown().await;
        let _ = stage.wait_for(|stage| *stage == Stage::End).await;
        Ok(())
    })
}

async fn accept(listener: Listener, door: Door) {
    loop {
        door.open(listener.accept().await);
    }
}
