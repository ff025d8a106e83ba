//! What a team gets: `[[routes]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::problem::quoted;
use super::reader::{Located, Table};
use super::storm::{DIGEST_WINDOW, RESTART, digest_window, restart};
use super::{Jails, PluginSource, Storm, Target, bounded, grants, plugin, refused};
use crate::event::{Event, Kind};
use crate::phrase::{did_you_mean, listed};
use crate::plugin::{Grants, Limits};

/// Which events a team wants, the plugin that words them, the webhook that gets them.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Unique; up to 64 letters, digits, `-` and `_`. Of an only route without one: its webhook's.
    pub name: String,
    /// Default: all.
    pub jails: Jails,
    /// Default: all.
    pub events: BTreeSet<Kind>,
    /// Default: built in.
    pub plugin: PluginSource,
    /// A key of [`super::Config::webhooks`]. Default: the only one.
    pub webhook: String,
    /// Another such key, with the same target: it takes over while the webhook is dead. Default: none.
    pub fallback_webhook: Option<String>,
    /// Of the times that its plugin shows. Default: the system's.
    pub timezone: TimeZone,
    /// Whether its plugin may mention people and whole channels. Default: no.
    pub mentions: bool,
    /// What its plugin may use. Default: [`Limits::STANDARD`].
    pub limits: Limits,
    /// What its plugin may ask the host. Default: nothing.
    pub grants: Grants,
    /// From when on bans are told in digests. Default: [`Storm::STANDARD`]; `None` (`false`): never.
    pub storm: Option<Storm>,
    /// How long a digest collects; 1 s to 1 day. Default: 30 s.
    pub digest_window: Duration,
    /// How long it must be quiet after the stops, flushes, unbans, starts and restored bans of a start or restart of
    /// fail2ban before they are told as one message; 1 s to 60 s. Default: 5 s; `None` (`false`): each by itself.
    pub restart: Option<Duration>,
    /// The age at which a message that could not be delivered is given up; 1 min to 365 days. Default: 1 day.
    pub max_age: Duration,
    /// For its plugin. Default: none.
    pub settings: BTreeMap<String, String>,
}

/// The next day everybody has seen for themselves what an alert would have told.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// What a route has to know of the rest of the configuration.
pub(super) struct KnownWebhooks<'a> {
    /// All webhooks and what speaks there; `None` for those that are broken.
    pub(super) webhooks: BTreeMap<&'a str, Option<Target>>,
    /// Whether these are all: no file was unreadable.
    pub(super) complete: bool,
}

impl Route {
    /// Whether an event is for this route.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.events.contains(&event.kind()) && self.jails.contains(&event.jail)
    }

    /// Whether its messages may go to this webhook.
    #[must_use]
    pub fn uses(&self, webhook: &str) -> bool {
        self.webhook == webhook || self.fallback_webhook.as_deref() == Some(webhook)
    }

    /// The route of a configuration that has none: everything, by the built-in plugin, to one webhook.
    pub(super) fn everything(webhook: &str) -> Self {
        Self {
            name: webhook.to_owned(),
            jails: Jails::all(),
            events: Kind::ALL.into(),
            plugin: PluginSource::BuiltIn,
            webhook: webhook.to_owned(),
            fallback_webhook: None,
            timezone: TimeZone::system(),
            mentions: false,
            limits: Limits::STANDARD,
            grants: Grants::default(),
            storm: Some(Storm::STANDARD),
            digest_window: DIGEST_WINDOW,
            restart: RESTART,
            max_age: MAX_AGE,
            settings: BTreeMap::new(),
        }
    }

    /// Reads one but for its name; `None` after reporting what is wrong with it. What has a default takes it after a
    /// report too, so that everything is looked at.
    pub(super) fn read(table: &Table<'_>, name: Option<String>, webhooks_known: &KnownWebhooks<'_>) -> Option<Self> {
        let webhook = webhook(table, webhooks_known);
        let fallback_webhook = fallback_webhook(table, webhook.as_deref(), webhooks_known);
        let jails = jails(table);
        let events = events(table);
        let source = PluginSource::read(table);
        let timezone = timezone(table);
        let mentions = table.bool("mentions").unwrap_or(false);
        let limits = plugin::limits(table);
        let grants = grants::read(table);
        let storm = Storm::read(table);
        let digest_window = digest_window(table);
        let restart = restart(table);
        let max_age = max_age(table);
        let settings = table.free_strings("settings", "[routes.settings]");
        table.finish(refused::ROUTE);

        let webhook = webhook?;
        Some(Self {
            name: name.unwrap_or_else(|| webhook.clone()),
            jails: jails?,
            events,
            plugin: source?,
            webhook,
            fallback_webhook,
            timezone,
            mentions,
            limits,
            grants,
            storm,
            digest_window,
            restart,
            max_age,
            settings: settings.into_iter().map(|(name, value)| (name.value, value)).collect(),
        })
    }
}

