//! The guard, which every message passes before it may go out.
//!
//! It lowers the message to the target's body, which escapes, neutralizes and cuts its texts, and rejects what the service
//! would reject; the caller then sends the fallback message.

use serde_json::{Value, json};

use super::conversation::Conversation;
use super::facts::Facts;
use super::guard_error::GuardError;
use super::lists::cut_lists;
use super::model::Message;
use super::sanitizer::Sanitizer;
use super::target::Target;
use crate::event::Event;

/// What a route allows its plugin's messages, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Mentions of users, groups and the whole channel.
    pub mentions: bool,
    /// The webhook's service.
    pub target: Target,
}

/// A body that may go out. Only [`guard`], `guard_digest`, `fallback` and `digest` make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    body: Value,
    target: Target,
    conversation: Option<Conversation>,
}

/// Returns the body of a plugin's message about events.
///
/// # Errors
/// What is wrong, where, with the limit and the value.
pub fn guard<'e>(
    decided: &Message,
    events: impl IntoIterator<Item = &'e Event>,
    policy: &Policy,
) -> Result<Guarded, GuardError> {
    let events: Vec<&Event> = events.into_iter().collect();
    let facts = match events.as_slice() {
        [event] => Some(Facts::Event(event)),
        _ => None,
    };
    lowered(decided, &Sanitizer::new(events, policy.mentions), facts, policy.target)
}

/// Returns the body of a message whose markup is sanitized with regard to these values.
///
/// # Errors
/// As [`guard`].
pub(super) fn lowered(
    decided: &Message,
    sanitizer: &Sanitizer,
    facts: Option<Facts<'_>>,
    target: Target,
) -> Result<Guarded, GuardError> {
    let mut body = target.lower(&cut_lists(decided), sanitizer)?;
    if let Some(facts) = facts {
        target.add_facts(&mut body, facts);
    }
    Ok(Guarded { body, target, conversation: None })
}

impl Guarded {
    /// Returns the body of a message of banhook's own. Should it be rejected, the body is the text `or`, which every
    /// service accepts.
    pub(super) fn own(message: &Message, facts: Option<Facts<'_>>, target: Target, or: &str) -> Self {
        let body = target.lower(message, &Sanitizer::new([], false));
        let mut body = body.unwrap_or_else(|_| json!({ "text": or }));
        if let Some(facts) = facts {
            target.add_facts(&mut body, facts);
        }
        Self { body, target, conversation: None }
    }

    /// Returns a stored body with text in the place of its charts and tables, and in small print why; `None` if it has none.
    pub(crate) fn without_figures(body: &str, why: &str, target: Target) -> Option<Self> {
        let mut body = serde_json::from_str(body).ok()?;
        target.without_figures(&mut body).then(|| {
            target.add_note(&mut body, why);
            Self { body, target, conversation: None }
        })
    }

    /// Returns the body as part of a conversation.
    #[must_use]
    pub(crate) fn in_conversation(self, conversation: Conversation) -> Self {
        Self { conversation: Some(conversation), ..self }
    }

    /// Returns the conversation that it is part of.
    #[must_use]
    pub(crate) const fn conversation(&self) -> Option<&Conversation> {
        self.conversation.as_ref()
    }

    /// Returns the body.
    #[must_use]
    pub const fn body(&self) -> &Value {
        &self.body
    }

    /// Returns the body as it is sent and stored.
    #[must_use]
    pub fn to_json_string(&self) -> String {
        self.body.to_string()
    }

    /// Returns the service whose format it is in.
    #[must_use]
    pub(crate) const fn target(&self) -> Target {
        self.target
    }
}
