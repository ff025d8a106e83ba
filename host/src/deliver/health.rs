//! What is announced in the webhook of `[health]`: a webhook that becomes suspended, messages that die, and hosts of a fleet of
//! which nothing is heard any more.

use crate::config::Config;
use crate::event::Timestamp;
use crate::message::{Target, cut, notice, one_line};
use crate::phrase::counted;
use crate::store::Notice;

/// Characters of an error that are shown.
const ERROR_MAX: usize = 300;

/// Hosts that are named, and characters of a name.
const HOSTS_MAX: usize = 10;
const HOST_MAX: usize = 64;

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
    pub(crate) fn new(config: &Config) -> Option<Self> {
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

    /// Announces that nothing is heard of hosts any more, or that they are heard again.
    pub(crate) fn hosts(&self, hosts: &[String], are_silent: bool, now: Timestamp) -> Notice {
        let shown =
            hosts.iter().take(HOSTS_MAX).map(|host| one_line(&cut(host, HOST_MAX))).collect::<Vec<_>>().join(", ");
        let more = match hosts.len().saturating_sub(HOSTS_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let count = counted(hosts.len() as u64, "host");
        let text = match are_silent {
            true => format!("⚠️ {count} of the fleet silent: nothing is heard any more of {shown}{more}"),
            false => format!("✅ {count} of the fleet heard again: {shown}{more}"),
        };
        // Each is sent: another one before it may be about other hosts, or say the opposite since.
        let key = format!("hosts {are_silent} {}", now.0);
        self.notice(key, &text, "events wait on a host that is running; \"banhook fleet status\" lists silent hosts")
    }

    fn notice(&self, key: String, text: &str, small_print: &str) -> Notice {
        Notice { webhook: self.name.clone(), key, body: notice(text, small_print, self.target) }
    }
}
