//! What a call used of what the limits allow.

use crate::cli::plugin_case::LIMITS;
use crate::plugin::{Usage, fuel_for};

/// One measure, for people.
pub(crate) struct Share {
    /// Of what: `fuel`.
    pub name: &'static str,
    /// `1.21 M`.
    pub used: String,
    /// `250.00 M`.
    pub allowed: String,
    /// From 0; 1 is all that is allowed.
    pub fraction: f64,
}

/// Returns the measures of a call: fuel, memory, time.
#[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
pub(crate) fn shares(usage: &Usage) -> [Share; 3] {
    let fuel = usage.fuel.unwrap_or_default();
    [
        share("fuel", fuel as f64, fuel_for(&LIMITS) as f64, millions),
        share("memory", usage.memory as f64, LIMITS.memory as f64, mebibytes),
        share("time", usage.time.as_secs_f64(), LIMITS.time.as_secs_f64(), milliseconds),
    ]
}

fn share(name: &'static str, used: f64, allowed: f64, shown: fn(f64) -> String) -> Share {
    Share { name, used: shown(used), allowed: shown(allowed), fraction: used / allowed }
}

fn millions(units: f64) -> String {
    format!("{:.2} M", units / 1e6)
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}
