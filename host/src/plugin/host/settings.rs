//! `settings`: `[routes.settings]` of the plugin's route.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::PluginContext;
use super::grants::Grant;
use super::interface::{Cx, HostInterface, Import, Linked, Opened, Provider};

/// The interface.
pub(super) struct Settings;

/// The settings of one route.
struct RouteSettings(Arc<BTreeMap<String, String>>);

impl HostInterface for Settings {
    fn name(&self) -> &'static str {
        "settings"
    }

    fn open(&self, _grant: &Grant, route: &PluginContext) -> Opened {
        RouteSettings(Arc::new(route.settings.clone())).into()
    }
}

impl Provider for RouteSettings {
    fn link(&self, to: &mut Linked<'_>, _import: &Import<'_>) -> wasmtime::Result<()> {
        let settings = Arc::clone(&self.0);
        to.func_wrap("get", move |_: Cx<'_>, (key,): (String,)| Ok((settings.get(&key).cloned(),)))?;
        let settings = Arc::clone(&self.0);
        to.func_wrap("all", move |_: Cx<'_>, (): ()| {
            let all = settings.iter().map(|(key, value)| (key.clone(), value.clone()));
            Ok((all.collect::<Vec<_>>(),))
        })
    }
}
