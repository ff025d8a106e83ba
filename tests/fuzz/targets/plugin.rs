//! Shared by the targets: a module as a plugin, and an event for it.

use std::collections::BTreeMap;
use std::time::Duration;

use banhook::event::{Event, EventDetails, Timestamp};
use banhook::message::{Target, fallback};
use banhook::plugin::{Compiler, Limits, Metering, PluginContext, Providers, Runtime, Sandbox, Setup};
use blockkit::{Severity, check};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Short limits, so that an endless plugin costs little time.
pub fn limits() -> Limits {
    Limits { time: Duration::from_millis(20), memory: 4 << 20, ..Limits::STANDARD }
}

/// A runtime that compiles in this process: the fuzzer does not observe a child.
pub fn runtime() -> Runtime {
    let setup = Setup { cache: None, compiler: Compiler::Here, metering: Metering::Time, sandbox: Sandbox::STANDARD };
    Runtime::new(setup).expect("the engine starts")
}

/// No settings, no grants.
pub fn providers(runtime: &Runtime) -> Providers {
    runtime.host().open(&PluginContext::default()).0
}

/// Adds the component type of a plugin to modules.
pub struct World {
    resolve: Resolve,
    world: wit_parser::WorldId,
}

impl World {
    /// banhook's world `plugin`.
    pub fn plugin() -> Self {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).expect("wit/ is sound");
        let world = resolve.select_world(&[package], Some("plugin")).expect("there is a world \"plugin\"");
        Self { resolve, world }
    }

    /// The module with its component type.
    pub fn of(&self, mut module: Vec<u8>) -> Vec<u8> {
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8)
            .expect("a section can be added to any module");
        module
    }
}

/// An event with this host name.
pub fn event(host: String) -> Event {
    Event {
        id: "fuzz".to_owned(),
        at: Timestamp(0),
        host,
        jail: "sshd".to_owned(),
        details: EventDetails::Start,
        labels: BTreeMap::new(),
    }
}

/// Checks that the fallback message of an error is valid: its text goes to the channel.
pub fn check_fallback(error: &banhook::plugin::PluginError) {
    let message = fallback(&event("web-1".to_owned()), &format!("plugin fuzz.wasm {error}"), Target::SLACK);
    passes_lint(&message);
}

/// Checks that a message from the guard has no error that the linter finds.
pub fn passes_lint(guarded: &banhook::message::Guarded) {
    let errors: Vec<_> =
        check(guarded.body()).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?} in {}", guarded.to_json_string());
}
