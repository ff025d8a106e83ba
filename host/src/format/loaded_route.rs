//! A route with its plugin: loaded, compared with a newer version, and shown in `status`.

use std::sync::Arc;

use super::breaker::Breaker;
use super::grouping::RecentPosts;
use super::route_plugin::RoutePlugin;
use super::webhook_profile::{self, WebhookProfile, WebhookProfiles};
use crate::config::{Config, PluginSource, Route};
use crate::counters::Counters;
use crate::event::{EventDefaults, Kind, Timestamp};
use crate::message::{Policy, guard, guard_digest, one_line};
use crate::plugin::{
    BUILT_IN, CurrentEvent, Description, Plugin, PluginContext, PluginError, RouteEvents, Runtime, SmokeTestMessage,
    refusing_others,
};
use crate::store::{LivingCounts, Mute, PluginState, StateDir};

/// A route with its plugin.
pub(crate) struct LoadedRoute {
    pub(super) route: Route,
    pub(super) defaults: EventDefaults,
    /// Of its `fallback_webhook`.
    pub(super) fallback_profile: Option<WebhookProfile>,
    pub(super) profile: WebhookProfile,
    /// None until it is read from the store.
    pub(super) recent_posts: Option<RecentPosts>,
    /// Of the message of a storm that goes on.
    pub(super) counts: Option<LivingCounts>,
    pub(super) plugin: RoutePlugin,
    /// Of which events no message is wanted; read before each batch.
    pub(super) mutes: Vec<Mute>,
    /// What the plugin says of itself.
    description: Option<Description>,
    smoke_test: Vec<PluginError>,
    since: Timestamp,
    /// Why a newer version of the plugin was not installed.
    rejected_update: Option<String>,
}

/// Something wrong with a route's plugin.
pub(crate) struct PluginFault<'a> {
    /// The route.
    pub route: &'a str,
    /// The plugin's name in messages.
    pub plugin: &'a str,
    /// What is wrong.
    pub error: &'a PluginError,
}

impl LoadedRoute {
    /// Loads a route and its plugin. If the plugin cannot be loaded, events go out as plain messages: see [`Self::faults`].
    #[must_use]
    pub(crate) fn load(route: &Route, context: &RouteContext, now: Timestamp) -> Self {
        let runtime = &context.runtime;
        let current_event = CurrentEvent::new();
        let (providers, faults) = runtime.host().open(&plugin_context(route, context, &current_event));
        let plugin = match &route.plugin {
            PluginSource::BuiltIn => runtime.load(BUILT_IN, &providers, route.limits),
            PluginSource::File(path) => runtime.load_file(path, &providers, route.limits, route.sha256.as_deref()),
        };
        let (description, mut smoke_test) =
            plugin.as_ref().map(|plugin| plugin.describe(&route.settings)).unwrap_or_default();
        let profile = webhook_profile::of(route, &context.profiles);
        let policy = Policy { mentions: route.mentions, target: profile.target };
        let judge = |message: &SmokeTestMessage<'_>| {
            let guarded = match message {
                SmokeTestMessage::OfEvent(event, message) => guard(message, [*event], &policy),
                SmokeTestMessage::OfDigest(batch, message) => guard_digest(message, batch, None, &policy),
            };
            guarded.map(drop).map_err(|error| error.to_string())
        };
        smoke_test.extend(plugin.as_ref().map(|plugin| plugin.smoke_test_with(judge)).unwrap_or_default());
        smoke_test.extend(faults);
        Self {
            route: route.clone(),
            defaults: context.defaults.clone(),
            profile,
            fallback_profile: webhook_profile::of_fallback(route, &context.profiles),
            recent_posts: None,
            counts: None,
            mutes: Vec::new(),
            plugin: RoutePlugin {
                route: route.name.clone(),
                name: plugin_name(&route.plugin),
                plugin,
                current_event,
                breaker: Breaker::default(),
                counters: None,
                policy,
            },
            description,
            smoke_test,
            since: now,
            rejected_update: None,
        }
    }

    /// Counts the calls of the plugin, and its failures.
    #[must_use]
    pub(crate) fn counting(mut self, counters: &Counters) -> Self {
        self.plugin.counters = Some(counters.of_plugin(&self.route.name));
        self
    }

    /// Returns the route's name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.route.name
    }

    /// Returns the plugin, if it could be loaded.
    #[must_use]
    pub(crate) fn plugin(&self) -> Option<&Plugin> {
        self.plugin.plugin.as_ref().ok()
    }

    /// Returns what is wrong with the plugin: why it did not load, or what its smoke test found.
    pub(crate) fn faults(&self) -> impl Iterator<Item = PluginFault<'_>> {
        self.findings().filter(|finding| !finding.error.is_warning())
    }

    /// Returns its faults, and what its own check takes for mistakes in its settings.
    pub(crate) fn findings(&self) -> impl Iterator<Item = PluginFault<'_>> {
        let errors = self.plugin.plugin.as_ref().err().into_iter().chain(&self.smoke_test);
        errors.map(|error| PluginFault { route: &self.route.name, plugin: &self.plugin.name, error })
    }

    /// Uses the webhooks that the route names now, while its new plugin is still being loaded: those of before may no
    /// longer be configured.
    pub(crate) fn redirect(&mut self, route: &Route, profiles: &WebhookProfiles) {
        self.route.webhook.clone_from(&route.webhook);
        self.route.fallback_webhook.clone_from(&route.fallback_webhook);
        self.profile = webhook_profile::of(route, profiles);
        self.fallback_profile = webhook_profile::of_fallback(route, profiles);
        self.plugin.policy.target = self.profile.target;
    }

    /// Replaces `self` by a newer version if that is different and nothing is wrong with it. Returns whether it did.
    pub(crate) fn replace(&mut self, fresh: Self) -> bool {
        let same_plugin = match (&self.plugin.plugin, &fresh.plugin.plugin) {
            (Ok(old), Ok(new)) => old.sha256() == new.sha256(),
            (Err(old), Err(new)) => old.to_string() == new.to_string(),
            _ => false,
        };
        if same_plugin && self.route == fresh.route && self.defaults == fresh.defaults && self.profile == fresh.profile
        {
            self.rejected_update = None;
            return false;
        }
        let fault = fresh.faults().next().map(|fault| fault.error.to_string());
        match fault {
            Some(fault) if self.faults().next().is_none() => {
                let (route, plugin) = (&self.route.name, &fresh.plugin.name);
                tracing::error!(
                    route,
                    "the new plugin was rejected; the previous version stays active: plugin {plugin} {}",
                    one_line(&fault)
                );
                self.rejected_update = Some(format!("a newer version was rejected: it {fault}"));
                false
            }
            _ => {
                *self = fresh;
                true
            }
        }
    }

    /// Returns what `status` shows of the plugin.
    #[must_use]
    pub(crate) fn state(&self) -> PluginState {
        let (plugin, breaker) = (self.plugin(), &self.plugin.breaker);
        let error = breaker.error.clone().or_else(|| self.rejected_update.clone());
        let description = self.description.as_ref();
        let named = |description: &Description| format!("{} ({})", description.name, self.plugin.name);
        let is_built_in = self.route.plugin == PluginSource::BuiltIn;
        PluginState {
            plugin: description.filter(|_| !is_built_in).map_or_else(|| self.plugin.name.clone(), named),
            sha256: plugin.map(Plugin::sha256),
            version: description
                .and_then(|description| description.version.clone())
                .or_else(|| plugin.and_then(Plugin::version).map(ToOwned::to_owned)),
            since: self.since,
            failures: breaker.failures,
            error: error.or_else(|| self.faults().next().map(|fault| fault.error.to_string())),
            paused_until: breaker.paused_until,
        }
    }
}

