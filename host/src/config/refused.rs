//! Keys that are known and yet refused, each with its reason.
//!
//! To accept a setting and ignore it would be a lie, so what a later version will do is an error in this one. Whoever
//! builds the function takes its key out of the table and reads it.

/// Why a key is refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// Planned and documented, but not built.
    Later,
    /// Slack lets nobody choose it by message: it belongs to the webhook.
    OfTheWebhook,
}

/// Keys of the file itself.
pub(super) const TOP: &[(&str, Refusal)] = &[("fleet", Refusal::Later)];

/// Keys of `[webhooks.NAME]`.
pub(super) const WEBHOOK: &[(&str, Refusal)] = &[
    ("channel", Refusal::OfTheWebhook),
    ("username", Refusal::OfTheWebhook),
    ("icon", Refusal::OfTheWebhook),
    ("icon_emoji", Refusal::OfTheWebhook),
    ("icon_url", Refusal::OfTheWebhook),
];

/// Keys of `[[routes]]`.
pub(super) const ROUTE: &[(&str, Refusal)] = &[
    ("sha256", Refusal::Later),
    ("channel", Refusal::OfTheWebhook),
    ("username", Refusal::OfTheWebhook),
    ("icon", Refusal::OfTheWebhook),
    ("icon_emoji", Refusal::OfTheWebhook),
    ("icon_url", Refusal::OfTheWebhook),
];

impl Refusal {
    /// What to say of the key: the message and the hint.
    pub(super) fn explain(self, key: &str) -> (String, &'static str) {
        match self {
            Self::Later => (format!("\"{key}\" is not supported by this version of banhook"), "remove it"),
            Self::OfTheWebhook => (
                format!("\"{key}\" cannot be set: an incoming webhook has its own channel, name and icon"),
                "choose them in Slack, where the webhook was made, and remove it here",
            ),
        }
    }
}
