//! Keys that are known and yet rejected, each with its reason, and the tables in which misplaced keys belong.
//!
//! A setting that is accepted and ignored would mislead, so a key of a later version is an error in this one. The change
//! that implements it removes the key from its table here.

/// Why a key is rejected.
#[derive(Debug, Clone, Copy)]
pub(super) enum RejectedKey {
    /// Slack does not let a message choose it: it belongs to the webhook.
    SetInSlack,
    /// The same, but an app's token goes with a channel.
    OfApp,
    /// Alertmanager's word for what another key says here.
    Continue,
}

/// Keys of `[webhooks.NAME]`.
pub(super) const WEBHOOK: &[(&str, RejectedKey)] = &[
    ("channel", RejectedKey::OfApp),
    ("token", RejectedKey::OfApp),
    ("token_file", RejectedKey::OfApp),
    ("token_env", RejectedKey::OfApp),
    ("token_credential", RejectedKey::OfApp),
    ("api_url", RejectedKey::OfApp),
    ("check_history", RejectedKey::OfApp),
    ("username", RejectedKey::SetInSlack),
    ("icon", RejectedKey::SetInSlack),
    ("icon_emoji", RejectedKey::SetInSlack),
    ("icon_url", RejectedKey::SetInSlack),
];

/// Keys of `[[routes]]`.
pub(super) const ROUTE: &[(&str, RejectedKey)] = &[
    ("continue", RejectedKey::Continue),
    ("channel", RejectedKey::SetInSlack),
    ("username", RejectedKey::SetInSlack),
    ("icon", RejectedKey::SetInSlack),
    ("icon_emoji", RejectedKey::SetInSlack),
    ("icon_url", RejectedKey::SetInSlack),
];

impl RejectedKey {
    /// Returns the message and the hint for a key.
    pub(super) fn explain(self, key: &str) -> (String, &'static str) {
        match self {
            Self::SetInSlack => (
                format!("\"{key}\" cannot be set: an incoming webhook has its own channel, name and icon"),
                "set them in Slack, in the settings of the webhook, and remove this key",
            ),
            Self::OfApp => (
                format!(
                    "\"{key}\" cannot be set: only an app has it, and this is an incoming webhook, which has its own channel"
                ),
                "remove this key; or set target = \"slack-app\", token_file and channel instead of the URL",
            ),
            Self::Continue => (
                format!("\"{key}\" is not a key of routes: an event goes to every route that matches it"),
                "write stop = true in a route whose events no later route gets",
            ),
        }
    }
}

/// Where the settings of a plugin belong.
pub(super) const SETTINGS_PLACE: &str = "under [routes.settings]";

/// Keys that are often written in another table than theirs: TOML's tables go on until the next one begins.
const PLACES: [(&str, &[&str]); 8] = [
    (
        SETTINGS_PLACE,
        &[
            "ban",
            "ban_color",
            "unban",
            "unban_color",
            "start",
            "start_color",
            "stop_color",
            "flush",
            "flush_color",
            "digest",
            "digest_color",
            "links",
        ],
    ),
    ("under [routes.grants]", &["geo", "history"]),
    ("under [routes.limits]", &["time", "memory", "transfer"]),
    ("under [routes.storm]", &["threshold", "within"]),
    (
        "under [webhooks.NAME]",
        &["url", "url_file", "url_env", "url_credential", "target", "rate", "burst", "proxy", "ca_file"],
    ),
    (
        "directly under [[routes]], before its other tables",
        &[
            "webhook",
            "jails",
            "events",
            "plugin",
            "mentions",
            "timezone",
            "fallback",
            "fallback_webhook",
            "storm",
            "restart",
            "digest_window",
            "same_subject",
            "max_age",
        ],
    ),
    ("under [fail2ban]", &["database"]),
    ("at the top of the file, before the first table", &["host"]),
];

/// Returns where a key belongs that its table does not have.
pub(super) fn place_of(key: &str) -> Option<&'static str> {
    PLACES.iter().find(|(_, keys)| keys.contains(&key)).map(|(place, _)| *place)
}
