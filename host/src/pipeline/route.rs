//! One route at work: its plugin asked, its message guarded, or the plain message instead.

use crate::config::{PluginLimits, PluginSource, Route};
use crate::event::Event;
use crate::message::{Decision, Guarded, Policy, cut, fallback, guard, one_line};
use crate::plugin::{self, Answer, Context, Level, Limits, Plugin, PluginError, Runtime};
use crate::store::{Outcome, Verdict};

/// Characters of a plugin's error that are logged.
const LOG_CHARS: usize = 1_000;

/// Characters of a skip's reason that are kept.
const REASON_CHARS: usize = 200;

/// A route with its plugin.
pub struct LiveRoute {
    name: String,
    route: Route,
    /// How the plugin is called in messages and logs.
    plugin_name: String,
    plugin: Result<Plugin, PluginError>,
    trial: Vec<PluginError>,
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
    pub(super) fn load(route: &Route, runtime: &Runtime) -> Self {
        let context = Context { settings: route.settings.clone(), timezone: route.timezone.clone() };
        let limits = limits(&route.limits);
        let plugin = match &route.plugin {
            PluginSource::BuiltIn => runtime.load(plugin::BUILT_IN, context, limits),
            PluginSource::File(path) => runtime.load_file(path, context, limits),
        };
        let trial = plugin.as_ref().map(Plugin::trial).unwrap_or_default();
        Self { name: route.name.clone(), plugin_name: plugin_name(&route.plugin), plugin, trial, route: route.clone() }
    }

    pub(super) fn faults(&self) -> impl Iterator<Item = Fault<'_>> {
        let errors = self.plugin.as_ref().err().into_iter().chain(&self.trial);
        errors.map(|error| Fault { route: &self.name, plugin: &self.plugin_name, error })
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        self.route.wants(event)
    }

    /// What the route makes of an event that it wants.
    pub(super) fn decide(&self, event: &Event) -> Outcome {
        let verdict = match &self.plugin {
            Ok(plugin) => self.verdict(event, plugin.format(event)),
            Err(error) => self.plain(event, error),
        };
        Outcome { route: self.name.clone(), webhook: self.route.webhook.clone(), verdict }
    }

    fn verdict(&self, event: &Event, answer: Answer) -> Verdict {
        self.log(&answer);
        match answer.decision {
            Ok(Decision::Post(message)) => match guard(&message, event, &Policy { mentions: self.route.mentions }) {
                Ok(body) => Verdict::Send(body),
                Err(error) => {
                    tracing::warn!(
                        route = self.name,
                        plugin = self.plugin_name,
                        "message refused: {}",
                        one_line(&error.to_string())
                    );
                    Verdict::Send(self.instead(event, &format!("made a message that Slack would refuse: {error}")))
                }
            },
            Ok(Decision::Skip(reason)) => Verdict::Skip(reason.chars().take(REASON_CHARS).collect()),
            Ok(Decision::Digest(_)) => Verdict::Send(
                self.instead(event, "asked for a digest, which this version of banhook does not make yet"),
            ),
            Err(error) => self.plain(event, &error),
        }
    }

    fn plain(&self, event: &Event, error: &PluginError) -> Verdict {
        let (route, plugin, why) = (&self.name, &self.plugin_name, error.to_string());
        tracing::warn!(route, plugin, event = event.id, "{}", cut(&one_line(&why), LOG_CHARS));
        for line in error.details() {
            tracing::warn!(route, plugin, "{}", one_line(line));
        }
        Verdict::Send(self.instead(event, &why))
    }

    fn instead(&self, event: &Event, why: &str) -> Guarded {
        fallback(event, &format!("plugin {} {why}", self.plugin_name))
    }

    fn log(&self, answer: &Answer) {
        let (route, plugin) = (&self.name, &self.plugin_name);
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

fn plugin_name(source: &PluginSource) -> String {
    match source {
        PluginSource::BuiltIn => "template (built in)".to_owned(),
        PluginSource::File(path) => path.file_name().unwrap_or(path.as_os_str()).display().to_string(),
    }
}
