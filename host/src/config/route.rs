//! What a team gets: `[[routes]]`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::problem::quoted;
use super::reader::{Located, Table};
use super::suggest::{did_you_mean, listed};
use super::{Grants, Jails, PluginLimits, PluginSource, refused};
use crate::event::{Event, Kind};

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
    /// Of the times that its plugin shows. Default: the system's.
    pub timezone: TimeZone,
    /// Whether its plugin may mention people and whole channels. Default: no.
    pub mentions: bool,
    /// What its plugin may use up. Default: [`PluginLimits::STANDARD`].
    pub limits: PluginLimits,
    /// What its plugin may ask the host. Default: nothing.
    pub grants: Grants,
    /// For its plugin. Default: none.
    pub settings: BTreeMap<String, String>,
}

/// What a route has to know of the rest of the configuration.
pub(super) struct Surroundings<'a> {
    /// The names of all webhooks, also of those that are broken otherwise.
    pub(super) webhooks: Vec<&'a str>,
    /// Whether these are all: no file was unreadable.
    pub(super) complete: bool,
}

impl Route {
    /// Whether an event is for this route.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.events.contains(&event.action.kind()) && self.jails.contains(&event.jail)
    }

    /// The route of a configuration that has none: everything, by the built-in plugin, to one webhook.
    pub(super) fn everything(webhook: &str) -> Self {
        Self {
            name: webhook.to_owned(),
            jails: Jails::all(),
            events: Kind::ALL.into(),
            plugin: PluginSource::BuiltIn,
            webhook: webhook.to_owned(),
            timezone: TimeZone::system(),
            mentions: false,
            limits: PluginLimits::STANDARD,
            grants: Grants::default(),
            settings: BTreeMap::new(),
        }
    }

    /// Reads one but for its name; `None` after reporting what is wrong with it. What has a default takes it after a
    /// report too, so that everything is looked at.
    pub(super) fn read(table: &Table<'_>, name: Option<String>, around: &Surroundings<'_>) -> Option<Self> {
        let webhook = webhook(table, around);
        let jails = jails(table);
        let events = events(table);
        let plugin = PluginSource::read(table);
        let timezone = timezone(table);
        let mentions = table.bool("mentions").unwrap_or(false);
        let limits = PluginLimits::read(table);
        let grants = Grants::read(table);
        let settings = table.free_strings("settings", "[routes.settings]");
        table.finish(refused::ROUTE);

        let webhook = webhook?;
        Some(Self {
            name: name.unwrap_or_else(|| webhook.clone()),
            jails: jails?,
            events,
            plugin: plugin?,
            webhook,
            timezone,
            mentions,
            limits,
            grants,
            settings: settings.into_iter().map(|(name, value)| (name.value, value)).collect(),
        })
    }
}

fn webhook(table: &Table<'_>, around: &Surroundings<'_>) -> Option<String> {
    let names = || around.webhooks.iter().copied();
    let Some(name) = table.reference("webhook", "the name of a webhook") else {
        let absent = table.key_place("webhook").is_none();
        return match around.webhooks.as_slice() {
            [only] if absent => Some((*only).to_owned()),
            [_, _, ..] if absent => {
                let hint = format!("add webhook = \"…\": {}", listed(names(), "or"));
                table.problems.report_with(table.place.clone(), "the route names no webhook", hint);
                None
            }
            // No webhook at all is reported once, for the whole configuration.
            _ => None,
        };
    };
    if names().any(|known| known == name.value) {
        return Some(name.value);
    }
    if around.complete && !around.webhooks.is_empty() {
        let hint =
            did_you_mean(&name.value, names()).unwrap_or_else(|| format!("configured: {}", listed(names(), "and")));
        table.problems.report_with(name.place, format!("no webhook is named {}", quoted(&name.value)), hint);
    }
    None
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
