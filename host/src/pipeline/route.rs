//! One route at work: its plugin asked, its message guarded, or the plain message instead.

use std::path::PathBuf;
use std::sync::Arc;

use super::health::{Consequence, Health};
use super::history::{self, InHand};
use super::{BATCH, Naming, Surroundings, unreadable};
use crate::config::{Grant, PluginLimits, PluginSource, Route, Sandbox};
use crate::event::{Event, Timestamp};
use crate::message::{Decision, Guarded, Message, Policy, Target, check_hints, cut, fallback, guard, one_line};
use crate::plugin::{
    self, Answer, Context, Databases, Geo, GeoError, Grants, Level, Limits, Nothing, Plugin, PluginError,
};
use crate::store::{PluginState, Store, StoreError, Unworded, Verdict, Worded};

/// Characters of a plugin's error that are logged.
const LOG_CHARS: usize = 1_000;

/// Characters of a skip's reason that are kept.
const REASON_CHARS: usize = 200;

/// A route with its plugin.
pub struct LiveRoute {
    route: Route,
    naming: Naming,
    in_hand: InHand,
    /// What its webhook speaks.
    target: Target,
    /// How the plugin is called in messages and logs.
    plugin_name: String,
    plugin: Result<Plugin, PluginError>,
    trial: Vec<PluginError>,
    health: Health,
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
            target: around.targets.get(&route.webhook).copied().unwrap_or_default(),
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

    /// Takes over from `self`, between two events, if it is any different and nothing is wrong with it. Says whether it
    /// did.
    pub fn replace(&mut self, fresh: Self) -> bool {
        let same_file = match (&self.plugin, &fresh.plugin) {
            (Ok(old), Ok(new)) => old.sha256() == new.sha256(),
            (Err(old), Err(new)) => old.to_string() == new.to_string(),
            _ => false,
        };
        if same_file && self.route == fresh.route && self.naming == fresh.naming && self.target == fresh.target {
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

    /// Words the events that are assigned to it, one batch of them, or less if `enough` says so after an event. Says how
    /// many there were; 0: none is left.
    ///
    /// # Errors
    /// When the store fails; the events are then still to be worded.
    pub fn advance(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        mut enough: impl FnMut() -> bool,
    ) -> Result<usize, StoreError> {
        let mut worded = Vec::new();
        for unworded in store.unworded(&self.route.name, BATCH)? {
            worded.push(self.word(unworded, now));
            if enough() {
                break;
            }
        }
        if !worded.is_empty() {
            store.word(&self.route.name, &worded, now)?;
        }
        Ok(worded.len())
    }

    /// What becomes of one event.
    pub(super) fn word(&mut self, Unworded { seq, event, .. }: Unworded, now: Timestamp) -> Worded {
        let verdict = match event {
            Ok(event) => {
                self.in_hand.take(seq);
                self.decide(&self.naming.name(event), now)
            }
            Err(error) => Verdict::Dead(unreadable(&error)),
        };
        Worded { seq, verdict }
    }

    fn decide(&mut self, event: &Event, now: Timestamp) -> Verdict {
        let plugin = match &self.plugin {
            Ok(plugin) => plugin,
            Err(error) => return Verdict::Send(self.instead(event, &error.to_string())),
        };
        if self.health.is_paused(now) {
            let why = format!("is not called for a while, after {} failures in a row", self.health.failures);
            return Verdict::Send(self.instead(event, &why));
        }
        match self.verdict(event, plugin.format(event)) {
            Ok(verdict) => {
                if self.health.worked() {
                    tracing::info!(route = self.route.name, plugin = self.plugin_name, "works again");
                }
                verdict
            }
            Err(mut why) => {
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
                Verdict::Send(self.instead(event, &why))
            }
        }
    }

    /// What the plugin's answer comes to, or how it failed.
    fn verdict(&self, event: &Event, answer: Answer) -> Result<Verdict, String> {
        self.log(&answer);
        let (route, plugin) = (&self.route.name, &self.plugin_name);
        match answer.decision {
            Ok(Decision::Post(message)) => self.guarded(event, &message).map(Verdict::Send),
            Ok(Decision::Skip(reason)) => Ok(Verdict::Skip(reason.chars().take(REASON_CHARS).collect())),
            Ok(Decision::Digest(_)) => Ok(Verdict::Send(
                self.instead(event, "asked for a digest, which this version of banhook does not make yet"),
            )),
            Err(error) => {
                let why = error.to_string();
                tracing::warn!(route, plugin, event = event.id, "{}", one_line(&cut(&why, LOG_CHARS)));
                for line in error.details() {
                    tracing::warn!(route, plugin, "{}", one_line(line));
                }
                Err(why)
            }
        }
    }

    /// The message as it goes out, or why it cannot.
    fn guarded(&self, event: &Event, message: &Message) -> Result<Guarded, String> {
        let (route, plugin) = (&self.route.name, &self.plugin_name);
        for hint in check_hints(message) {
            tracing::warn!(route, plugin, "{}", one_line(&cut(&hint.to_string(), LOG_CHARS)));
        }
        guard(message, [event], &Policy { mentions: self.route.mentions, target: self.target }).map_err(|error| {
            let why = format!("made a message that {} would refuse: {error}", self.target.name());
            tracing::warn!(route, plugin, event = event.id, "{}", one_line(&cut(&why, LOG_CHARS)));
            why
        })
    }

    fn instead(&self, event: &Event, why: &str) -> Guarded {
        fallback(event, &format!("plugin {} {why}", self.plugin_name), self.target)
    }

    fn log(&self, answer: &Answer) {
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

/// What the configuration allows, in the plugin module's terms.
#[must_use]
pub fn limits(limits: &PluginLimits) -> Limits {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Limits {
        time: limits.time,
        memory: size(limits.memory),
        table: size(limits.table),
        instances: size(limits.instances),
        transfer: size(limits.transfer),
        text: size(limits.text),
        items: size(limits.items),
        log_lines: size(limits.log_lines),
        log_bytes: size(limits.log_bytes),
        component: limits.component,
        compile: limits.compile,
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

/// The bytes of stack that the configuration allows.
#[must_use]
pub fn stack(sandbox: &Sandbox) -> usize {
    usize::try_from(sandbox.stack).unwrap_or(usize::MAX)
}

fn plugin_name(source: &PluginSource) -> String {
    match source {
        PluginSource::BuiltIn => "template (built in)".to_owned(),
        PluginSource::File(path) => path.file_name().unwrap_or(path.as_os_str()).display().to_string(),
    }
}
