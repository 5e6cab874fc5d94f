//! HTTP/1.1 octet for octet, over a connection in clear.

use crate::talk::Talk;

/// Basic credentials of user1, as a field.
pub(crate) const USER1: &str = "Authorization: Basic dXNlcjFAbG9jYWxkb21haW4udGVzdDp1c2VyMQ==";
/// Those of user3.
const USER3: &str = "Authorization: Basic dXNlcjNAbG9jYWxkb21haW4udGVzdDp1c2VyMw==";

/// What a server answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// Zero where the connection was closed without one.
    pub status: u16,
    /// The fields, each on a line.
    pub fields: String,
    pub body: String,
    /// Its end came as it was announced.
    pub is_whole: bool,
}

impl Answer {
    /// The value of the only field of this name.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let lines = self.fields.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.trim());
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        value
    }
}

/// A request of user1 without a body.
pub(crate) fn get(target: &str) -> String {
    get_as(USER1, target)
}

/// A request of user3 without a body.
pub(crate) fn get_as_user3(target: &str) -> String {
    get_as(USER3, target)
}

fn get_as(credentials: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{credentials}\r\n\r\n")
}

/// Sends a request over a connection of its own, and reads the answer.
pub(crate) fn ask(port: u16, request: &str) -> Answer {
    let mut talk = Talk::connect(port);
    talk.send(request.as_bytes());
    answer(&mut talk)
}

/// Reads the next answer that is final.
pub(crate) fn answer(talk: &mut Talk) -> Answer {
    loop {
        let answer = any_answer(talk);
        if !(100..200).contains(&answer.status) {
            return answer;
        }
    }
}

fn any_answer(talk: &mut Talk) -> Answer {
    let line = talk.line();
    let Some(status) = line.split(' ').nth(1) else { return Answer::default() };
    let mut answer = Answer { status: status.parse().unwrap(), ..Answer::default() };
    loop {
        match talk.line() {
            line if line.is_empty() => break,
            line => answer.fields += &(line + "\n"),
        }
    }
    // RFC 9112 section 6.3: these have no body, whatever they say.
    if matches!(answer.status, 100..200 | 204 | 304) {
        answer.is_whole = true;
        return answer;
    }
    let length = answer.field("content-length").map(|length| length.parse().unwrap());
    if answer.field("transfer-encoding") == Some("chunked") {
        read_chunks(talk, &mut answer);
    } else if let Some(length) = length {
        let octets = talk.octets(length);
        answer.is_whole = octets.len() as u64 == length;
        answer.body = String::from_utf8_lossy(&octets).into_owned();
    } else {
        answer.body = talk.rest();
    }
    answer
}

fn read_chunks(talk: &mut Talk, answer: &mut Answer) {
    while let Ok(size) = u64::from_str_radix(&talk.line(), 16) {
        answer.body += &String::from_utf8_lossy(&talk.octets(size));
        let end = talk.octets(2);
        if size == 0 {
            answer.is_whole = end == b"\r\n";
            return;
        }
    }
}
