//! The services whose webhooks are known. Each is one module behind the trait [`Service`], and has one line in the
//! registry below; nothing outside these modules asks which service it is dealing with.

mod discord;
mod json;
mod mattermost;
mod ntfy;
mod rocketchat;
mod service;
mod slack;
mod slack_app;
mod teams;
mod telegram;
mod zulip;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

pub(crate) use service::{Access, Address, ChannelForm, HttpAnswer, Question, Request, TokenForm, Verdict};
pub(crate) use service::{Service, UrlProblem};

/// Names each service's constant, in the order in which they are documented.
macro_rules! registry {
    ($($constant:ident = $service:expr;)*) => {
        impl Target {
            $(#[doc = concat!("The target `", stringify!($constant), "`.")]
            pub const $constant: Self = Self(&$service);)*

            /// All of them, in the order in which they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];
        }
    };
}

registry! {
    SLACK = slack::Slack;
    SLACK_APP = slack_app::SlackApp;
    MATTERMOST = mattermost::Mattermost;
    ROCKETCHAT = rocketchat::RocketChat;
    DISCORD = discord::Discord;
    ZULIP = zulip::Zulip;
    NTFY = ntfy::Ntfy;
    TELEGRAM = telegram::Telegram;
    TEAMS = teams::Teams;
    JSON = json::Json;
}

/// The kind of service behind a webhook: a handle on its module, equal to another by its key.
#[derive(Clone, Copy)]
pub struct Target(&'static dyn Service);

impl Target {
    /// Returns the word for it in the configuration and in the store.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        self.0.key()
    }

    /// Returns the target that a word stands for.
    #[must_use]
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|target| target.as_str() == word)
    }
}

impl Target {
    /// Returns a stored body with a line of small print added to it; as it is, if there is no room or it cannot be read.
    #[must_use]
    pub(crate) fn with_note(self, body: String, note: &str) -> String {
        match serde_json::from_str(&body) {
            Ok(mut json) => {
                self.0.add_note(&mut json, note);
                json.to_string()
            }
            Err(_) => body,
        }
    }
}

impl Deref for Target {
    type Target = dyn Service;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::SLACK
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_keys_are_unique_and_parse_back() {
        for (index, target) in Target::ALL.iter().enumerate() {
            assert_eq!(Target::parse(target.as_str()), Some(*target));
            assert!(!Target::ALL[..index].contains(target), "{target:?} twice");
        }
        assert_eq!(Target::parse("Slack"), None);
    }

    #[test]
    fn hosts_belong_to_one_service() {
        let mut hosts: Vec<_> = Target::ALL.iter().flat_map(|target| target.hosts()).collect();
        let count = hosts.len();
        hosts.sort_unstable();
        hosts.dedup();
        assert_eq!(hosts.len(), count);
    }
}