fn webhook(table: &Table<'_>, webhooks_known: &KnownWebhooks<'_>) -> Option<String> {
    let Some(name) = table.reference("webhook", "the name of a webhook") else {
        let absent = table.key_place("webhook").is_none();
        let names: Vec<_> = webhooks_known.webhooks.keys().copied().collect();
        return match names.as_slice() {
            [only] if absent => Some((*only).to_owned()),
            [_, _, ..] if absent => {
                let hint = format!("add webhook = \"…\": {}", listed(names, "or"));
                table.problems.report_with(table.place.clone(), "the route names no webhook", hint);
                None
            }
            // No webhook at all is reported once, for the whole configuration.
            _ => None,
        };
    };
    configured(table, name, webhooks_known).map(|name| name.value)
}

/// A webhook's name, if there is one of that name.
fn configured(table: &Table<'_>, name: Located<String>, webhooks_known: &KnownWebhooks<'_>) -> Option<Located<String>> {
    if webhooks_known.webhooks.contains_key(name.value.as_str()) {
        return Some(name);
    }
    let names = || webhooks_known.webhooks.keys().copied();
    if webhooks_known.complete && !webhooks_known.webhooks.is_empty() {
        let hint =
            did_you_mean(&name.value, names()).unwrap_or_else(|| format!("configured: {}", listed(names(), "and")));
        table.problems.report_with(name.place, format!("no webhook is named {}", quoted(&name.value)), hint);
    }
    None
}

/// `webhook` is the route's own, if that is known.
fn fallback_webhook(table: &Table<'_>, webhook: Option<&str>, webhooks_known: &KnownWebhooks<'_>) -> Option<String> {
    let name = table.reference("fallback_webhook", "the name of a webhook")?;
    let Located { value: name, place } = configured(table, name, webhooks_known)?;
    let webhook = webhook?;
    if name == webhook {
        let message = format!("fallback_webhook: {} is the route's own webhook", quoted(&name));
        table.problems.report_with(place, message, "name another one, or remove it");
        return None;
    }
    let target = |name: &str| webhooks_known.webhooks.get(name).copied().flatten().map(Target::as_str);
    if let (Some(own), Some(other)) = (target(webhook), target(&name))
        && own != other
    {
        // A message is stored in the form of its target.
        let message =
            format!("fallback_webhook: {} is for {other}, but the route's messages are for {own}", quoted(&name));
        table.problems.report_with(place, message, format!("name a webhook with target = \"{own}\""));
        return None;
    }
    Some(name)
}

fn max_age(table: &Table<'_>) -> Duration {
    let mut age = MAX_AGE;
    let range = Duration::from_secs(60)..=Duration::from_secs(365 * 86_400);
    bounded::duration(table, "max_age", range, "1m and 365d", &mut age);
    age
}

fn jails(table: &Table<'_>) -> Option<Jails> {
    let Some(patterns) = table.strings("jails") else { return Some(Jails::all()) };
    let mut texts = Vec::new();
    let mut whole = true;
    for Located { value, place } in patterns.value {
        if let Err(error) = Jails::matching(vec![value.clone()]) {
            table.problems.report(place, format!("{} is not a pattern: {}", quoted(&value), error.kind()));
            whole = false;
        }
        texts.push(value);
    }
    if !whole {
        return None;
    }
    match Jails::matching(texts) {
        Ok(jails) => Some(jails),
        Err(error) => {
            table.problems.report(patterns.place, format!("jails: {}", error.kind()));
            None
        }
    }
}

fn events(table: &Table<'_>) -> BTreeSet<Kind> {
    let Some(words) = table.strings("events") else { return Kind::ALL.into() };
    let mut kinds = BTreeSet::new();
    for Located { value, place } in words.value {
        match Kind::parse(&value) {
            Some(kind) => {
                kinds.insert(kind);
            }
            None => {
                let known = || Kind::ALL.into_iter().map(Kind::as_str);
                let hint = did_you_mean(&value, known()).unwrap_or_else(|| format!("it is {}", listed(known(), "or")));
                table.problems.report_with(place, format!("unknown event {}", quoted(&value)), hint);
            }
        }
    }
    kinds
}

pub(super) fn timezone(table: &Table<'_>) -> TimeZone {
    let Some(name) = table.string("timezone") else { return TimeZone::system() };
    match TimeZone::get(&name.value) {
        Ok(zone) => zone,
        Err(_) => {
            let known: Vec<_> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
            let hint = if known.is_empty() {
                "this host has no time zone database; install the package tzdata".to_owned()
            } else {
                did_you_mean(&name.value, known.iter().map(String::as_str))
                    .unwrap_or_else(|| "write it like \"Europe/Berlin\"".to_owned())
            };
            table.problems.report_with(name.place, format!("unknown time zone {}", quoted(&name.value)), hint);
            TimeZone::UTC
        }
    }
}
