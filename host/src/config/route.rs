//! `[[routes]]`: which events go through which plugin to which webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::json;

use super::grouping::{DIGEST_WINDOW, RESTART, Storm, digest_window, restart, same_subject};
use super::jail_patterns::{self, JailPatterns};
use super::plugin::{self, PluginSource};
use super::problem::{Location, Problems, quoted};
use super::quiet::quiet;
use super::reader::{Located, Table};
use super::timezone::{system_timezone, timezone};
use super::{grants, mentions, quantity, rejected_keys};
use crate::event::{Event, Kind};
use crate::message::{ChangeFallback, Target};
use crate::phrase::{did_you_mean, listed};
use crate::plugin::{Grants, Limits};

/// Which events, the plugin that formats them, and the webhook that gets their messages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    /// Its unique name: up to 64 letters, digits, `-` and `_`. Default, for a single route: its webhook's name.
    pub name: String,
    /// The jails that it matches. Default: all.
    pub jails: JailPatterns,
    /// The kinds of events that it matches. Default: all.
    pub events: BTreeSet<Kind>,
    /// Whether later routes do not get the events that it matches. Default: no.
    pub stop: bool,
    /// The routes with `stop` before it.
    pub earlier: EarlierStops,
    /// Its plugin. Default: the built-in one.
    pub plugin: PluginSource,
    /// The SHA-256 that its plugin's file must have, in lower-case hexadecimal digits. Default: any.
    pub sha256: Option<String>,
    /// The name of its webhook. Default: the only one.
    pub webhook: String,
    /// The name of another webhook, with the same target, which gets the messages while the webhook fails. Default: none.
    pub fallback_webhook: Option<String>,
    /// The names of further webhooks, with the same target, that its plugin may send a message to instead. Default: none.
    pub plugin_webhooks: Vec<String>,
    /// The time zone of the times that its plugin shows. Default: the system's.
    pub timezone: TimeZone,
    /// Whether banhook's own messages, which stand in for its plugin's, leave out whom they are about. Default: no.
    pub redacted_fallback: bool,
    /// Whether its plugin may mention people and channels. Default: no.
    pub mentions: bool,
    /// What its plugin may use. Default: [`Limits::STANDARD`].
    pub limits: Limits,
    /// The host interfaces that its plugin may use. Default: none.
    pub grants: Grants,
    /// How many messages are a storm. Default: [`Storm::STANDARD`]; `None` (`false`): none ever are.
    pub storm: Option<Storm>,
    /// How long a digest collects events; 1 s to 1 day. Default: 30 s.
    pub digest_window: Duration,
    /// How long no event may arrive after the stops, flushes, unbans, starts and restored bans of a start or restart of
    /// fail2ban until their digest is sent; 1 s to 60 s. Default: 5 s; `None` (`false`): they are not grouped.
    pub restart: Option<Duration>,
    /// How long bans of one subject join the digest of the first of them, wherever they are; 1 s to 1 h. Default: 30 s on the
    /// worker of a fleet, and otherwise `None` (`false`): they are not grouped.
    pub same_subject: Option<Duration>,
    /// The age at which a pending message expires; 1 min to 365 days. Default: 1 day.
    pub max_age: Duration,
    /// What becomes of a message that would change one which is no message of its own. Default: a reply.
    pub change_fallback: ChangeFallback,
    /// After how long without a ban its webhook is sent a message that says so; 1 min to 366 days. Default: never.
    pub quiet: Option<Duration>,
    /// Settings for its plugin. Default: none.
    pub settings: BTreeMap<String, String>,
}

/// The routes with `stop = true` before one: all routes share the list of all of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct EarlierStops {
    all: Arc<[StopRoute]>,
    count: usize,
}

/// A route with `stop = true`.
#[derive(Debug, PartialEq)]
struct StopRoute {
    name: String,
    jails: JailPatterns,
    events: BTreeSet<Kind>,
}

/// Why an event is not for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mismatch<'a> {
    /// Its kind is not one of the route's `events`.
    Kind,
    /// The route's `jails` do not match its jail.
    Jail,
    /// The route of this name matches it, and has `stop = true`.
    Stopped(&'a str),
}

/// The values of `stop`, for the error: one of the built-in plugin's settings has the same name.
const STOP_RULE: &str = "true or false (the template for jails that stop is under [routes.settings])";