/// Loads the plugins of all routes as a daemon would, to find out what is wrong with them.
#[must_use]
pub(crate) fn load_all(config: &Config, context: &RouteContext) -> Vec<LoadedRoute> {
    config.routes.iter().map(|route| LoadedRoute::load(route, context, Timestamp(0))).collect()
}

/// Compiles the built-in plugin if a route uses it: before all others, so that it never waits for one that takes long.
pub(crate) fn prepare(routes: &[Route], runtime: &Runtime) {
    if let Some(route) = routes.iter().find(|route| route.plugin == PluginSource::BuiltIn) {
        // An error is found again, and reported, when a route loads it.
        let _ = runtime.prepare(BUILT_IN, &route.limits);
    }
}

/// Returns the route, as host interfaces need to know it.
pub(super) fn plugin_context(route: &Route, context: &RouteContext, current: &CurrentEvent) -> PluginContext {
    let matching = route.clone();
    let grants = route.grants.clone();
    PluginContext {
        route: route.name.clone(),
        host: context.defaults.host.clone(),
        settings: route.settings.clone(),
        timezone: route.timezone.clone(),
        // The built-in plugin shows what it is granted, and works without.
        grants: if route.plugin == PluginSource::BuiltIn { refusing_others(grants) } else { grants },
        events: context.state.clone().map(|state| RouteEvents {
            state,
            kinds: route.events.clone(),
            jails: Arc::new(move |jail| matching.mismatch(jail, Kind::Ban).is_none()),
            current: current.clone(),
        }),
        recorder: None,
    }
}

fn plugin_name(source: &PluginSource) -> String {
    match source {
        PluginSource::BuiltIn => "template (built in)".to_owned(),
        PluginSource::File(path) => path.file_name().unwrap_or(path.as_os_str()).display().to_string(),
    }
}

/// What all routes of a process share.
#[derive(Clone)]
pub(crate) struct RouteContext {
    /// What events get that have none of their own.
    pub defaults: EventDefaults,
    /// What routes need to know of each webhook.
    pub profiles: WebhookProfiles,
    /// Where plugins run.
    pub runtime: Arc<Runtime>,
    /// Where past events are stored; `None`: there are none.
    pub state: Option<StateDir>,
}
