use std::time::Duration;

/// How logins are treated, whichever the protocol: the table `[login]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `timeout`: for how long a client may be connected without having logged in. 3 min.
    pub timeout: Duration,
    /// `auth-failure-delay`: after how long a rejected login is answered, measured from when the
    /// credential was complete, with up to a quarter more by chance. 2 s.
    pub auth_failure_delay: Duration,
    /// `retry-for`: for how long a login that could only be answered with a temporary error is
    /// tried again before the client hears of it; mail clients answer a `NO` by asking the user
    /// for a new password. 10 s.
    pub retry_for: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(180),
            auth_failure_delay: Duration::from_secs(2),
            retry_for: Duration::from_secs(10),
        }
    }
}
