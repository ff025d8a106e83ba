//! What a plugin costs: compiling it, an instance, and each of the standard events.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::plugin_case::{CaseDecision, LIMITS, to_json};
use crate::cli::plugin_file::{PluginFile, case_runtime, timed_runtime};
use crate::event::Kind;
use crate::message::cut;
use crate::plugin::{Description, Plugin, PluginContext, PluginError, Runtime, Usage, standard_events};

/// How often a call is made to see how long it takes, at most.
const ROUNDS: usize = 50;

/// After this time a call is not made once more.
const ENOUGH: Duration = Duration::from_millis(300);

/// What a plugin says of itself, and what it costs.
pub(crate) struct Costs {
    pub description: Option<Description>,
    /// How long it takes to compile, once.
    pub compiling: Duration,
    /// An instance that is asked nothing.
    pub instance: Usage,
    pub calls: Vec<CallCost>,
}

/// What a standard event costs.
pub(crate) struct CallCost {
    pub event: Kind,
    /// In the form of a case.
    pub decision: Value,
    pub fuel: u64,
    /// The median of several calls.
    pub time: Duration,
}

impl Costs {
    /// Compiles the plugin, as for a daemon, and calls it.
    ///
    /// # Errors
    /// When it does not load or start.
    pub(crate) fn measure(file: &PluginFile) -> Result<Self, PluginError> {
        let runtime = timed_runtime()?;
        let begun = Instant::now();
        let plugin = load(&runtime, file)?;
        let compiling = begun.elapsed();
        let instances = (0..ROUNDS).map(|_| plugin.instantiate()).collect::<Result<Vec<_>, _>>()?;
        let mut instance = instances.first().copied().unwrap_or_default();
        instance.time = median(instances.iter().map(|usage| usage.time).collect());
        let counting = case_runtime()?;
        let counted = load(&counting, file)?;
        let calls = standard_events().map(|event| {
            let answer = counted.format(&event);
            let fuel = answer.usage.fuel.unwrap_or_default();
            let decision = to_json(&answer.decision.map(CaseDecision::from)).unwrap_or_default();
            let (mut times, begun) = (Vec::new(), Instant::now());
            while times.len() < ROUNDS && (times.is_empty() || begun.elapsed() < ENOUGH) {
                times.push(plugin.format(&event).usage.time);
            }
            CallCost { event: event.kind(), decision, fuel, time: median(times) }
        });
        let description = plugin.describe(&Default::default()).0;
        Ok(Self { description, compiling, instance, calls: calls.into() })
    }

    /// Returns the lines of a table of the calls.
    pub(crate) fn table(&self) -> Vec<String> {
        let heading = format!("{:<12} {:>10} {:>10}  decision", "event", "fuel", "time");
        let rows = self.calls.iter().map(|call| {
            let decision = shown(&call.decision);
            format!("{:<12} {:>10} {:>10}  {decision}", call.event.as_str(), call.fuel, milliseconds(call.time))
        });
        std::iter::once(heading).chain(rows).collect()
    }
}

/// Characters of a decision that the table shows.
const DECISION_CHARS: usize = 100;

/// Returns a decision in a line: `skip: only bans`, `post`.
fn shown(decision: &Value) -> String {
    let Some((kind, value)) = decision.as_object().and_then(|object| object.iter().next()) else {
        return String::new();
    };
    match value.as_str() {
        Some(text) => cut(&format!("{kind}: {text}"), DECISION_CHARS).into_owned(),
        None => kind.clone(),
    }
}

/// Loads it for a route that grants nothing.
fn load(runtime: &Runtime, file: &PluginFile) -> Result<Plugin, PluginError> {
    let (providers, _) = runtime.host().open(&PluginContext::refusing());
    runtime.load(&file.bytes, &providers, LIMITS)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `0.012 ms`
pub(crate) fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.3} ms") } else { format!("{ms:.0} ms") }
}
