//! Events of a route become dispositions: a message, a place in a digest, or a skip.

use super::grouping::RecentPosts;
use super::grouping::{Grouping, digest_of, digest_of_hold, digest_of_restart};
use super::loaded_route::LoadedRoute;
use super::series::key_of_subject;
use crate::event::{DigestCause, Event, Timestamp};
use crate::message::{
    ChangeFallback, Conversation, ConversationKey, Decision, Guarded, Message, TAG_CHARS, TAGS_MAX, fallback, guard,
    is_never_grouped, webhook_hint,
};
use crate::store::{DigestKey, Disposition, FormattedEvent, NO_MESSAGE, Store, StoreError, UnformattedEvent};

/// Events that are formatted in one transaction, for the same reason as `route` routes many at once; a slow plugin ends a
/// batch earlier. No message of a batch is sent before all of it is formatted.
pub(super) const FORMAT_BATCH: usize = 1_024;

/// Characters of a skip's reason that are kept.
const REASON_CHARS: usize = 200;

/// What would become of one event on a route.
pub(crate) enum Explanation {
    /// Nothing, for this reason.
    Skip(String),
    /// The plugin holds it, for the digest with this key.
    Hold(String),
    /// A message.
    Message {
        /// As it would be sent.
        body: Guarded,
        /// Why it is the plain one and not the plugin's.
        failure: Option<String>,
        /// Whether it may be part of a restart, and so of its digest.
        may_be_grouped: bool,
    },
}

impl LoadedRoute {
    /// Formats events and records the results. `from`: the open digest of unbans that they were held in, no stop having
    /// followed. Stops after the event at which `enough` returns true. Returns how many events it formatted.
    pub(super) fn format_all(
        &mut self,
        store: &mut Store,
        from: Option<i64>,
        events: Vec<UnformattedEvent>,
        now: Timestamp,
        enough: &mut impl FnMut() -> bool,
    ) -> Result<usize, StoreError> {
        if events.is_empty() {
            return Ok(0);
        }
        self.mutes = store.mutes(now)?;
        RecentPosts::read(&mut self.recent_posts, store, &self.route.name)?;
        let mut formatted: Vec<FormattedEvent> = Vec::with_capacity(events.len());
        let (route, own) = (self.route.name.clone(), self.route.webhook.clone());
        for unformatted in events {
            let grouping = match (unformatted.standalone, from) {
                (true, _) => Grouping::Standalone,
                (false, None) => Grouping::Any,
                (false, Some(_)) => Grouping::StormOnly,
            };
            let seq = unformatted.seq;
            let can_change = |other: Option<&str>, name: ConversationKey| {
                let is_new = |earlier: &FormattedEvent| match &earlier.disposition {
                    Disposition::Send(_) => earlier.name == Some(name) && other.is_none(),
                    Disposition::SendTo(webhook, _) => earlier.name == Some(name) && other == Some(webhook),
                    Disposition::Digest(_) | Disposition::Skip(_) | Disposition::Dead(_) => false,
                };
                let webhook = other.unwrap_or(&own);
                formatted.iter().any(is_new) || store.can_change(seq, (&route, webhook), name).unwrap_or_default()
            };
            let next = self.format(unformatted, grouping, now, &can_change);
            formatted.push(next);
            if enough() {
                break;
            }
        }
        let posts = self.recent_posts.as_mut().and_then(|recent| recent.changed(now));
        store.record_formatted(&self.route.name, from, &formatted, posts.as_ref(), now)?;
        Ok(formatted.len())
    }

