//! The token that a service asks for: a secret that no message or log may show.

use std::fmt;
use std::path::PathBuf;

use super::reader::Table;
use super::secret_source::{self, Env, TOKEN};
use crate::message::TokenForm;

/// A token. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

/// Why a text cannot be a token. The text itself is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum TokenError {
    /// Nothing.
    #[error("it is empty; {0}")]
    Empty(&'static str),
    /// Another kind of token, or none.
    #[error("it is not {0}; {1}")]
    Kind(&'static str, &'static str),
    /// A line feed, a space, or a character that no header can have.
    #[error("it has more than one line, a space or another character that no token has")]
    Character,
}

impl Token {
    /// Reads a webhook's token, and the file that contains it, if one does; `None` after reporting what is wrong with it.
    pub(super) fn read(table: &Table<'_>, form: &TokenForm, env: Env<'_>) -> Option<(Self, Option<PathBuf>)> {
        let secret = secret_source::read(table, &TOKEN, env)?;
        match Self::parse(&secret.text, form) {
            Ok(token) => Some((token, secret.file)),
            Err(error) => {
                let place = secret.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
                table.problems.report(secret.location, format!("token: {place}{error}"));
                None
            }
        }
    }

    fn parse(text: &str, form: &TokenForm) -> Result<Self, TokenError> {
        if text.is_empty() {
            return Err(TokenError::Empty(form.hint));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        if !(form.is_token)(text) {
            return Err(TokenError::Kind(form.what, form.hint));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the token, for the caller that sends, and for the one that leaves it out of answers.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_of_its_form_is_accepted_and_shown_nowhere() {
        let form = TokenForm { what: "a token", hint: "copy one", is_token: |text| text.starts_with("xoxb-") };
        let token = Token::parse("xoxb-1-s3cret", &form).unwrap();
        assert_eq!(token.expose(), "xoxb-1-s3cret");
        assert_eq!(format!("{token:?}"), "Token(***)");
        for (text, error) in [
            ("", TokenError::Empty("copy one")),
            ("xoxp-1-s3cret", TokenError::Kind("a token", "copy one")),
            ("https://hooks.slack.com/services/T/B/s3cret", TokenError::Kind("a token", "copy one")),
            ("xoxb-1-s3cret\nxoxb-2", TokenError::Character),
            ("xoxb-1-s3crét", TokenError::Character),
        ] {
            let found = Token::parse(text, &form).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!format!("{found} {found:?}").contains("s3cr"), "{found}");
        }
    }
}
