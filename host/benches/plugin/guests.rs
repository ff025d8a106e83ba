//! The plugins that are measured, and the event that they are given.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use banhook::event::{Ban, BanDuration, Event, EventDetails, Timestamp};
use banhook::plugin::{
    Cache, Compiler, Limits, Metering, PluginContext, PluginError, Providers, Runtime, Sandbox, Setup,
};

/// The smallest guest in Rust; its source is `testdata/small`.
pub const SMALL: &[u8] = include_bytes!("../../testdata/small.wasm");

/// The limits that a route has if it sets none.
pub fn limits() -> Limits {
    Limits::STANDARD
}

/// A runtime like the daemon's, but compiling in this process.
pub fn runtime(cache: Option<Cache>) -> Result<Runtime, PluginError> {
    Runtime::new(Setup { cache, compiler: Compiler::Here, metering: Metering::Time, sandbox: Sandbox::STANDARD })
}

/// No settings, no grants.
pub fn providers(runtime: &Runtime) -> Providers {
    runtime.host().open(&PluginContext::refusing()).0
}

/// A ban as fail2ban's action reports it.
pub fn ban() -> Event {
    Event {
        id: "0199e5a0-0000-7000-8000-000000000000".to_owned(),
        at: Timestamp(1_763_809_015_601),
        host: "web-1".to_owned(),
        jail: "sshd".to_owned(),
        details: EventDetails::Ban(Ban {
            subject: "203.0.113.7".to_owned(),
            failures: Some(5),
            count: Some(2),
            duration: Some(BanDuration::Seconds(600)),
            restored: false,
            ticket_at: Some(Timestamp(1_763_809_015_000)),
            matches: Vec::new(),
        }),
        labels: BTreeMap::new(),
    }
}

/// The same plugin as another file: with a custom section that nobody reads.
pub fn another(module: &[u8], number: u8) -> Vec<u8> {
    // Section 0 of 3 bytes: a name of one letter, and the number.
    [module, &[0, 3, 1, b'n', number]].concat()
}

/// The Python guest, which is too large to be committed.
pub fn python() -> anyhow::Result<Vec<u8>> {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/guests/python.wasm"));
    if !file.is_file() {
        bail!("target/guests/python.wasm is missing, so a daemon cannot be measured; `cargo xtask guests` builds it");
    }
    std::fs::read(&file).with_context(|| format!("reading {}", file.display()))
}
