//! What is announced in the webhook of `[health]`: a webhook that becomes suspended, and messages that die.

use crate::config::Config;
use crate::message::{Target, cut, notice};
use crate::store::Notice;

/// Characters of an error that are shown.
const ERROR_MAX: usize = 300;

/// The webhook of `[health]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthWebhook {
    /// Its name.
    pub name: String,
    /// Its service.
    pub target: Target,
}

impl HealthWebhook {
    /// Returns the one that is configured.
    pub(super) fn new(config: &Config) -> Option<Self> {
        let name = config.health.as_ref()?;
        Some(Self { name: name.clone(), target: config.webhooks.get(name)?.target })
    }

    /// Announces that a webhook is suspended.
    pub(super) fn suspended(&self, webhook: &str, error: &str) -> Notice {
        let text = format!(
            "⚠️ The webhook \"{webhook}\" is suspended: {}. Its messages stay pending, or go to the fallback_webhook of \
             their route.",
            cut(error, ERROR_MAX)
        );
        self.notice(
            format!("suspended {webhook}"),
            &text,
            "banhook probes it now and then; \"banhook status\" shows it",
        )
    }

    /// Announces that messages for a webhook are dead. One notice stands for all that die before it is sent.
    pub(super) fn dead(&self, webhook: &str, route: &str, why: &str) -> Notice {
        let text = format!(
            "⚠️ Messages of the route \"{route}\" for the webhook \"{webhook}\" are dead: {}",
            cut(why, ERROR_MAX)
        );
        self.notice(format!("dead {webhook}"), &text, "\"banhook queue list --dead\" shows all of them")
    }

    fn notice(&self, key: String, text: &str, small_print: &str) -> Notice {
        Notice { webhook: self.name.clone(), key, body: notice(text, small_print, self.target) }
    }
}
