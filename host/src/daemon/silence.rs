//! Says when a route has heard of no ban for long, and when it hears of bans again.

use crate::config::{Config, Route};
use crate::event::{Kind, Timestamp};
use crate::message::notice;
use crate::receive::heartbeat::Heartbeat;
use crate::report::{Signs, Watch, silence_text};
use crate::store::{Notice, Store, StoreError};

/// Returns the name by which the store knows what was said of a route.
pub(super) fn key(route: &Route) -> String {
    format!("quiet {}", route.name)
}

/// Says what there is to say of a route's silence, or notes that another worker of the fleet says it. Returns whether there is a
/// message to be sent.
pub(super) fn watch(
    store: &mut Store,
    (config, host): (&Config, &str),
    route: &Route,
    is_said_here: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (Some(quiet), Some(webhook)) = (route.quiet, config.webhooks.get(&route.webhook)) else { return Ok(false) };
    let key = key(route);
    let stored = store.last_report(&key)?.and_then(|text| Watch::parse(&text));
    let last = store.last_ban_received(&|jail| route.mismatch(jail, Kind::Ban).is_none(), now)?;
    let (next, news) = Watch::next(stored, last, now, quiet);
    let Some(next) = next else { return Ok(false) };
    let message = match news.filter(|_| is_said_here) {
        Some(news) => {
            let signs = if config.fleet.is_some() { of_fleet() } else { signs(store)? };
            let (text, small_print) = silence_text(news, (host, &route.name), &signs, now);
            Some(Notice {
                webhook: route.webhook.clone(),
                key: key.clone(),
                body: notice(&text, &small_print, webhook.target),
            })
        }
        None => None,
    };
    store.record_report(&key, &next.to_text(), message.as_ref(), now)?;
    Ok(message.is_some())
}

fn signs(store: &Store) -> Result<Signs, StoreError> {
    let heartbeat = Heartbeat::read(store.folder());
    Ok(Signs { heartbeat, log_grew_at: store.logs_grew_at()?, is_elsewhere: false })
}

fn of_fleet() -> Signs {
    Signs { is_elsewhere: true, ..Signs::default() }
}
