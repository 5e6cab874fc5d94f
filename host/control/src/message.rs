use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest request, in octets, its line end included.
pub const MAX_REQUEST: usize = 64 << 10;
/// The longest answer, in octets, its line end included.
pub const MAX_ANSWER: usize = 16 << 20;

/// What the process is told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The command, as its command line is called: `reload`.
    pub command: String,
    /// What the command wants to know, by name.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

impl Request {
    /// A command without arguments.
    pub fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), arguments: Map::new() }
    }

    /// The same with one argument more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done; with what there is to say of it.
    Done(Value),
    /// It is not, and nothing has changed; why, for the operator, over several lines where need be.
    Refused(String),
}

impl Answer {
    /// To a command that this process does not know, as of another version.
    pub fn unknown(request: &Request) -> Self {
        Self::Refused(format!(
            "the process that serves does not know the command {:?}; is it of another version?",
            request.command
        ))
    }
}

/// A message as it is sent: one line.
pub(crate) fn line(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Answer, Request, line};

    #[test]
    fn a_message_is_one_line() {
        let request = Request::new("drop").with("id", 7).with("why", "a\nb");
        let sent = line(&request).unwrap();
        let text = "{\"command\":\"drop\",\"arguments\":{\"id\":7,\"why\":\"a\\nb\"}}\n";
        assert_eq!(String::from_utf8(sent.clone()).unwrap(), text);
        assert_eq!(serde_json::from_slice::<Request>(&sent).unwrap(), request);
        let answers = [Answer::Done(json!({"count": 2})), Answer::Refused("no\nnot now".into())];
        for (answer, text) in answers
            .into_iter()
            .zip(["{\"done\":{\"count\":2}}\n", "{\"refused\":\"no\\nnot now\"}\n"])
        {
            assert_eq!(String::from_utf8(line(&answer).unwrap()).unwrap(), text);
            assert_eq!(serde_json::from_str::<Answer>(text).unwrap(), answer);
        }
    }

    #[test]
    fn what_is_not_known_of_a_request_is_not_passed_over() {
        assert!(serde_json::from_str::<Request>("{\"command\":\"a\",\"force\":true}").is_err());
        let bare = serde_json::from_str::<Request>("{\"command\":\"reload\"}").unwrap();
        assert_eq!(bare, Request::new("reload"));
    }
}
