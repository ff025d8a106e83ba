//! A route's plugin, asked about events that are stored already, as it would be about new ones. Nothing is sent or stored.

use super::loaded_route::{RouteContext, plugin_context};
use crate::config::{PluginSource, Route};
use crate::plugin::{BUILT_IN, CurrentEvent, Plugin, PluginError, Recorder};

/// The plugin, with the route's settings, grants and past.
pub(crate) struct DryRun {
    plugin: Plugin,
    current: CurrentEvent,
}

impl DryRun {
    /// Loads a route's plugin. `recorder` takes down what it asks.
    ///
    /// # Errors
    /// When it does not load.
    pub(crate) fn load(
        route: &Route,
        context: &RouteContext,
        recorder: Option<&Recorder>,
    ) -> Result<Self, PluginError> {
        let current = CurrentEvent::new();
        let mut plugin_context = plugin_context(route, context, &current);
        plugin_context.recorder = recorder.cloned();
        let (providers, _) = context.runtime.host().open(&plugin_context);
        let plugin = match &route.plugin {
            PluginSource::BuiltIn => context.runtime.load(BUILT_IN, &providers, route.limits),
            PluginSource::File(path) => {
                context.runtime.load_file(path, &providers, route.limits, route.sha256.as_deref())
            }
        };
        Ok(Self { plugin: plugin?, current })
    }

    /// Returns the plugin as it is when the event with this number arrives: only those before it are past.
    pub(crate) fn before(&self, event: i64) -> &Plugin {
        self.current.set(event);
        &self.plugin
    }
}
