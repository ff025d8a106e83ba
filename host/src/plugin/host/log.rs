//! `log`: lines for banhook's own log, with route and plugin named. Never for a channel.

use super::context::PluginContext;
use super::grants::Grant;
use super::interface::{Cx, HostInterface, Import, Linked, Opened, Provider};
use crate::plugin::answer::{Level, LogLine};
use crate::plugin::bindings::banhook::plugin::log;

/// The interface.
pub(super) struct Log;

impl HostInterface for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn open(&self, _grant: &Grant, _route: &PluginContext) -> Opened {
        Self.into()
    }
}

impl Provider for Log {
    fn link(&self, to: &mut Linked<'_>, _import: &Import<'_>) -> wasmtime::Result<()> {
        to.func_wrap("write", |mut cx: Cx<'_>, (level, message): (log::Level, String)| {
            cx.data_mut().log_line(LogLine { level: lifted(level), message });
            Ok(())
        })
    }
}

fn lifted(level: log::Level) -> Level {
    match level {
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}
