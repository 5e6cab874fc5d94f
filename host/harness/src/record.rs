//! Recordings: what policies were really asked and what they got, as cases that
//! `waypost plugin test` replays.
//!
//! A [`Recorder`] writes into a folder, one file of cases for each policy that is asked, on a thread
//! of its own. Unless it is to write everything as it is, each word of an address or a value is
//! replaced by another one that stands for it in all of the recording, so that what was equal stays
//! equal and a policy that takes addresses for what they are decides alike. The settings are written
//! as they are, since a policy without them is another policy, and so are the words that stand in
//! them.

mod case;
mod file;
mod pseudonyms;

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use waypost_model::{Context, Lookup};
use waypost_policy::{Observation, PolicySettings};

use file::Files;

/// Decisions that wait to be written, each with what its searches brought. What comes then is left
/// out: nobody waits for a disk.
const WAITING: usize = 64;

/// Writes down what policies do. Cheap to clone; all clones write the same recording.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    door: SyncSender<Job>,
    left_out: Arc<AtomicU64>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

enum Job {
    Saw(Box<Seen>),
    End,
}

/// One decision.
struct Seen {
    policy: Arc<Recorded>,
    lookup: Arc<Lookup>,
    context: Arc<Context>,
    observation: Observation,
}

/// A policy whose decisions are recorded, as it is loaded.
pub struct Recorded {
    settings: PolicySettings,
    /// The attributes granted, by directory, as they are configured.
    grants: Vec<(String, Vec<String>)>,
    /// The targets granted, as they are configured.
    targets: Vec<String>,
    /// The SHA-256 of the component in hexadecimal.
    digest: String,
}

impl Recorded {
    /// What is to be known of a policy to ask it again: what it was loaded with, the attributes of
    /// each directory and the targets that it was granted, as they are written, and the digest of
    /// its component.
    pub fn new(
        settings: PolicySettings,
        grants: Vec<(String, Vec<String>)>,
        targets: Vec<String>,
        digest: String,
    ) -> Self {
        Self { settings, grants, targets, digest }
    }
}

impl Recorder {
    /// A recording into `folder`, which is made if only its last part is missing; `clear` writes
    /// addresses and values as they are. Files are made when there is something to write, for their
    /// owner alone, and none that is there is written over.
    ///
    /// # Errors
    /// A folder that cannot be made, or no thread.
    pub fn start(folder: &Path, clear: bool) -> io::Result<Self> {
        match std::fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !folder.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let (door, jobs) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let (folder, lost) = (folder.to_owned(), left_out.clone());
        let writer = thread::Builder::new()
            .name("recorder".into())
            .spawn(move || write(folder, clear, &jobs, &lost))?;
        let writer = Mutex::new(Some(writer));
        Ok(Self(Arc::new(Inner { door, left_out, writer })))
    }

    /// Writes a decision down, soon. Never waits.
    pub fn saw(
        &self,
        policy: &Arc<Recorded>,
        lookup: &Arc<Lookup>,
        context: &Arc<Context>,
        observation: Observation,
    ) {
        let (policy, lookup, context) = (policy.clone(), lookup.clone(), context.clone());
        let seen = Seen { policy, lookup, context, observation };
        if self.0.door.try_send(Job::Saw(Box::new(seen))).is_err() {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends the recording once everything that was seen so far is written.
    pub fn finish(&self) {
        let _ = self.0.door.send(Job::End);
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

fn write(folder: PathBuf, clear: bool, jobs: &Receiver<Job>, left_out: &AtomicU64) {
    let mut files = Files::new(folder, clear);
    while let Ok(Job::Saw(seen)) = jobs.recv() {
        files.write(&seen);
        let lost = left_out.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                target: "waypost::record",
                lost,
                "decisions are not recorded: more came than could be written"
            );
        }
    }
}
