//! One route at work: its plugin asked, its message guarded, or the plain message fallback_message.

use std::path::PathBuf;
use std::sync::Arc;

use super::breaker::{Breaker, BreakerTransition};
use super::grouping::{self, Recent, milliseconds};
use super::history::{self, CurrentEvent};
use super::webhook_profile;
use super::{FORMAT_BATCH, RouteContext, WebhookProfile, WebhookProfiles, unreadable};
use crate::config::{Grant, PluginSource, Route};
use crate::event::{Event, EventDefaults, Timestamp};
use crate::message::{Decision, GuardError, Guarded, Message, Policy, check_hints, cut, fallback, guard, one_line};
use crate::plugin::{
    self, Answer, EmptyProvider, Geo, GeoDatabases, GeoError, Grants, Level, Plugin, PluginContext, PluginError,
};
use crate::store::{Disposition, FormattedEvent, PluginState, Store, StoreError, UnformattedEvent};

/// Characters of a plugin's error that are logged.
const LOG_CHARS: usize = 1_000;

/// Characters of a skip's reason that are kept.
const REASON_CHARS: usize = 200;

/// A route with its plugin.
pub struct LoadedRoute {
    pub(super) route: Route,
    pub(super) defaults: EventDefaults,
    pub(super) current_event: CurrentEvent,
    /// Its webhook, and the one that takes over.
    pub(super) profile: WebhookProfile,
    fallback: Option<WebhookProfile>,
    /// None until it was read from the store.
    recent: Option<Recent>,
    /// How the plugin is called in messages and logs.
    pub(super) plugin_name: String,
    pub(super) plugin: Result<Plugin, PluginError>,
    smoke_test: Vec<PluginError>,
    pub(super) breaker: Breaker,
    since: Timestamp,
    /// Why a newer version of it was not taken.
    refused: Option<String>,
}

/// Something wrong with a route's plugin.
pub struct PluginFault<'a> {
    /// The route.
    pub route: &'a str,
    /// The plugin, as it is called in messages.
    pub plugin: &'a str,
    /// What is wrong.
    pub error: &'a PluginError,
}

impl LoadedRoute {
    /// Loads a route's plugin. One that cannot be loaded takes no alert with it: see [`Self::faults`].
    #[must_use]
    pub fn load(route: &Route, context: &RouteContext, now: Timestamp) -> Self {
        let runtime = &context.runtime;
        let current_event = CurrentEvent::new();
        let (geo, broken) = geo(&route.grants.geo, &context.databases);
        let grants = Grants { history: history::of(route, context.state.as_ref(), &current_event), geo };
        let plugin_context =
            PluginContext { settings: route.settings.clone(), timezone: route.timezone.clone(), grants };
        let plugin = match &route.plugin {
            PluginSource::BuiltIn => runtime.load(plugin::BUILT_IN, plugin_context, route.limits),
            PluginSource::File(path) => runtime.load_file(path, plugin_context, route.limits),
        };
        let mut smoke_test = plugin.as_ref().map(Plugin::smoke_test).unwrap_or_default();
        smoke_test.extend(broken.into_iter().map(PluginError::Geo));
        Self {
            route: route.clone(),
            defaults: context.defaults.clone(),
            current_event,
            profile: webhook_profile::of(route, &context.profiles),
            fallback: webhook_profile::of_fallback(route, &context.profiles),
            recent: None,
            plugin_name: plugin_name(&route.plugin),
            plugin,
            smoke_test,
            breaker: Breaker::default(),
            since: now,
            refused: None,
        }
    }

