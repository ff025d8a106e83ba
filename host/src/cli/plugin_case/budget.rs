//! What a case may use at most, so that a change that makes the plugin slower or larger is seen.

use serde::{Deserialize, Serialize};

use crate::plugin::Usage;

/// What the plugin may use on a case at most.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    /// Units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<usize>,
}

impl Budget {
    /// Says what was used beyond it.
    pub(crate) fn excess(&self, usage: &Usage) -> Option<String> {
        match (usage.fuel.zip(self.fuel), self.memory) {
            (Some((used, most)), _) if used > most => {
                Some(format!("consumed {used} units of fuel; its budget is {most}"))
            }
            (_, Some(most)) if usage.memory > most => {
                Some(format!("used {} bytes of memory; its budget is {most}", usage.memory))
            }
            _ => None,
        }
    }
}
