use crate::Problem;

/// What is wrong with the settings, beyond what their types say: two that exclude each other, a
/// name that is listed twice.
///
/// ```
/// use waypost_sdk::Problems;
///
/// let mut problems = Problems::new();
/// problems.add("/hosts", "more hosts than weights");
/// assert!(problems.or("a policy").is_err());
/// assert_eq!(Problems::new().or("a policy").ok(), Some("a policy"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. `pointer` is a JSON pointer (RFC 6901) into the settings, `""` the whole;
    /// `message` says what is wrong and what was expected.
    pub fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { path: pointer.into(), message: message.into() });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, or `value` where there is none: the end of `configure`.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The problems in the order in which they were added. Never empty: who gives up without a
    /// reason is told on.
    pub(crate) fn into_list(self) -> Vec<Problem> {
        let mut problems = self;
        if problems.is_empty() {
            problems.add("", "the plugin takes no settings like these and says not why");
        }
        problems.0
    }
}

/// The JSON pointer of the member `key` of what `parent` points to (RFC 6901 section 3).
///
/// ```
/// assert_eq!(waypost_sdk::pointer("/alias-domains", "a/b"), "/alias-domains/a~1b");
/// ```
pub fn pointer(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}