    /// Formats one event. `can_change`: whether there is a message with this name that may be changed, at the route's webhook
    /// or at another one.
    pub(super) fn format(
        &mut self,
        UnformattedEvent { seq, event, .. }: UnformattedEvent,
        mut grouping: Grouping,
        now: Timestamp,
        can_change: &dyn Fn(Option<&str>, ConversationKey) -> bool,
    ) -> FormattedEvent {
        let event = match event {
            Ok(event) => self.defaults.apply(event),
            Err(error) => {
                return FormattedEvent::new(seq, Disposition::Dead(unreadable(&error)));
            }
        };
        if let Some(mute) = self.mutes.iter().find(|mute| mute.applies_to(&event, now)) {
            let disposition = skip(&format!("muted: {}", mute.reason));
            return FormattedEvent::new(seq, disposition);
        }
        let mut decision = self.plugin.decide(seq, &event, now);
        let (tags, name) = match &mut decision {
            Ok(Decision::Hold(hold)) => (kept_tags(&mut hold.tags), None),
            Ok(Decision::Post(message)) => (kept_tags(&mut message.tags), self.name_of(message)),
            Ok(Decision::Skip(_)) | Err(_) => (Vec::new(), None),
        };
        let webhook = match &decision {
            Ok(Decision::Post(message)) => self.other_webhook(message),
            Ok(Decision::Hold(_) | Decision::Skip(_)) | Err(_) => None,
        };
        if let Ok(Decision::Post(message)) = &decision
            && let Some(conversation) = self.conversation_of(message)
            && let Some(replaces) = conversation.replaces
        {
            // Whether it is part of a restart is decided first.
            let may_restart = self.route.restart.is_some() && matches!(grouping, Grouping::Any | Grouping::RestartOnly);
            if can_change(webhook.as_deref(), replaces) {
                grouping = grouping.of_change();
            } else if conversation.fallback == ChangeFallback::Skip && !may_restart {
                self.plugin.succeeded();
                return FormattedEvent { tags, ..FormattedEvent::new(seq, skip(NO_MESSAGE)) };
            }
        }
        let disposition = self.dispose(decision, webhook, (seq, &event), grouping, now);
        // What a restart says of a ban is not its message: an unban changes that of before.
        let is_of_restart = |key: &DigestKey| matches!(key.cause, DigestCause::Restart | DigestCause::Unbans);
        let name = name.filter(|_| !matches!(&disposition, Disposition::Digest(key) if is_of_restart(key)));
        FormattedEvent { seq, disposition, tags, name }
    }

    /// Returns what becomes of an event. `webhook`: one other than the route's that its message goes to, unless it is grouped.
    fn dispose(
        &mut self,
        decision: Result<Decision, String>,
        webhook: Option<String>,
        (seq, event): (i64, &Event),
        mut grouping: Grouping,
        now: Timestamp,
    ) -> Disposition {
        let decision = match decision {
            Ok(Decision::Skip(reason)) => {
                self.plugin.succeeded();
                return skip(&reason);
            }
            Ok(Decision::Hold(hold)) => {
                self.plugin.succeeded();
                self.plugin.warn_of_hints(&hold.hints);
                return Disposition::Digest(digest_of_hold(&self.route, hold, now));
            }
            Ok(Decision::Post(message)) => {
                if is_never_grouped(&message) {
                    grouping = Grouping::Standalone;
                }
                Ok(message)
            }
            Err(why) => Err(why),
        };
        // A post, or the plain message in its place: too many of either are a storm.
        let living = self.profile.target.has_conversations();
        if let Some(recent) = &mut self.recent_posts
            && let Some(key) = digest_of(&self.route, recent, event, (grouping, living, webhook.is_some()), now)
        {
            if decision.is_ok() {
                self.plugin.succeeded();
            }
            return Disposition::Digest(key);
        }
        let conversation = decision.as_ref().ok().and_then(|message| self.conversation_of(message));
        let guarded =
            decision.and_then(|message| self.plugin.guard(&message, |policy| guard(&message, [event], policy), now));
        let guarded = guarded.map(|body| match conversation {
            Some(conversation) => body.in_conversation(conversation),
            None => body,
        });
        let body = match (guarded, webhook) {
            (Ok(body), Some(webhook)) => return Disposition::SendTo(webhook, body),
            (Ok(body), None) => body,
            (Err(why), _) => self.fallback_message(event, &why),
        };
        if let Some(recent) = &mut self.recent_posts
            && let Some(within) = self.route.same_subject.filter(|_| may_be_followed(grouping))
            && let Some(key) = key_of_subject(event)
        {
            recent.begin_series(key, (seq, &event.host), within, now);
        }
        Disposition::Send(body)
    }