/// The default `max_age`: a day later, an alert is old news.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// How many webhooks a misspelt one is compared with: the time to check a large configuration is bounded.
const SUGGESTED_NAMES: usize = 100;

/// How many webhooks a message lists.
const LISTED_NAMES: usize = 20;

/// The webhooks that a route may name, and the default that depends on other tables.
pub(super) struct KnownWebhooks<'a> {
    /// All webhooks and their targets; `None` for invalid ones.
    pub(super) webhooks: BTreeMap<&'a str, Option<Target>>,
    /// Whether these are all: every file could be read.
    pub(super) complete: bool,
    /// The default of `same_subject`.
    pub(super) same_subject: Option<Duration>,
}

impl Route {
    /// Returns whether an event is for this route.
    #[must_use]
    pub(crate) fn matches(&self, event: &Event) -> bool {
        self.mismatch(&event.jail, event.kind()).is_none()
    }

    /// Returns why events of a jail and kind are not for this route; `None` if they are.
    #[must_use]
    pub(crate) fn mismatch(&self, jail: &str, kind: Kind) -> Option<Mismatch<'_>> {
        if !self.events.contains(&kind) {
            return Some(Mismatch::Kind);
        }
        if !self.jails.matches(jail) {
            return Some(Mismatch::Jail);
        }
        let mut stops = self.earlier.routes().iter();
        let stop = stops.find(|stop| stop.events.contains(&kind) && stop.jails.matches(jail));
        stop.map(|stop| Mismatch::Stopped(&stop.name))
    }

    /// Returns the route of a configuration that has none: all events, the built-in plugin, one webhook.
    pub(super) fn everything(webhook: &str, same_subject: Option<Duration>) -> Self {
        Self {
            name: webhook.to_owned(),
            jails: JailPatterns::all(),
            events: Kind::ALL.into(),
            stop: false,
            earlier: EarlierStops::default(),
            plugin: PluginSource::BuiltIn,
            sha256: None,
            webhook: webhook.to_owned(),
            fallback_webhook: None,
            plugin_webhooks: Vec::new(),
            timezone: system_timezone().0,
            redacted_fallback: false,
            mentions: false,
            limits: Limits::STANDARD,
            grants: Grants::default(),
            storm: Some(Storm::STANDARD),
            digest_window: DIGEST_WINDOW,
            restart: RESTART,
            same_subject,
            max_age: MAX_AGE,
            change_fallback: ChangeFallback::default(),
            quiet: None,
            settings: BTreeMap::new(),
        }
    }

    /// Reads a route whose name was read before; `None` after reporting what is wrong with it. An invalid value is
    /// reported and replaced by its default, so that the rest is checked too.
    pub(super) fn read(table: &Table<'_>, name: Option<String>, known: &KnownWebhooks<'_>) -> Option<Self> {
        let webhook = webhook(table, known);
        let fallback_webhook = fallback_webhook(table, webhook.as_deref(), known);
        let plugin_webhooks = plugin_webhooks(table, webhook.as_deref(), known);
        let jails = jails(table);
        let events = events(table);
        let stop = table.bool_described("stop", STOP_RULE).unwrap_or(false);
        let source = PluginSource::read(table);
        let sha256 = plugin::pin(table, source.as_ref());
        let timezone = timezone(table);
        let redacted_fallback = table
            .parsed("fallback", "full, or redacted", |word| match word {
                "full" => Some(false),
                "redacted" => Some(true),
                _ => None,
            })
            .is_some_and(|redacted| redacted.value);
        let mentions = table.bool("mentions").unwrap_or(false);
        let limits = plugin::limits(table);
        let grants = grants::read(table);
        let storm = Storm::read(table);
        let digest_window = digest_window(table);
        let restart = restart(table);
        let same_subject = same_subject(table, known.same_subject);
        let max_age = max_age(table);
        let change_fallback = table.parsed("change_fallback", "reply, message or skip", ChangeFallback::parse);
        table.restrict("change_fallback", || json!({ "enum": ChangeFallback::ALL.map(ChangeFallback::as_str) }));
        let quiet = quiet(table, &events);
        let settings = settings(table, source.as_ref());
        mentions::warn(table, mentions, source.as_ref() == Some(&PluginSource::BuiltIn));
        table.finish(rejected_keys::ROUTE);

        let webhook = webhook?;
        Some(Self {
            name: name.unwrap_or_else(|| webhook.clone()),
            jails: jails?,
            events,
            stop,
            earlier: EarlierStops::default(),
            plugin: source?,
            sha256,
            webhook,
            fallback_webhook,
            plugin_webhooks,
            timezone,
            redacted_fallback,
            mentions,
            limits,
            grants,
            storm,
            digest_window,
            restart,
            same_subject,
            max_age,
            change_fallback: change_fallback.map_or_else(ChangeFallback::default, |found| found.value),
            quiet,
            settings,
        })
    }
}

