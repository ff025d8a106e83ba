//! Headers of one's own for the requests of a webhook: secrets, since they often are, that no message or log may show.

use std::fmt;
use std::path::PathBuf;

use super::reader::Table;
use super::secret_source::{self, Env, HEADERS};

/// Checked headers. They have no `Display`, and their `Debug` shows nothing of them.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

/// Headers that are banhook's, or the connection's.
const RESERVED: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Headers at most.
const HEADERS_MAX: usize = 20;

/// Why a text is no list of headers. No value is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum HeadersError {
    /// No colon, or no name before it.
    #[error("line {0}: expected NAME: VALUE")]
    Form(usize),
    /// A control character, or one beyond ASCII.
    #[error("line {0}: the value has a character that no header can have")]
    Value(usize),
    /// One of [`RESERVED`].
    #[error("line {0}: the header {1} is not yours to set")]
    Reserved(usize, &'static str),
    /// None, or more than [`HEADERS_MAX`].
    #[error("expected 1 to 20 lines, each with NAME: VALUE")]
    Count,
}

impl Headers {
    /// Reads the headers of a webhook, if it has any, and the file that contains them, if one does; reports what is wrong with
    /// them.
    pub(super) fn read(table: &Table<'_>, env: Env<'_>) -> Option<(Self, Option<PathBuf>)> {
        if !HEADERS.are_in(table) {
            return None;
        }
        let secret = secret_source::read(table, &HEADERS, env)?;
        match Self::parse(&secret.text) {
            Ok(headers) => Some((headers, secret.file)),
            Err(error) => {
                let place = secret.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
                table.problems.report(secret.location, format!("headers: {place}{error}"));
                None
            }
        }
    }

    fn parse(text: &str) -> Result<Self, HeadersError> {
        let mut headers = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            let (name, value) = line
                .split_once(':')
                .filter(|(name, _)| !name.is_empty() && name.bytes().all(is_token))
                .ok_or(HeadersError::Form(number))?;
            let name = name.to_ascii_lowercase();
            if let Some(reserved) = RESERVED.into_iter().find(|reserved| *reserved == name) {
                return Err(HeadersError::Reserved(number, reserved));
            }
            let value = value.trim();
            if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
                return Err(HeadersError::Value(number));
            }
            headers.push((name, value.to_owned()));
        }
        if headers.is_empty() || headers.len() > HEADERS_MAX { Err(HeadersError::Count) } else { Ok(Self(headers)) }
    }

    /// Returns names, in lower case, and values, for the caller that sends, and for the one that leaves these out of answers.
    pub(crate) fn expose(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Headers(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_lines_and_shows_no_value() {
        let headers = Headers::parse("X-Gotify-Key: s3cret\n\nauthorization:Bearer s3cret:more \n").unwrap();
        let exposed: Vec<_> = headers.expose().collect();
        assert_eq!(exposed, [("x-gotify-key", "s3cret"), ("authorization", "Bearer s3cret:more")]);
        assert_eq!(format!("{headers:?}"), "Headers(***)");
        for (text, error) in [
            ("", HeadersError::Count),
            ("s3cret", HeadersError::Form(1)),
            ("a: b\n s3cret: x", HeadersError::Form(2)),
            ("a: s3cré", HeadersError::Value(1)),
            ("a: s3c\u{1}ret", HeadersError::Value(1)),
            ("Content-Type: s3cret", HeadersError::Reserved(1, "content-type")),
            ("Webhook-ID: s3cret", HeadersError::Reserved(1, "webhook-id")),
        ] {
            let found = Headers::parse(text).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!format!("{found} {found:?}").contains("s3c"), "{found}");
        }
        assert_eq!(Headers::parse(&"a: b\n".repeat(21)), Err(HeadersError::Count));
    }
}
