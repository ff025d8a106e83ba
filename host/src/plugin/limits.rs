//! The limits of plugins: those of one, and those that the engine reserves memory for.

use std::time::Duration;

/// The limits of one plugin: `[routes.limits]`. A plugin that exceeds them is stopped, and a plain message goes out
/// instead. There is no `Default`: whoever loads a plugin states its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time for one event; kept to within 20 ms. Where fuel is counted, `FUEL_PER_MS` for each millisecond.
    pub time: Duration,
    /// Bytes of all linear memories together.
    pub memory: usize,
    /// Elements of all tables together.
    pub table: usize,
    /// Core instances of the component.
    pub instances: usize,
    /// Bytes that may cross between plugin and host in one call.
    pub transfer: usize,
    /// Bytes of one text that the plugin returns.
    pub text: usize,
    /// Entries of one list that the plugin returns.
    pub items: usize,
    /// Lines that the plugin may log for one event.
    pub log_lines: usize,
    /// Bytes of one logged line; the rest is cut.
    pub log_bytes: usize,
    /// Bytes that are kept of what the plugin prints: the last ones. A route's `log_bytes` sets it as well.
    pub printed: usize,
    /// Bytes of the plugin's file.
    pub component: u64,
    /// Wall time for compiling it.
    pub compile: Duration,
}

impl Limits {
    /// The limits of a route that sets none.
    pub const STANDARD: Self = Self {
        time: Duration::from_millis(250),
        memory: 64 << 20,
        // CPython, the largest guest known, needs fewer than half.
        table: 20_000,
        // JavaScript components need about ten.
        instances: 50,
        // Slack takes messages of some 16 KiB, so these are generous.
        transfer: 4 << 20,
        text: 128 << 10,
        items: 1_000,
        log_lines: 50,
        log_bytes: 1_000,
        printed: 1_000,
        // CPython, again: 18 MB, and six seconds of compiling on one fast core.
        component: 64 << 20,
        compile: Duration::from_secs(60),
    };
}

/// The limits that all plugins share: `[sandbox]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sandbox {
    /// Bytes of stack that a plugin has, within that of the thread that calls it. A setting of the engine, so the same
    /// for all plugins.
    pub stack: usize,
}

impl Sandbox {
    /// Enough for CPython.
    pub const STANDARD: Self = Self { stack: 512 << 10 };
}

/// Fuel that stands for a millisecond, where fuel is counted instead of time: about what compiled code burns on a slow
/// machine, so that a plugin which passes its tests has room on a real one.
pub(crate) const FUEL_PER_MS: u64 = 1_000_000;

/// Returns the units of fuel that stand for the time of one event.
pub(crate) fn fuel_for(limits: &Limits) -> u64 {
    u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX).saturating_mul(FUEL_PER_MS)
}

/// Linear memories of one component: its own and those of adapters.
pub(super) const MEMORIES: usize = 8;
/// Tables of one component.
pub(super) const TABLES: usize = 32;
/// Resource handles; only an empty WASI hands any out.
pub(super) const HANDLES: usize = 1_000;
/// The largest linear memory that exists. The pool reserves that much address space anyway, so a memory that is too
/// large is refused by the route's limit, whose error says so.
pub(super) const MEMORY_MOST: usize = 4 << 30;
/// The most table elements that a route may allow: what the pool reserves for each instance.
pub(crate) const TABLE_MOST: usize = 100_000;
/// The most core instances that a route may allow: what the pool reserves for each component.
pub(crate) const INSTANCES_MOST: usize = 100;
