//! Conversations: the names that plugins give messages and threads, by which a later message changes an earlier one or is
//! beneath it. Only some targets have them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::model::Message;

/// What a message says of the conversation that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Conversation {
    /// Its thread: it is beneath the first message of it.
    pub thread: Option<ConversationKey>,
    /// The message that it changes.
    pub replaces: Option<ConversationKey>,
    /// What becomes of it if it cannot change that.
    pub fallback: ChangeFallback,
}

/// The hash of a name that a plugin gave a message or a thread. Such a name often holds an address; the store does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationKey(i64);

/// What becomes of a message that should change another one, which has no message of its own: it is in a digest, is
/// older than what is kept, or is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ChangeFallback {
    /// It is a reply beneath the digest, or in its own thread.
    #[default]
    Reply,
    /// It is a message in the channel.
    Message,
    /// It is skipped.
    Skip,
}

/// Where a message is, as its service said: what a later message changes, or is beneath.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The channel's id.
    pub channel: String,
    /// The message's id in the channel.
    pub id: String,
    /// A hash of the channel and of the service as they were configured: with others it says nothing.
    #[serde(default)]
    pub of: String,
    /// The id of the message that it is beneath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// How a message goes into the channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Way {
    /// As a message in the channel.
    #[default]
    Post,
    /// Beneath this message.
    Beneath(Reference),
    /// In place of this message.
    Change(Reference),
}

impl Conversation {
    /// Returns what a message says.
    #[must_use]
    pub(crate) fn of(message: &Message, fallback: ChangeFallback) -> Self {
        let key = |name: &Option<String>| name.as_deref().map(ConversationKey::of);
        Self { thread: key(&message.thread), replaces: key(&message.replaces), fallback }
    }
}

impl ConversationKey {
    /// Returns the key of a name.
    #[must_use]
    pub(crate) fn of(name: &str) -> Self {
        let hash = Sha256::digest(name);
        Self(hash.first_chunk().map_or(0, |first| i64::from_be_bytes(*first)))
    }

    /// Returns the key as it is stored.
    #[must_use]
    pub(crate) const fn to_i64(self) -> i64 {
        self.0
    }
}

impl ChangeFallback {
    /// All of them, in the order in which they are documented.
    pub(crate) const ALL: [Self; 3] = [Self::Reply, Self::Message, Self::Skip];

    /// Returns the word for it in the configuration.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Message => "message",
            Self::Skip => "skip",
        }
    }

    /// Returns the one that a word stands for.
    #[must_use]
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fallback| fallback.as_str() == word)
    }
}

impl Reference {
    /// Returns the id of the message that a reply is beneath: a reply to a reply is beneath the same message.
    #[must_use]
    pub(crate) fn parent(&self) -> &str {
        self.thread.as_deref().unwrap_or(&self.id)
    }
}
