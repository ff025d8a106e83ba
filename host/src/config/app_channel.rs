//! The channel of an app and the token that it posts with: a secret that no message or log may show.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use super::problem::quoted;
use super::reader::Table;
use super::secret_source::{self, Env, TOKEN};
use crate::message::Target;

/// A channel, and a token that may post to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppChannel {
    /// The token.
    pub token: Token,
    /// The channel's id, or its name behind a `#`.
    pub channel: String,
    /// Whether the channel is asked for a message of which no answer came, before it is sent again. Default: no.
    pub check_history: bool,
    /// The file that contains the token, if one does.
    pub token_file: Option<PathBuf>,
}

/// A token. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

/// Why a text cannot be a bot's token. The text itself is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum TokenError {
    /// Nothing.
    #[error("it is empty; put the app's \"Bot User OAuth Token\" into it")]
    Empty,
    /// Another kind of token, or none.
    #[error(
        "it is not the token of a bot, which begins with xoxb-; copy \"Bot User OAuth Token\" from the app's page \"OAuth & Permissions\""
    )]
    Kind,
    /// A line feed, a space, or a character that no header can have.
    #[error("it has more than one line, a space or another character that no token has")]
    Character,
}

impl AppChannel {
    /// Reads the keys of a target with channels; `None` after reporting what is wrong with them.
    pub(super) fn read(table: &Table<'_>, target: Target, env: Env<'_>) -> Option<Self> {
        let secret = secret_source::read(table, &TOKEN, env);
        let check_history = table.bool("check_history").unwrap_or(false);
        let channel = table.reference("channel", "a channel's id, such as C012AB3CD, or its name behind a #");
        if table.key_location("channel").is_none() {
            let message = format!("{} has no channel, which the target \"{}\" needs", table.title, target.as_str());
            table.problems.report_with(
                table.location.clone(),
                message,
                "add channel = \"C012AB3CD\" (in Slack: the channel's name, About, Channel ID) or \"#alerts\"",
            );
        }
        let (secret, channel) = (secret?, channel?);
        let token = match Token::parse(&secret.text) {
            Ok(token) => token,
            Err(error) => {
                let place = secret.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
                table.problems.report(secret.location, format!("token: {place}{error}"));
                return None;
            }
        };
        if !is_channel(&channel.value) {
            let message = format!(
                "channel: {} is no id, such as C012AB3CD, and no name, such as #alerts",
                quoted(&channel.value)
            );
            table.problems.report(channel.location, message);
            return None;
        }
        Some(Self { token, channel: channel.value, check_history, token_file: secret.file })
    }

    /// Returns the URL of the methods of a service.
    pub(super) fn default_url(target: Target) -> Option<Url> {
        let host = target.hosts().first()?;
        Url::parse(&format!("https://{host}/api/")).ok()
    }
}

/// Returns whether a text is a channel's id (letters and digits, the first of which says that it is a channel, a private one or a
/// direct message), or a name.
fn is_channel(text: &str) -> bool {
    let is_id = text.starts_with(['C', 'G', 'D'])
        && text.len() > 1
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().count() <= 80 && !name.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    is_id || text.strip_prefix('#').is_some_and(is_name)
}

impl Token {
    fn parse(text: &str) -> Result<Self, TokenError> {
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character);
        }
        if !text.starts_with("xoxb-") {
            return Err(TokenError::Kind);
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
    fn token_of_a_bot_is_accepted_and_shown_nowhere() {
        let token = Token::parse("xoxb-1-s3cret").unwrap();
        assert_eq!(token.expose(), "xoxb-1-s3cret");
        assert_eq!(format!("{token:?}"), "Token(***)");
        for (text, error) in [
            ("", TokenError::Empty),
            ("xoxp-1-s3cret", TokenError::Kind),
            ("https://hooks.slack.com/services/T/B/s3cret", TokenError::Kind),
            ("xoxb-1-s3cret\nxoxb-2", TokenError::Character),
            ("xoxb-1-s3crét", TokenError::Character),
        ] {
            let found = Token::parse(text).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!format!("{found} {found:?}").contains("s3cr"), "{found}");
        }
    }

    #[test]
    fn channel_is_an_id_or_a_name() {
        for text in ["C012AB3CD", "G1", "D0", "#alerts", "#überwachung"] {
            assert!(is_channel(text), "{text}");
        }
        for text in ["", "#", "alerts", "C", "c012", "U012AB3CD", "#a b", "C01-2"] {
            assert!(!is_channel(text), "{text}");
        }
    }
}
