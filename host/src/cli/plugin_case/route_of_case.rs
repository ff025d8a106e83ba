//! What a case says of the route that the plugin works for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::PluginCase;

/// What a case says of the route that the plugin works for.
#[derive(Debug, PartialEq)]
pub(crate) struct RouteOfCase {
    host: Option<String>,
    settings: BTreeMap<String, Value>,
    timezone: Option<String>,
    answers: BTreeMap<String, Value>,
}

impl RouteOfCase {
    pub(crate) fn of(case: &PluginCase) -> Self {
        Self {
            host: case.first_event().map(|event| event.host.clone()),
            settings: case.settings.clone(),
            timezone: case.timezone.clone(),
            answers: case.answers.clone(),
        }
    }
}