    /// Returns the conversation that a message belongs to, if the route's target has any.
    fn conversation_of(&self, message: &Message) -> Option<Conversation> {
        let has_conversations = self.profile.target.has_conversations();
        has_conversations.then(|| Conversation::of(message, self.route.change_fallback))
    }

    /// Returns the name of a message, if the route's target has conversations.
    fn name_of(&self, message: &Message) -> Option<ConversationKey> {
        let name = message.name.as_ref().filter(|_| self.profile.target.has_conversations())?;
        Some(ConversationKey::of(name))
    }

    /// Returns the webhook that a message asks for, if it is not the route's own. One that the route does not allow is
    /// logged.
    fn other_webhook(&self, message: &Message) -> Option<String> {
        let webhook = webhook_hint(message).filter(|webhook| *webhook != self.route.webhook)?;
        if !self.route.plugin_webhooks.iter().any(|allowed| allowed == webhook) {
            self.plugin.warn(&format!("the hint webhook \"{webhook}\" is not one of the route's plugin_webhooks"));
            return None;
        }
        Some(webhook.to_owned())
    }

    /// Returns what would become of an event, as far as the event alone decides that. Stores nothing.
    pub(crate) fn explain(&mut self, event: &Event, now: Timestamp) -> Explanation {
        // All stored events are past.
        let message = match self.plugin.decide(i64::MAX, event, now) {
            Ok(Decision::Skip(reason)) => return Explanation::Skip(reason),
            Ok(Decision::Hold(hold)) => return Explanation::Hold(hold.key),
            Ok(Decision::Post(message)) => self.plugin.guard(&message, |policy| guard(&message, [event], policy), now),
            Err(why) => Err(why),
        };
        let may_be_grouped = self.route.restart.is_some_and(|quiet| digest_of_restart(event, quiet).is_some());
        let (body, failure) = match message {
            Ok(body) => (body, None),
            Err(why) => (self.fallback_message(event, &why), Some(why)),
        };
        Explanation::Message { body, failure, may_be_grouped }
    }

    fn fallback_message(&self, event: &Event, why: &str) -> Guarded {
        if self.route.redacted_fallback {
            return fallback(&event.redacted(), &self.withheld(), self.profile.target);
        }
        fallback(event, &format!("plugin {} {why}", self.plugin.name), self.profile.target)
    }

    /// Returns that the plugin failed, without how: its error may say whom the event is about.
    pub(super) fn withheld(&self) -> String {
        format!("plugin {} failed; banhook's log says how", self.plugin.name)
    }
}

/// Returns the disposition of an event that a plugin skips.
pub(super) fn skip(reason: &str) -> Disposition {
    Disposition::Skip(reason.chars().take(REASON_CHARS).collect())
}

/// Whether a message that may be grouped in this way begins a series.
const fn may_be_followed(grouping: Grouping) -> bool {
    matches!(grouping, Grouping::Any | Grouping::StormOnly)
}

/// Takes the tags that are kept.
fn kept_tags(tags: &mut Vec<String>) -> Vec<String> {
    let tags = std::mem::take(tags).into_iter().filter(|tag| !tag.is_empty()).take(TAGS_MAX);
    tags.map(|tag| tag.chars().take(TAG_CHARS).collect()).collect()
}

/// Returns why an event that is stored cannot be formatted.
pub(super) fn unreadable(error: &str) -> String {
    format!("the stored event cannot be read: {error}")
}