    /// The route's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.route.name
    }

    /// What is wrong with the plugin: it did not load, or what its smoke_test run found.
    pub fn faults(&self) -> impl Iterator<Item = PluginFault<'_>> {
        let errors = self.plugin.as_ref().err().into_iter().chain(&self.smoke_test);
        errors.map(|error| PluginFault { route: &self.route.name, plugin: &self.plugin_name, error })
    }

    /// Goes where the route points from now on, while its plugin is still loaded: the webhook before may be no more.
    pub fn redirect(&mut self, route: &Route, profiles: &WebhookProfiles) {
        self.route.webhook.clone_from(&route.webhook);
        self.route.fallback_webhook.clone_from(&route.fallback_webhook);
        self.profile = webhook_profile::of(route, profiles);
        self.fallback = webhook_profile::of_fallback(route, profiles);
    }

    /// Takes over from `self`, between two events, if it is any different and nothing is wrong with it. Says whether it did.
    pub fn replace(&mut self, fresh: Self) -> bool {
        let same_file = match (&self.plugin, &fresh.plugin) {
            (Ok(old), Ok(new)) => old.sha256() == new.sha256(),
            (Err(old), Err(new)) => old.to_string() == new.to_string(),
            _ => false,
        };
        if same_file && self.route == fresh.route && self.defaults == fresh.defaults && self.profile == fresh.profile {
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
        let error = self.breaker.error.clone().or_else(|| self.refused.clone());
        PluginState {
            plugin: self.plugin_name.clone(),
            sha256: plugin.map(Plugin::sha256),
            version: plugin.and_then(Plugin::version).map(ToOwned::to_owned),
            since: self.since,
            failures: self.breaker.failures,
            error: error.or_else(|| self.faults().next().map(|fault| fault.error.to_string())),
            paused_until: self.breaker.paused_until,
        }
    }

    /// Its plugin, if that could be loaded.
    #[must_use]
    pub fn plugin(&self) -> Option<&Plugin> {
        self.plugin.as_ref().ok()
    }

    /// Words the events that are routed to it, one batch of them, or less if `enough` says so after an event; then closes
    /// the digests whose time has come, or all of them if `hurry` and no event is left. Says how many events and digests
    /// there were; 0: nothing is to be done for now.
    ///
    /// # Errors
    /// When the store fails; the events are then still to be formatted.
    pub fn advance(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        hurry: bool,
        mut enough: impl FnMut() -> bool,
    ) -> Result<usize, StoreError> {
        let unformatted = store.unformatted(&self.route.name, FORMAT_BATCH)?;
        let all = hurry && unformatted.is_empty();
        self.reassign(store, unformatted.iter().map(|unformatted| &unformatted.webhook))?;
        let mut done = self.format_all(store, None, unformatted, now, &mut enough)?;
        let closing = store.digests_to_close(&self.route.name, now, all)?;
        self.reassign(store, closing.iter().map(|hold| &hold.webhook))?;
        for hold in closing {
            done += 1;
            self.close(store, &hold, now, &mut enough)?;
        }
        if done > 0 {
            let closes_at = now.plus_ms(milliseconds(self.route.digest_window));
            let route = &self.route.name;
            let own = Some((&self.route.webhook, self.profile));
            for (webhook, profile) in own.into_iter().chain(self.route.fallback_webhook.iter().zip(self.fallback)) {
                let grouped = store.digest_backlog(route, webhook, profile.messages_per_minute, closes_at, now)?;
                if grouped > 0 {
                    tracing::info!(route, webhook, grouped, "too many messages wait: grouped them into a digest");
                }
            }
        }
        Ok(done)
    }

    /// Events that were routed when the route had another webhook go to the one that they are formatted for.
    fn reassign<'a>(
        &self,
        store: &mut Store,
        mut webhooks: impl Iterator<Item = &'a String>,
    ) -> Result<(), StoreError> {
        if webhooks.all(|webhook| *webhook == self.route.webhook) {
            return Ok(());
        }
        store.reassign_unformatted(&self.route.name, &self.route.webhook)
    }

    /// When the next digest is to be closed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next_closing(&self, store: &Store) -> Result<Option<Timestamp>, StoreError> {
        store.next_digest_at(&self.route.name)
    }

    /// `from`: the open message that the events were held in, and no stop has followed.
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
        if self.recent.is_none() {
            self.recent = Some(Recent::of(store.recent_posts(&self.route.name)?));
        }
        let mut formatted = Vec::with_capacity(events.len());
        for unformatted in events {
            let digest_key = (!unformatted.standalone).then_some(from.is_some());
            formatted.push(self.format(unformatted, digest_key, now));
            if enough() {
                break;
            }
        }
        let posts = self.recent.as_mut().and_then(Recent::changed);
        store.record_formatted(&self.route.name, from, &formatted, posts.as_deref(), now)?;
        Ok(formatted.len())
    }

    /// What becomes of one event. `digest_key`: whether it may be told together with others (`Some`), and whether it was held for
    /// a stop already.
    pub(super) fn format(
        &mut self,
        UnformattedEvent { seq, event, .. }: UnformattedEvent,
        digest_key: Option<bool>,
        now: Timestamp,
    ) -> FormattedEvent {
        let disposition = match event {
            Ok(event) => {
                self.current_event.take(seq);
                self.decide(&self.defaults.apply(event), digest_key, now)
            }
            Err(error) => Disposition::Dead(unreadable(&error)),
        };
        FormattedEvent { seq, disposition }
    }

    fn decide(&mut self, event: &Event, digest_key: Option<bool>, now: Timestamp) -> Disposition {
        let answered = match &self.plugin {
            Err(error) => Err(error.to_string()),
            Ok(_) if self.breaker.is_paused(now) => {
                Err(format!("is not called for a while, after {} failures in a row", self.breaker.failures))
            }
            Ok(plugin) => match self.decision(event, plugin.format(event)) {
                Ok(decision) => Ok(decision),
                Err(why) => Err(self.failed(why, now)),
            },
        };
        if let Ok(Decision::Skip(reason)) = &answered {
            self.worked();
            return Disposition::Skip(reason.chars().take(REASON_CHARS).collect());
        }
        if let Ok(Decision::Digest(hold)) = answered {
            self.worked();
            return Disposition::Digest(self.held(hold, now));
        }
        // A post, or the plain message: too many of these are a storm as well.
        if let (Some(waited), Some(recent)) = (digest_key, &mut self.recent)
            && let Some(digest_key) = grouping::digest_key(&self.route, recent, event, waited, now)
        {
            if answered.is_ok() {
                self.worked();
            }
            return Disposition::Digest(digest_key);
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
        Disposition::Send(guarded.unwrap_or_else(|why| self.fallback_message(event, &why)))
    }

    pub(super) fn worked(&mut self) {
        if self.breaker.worked() {
            tracing::info!(route = self.route.name, plugin = self.plugin_name, "works again");
        }
    }

    /// Takes note of a failure. What is to be said of it, which is more if the plugin is paused now.
    pub(super) fn failed(&mut self, mut why: String, now: Timestamp) -> String {
        let pause = match self.breaker.failed(&why, now) {
            BreakerTransition::None => None,
            BreakerTransition::Paused(pause) => {
                let failures = self.breaker.failures;
                why = format!(
                    "{why}. These were {failures} failures in a row, so it is not called for the next {} s, and events are told like this one",
                    pause.as_secs()
                );
                Some(pause)
            }
            BreakerTransition::PausedAgain(pause) => Some(pause),
        };
        if let Some(pause) = pause {
            let (route, plugin, failures) = (&self.route.name, &self.plugin_name, self.breaker.failures);
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
        let target = self.profile.target;
        guard(&Policy { mentions: self.route.mentions, target }).map_err(|error| {
            let why = format!("made a message that cannot go out: {error}");
            tracing::warn!(route, plugin, "{}", one_line(&cut(&why, LOG_CHARS)));
            why
        })
    }

    fn fallback_message(&self, event: &Event, why: &str) -> Guarded {
        fallback(event, &format!("plugin {} {why}", self.plugin_name), self.profile.target)
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
fn geo(grant: &Grant<Vec<PathBuf>>, databases: &GeoDatabases) -> (Option<Arc<dyn Geo>>, Vec<GeoError>) {
    match grant {
        Grant::Absent => (None, Vec::new()),
        Grant::Refused => (Some(Arc::new(EmptyProvider)), Vec::new()),
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
