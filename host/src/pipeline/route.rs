//! One route at work: its plugin asked, its message guarded, or the plain message instead.

use std::path::PathBuf;
use std::sync::Arc;

use super::destination;
use super::folding::{self, Recent, milliseconds};
use super::health::{Consequence, Health};
use super::history::{self, InHand};
use super::limits::limits;
use super::{Destination, Destinations, Naming, Surroundings, WORDED_AT_ONCE, unreadable};
use crate::config::{Grant, PluginSource, Route};
use crate::event::{Event, Timestamp};
use crate::message::{Decision, GuardError, Guarded, Message, Policy, check_hints, cut, fallback, guard, one_line};
use crate::plugin::{self, Answer, Context, Databases, Geo, GeoError, Grants, Level, Nothing, Plugin, PluginError};
use crate::store::{PluginState, Store, StoreError, Unworded, Verdict, Worded};

/// Characters of a plugin's error that are logged.
const LOG_CHARS: usize = 1_000;

/// Characters of a skip's reason that are kept.
const REASON_CHARS: usize = 200;

/// A route with its plugin.
pub struct LiveRoute {
    pub(super) route: Route,
    pub(super) naming: Naming,
    pub(super) in_hand: InHand,
    /// Its webhook, and the one that takes over.
    pub(super) destination: Destination,
    fallback: Option<Destination>,
    /// None until it was read from the store.
    recent: Option<Recent>,
    /// How the plugin is called in messages and logs.
    pub(super) plugin_name: String,
    pub(super) plugin: Result<Plugin, PluginError>,
    trial: Vec<PluginError>,
    pub(super) health: Health,
    since: Timestamp,
    /// Why a newer version of it was not taken.
    refused: Option<String>,
}

/// Something wrong with a route's plugin.
pub struct Fault<'a> {
    /// The route.
    pub route: &'a str,
    /// The plugin, as it is called in messages.
    pub plugin: &'a str,
    /// What is wrong.
    pub error: &'a PluginError,
}

