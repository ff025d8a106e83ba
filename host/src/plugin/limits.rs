//! What a plugin may use, and the watch over it.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::PluginError;

/// What one plugin may use for one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time; kept to within 20 ms.
    pub time: Duration,
    /// Bytes of one linear memory.
    pub memory: usize,
}

/// Memories of one instance: one of the plugin's own and those of adapters.
const MEMORIES: usize = 4;
/// Tables of one instance.
const TABLES: usize = 16;
/// Core instances of one component; JavaScript components need about ten.
const INSTANCES: usize = 50;
/// Elements of one table; CPython, the largest guest known, needs fewer than half.
pub(super) const TABLE_ELEMENTS: usize = 20_000;
/// Bytes that a plugin may hand over at once: Slack takes messages of some 16 KiB, so this is generous.
pub(super) const HANDED_OVER: usize = 4 << 20;
/// Resource handles; banhook's interfaces have none.
pub(super) const HANDLES: usize = 1_000;
/// Bytes of a component's file. CPython, the largest known, has 18 MB.
pub(super) const COMPONENT_BYTES: u64 = 64 << 20;
/// The largest memory that a route may allow: what the pool reserves for each.
pub(super) const MEMORY_MOST: usize = 1 << 30;

/// Watches over one instance and remembers what it refused.
pub(super) struct Limiter {
    limits: Limits,
    refused: Option<Refused>,
}

/// What was refused, and how much of it was asked for.
#[derive(Clone, Copy)]
enum Refused {
    Memory(usize),
    Table(usize),
}

impl Limiter {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, refused: None }
    }

    /// The error for what was refused, if anything was.
    pub(super) fn refusal(&self) -> Option<PluginError> {
        self.refused.map(|refused| match refused {
            Refused::Memory(asked) => PluginError::Memory { asked, allowed: self.limits.memory },
            Refused::Table(asked) => PluginError::Table { asked, allowed: TABLE_ELEMENTS },
        })
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.limits.memory;
        if !allowed {
            self.refused = Some(Refused::Memory(desired));
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= TABLE_ELEMENTS;
        if !allowed {
            self.refused = Some(Refused::Table(desired));
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}
