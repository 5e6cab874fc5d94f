//! The files of a recording.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::pseudonyms::{Cover, Pseudonyms};
use super::{Recorded, Seen, case};

/// Cases in a recording.
const MAX_CASES: usize = 10_000;
/// Octets in a recording: less than what is read as cases.
const MAX_OCTETS: usize = 32 << 20;
/// Files in a recording: a policy that is loaded with something else has another one.
const MAX_FILES: usize = 64;
/// Files with names of the same policy that are looked past.
const MAX_NAMES: usize = 1000;

/// Files of cases that are open.
pub(super) struct Files {
    folder: PathBuf,
    /// `None` where everything is written as it is.
    pseudonyms: Option<Pseudonyms>,
    open: Vec<Open>,
    cases: usize,
    octets: usize,
    max_cases: usize,
    max_octets: usize,
    is_over: bool,
}

struct Open {
    /// What the file is about: equal text, equal policy.
    head: String,
    /// The policy that it was last found to be of, so that the text need not be made again.
    policy: Arc<Recorded>,
    file: File,
    cover: Cover,
    cases: usize,
}

impl Files {
    pub(super) fn new(folder: PathBuf, clear: bool) -> Self {
        let pseudonyms = (!clear).then(Pseudonyms::new);
        Self {
            folder,
            pseudonyms,
            open: Vec::new(),
            cases: 0,
            octets: 0,
            max_cases: MAX_CASES,
            max_octets: MAX_OCTETS,
            is_over: false,
        }
    }

    /// Writes a decision as a case, as long as there is room. Trouble with the disk ends the
    /// recording and nothing else.
    pub(super) fn write(&mut self, seen: &Seen) {
        if self.is_over {
            return;
        }
        if let Err(error) = self.try_write(seen) {
            self.is_over = true;
            tracing::warn!(
                target: "waypost::record",
                folder = %self.folder.display(),
                cases = self.cases,
                %error,
                "the recording has ended"
            );
        }
    }

    fn try_write(&mut self, seen: &Seen) -> io::Result<()> {
        if self.cases >= self.max_cases {
            return Err(io::Error::other(format!("it has {} cases", self.cases)));
        }
        let place = self.place(&seen.policy)?;
        let Some(open) = self.open.get_mut(place) else { return Ok(()) };
        let cover = (&open.cover, self.pseudonyms.as_mut());
        let name = format!("recorded {}", open.cases.saturating_add(1));
        let Some(text) = case::text(&name, seen, cover) else { return Ok(()) };
        self.octets = self.octets.saturating_add(text.len());
        if self.octets > self.max_octets {
            return Err(io::Error::other(format!("it has {} KiB", self.max_octets >> 10)));
        }
        open.file.write_all(text.as_bytes())?;
        open.cases = open.cases.saturating_add(1);
        self.cases = self.cases.saturating_add(1);
        Ok(())
    }

    /// The place of the file for a policy, which is begun where there is none.
    fn place(&mut self, policy: &Arc<Recorded>) -> io::Result<usize> {
        if let Some(place) = self.open.iter().position(|o| Arc::ptr_eq(&o.policy, policy)) {
            return Ok(place);
        }
        let cover = Cover::of(policy, self.pseudonyms.is_some());
        let head = case::head(policy, (&cover, self.pseudonyms.as_mut()));
        if let Some(place) = self.open.iter().position(|open| open.head == head) {
            // The same, loaded once more.
            if let Some(open) = self.open.get_mut(place) {
                open.policy = policy.clone();
            }
            return Ok(place);
        }
        if self.open.len() >= MAX_FILES {
            return Err(io::Error::other(format!("it has {MAX_FILES} files")));
        }
        let mut file = self.create(&policy.settings.name)?;
        file.write_all(head.as_bytes())?;
        self.octets = self.octets.saturating_add(head.len());
        self.open.push(Open { head, policy: policy.clone(), file, cover, cases: 0 });
        Ok(self.open.len().saturating_sub(1))
    }

    /// A new file for its owner alone, under the first name that nothing has.
    fn create(&self, policy: &str) -> io::Result<File> {
        let names = (1..=MAX_NAMES).map(|number| match number {
            1 => format!("{policy}.toml"),
            number => format!("{policy}-{number}.toml"),
        });
        for name in names {
            let path = self.folder.join(name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    tracing::info!(
                        target: "waypost::record",
                        policy,
                        file = %path.display(),
                        "decisions are recorded"
                    );
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the folder is full of recordings"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::SystemTime;

    use waypost_model::{
        Address, Answer, Consultation, Context, ContextReads, Decision, Lookup, Protocol, Purpose,
        VerificationGrant,
    };
    use waypost_policy::{Cost, Limits, Observation, PluginSource, PolicySettings, TargetPatterns};

    use super::super::{Recorded, Seen};
    use super::Files;

    /// A policy that passes, loaded with these settings.
    fn policy(settings_json: &str) -> Arc<Recorded> {
        let settings = PolicySettings {
            name: "p".into(),
            plugin: PluginSource::File("p.wasm".into()),
            sha256: None,
            settings_json: settings_json.into(),
            directories: Vec::new(),
            targets: TargetPatterns::default(),
            verification: VerificationGrant::ALL,
            limits: Limits::default(),
        };
        Arc::new(Recorded::new(settings, Vec::new(), Vec::new(), String::new()))
    }

    fn seen(policy: &Arc<Recorded>) -> Seen {
        let address = Address::new("user@example.test", None).unwrap();
        let result = Ok(Answer { decision: Decision::Pass, cache_for: None });
        Seen {
            policy: policy.clone(),
            lookup: Arc::new(Lookup { purpose: Purpose::Login, address }),
            context: Arc::new(Context {
                protocol: Protocol::Imap,
                listener: "imap".into(),
                client_address: [192, 0, 2, 1].into(),
                encrypted: true,
                mechanism: None,
                login_name: None,
                authentication_id: None,
                certificate_name: None,
                sender: None,
                now: SystemTime::UNIX_EPOCH,
            }),
            observation: Observation {
                consultation: Consultation {
                    result,
                    reads: ContextReads::NONE,
                    degraded: false,
                    searches: Vec::new(),
                },
                exchanges: Vec::new(),
                lines: Vec::new(),
                cost: Cost::default(),
            },
        }
    }

    fn cases(file: &Path) -> usize {
        fs::read_to_string(file).unwrap().matches("[[case]]").count()
    }

    #[test]
    fn a_recording_ends_when_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let new = || Files::new(folder.path().into(), false);
        let policy = policy("{}");
        let mut files = Files { max_cases: 3, ..new() };
        (0..10).for_each(|_| files.write(&seen(&policy)));
        assert!(files.is_over);
        assert_eq!(cases(&folder.path().join("p.toml")), 3);
        let mut files = Files { max_octets: 1000, ..new() };
        (0..10).for_each(|_| files.write(&seen(&policy)));
        assert!(files.is_over);
        let second = folder.path().join("p-2.toml");
        assert!((1..6).contains(&cases(&second)) && fs::metadata(second).unwrap().len() <= 1000);
    }

    #[test]
    fn what_is_loaded_anew_goes_on_in_its_file_and_what_is_changed_in_another() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::new(folder.path().into(), false);
        for settings in ["{}", "{}", "{\"a\":1}", "{}"] {
            files.write(&seen(&policy(settings)));
        }
        assert_eq!(cases(&folder.path().join("p.toml")), 3);
        assert_eq!(cases(&folder.path().join("p-2.toml")), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        // Of every generation that there was, only the last is held on to.
        assert_eq!(files.open.len(), 2);
    }
}
