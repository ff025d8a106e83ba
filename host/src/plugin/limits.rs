//! What a plugin may use, and the watch over it.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::PluginError;

/// What one plugin may use. There is no default here: who loads a plugin says what it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time for one event; kept to within 20 ms. Where fuel is counted, [`FUEL_PER_MS`] for each millisecond.
    pub time: Duration,
    /// Bytes of all linear memories together.
    pub memory: usize,
    /// Elements of all tables together.
    pub table: usize,
    /// Core instances of the component; JavaScript components need about ten.
    pub instances: usize,
    /// Bytes that may cross between plugin and host in one call.
    pub transfer: usize,
    /// Bytes of one text that it hands over.
    pub text: usize,
    /// Entries of one list that it hands over.
    pub items: usize,
    /// Lines that it may log for one event.
    pub log_lines: usize,
    /// Bytes of one logged line, and of all that it prints; what is over is cut.
    pub log_bytes: usize,
    /// Bytes of its file.
    pub component: u64,
    /// Wall time for compiling it.
    pub compile: Duration,
}

/// Fuel that stands for a millisecond, where fuel is counted instead of time: about what compiled code burns on a slow
/// machine, so that a plugin which passes its tests has room on a real one.
pub const FUEL_PER_MS: u64 = 1_000_000;

/// Linear memories of one component: its own and those of adapters.
pub(super) const MEMORIES: usize = 8;
/// Tables of one component.
pub(super) const TABLES: usize = 32;
/// Resource handles; only an empty WASI hands any out.
pub(super) const HANDLES: usize = 1_000;
/// The largest linear memory there is: the pool reserves that much address space anyway, so the limit of the route is
/// what refuses one, and says so.
pub(super) const MEMORY_MOST: usize = 4 << 30;
/// The most that a route may allow: what the pool reserves for each instance.
pub(super) const TABLE_MOST: usize = 100_000;
/// See [`TABLE_MOST`].
pub(super) const INSTANCES_MOST: usize = 100;

/// Watches over one instance and remembers what it refused.
pub(super) struct Limiter {
    limits: Limits,
    memory: usize,
    table: usize,
    refused: Option<Refused>,
}

/// What was refused, and how much it would have come to.
#[derive(Clone, Copy)]
enum Refused {
    Memory(usize),
    Table(usize),
}

impl Limiter {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, memory: 0, table: 0, refused: None }
    }

    /// The error for what was refused, if anything was.
    pub(super) fn refusal(&self) -> Option<PluginError> {
        self.refused.map(|refused| match refused {
            Refused::Memory(asked) => PluginError::Memory { asked, allowed: self.limits.memory },
            Refused::Table(asked) => PluginError::Table { asked, allowed: self.limits.table },
        })
    }
}

/// Memories and tables are counted over the whole component: a limit for each alone would be a multiple of itself.
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
