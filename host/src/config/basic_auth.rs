//! The user name and the password that a server before the chat asks for: a secret that no message or log may show.

use std::fmt;

use super::reader::Table;
use super::secret_source::{self, BASIC_AUTH, Env, SecretText};

/// Checked credentials of HTTP's basic authentication. They have no `Display`, and their `Debug` shows nothing of them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct BasicAuth {
    user: String,
    password: String,
}

/// Why a text cannot be credentials. The text itself is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum BasicAuthError {
    /// No colon, or nothing before it.
    #[error("expected USER:PASSWORD")]
    Form,
    /// A line feed or another control character.
    #[error("it has more than one line, or a control character")]
    Control,
}

impl BasicAuth {
    /// Reads the secret of a webhook, if it has one, and reports what is wrong with it.
    pub(super) fn read(table: &Table<'_>, env: Env<'_>) -> Option<(Self, SecretText)> {
        if !BASIC_AUTH.are_in(table) {
            return None;
        }
        let secret = secret_source::read(table, &BASIC_AUTH, env)?;
        match Self::parse(&secret.text) {
            Ok(parsed) => Some((parsed, secret)),
            Err(error) => {
                let place = secret.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
                table.problems.report(secret.location, format!("basic_auth: {place}{error}"));
                None
            }
        }
    }

    fn parse(text: &str) -> Result<Self, BasicAuthError> {
        if text.chars().any(char::is_control) {
            return Err(BasicAuthError::Control);
        }
        let (user, password) = text.split_once(':').filter(|(user, _)| !user.is_empty()).ok_or(BasicAuthError::Form)?;
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// Returns user name and password, for the caller that sends, and for the one that leaves them out of answers.
    #[must_use]
    pub(crate) fn expose(&self) -> (&str, &str) {
        (&self.user, &self.password)
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BasicAuth(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_splits_at_the_first_colon_and_shows_nothing() {
        let auth = BasicAuth::parse("me:s3cret:more ü").unwrap();
        assert_eq!(auth.expose(), ("me", "s3cret:more ü"));
        assert_eq!(format!("{auth:?}"), "BasicAuth(***)");
        assert_eq!(BasicAuth::parse("me:").unwrap().expose(), ("me", ""));
        for text in ["", "s3cret", ":s3cret"] {
            assert_eq!(BasicAuth::parse(text).unwrap_err(), BasicAuthError::Form);
        }
        for text in ["me:s3cret\nx", "me:s3\u{7f}cret"] {
            assert_eq!(BasicAuth::parse(text).unwrap_err(), BasicAuthError::Control);
        }
    }
}
