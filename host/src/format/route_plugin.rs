//! The plugin of one route: called, logged, its messages guarded, and paused while it keeps failing.

use std::time::Instant;

use super::breaker::{Breaker, BreakerTransition};
use crate::counters::PluginCounters;
use crate::event::{Batch, Event, Timestamp};
use crate::message::{
    Decision, DigestDecision, GuardError, Guarded, Message, Policy, check_hints, cut, one_line, unknown_hints,
};
use crate::plugin::{Answer, CurrentEvent, Level, Plugin, PluginError};

/// Characters of a plugin's error that are logged.
const LOG_CHARS: usize = 1_000;

/// A route's plugin, loaded or not.
pub(super) struct RoutePlugin {
    /// The route, for logs.
    pub(super) route: String,
    /// The plugin's name in messages and logs.
    pub(super) name: String,
    pub(super) plugin: Result<Plugin, PluginError>,
    /// What its history is asked about.
    pub(super) current_event: CurrentEvent,
    pub(super) breaker: Breaker,
    /// Where calls and failures are counted, in a daemon.
    pub(super) counters: Option<PluginCounters>,
    /// Whether it may write mentions, and for which target.
    pub(super) policy: Policy,
}

impl RoutePlugin {
    /// Asks the plugin about an event. `seq`: the event's place in the inbox.
    ///
    /// # Errors
    /// Why there is no decision, as the channel reads it after the plugin's name.
    pub(super) fn decide(&mut self, seq: i64, event: &Event, now: Timestamp) -> Result<Decision, String> {
        let plugin = match &self.plugin {
            Err(error) => return Err(error.to_string()),
            Ok(_) if self.breaker.is_paused(now) => {
                return Err(format!("is paused after {} failures in a row", self.breaker.failures));
            }
            Ok(plugin) => plugin,
        };
        self.current_event.set(seq);
        let began = Instant::now();
        let answer = plugin.format(event);
        self.count_call(began);
        self.log(&answer);
        answer.decision.map_err(|error| {
            let why = self.log_failure(&error, &event.id);
            self.failed(why, now)
        })
    }

    /// Asks the plugin to decide on a digest; `None` if it formats no digests.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub(super) fn digest(&mut self, batch: &Batch, now: Timestamp) -> Result<Option<DigestDecision>, String> {
        let plugin = match &self.plugin {
            Err(error) => return Err(error.to_string()),
            Ok(_) if self.breaker.is_paused(now) => return Err("is paused".to_owned()),
            Ok(plugin) => plugin,
        };
        self.current_event.set(i64::MAX);
        let began = Instant::now();
        let Some(answer) = plugin.digest(batch, now) else {
            // Of these events it may have formatted none either.
            return match &self.breaker.error {
                Some(error) => Err(format!("failed {} times in a row: {error}", self.breaker.failures)),
                None => Ok(None),
            };
        };
        self.count_call(began);
        self.log(&answer);
        answer.decision.map(Some).map_err(|error| {
            let why = self.log_failure(&error, "a digest");
            self.failed(why, now)
        })
    }

    /// Logs that the plugin gave hints with a hold, of which none is known.
    pub(super) fn warn_of_hints(&self, hints: &[(String, String)]) {
        if let Some(warning) = unknown_hints(hints) {
            self.warn(&warning);
        }
    }

    /// Logs a warning about what the plugin decided.
    pub(super) fn warn(&self, warning: &str) {
        tracing::warn!(route = self.route, plugin = self.name, "{}", one_line(&cut(warning, LOG_CHARS)));
    }

    /// Makes a message into a body that may go out.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub(super) fn guard(
        &mut self,
        message: &Message,
        guard: impl FnOnce(&Policy) -> Result<Guarded, GuardError>,
        now: Timestamp,
    ) -> Result<Guarded, String> {
        let (route, plugin) = (&self.route, &self.name);
        for hint in check_hints(message) {
            tracing::warn!(route, plugin, "{}", one_line(&cut(&hint.to_string(), LOG_CHARS)));
        }
        match guard(&self.policy) {
            Ok(body) => {
                self.succeeded();
                Ok(body)
            }
            Err(error) => {
                let why = format!("made a message that cannot be sent: {error}");
                tracing::warn!(route, plugin, "{}", one_line(&cut(&why, LOG_CHARS)));
                Err(self.failed(why, now))
            }
        }
    }

    /// Records that the plugin did its part.
    pub(super) fn succeeded(&mut self) {
        if self.breaker.succeeded() {
            tracing::info!(route = self.route, plugin = self.name, "plugin recovered");
        }
    }

    /// Records a failure. Returns what the channel reads, which says more if the plugin is paused from now on.
    pub(super) fn failed(&mut self, mut why: String, now: Timestamp) -> String {
        if let Some(counters) = &self.counters {
            counters.failure();
        }
        let pause = match self.breaker.failed(&why, now) {
            BreakerTransition::None => None,
            BreakerTransition::Paused(pause) => {
                let failures = self.breaker.failures;
                why = format!(
                    "{why}. After {failures} failures in a row it is paused for {} s; until then events are sent as plain messages like this one",
                    pause.as_secs()
                );
                Some(pause)
            }
            BreakerTransition::PausedAgain(pause) => Some(pause),
        };
        if let Some(pause) = pause {
            let (route, plugin, failures) = (&self.route, &self.name, self.breaker.failures);
            tracing::error!(route, plugin, failures, "plugin paused for {} s", pause.as_secs());
        }
        why
    }

    fn count_call(&self, began: Instant) {
        if let Some(counters) = &self.counters {
            counters.call(began.elapsed());
        }
    }

    fn log_failure(&self, error: &PluginError, about: &str) -> String {
        let (route, plugin) = (&self.route, &self.name);
        let why = error.to_string();
        tracing::warn!(route, plugin, event = about, "{}", one_line(&cut(&why, LOG_CHARS)));
        for line in error.details() {
            tracing::warn!(route, plugin, "{}", one_line(line));
        }
        why
    }

    /// Writes the plugin's own log lines into banhook's log.
    fn log<T>(&self, answer: &Answer<T>) {
        let (route, plugin) = (&self.route, &self.name);
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
