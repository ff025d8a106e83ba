//! Enforces the limits on memories and tables of one instance.

use wasmtime::ResourceLimiter;

use super::PluginError;
use super::limits::{Limits, MEMORIES, TABLES};

/// Bounds what one instance allocates, and remembers what it refused.
pub(super) struct Limiter {
    limits: Limits,
    memory: usize,
    table: usize,
    refused: Option<Refused>,
}

/// The memory or table that was refused, and the total that it would have come to.
#[derive(Clone, Copy)]
enum Refused {
    Memory(usize),
    Table(usize),
}

impl Limiter {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, memory: 0, table: 0, refused: None }
    }

    /// Bytes of all linear memories together.
    pub(super) const fn memory(&self) -> usize {
        self.memory
    }

    /// The error for the last refusal, if there was one.
    pub(super) fn refusal(&self) -> Option<PluginError> {
        self.refused.map(|refused| match refused {
            Refused::Memory(asked) => PluginError::Memory { asked, allowed: self.limits.memory },
            Refused::Table(asked) => PluginError::Table { asked, allowed: self.limits.table },
        })
    }
}

/// Memories and tables are counted over the whole component: a limit on each one would allow a multiple of it.
impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        let allowed = total <= self.limits.memory;
        if allowed {
            self.memory = total;
        } else {
            self.refused = Some(Refused::Memory(total));
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table.saturating_add(desired.saturating_sub(current));
        let allowed = total <= self.limits.table;
        if allowed {
            self.table = total;
        } else {
            self.refused = Some(Refused::Table(total));
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}
