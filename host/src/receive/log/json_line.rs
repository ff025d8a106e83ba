//! Lines of JSON that carry a line of fail2ban: Docker's log files, and `journalctl -o json`.
//!
//! They are read by a JSON parser, and only fields at the top count. A field that occurs twice makes the line invalid: two
//! readers could take it for two different lines.
//!
//! What a journal's entry says of its sender is believed only where journald itself added it (`_SYSTEMD_UNIT`, `_COMM`):
//! everybody can send any `SYSLOG_IDENTIFIER`.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::clock::LineTime;
use super::envelope::{Envelope, Piece};
use super::line_time::iso;

/// The fields of Docker's `json-file`.
const DOCKER_FIELDS: [&str; 4] = ["log", "stream", "time", "attrs"];

/// The names of fail2ban's process, as the kernel knows them.
const PROCESSES: [&str; 2] = ["fail2ban-server", "fail2ban"];

/// The names of processes that write a container's output into the journal.
const RUNTIMES: [&str; 3] = ["dockerd", "conmon", "podman"];

/// A line of JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsonLine {
    pub(super) text: Vec<u8>,
    time: JsonTime,
    host: String,
    tag: Option<String>,
    is_container: bool,
    piece: Piece,
    stream: String,
}

/// A time of a field.
#[derive(Debug, PartialEq, Eq)]
enum JsonTime {
    None,
    /// RFC 3339.
    Text(String),
    /// Milliseconds since 1970.
    Epoch(i64),
}

/// Why a line of JSON carries no line of fail2ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonError {
    /// It is neither Docker's nor the journal's, or damaged.
    Unknown,
    /// It is of the journal, and of another program, or without a field that says of which.
    Untrusted,
    /// It is fail2ban's, and has no message.
    NoMessage,
}

impl JsonLine {
    /// Parses a line; `named` is the tag that the settings name.
    pub(super) fn parse(line: &[u8], named: Option<&str>) -> Result<Self, JsonError> {
        let parsed = serde_json::from_slice(line)
            // A byte that is not UTF-8 costs itself, not the line.
            .or_else(|_| serde_json::from_str(&String::from_utf8_lossy(line)));
        let Fields(mut fields) = parsed.map_err(|_| JsonError::Unknown)?;
        if fields.contains_key("__REALTIME_TIMESTAMP") || fields.contains_key("MESSAGE") {
            return Self::journal(&mut fields, named);
        }
        let is_docker = fields.keys().all(|key| DOCKER_FIELDS.contains(&key.as_str()));
        let (true, Some(Value::String(text)), Some(Value::String(stream)), Some(Value::String(time))) =
            (is_docker, fields.remove("log"), fields.remove("stream"), fields.remove("time"))
        else {
            return Err(JsonError::Unknown);
        };
        let (text, piece) = match text.strip_suffix('\n') {
            Some(text) => (text.to_owned(), Piece::Ended),
            None => (text, Piece::Begun),
        };
        Ok(Self {
            text: text.into_bytes(),
            time: JsonTime::Text(time),
            host: String::new(),
            tag: None,
            is_container: true,
            piece,
            stream,
        })
    }

    fn journal(fields: &mut HashMap<String, Value>, named: Option<&str>) -> Result<Self, JsonError> {
        let field = |name: &str| fields.get(name).and_then(Value::as_str);
        let (tag, is_container) = sender(&field, named).ok_or(JsonError::Untrusted)?;
        let time = field("_SOURCE_REALTIME_TIMESTAMP").or_else(|| field("__REALTIME_TIMESTAMP"));
        let time = time.and_then(|time| time.parse::<i64>().ok());
        let is = |name: &str, value: &str| field(name) == Some(value);
        let (stream, piece) = if is_container {
            let piece = if is("CONTAINER_PARTIAL_MESSAGE", "true") { Piece::Begun } else { Piece::Ended };
            (field("CONTAINER_PARTIAL_ID"), piece)
        } else {
            let piece = if is("_LINE_BREAK", "line-max") { Piece::CutOff } else { Piece::Whole };
            (field("_STREAM_ID").or_else(|| field("_PID")), piece)
        };
        let (stream, host) = (stream.unwrap_or_default().to_owned(), field("_HOSTNAME").unwrap_or_default().to_owned());
        let text = fields.remove("MESSAGE").and_then(message).ok_or(JsonError::NoMessage)?;
        let time = time.map_or(JsonTime::None, |microseconds| JsonTime::Epoch(microseconds / 1000));
        Ok(Self { text, time, host, tag: Some(tag), is_container, piece, stream })
    }