impl EarlierStops {
    fn routes(&self) -> &[StopRoute] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

impl PartialEq for EarlierStops {
    fn eq(&self, other: &Self) -> bool {
        self.routes() == other.routes()
    }
}

/// Gives each route the earlier ones with `stop`, and warns of routes that therefore get no event, and of a `stop` without
/// effect. The routes are in the order of the files, with their locations.
pub(super) fn apply_stops(routes: &mut [(Location, Route)], problems: &Problems) {
    let stops = routes.iter().filter(|(_, route)| route.stop).map(|(_, route)| StopRoute {
        name: route.name.clone(),
        jails: route.jails.clone(),
        events: route.events.clone(),
    });
    let all: Arc<[StopRoute]> = stops.collect();
    if let Some((location, last)) = routes.last().filter(|(_, last)| last.stop) {
        let message = format!("stop = true does nothing in {}: no route comes after it", quoted(&last.name));
        problems.warn(location.clone(), message, "put the route before those that it stops, or remove the key");
    }
    let mut count = 0;
    // The first route that stops all events of a kind.
    let mut stopped: BTreeMap<Kind, String> = BTreeMap::new();
    for (location, route) in routes {
        route.earlier = EarlierStops { all: Arc::clone(&all), count };
        if let Some(stop) = route.events.first().and_then(|kind| stopped.get(kind))
            && route.events.iter().all(|kind| stopped.contains_key(kind))
        {
            let message = format!("the route {} gets no event: {} stops them", quoted(&route.name), quoted(stop));
            problems.warn(location.clone(), message, "put it before that route, or remove stop = true there");
        }
        count += usize::from(route.stop);
        if route.stop && route.jails.match_all() {
            for kind in &route.events {
                stopped.entry(*kind).or_insert_with(|| route.name.clone());
            }
        }
    }
}

fn webhook(table: &Table<'_>, known: &KnownWebhooks<'_>) -> Option<String> {
    let Some(name) = table.reference("webhook", "the name of a webhook") else {
        let absent = table.key_location("webhook").is_none();
        let names: Vec<_> = known.webhooks.keys().copied().collect();
        return match names.as_slice() {
            [only] if absent => Some((*only).to_owned()),
            [_, _, ..] if absent => {
                let hint = format!("add webhook = \"NAME\", which is {}", listed(names, "or"));
                table.problems.report_with(table.location.clone(), "the route names no webhook", hint);
                None
            }
            // That there is no webhook is reported once, for the whole configuration.
            _ => None,
        };
    };
    configured(table, name, known).map(|name| name.value)
}

/// Returns the name of a webhook, or reports that none has it.
pub(super) fn configured(
    table: &Table<'_>,
    name: Located<String>,
    known: &KnownWebhooks<'_>,
) -> Option<Located<String>> {
    if known.webhooks.contains_key(name.value.as_str()) {
        return Some(name);
    }
    let names = || known.webhooks.keys().copied();
    if known.complete && !known.webhooks.is_empty() {
        let hint = did_you_mean(&name.value, names().take(SUGGESTED_NAMES)).unwrap_or_else(|| match names().count() {
            count if count > LISTED_NAMES => format!("{count} webhooks are configured"),
            _ => format!("the webhooks are {}", listed(names(), "and")),
        });
        table.problems.report_with(name.location, format!("no webhook is named {}", quoted(&name.value)), hint);
    }
    None
}

/// Reads `fallback_webhook`; `webhook` is the route's own, if it is valid.
fn fallback_webhook(table: &Table<'_>, webhook: Option<&str>, known: &KnownWebhooks<'_>) -> Option<String> {
    let name = table.reference("fallback_webhook", "the name of a webhook")?;
    let Located { value: name, location } = configured(table, name, known)?;
    let webhook = webhook?;
    if name == webhook {
        let message = format!("fallback_webhook: {} is the route's own webhook", quoted(&name));
        table.problems.report_with(location, message, "name another one, or remove the key");
        return None;
    }
    has_target_of(webhook, "fallback_webhook", &name, location, table, known).then_some(name)
}

/// Reads `plugin_webhooks`; `webhook` is the route's own, if it is valid.
fn plugin_webhooks(table: &Table<'_>, webhook: Option<&str>, known: &KnownWebhooks<'_>) -> Vec<String> {
    const KEY: &str = "plugin_webhooks";
    let names = table.strings(KEY).map(|names| names.value).unwrap_or_default();
    let names = names.into_iter().filter_map(|name| configured(table, name, known));
    let same_target = names.filter_map(|Located { value: name, location }| {
        has_target_of(webhook?, KEY, &name, location, table, known).then_some(name)
    });
    same_target.collect()
}

/// Returns whether another webhook has the same target as a route's own, or reports that it has not: a message is stored in
/// the format of its target.
fn has_target_of(
    webhook: &str,
    key: &str,
    name: &str,
    location: Location,
    table: &Table<'_>,
    known: &KnownWebhooks<'_>,
) -> bool {
    let target = |name: &str| known.webhooks.get(name).copied().flatten().map(Target::as_str);
    let (Some(own), Some(other)) = (target(webhook), target(name)) else { return true };
    if own != other {
        let message = format!("{key}: {} is for {other}, but the route's messages are for {own}", quoted(name));
        table.problems.report_with(location, message, format!("name a webhook with target = \"{own}\""));
    }
    own == other
}

/// Reads the settings of the plugin. Keys of the route itself under them are a mistake where the plugin has none of these.
fn settings(table: &Table<'_>, source: Option<&PluginSource>) -> BTreeMap<String, String> {
    let settings = table.free_texts("settings", "[routes.settings]");
    if source == Some(&PluginSource::BuiltIn) {
        for (name, _) in &settings {
            let place = rejected_keys::place_of(&name.value).filter(|place| *place != rejected_keys::SETTINGS_PLACE);
            if let Some(place) = place {
                let message = format!("{} is not a setting of the built-in plugin", quoted(&name.value));
                table.problems.report_with(name.location.clone(), message, format!("put it {place}"));
            }
        }
    }
    settings.into_iter().map(|(name, value)| (name.value, value)).collect()
}

fn max_age(table: &Table<'_>) -> Duration {
    let mut age = MAX_AGE;
    let range = Duration::from_secs(60)..=Duration::from_secs(365 * 86_400);
    quantity::duration(table, "max_age", range, "1m and 365d", &mut age);
    age
}

fn jails(table: &Table<'_>) -> Option<JailPatterns> {
    let Some(patterns) = table.strings("jails") else { return Some(JailPatterns::all()) };
    let mut texts = Vec::new();
    let mut valid = true;
    for Located { value, location } in patterns.value {
        if let Err(error) = JailPatterns::parse(vec![value.clone()]) {
            table.problems.report(location, format!("{} is not a valid pattern: {error}", quoted(&value)));
            valid = false;
        } else if let Some((message, hint)) = jail_patterns::suspicion(&value) {
            table.problems.warn(location, format!("jails: {} {message}", quoted(&value)), hint);
        }
        texts.push(value);
    }
    if !valid {
        return None;
    }
    match JailPatterns::parse(texts) {
        Ok(jails) => Some(jails),
        Err(error) => {
            table.problems.report(patterns.location, format!("jails: {error}"));
            None
        }
    }
}

fn events(table: &Table<'_>) -> BTreeSet<Kind> {
    let words = table.strings("events");
    table.restrict("events", || json!({ "enum": Kind::ALL.map(Kind::as_str) }));
    let Some(words) = words else { return Kind::ALL.into() };
    let mut kinds = BTreeSet::new();
    for Located { value, location } in words.value {
        match Kind::parse(&value) {
            Some(kind) => {
                kinds.insert(kind);
            }
            None => {
                let known = || Kind::ALL.into_iter().map(Kind::as_str);
                let hint =
                    did_you_mean(&value, known()).unwrap_or_else(|| format!("expected {}", listed(known(), "or")));
                table.problems.report_with(location, format!("unknown event {}", quoted(&value)), hint);
            }
        }
    }
    kinds
}
