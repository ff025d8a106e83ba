//! The channel of an app and the token that it posts with.

use std::path::PathBuf;

use super::problem::quoted;
use super::reader::Table;
use super::secret_source::Env;
use super::token::Token;
use crate::message::{ChannelForm, Target};

/// A channel, and a token that may post to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppChannel {
    /// The token.
    pub token: Token,
    /// The channel, as its service names it.
    pub channel: String,
    /// The number of a topic of it, where it has topics.
    pub topic: Option<u64>,
    /// Where the methods are.
    pub api_url: String,
    /// Whether the channel is asked for a message of which no answer came, before it is sent again. Default: no.
    pub check_history: bool,
    /// The file that contains the token, if one does.
    pub token_file: Option<PathBuf>,
}

impl AppChannel {
    /// Reads the keys of a target with channels; `None` after reporting what is wrong with them.
    pub(super) fn read(
        table: &Table<'_>,
        target: Target,
        (form, api_url): (&ChannelForm, &str),
        env: Env<'_>,
    ) -> Option<Self> {
        let token = Token::read(table, &form.token, env);
        let check_history = table.bool("check_history").unwrap_or(false);
        if let Some(location) = table.key_location("check_history").filter(|_| check_history && !form.has_history) {
            let message = format!("check_history: {} cannot be asked for what it has posted", target.name());
            table.problems.report_with(location, message, "remove this key");
        }
        let topic = form.has_topics.then(|| table.number("topic")).flatten().map(|topic| topic.value);
        let channel = table.reference("channel", form.what);
        if table.key_location("channel").is_none() {
            let message = format!("{} has no channel, which the target \"{}\" needs", table.title, target.as_str());
            table.problems.report_with(table.location.clone(), message, form.hint);
        }
        let ((token, token_file), channel) = (token?, channel?);
        if !(form.is_channel)(&channel.value) {
            let message = format!("channel: expected {}, found {}", form.what, quoted(&channel.value));
            table.problems.report(channel.location, message);
            return None;
        }
        Some(Self { token, channel: channel.value, topic, api_url: api_url.to_owned(), check_history, token_file })
    }

    /// Returns the URL of the methods, which is a secret where it has the token.
    pub(super) fn methods_url(&self, form: &ChannelForm) -> String {
        match form.token_path {
            Some(before) => format!("{}{before}{}/", self.api_url, self.token.expose()),
            None => self.api_url.clone(),
        }
    }
}