    /// Returns what the line says as an envelope.
    pub(super) fn envelope(&self) -> Envelope<'_> {
        let time = match &self.time {
            JsonTime::None => None,
            JsonTime::Text(text) => iso(text.as_bytes()).map(|(time, _)| time),
            JsonTime::Epoch(ms) => Some(LineTime::Epoch(*ms)),
        };
        Envelope {
            time,
            host: self.host.as_bytes(),
            tag: self.tag.as_deref().map(str::as_bytes),
            is_container: self.is_container,
            piece: self.piece,
            stream: self.stream.as_bytes(),
        }
    }
}

/// Returns the tag of an entry's sender and whether it is a container; `None` if it is not fail2ban, nor a container, nor
/// the unit that the settings name.
fn sender<'a>(field: &impl Fn(&str) -> Option<&'a str>, named: Option<&str>) -> Option<(String, bool)> {
    let (unit, process) = (field("_SYSTEMD_UNIT"), field("_COMM"));
    if process.is_some_and(|process| RUNTIMES.contains(&process))
        && let Some(name) = field("CONTAINER_NAME")
    {
        return Some((name.to_owned(), true));
    }
    let stem = unit.map(|unit| unit.strip_suffix(".service").unwrap_or(unit));
    // A command that fail2ban runs is of its unit too.
    let is_process = process.is_none_or(|process| {
        PROCESSES.contains(&process) || process.starts_with("python") || process.starts_with("f2b/")
    });
    if let Some(named) = named
        && is_process
        && (unit == Some(named) || stem == Some(named))
    {
        return Some((named.to_owned(), false));
    }
    let is_unit = match stem {
        Some(stem) => is_process && (PROCESSES.contains(&stem) || stem.starts_with("fail2ban@")),
        None => process.is_some_and(|process| PROCESSES.contains(&process)),
    };
    is_unit.then(|| ("fail2ban".to_owned(), false))
}

/// Returns a message: text, an array of bytes where it is not UTF-8, or a list of these where an entry has several.
fn message(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.into_bytes()),
        Value::Array(values) if values.iter().all(Value::is_u64) => {
            values.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
        }
        Value::Array(values) => values.into_iter().next().filter(|first| !first.is_null()).and_then(message),
        _ => None,
    }
}