impl LiveRoute {
    /// Loads a route's plugin. One that cannot be loaded takes no alert with it: see [`Self::faults`].
    #[must_use]
    pub fn load(route: &Route, around: &Surroundings, now: Timestamp) -> Self {
        let runtime = &around.runtime;
        let in_hand = InHand::new();
        let (geo, broken) = geo(&route.grants.geo, &around.databases);
        let grants = Grants { history: history::of(route, around.state.as_ref(), &in_hand), geo };
        let context = Context { settings: route.settings.clone(), timezone: route.timezone.clone(), grants };
        let limits = limits(&route.limits);
        let plugin = match &route.plugin {
            PluginSource::BuiltIn => runtime.load(plugin::BUILT_IN, context, limits),
            PluginSource::File(path) => runtime.load_file(path, context, limits),
        };
        let mut trial = plugin.as_ref().map(Plugin::trial).unwrap_or_default();
        trial.extend(broken.into_iter().map(PluginError::Geo));
        Self {
            route: route.clone(),
            naming: around.naming.clone(),
            in_hand,
            destination: destination::of(route, &around.destinations),
            fallback: destination::of_fallback(route, &around.destinations),
            recent: None,
            plugin_name: plugin_name(&route.plugin),
            plugin,
            trial,
            health: Health::default(),
            since: now,
            refused: None,
        }
    }

    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.route.name
    }

    /// What is wrong with the plugin: it did not load, or what its trial run found.
    pub fn faults(&self) -> impl Iterator<Item = Fault<'_>> {
        let errors = self.plugin.as_ref().err().into_iter().chain(&self.trial);
        errors.map(|error| Fault { route: &self.route.name, plugin: &self.plugin_name, error })
    }

    /// Goes where the route points from now on, while its plugin is still loaded: the webhook before may be no more.
    pub fn redirect(&mut self, route: &Route, destinations: &Destinations) {
        self.route.webhook.clone_from(&route.webhook);
        self.route.fallback_webhook.clone_from(&route.fallback_webhook);
        self.destination = destination::of(route, destinations);
        self.fallback = destination::of_fallback(route, destinations);
    }

    /// Takes over from `self`, between two events, if it is any different and nothing is wrong with it. Says whether it did.
    pub fn replace(&mut self, fresh: Self) -> bool {
        let same_file = match (&self.plugin, &fresh.plugin) {
            (Ok(old), Ok(new)) => old.sha256() == new.sha256(),
            (Err(old), Err(new)) => old.to_string() == new.to_string(),
            _ => false,
        };
        if same_file
            && self.route == fresh.route
            && self.naming == fresh.naming
            && self.destination == fresh.destination
        {
            self.refused = None;
            return false;
        }
        let fault = fresh.faults().next().map(|fault| fault.error.to_string());
        match fault {
            Some(fault) if self.faults().next().is_none() => {
                let (route, plugin) = (&self.route.name, &fresh.plugin_name);
                tracing::error!(route, "the one before stays at work: plugin {plugin} {}", one_line(&fault));
                self.refused = Some(format!("a newer version was not taken, since it {fault}"));
                false
            }
            _ => {
                *self = fresh;
                true
            }
        }
    }

    /// What `status` shows of it.
    #[must_use]
    pub fn state(&self) -> PluginState {
        let plugin = self.plugin.as_ref().ok();
        let error = self.health.error.clone().or_else(|| self.refused.clone());
        PluginState {
            plugin: self.plugin_name.clone(),
            sha256: plugin.map(Plugin::sha256),
            version: plugin.and_then(Plugin::version).map(ToOwned::to_owned),
            since: self.since,
            failures: self.health.failures,
            error: error.or_else(|| self.faults().next().map(|fault| fault.error.to_string())),
            paused_until: self.health.paused_until,
        }
    }

    /// Its plugin, if that could be loaded.
    #[must_use]
    pub fn plugin(&self) -> Option<&Plugin> {
        self.plugin.as_ref().ok()
    }

    /// Words the events that are assigned to it, one batch of them, or less if `enough` says so after an event; then closes
    /// the digests whose time has come, or all of them if `hurry` and no event is left. Says how many events and digests
    /// there were; 0: nothing is to be done for now.
    ///
    /// # Errors
    /// When the store fails; the events are then still to be worded.
    pub fn advance(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        hurry: bool,
        mut enough: impl FnMut() -> bool,
    ) -> Result<usize, StoreError> {
        let unworded = store.unworded(&self.route.name, WORDED_AT_ONCE)?;
        let all = hurry && unworded.is_empty();
        self.claim(store, unworded.iter().map(|unworded| &unworded.webhook))?;
        let mut done = self.word_all(store, None, unworded, now, &mut enough)?;
        let closing = store.closing(&self.route.name, now, all)?;
        self.claim(store, closing.iter().map(|hold| &hold.webhook))?;
        for hold in closing {
            done += 1;
            self.close(store, &hold, now, &mut enough)?;
        }
        if done > 0 {
            let closes_at = now.plus_ms(milliseconds(self.route.digest_window));
            let route = &self.route.name;
            let own = Some((&self.route.webhook, self.destination));
            for (webhook, destination) in own.into_iter().chain(self.route.fallback_webhook.iter().zip(self.fallback)) {
                let folded = store.fold_backlog(route, webhook, destination.a_minute, closes_at, now)?;
                if folded > 0 {
                    tracing::info!(route, webhook, folded, "too many messages wait: folded them into a digest");
                }
            }
        }
        Ok(done)
    }

    /// Events that were assigned when the route had another webhook go to the one that they are worded for.
    fn claim<'a>(&self, store: &mut Store, mut webhooks: impl Iterator<Item = &'a String>) -> Result<(), StoreError> {
        if webhooks.all(|webhook| *webhook == self.route.webhook) {
            return Ok(());
        }
        store.redirect(&self.route.name, &self.route.webhook)
    }

    /// When the next digest is to be closed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next_closing(&self, store: &Store) -> Result<Option<Timestamp>, StoreError> {
        store.next_closing(&self.route.name)
    }

    /// `from`: the open message that the events were held in, and no stop has followed.
    pub(super) fn word_all(
        &mut self,
        store: &mut Store,
        from: Option<i64>,
        events: Vec<Unworded>,
        now: Timestamp,
        enough: &mut impl FnMut() -> bool,
    ) -> Result<usize, StoreError> {
        if events.is_empty() {
            return Ok(0);
        }
        if self.recent.is_none() {
            self.recent = Some(Recent::of(store.recent_posts(&self.route.name)?));
        }
        let mut worded = Vec::with_capacity(events.len());
        for unworded in events {
            let fold = (!unworded.alone).then_some(from.is_some());
            worded.push(self.word(unworded, fold, now));
            if enough() {
                break;
            }
        }
        let posts = self.recent.as_mut().and_then(Recent::changed);
        store.word(&self.route.name, from, &worded, posts.as_deref(), now)?;
        Ok(worded.len())
    }

    /// What becomes of one event. `fold`: whether it may be told together with others (`Some`), and whether it was held for
    /// a stop already.
    pub(super) fn word(&mut self, Unworded { seq, event, .. }: Unworded, fold: Option<bool>, now: Timestamp) -> Worded {
        let verdict = match event {
            Ok(event) => {
                self.in_hand.take(seq);
                self.decide(&self.naming.name(event), fold, now)
            }
            Err(error) => Verdict::Dead(unreadable(&error)),
        };
        Worded { seq, verdict }
    }

    fn decide(&mut self, event: &Event, fold: Option<bool>, now: Timestamp) -> Verdict {
        let answered = match &self.plugin {
            Err(error) => Err(error.to_string()),
            Ok(_) if self.health.is_paused(now) => {
                Err(format!("is not called for a while, after {} failures in a row", self.health.failures))
            }
            Ok(plugin) => match self.decision(event, plugin.format(event)) {
                Ok(decision) => Ok(decision),
                Err(why) => Err(self.failed(why, now)),
            },
        };
        if let Ok(Decision::Skip(reason)) = &answered {
            self.worked();
            return Verdict::Skip(reason.chars().take(REASON_CHARS).collect());
        }
        if let Ok(Decision::Digest(hold)) = answered {
            self.worked();
            return Verdict::Hold(self.held(hold, now));
        }
        // A post, or the plain message: too many of these are a storm as well.
        if let (Some(waited), Some(recent)) = (fold, &mut self.recent)
            && let Some(fold) = folding::fold(&self.route, recent, event, waited, now)
        {
            if answered.is_ok() {
                self.worked();
            }
            return Verdict::Hold(fold);
        }
        let guarded = match answered {
            Ok(Decision::Post(message)) => match self.checked(&message, |policy| guard(&message, [event], policy)) {
                Ok(body) => {
                    self.worked();
                    Ok(body)
                }
                Err(why) => Err(self.failed(why, now)),
            },
            Ok(_) => Err("decided nothing".to_owned()),
            Err(why) => Err(why),
        };
        Verdict::Send(guarded.unwrap_or_else(|why| self.instead(event, &why)))
    }

    pub(super) fn worked(&mut self) {
        if self.health.worked() {
            tracing::info!(route = self.route.name, plugin = self.plugin_name, "works again");
        }
    }

    /// Takes note of a failure. What is to be said of it, which is more if the plugin is paused now.
    pub(super) fn failed(&mut self, mut why: String, now: Timestamp) -> String {
        let pause = match self.health.failed(&why, now) {
            Consequence::None => None,
            Consequence::Paused(pause) => {
                let failures = self.health.failures;
                why = format!(
                    "{why}. These were {failures} failures in a row, so it is not called for the next {} s, and events are told like this one",
                    pause.as_secs()
                );
                Some(pause)
            }
            Consequence::PausedAgain(pause) => Some(pause),
        };
        if let Some(pause) = pause {
            let (route, plugin, failures) = (&self.route.name, &self.plugin_name, self.health.failures);
            tracing::error!(route, plugin, failures, "not called for the next {} s", pause.as_secs());
        }
        why
    }

    /// What the plugin decided, or how it failed.
    fn decision(&self, event: &Event, answer: Answer) -> Result<Decision, String> {
        self.log(&answer);
        answer.decision.map_err(|error| self.failure(&error, &event.id))
    }

    pub(super) fn failure(&self, error: &PluginError, about: &str) -> String {
        let (route, plugin) = (&self.route.name, &self.plugin_name);
        let why = error.to_string();
        tracing::warn!(route, plugin, event = about, "{}", one_line(&cut(&why, LOG_CHARS)));
        for line in error.details() {
            tracing::warn!(route, plugin, "{}", one_line(line));
        }
        why
    }

    /// The message as it goes out, or why it cannot.
    pub(super) fn checked(
        &self,
        message: &Message,
        guard: impl FnOnce(&Policy) -> Result<Guarded, GuardError>,
    ) -> Result<Guarded, String> {
        let (route, plugin) = (&self.route.name, &self.plugin_name);
        for hint in check_hints(message) {
            tracing::warn!(route, plugin, "{}", one_line(&cut(&hint.to_string(), LOG_CHARS)));
        }
        let target = self.destination.target;
        guard(&Policy { mentions: self.route.mentions, target }).map_err(|error| {
            let why = format!("made a message that cannot go out: {error}");
            tracing::warn!(route, plugin, "{}", one_line(&cut(&why, LOG_CHARS)));
            why
        })
    }

    fn instead(&self, event: &Event, why: &str) -> Guarded {
        fallback(event, &format!("plugin {} {why}", self.plugin_name), self.destination.target)
    }

    pub(super) fn log<T>(&self, answer: &Answer<T>) {
        let (route, plugin) = (&self.route.name, &self.plugin_name);
        for line in &answer.log {
            let message = one_line(&line.message);
            match line.level {
                Level::Debug => tracing::debug!(route, plugin, "{message}"),
                Level::Info => tracing::info!(route, plugin, "{message}"),
                Level::Warn => tracing::warn!(route, plugin, "{message}"),
                Level::Error => tracing::error!(route, plugin, "{message}"),
            }
        }
        if answer.log_dropped > 0 {
            tracing::warn!(route, plugin, "logged too much; {} lines dropped", answer.log_dropped);
        }
    }
}

/// Who answers where an address is registered, and what is wrong with the files.
fn geo(grant: &Grant<Vec<PathBuf>>, databases: &Databases) -> (Option<Arc<dyn Geo>>, Vec<GeoError>) {
    match grant {
        Grant::Absent => (None, Vec::new()),
        Grant::Refused => (Some(Arc::new(Nothing)), Vec::new()),
        Grant::Given(paths) => {
            let (files, broken) = databases.open(paths);
            (Some(Arc::new(files)), broken)
        }
    }
}

fn plugin_name(source: &PluginSource) -> String {
    match source {
        PluginSource::BuiltIn => "template (built in)".to_owned(),
        PluginSource::File(path) => path.file_name().unwrap_or(path.as_os_str()).display().to_string(),
    }
}
