//! What kind of service is behind a webhook.

/// The services whose webhooks are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Target {
    /// Slack, and what speaks exactly its format.
    #[default]
    Slack,
    /// Mattermost, incoming webhooks.
    Mattermost,
    /// Rocket.Chat, incoming integrations.
    RocketChat,
    /// Discord, webhooks that end in `/slack`.
    Discord,
    /// Zulip, the `slack_incoming` integration.
    Zulip,
}

impl Target {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 5] = [Self::Slack, Self::Mattermost, Self::RocketChat, Self::Discord, Self::Zulip];

    /// The word for it in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Mattermost => "mattermost",
            Self::RocketChat => "rocketchat",
            Self::Discord => "discord",
            Self::Zulip => "zulip",
        }
    }

    /// As its makers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Mattermost => "Mattermost",
            Self::RocketChat => "Rocket.Chat",
            Self::Discord => "Discord",
            Self::Zulip => "Zulip",
        }
    }

    /// The target that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.as_str() == word)
    }
}