/// The fields at the top, each of which may occur once.
struct Fields(HashMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = HashMap::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if fields.insert(key, value).is_some() {
                return Err(A::Error::custom("a field occurs twice"));
            }
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<JsonLine, JsonError> {
        JsonLine::parse(line.as_bytes(), None)
    }

    #[test]
    fn parse_docker_takes_the_log_and_whether_it_ends() {
        let line =
            parse(r#"{"log":"a\u001b\n","stream":"stdout","time":"2026-11-22T10:57:55.601123456Z","attrs":{"x":"y"}}"#)
                .unwrap();
        let envelope = line.envelope();
        assert_eq!(
            (line.text.as_slice(), envelope.piece, envelope.stream),
            (b"a\x1b".as_slice(), Piece::Ended, b"stdout".as_slice())
        );
        assert_eq!(envelope.time, Some(LineTime::Zoned(b"2026-11-22T10:57:55", 601, 0)));
        let piece = parse(r#"{"log":"a","stream":"stdout","time":"2026-11-22T10:57:55Z"}"#).unwrap();
        assert_eq!(piece.piece, Piece::Begun);
        for bad in [
            r#"{"log":"a\n","log":"b\n","stream":"stdout","time":"x"}"#,
            r#"{"log":"a\n","l\u006fg":"b\n","stream":"stdout","time":"x"}"#,
            r#"{"msg":"x","log":"GET /\n","stream":"stdout","time":"x"}"#,
            r#"{"level":"info","log":"a\n"}"#,
            r#"{"x":{"log":"a\n","stream":"stdout","time":"x"}}"#,
            r#"{"log":["a\n"],"stream":"stdout","time":"x"}"#,
            r#"{"log":"a\n","stream":"stdout","time":"x"} {"#,
            r#"{"log":"a\n"#,
            "{}",
            "[]",
        ] {
            assert_eq!(parse(bad), Err(JsonError::Unknown), "{bad}");
        }
    }

    #[test]
    fn parse_journal_believes_the_unit_and_the_process() {
        let line = |fields: &str| {
            parse(&format!(r#"{{"MESSAGE":"[sshd] Ban 1.2.3.4","__REALTIME_TIMESTAMP":"1795348615601123",{fields}}}"#))
                .map(|line| (line.tag.unwrap(), line.is_container))
        };
        let own = Ok(("fail2ban".to_owned(), false));
        for (fields, expected) in [
            (r#""_SYSTEMD_UNIT":"fail2ban.service","_COMM":"fail2ban-server""#, own.clone()),
            (r#""_SYSTEMD_UNIT":"fail2ban.service","_COMM":"python3.11""#, own.clone()),
            (r#""_SYSTEMD_UNIT":"fail2ban.service""#, own.clone()),
            (r#""_COMM":"fail2ban-server""#, own),
            (
                r#""_COMM":"dockerd","_SYSTEMD_UNIT":"docker.service","CONTAINER_NAME":"f2b""#,
                Ok(("f2b".to_owned(), true)),
            ),
            (
                r#""_COMM":"logger","_SYSTEMD_UNIT":"session-1.scope","SYSLOG_IDENTIFIER":"fail2ban""#,
                Err(JsonError::Untrusted),
            ),
            (r#""_COMM":"fail2ban-server","_SYSTEMD_UNIT":"session-1.scope""#, Err(JsonError::Untrusted)),
            (r#""_COMM":"logger","_SYSTEMD_UNIT":"fail2ban.service""#, Err(JsonError::Untrusted)),
            (r#""_COMM":"python3""#, Err(JsonError::Untrusted)),
            (r#""SYSLOG_IDENTIFIER":"fail2ban","_TRANSPORT":"syslog""#, Err(JsonError::Untrusted)),
            (r#""_COMM":"logger","CONTAINER_NAME":"fail2ban""#, Err(JsonError::Untrusted)),
            (r#""_SYSTEMD_UNIT":["fail2ban.service","x"],"_COMM":"sh""#, Err(JsonError::Untrusted)),
            (r#""_SYSTEMD_UNIT":"fail2ban.service","_SYSTEMD_UNIT":"x""#, Err(JsonError::Unknown)),
        ] {
            assert_eq!(line(fields), expected, "{fields}");
        }
        let unit = br#"{"MESSAGE":"x","_SYSTEMD_UNIT":"f2b.service"}"#;
        assert_eq!(JsonLine::parse(unit, Some("f2b")).unwrap().tag.as_deref(), Some("f2b"));
        assert_eq!(JsonLine::parse(unit, None), Err(JsonError::Untrusted));
    }

    #[test]
    fn parse_journal_reads_every_form_of_a_message() {
        let text = |message: &str| {
            parse(&format!(r#"{{"MESSAGE":{message},"_SYSTEMD_UNIT":"fail2ban.service"}}"#)).map(|line| line.text)
        };
        assert_eq!(text(r#""a""#), Ok(b"a".to_vec()));
        assert_eq!(text("[97,255]"), Ok(b"a\xff".to_vec()));
        assert_eq!(text(r#"["a","b"]"#), Ok(b"a".to_vec()));
        assert_eq!(text("[[97,255],[98]]"), Ok(b"a\xff".to_vec()));
        for none in ["null", "[256]", "[-1]", "[null]", "7", "{}"] {
            assert_eq!(text(none), Err(JsonError::NoMessage), "{none}");
        }
        assert_eq!(text("[]"), Ok(Vec::new()));
    }

    #[test]
    fn parse_journal_notes_what_was_cut() {
        let line = |fields: &str| {
            let line = parse(&format!(r#"{{"MESSAGE":"x",{fields}}}"#)).unwrap();
            (line.piece, line.stream)
        };
        let unit = r#""_SYSTEMD_UNIT":"fail2ban.service","_STREAM_ID":"s""#;
        assert_eq!(line(&format!(r#"{unit},"_LINE_BREAK":"line-max""#)), (Piece::CutOff, "s".to_owned()));
        assert_eq!(line(unit), (Piece::Whole, "s".to_owned()));
        let docker = r#""_COMM":"dockerd","CONTAINER_NAME":"f2b""#;
        assert_eq!(line(&format!(r#"{docker},"CONTAINER_PARTIAL_MESSAGE":"true""#)), (Piece::Begun, String::new()));
        assert_eq!(line(docker), (Piece::Ended, String::new()));
    }
}
