//! The route that a case describes, with the plugin loaded for it.

use crate::cli::plugin_case::{PluginCase, RouteOfCase};
use crate::cli::plugin_file::PluginFile;
use crate::plugin::{Plugin, PluginError, Runtime};

/// A route, and the plugin loaded for it. Most cases of a plugin describe the same route, so one is kept for the next case.
pub(crate) struct CaseRoute {
    route: RouteOfCase,
    sha256: [u8; 32],
    pub plugin: Plugin,
    /// What the plugin finds wrong with the settings.
    pub problems: Vec<PluginError>,
}

impl CaseRoute {
    /// Returns the route of a case: that of the case before, if it is the same.
    ///
    /// # Errors
    /// When the plugin does not load, or the case has settings that no route can have.
    pub(crate) fn of(
        case: &PluginCase,
        runtime: &Runtime,
        plugin: &PluginFile,
        before: Option<Self>,
    ) -> anyhow::Result<Self> {
        let route = RouteOfCase::of(case);
        // Dropped after another one is loaded, which finds the component in memory.
        let _before = match before {
            Some(before) if before.route == route && before.sha256 == plugin.sha256 => return Ok(before),
            before => before,
        };
        let settings = case.settings()?;
        let loaded = case.load(runtime, plugin)?;
        let problems = loaded.describe(&settings).1.into_iter().chain(loaded.check()).collect();
        Ok(Self { route, sha256: plugin.sha256, plugin: loaded, problems })
    }
}
