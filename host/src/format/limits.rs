//! What the configuration lets plugins use, in the plugin module's terms.

use crate::config::{PluginLimits, Sandbox};
use crate::plugin::Limits;

/// The bounds of one route.
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

/// The bytes of stack that the configuration allows.
#[must_use]
pub fn stack(sandbox: &Sandbox) -> usize {
    usize::try_from(sandbox.stack).unwrap_or(usize::MAX)
}
