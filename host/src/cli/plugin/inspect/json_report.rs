//! What is known of a plugin, for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::costs::{CallCost, Costs};
use super::inspected::{Inspected, kind};
use super::powers::{interface, powers};
use crate::plugin::{Description, SettingDescription};

/// Returns all that `inspect` says of a plugin.
pub(super) fn report(inspected: &Inspected) -> Value {
    let anatomy = &inspected.anatomy;
    let metadata: Map<_, _> = anatomy.metadata.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    let (costs, fault) = match &inspected.loaded {
        Ok(costs) => (costs_report(costs), Value::Null),
        Err(error) => (Value::Null, json!(format!("it {error}"))),
    };
    json!({
        "plugin": inspected.file,
        "name": inspected.description().map(|description| &description.name),
        "version": inspected.version(),
        "interface": interface(anatomy),
        "may": powers(anatomy),
        "imports": anatomy.imports,
        "exports": anatomy.exports,
        "settings": inspected.description().map(settings),
        "made": metadata,
        "size": inspected.size,
        "is_core_module": anatomy.is_module,
        "sha256": inspected.sha256,
        "costs": costs,
        "fault": fault,
    })
}

fn settings(description: &Description) -> Vec<Value> {
    let setting = |setting: &SettingDescription| {
        json!({
            "name": setting.name,
            "kind": kind(setting.kind),
            "description": setting.description,
            "default": setting.default,
        })
    };
    description.settings.iter().map(setting).collect()
}

fn costs_report(costs: &Costs) -> Value {
    let event = |call: &CallCost| {
        json!({
            "event": call.event.as_str(),
            "fuel": call.fuel,
            "ms": milliseconds(call.time),
            "decision": call.decision,
        })
    };
    json!({
        "compiling_ms": milliseconds(costs.compiling),
        "instance_ms": milliseconds(costs.instance.time),
        "memory": costs.instance.memory,
        "events": costs.calls.iter().map(event).collect::<Vec<_>>(),
    })
}

/// With microseconds.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
