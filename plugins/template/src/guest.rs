//! The component's exports, which pass the host's functions on to the other modules.

#![allow(unsafe_code)] // For the export macro: the exports of a component are unsafe symbols by nature.

use std::sync::{LazyLock, OnceLock};

use crate::bindings::banhook::plugin::geo::Place;
use crate::bindings::banhook::plugin::types::Event;
use crate::bindings::banhook::plugin::{clock, geo, log, settings};
use crate::bindings::exports::banhook::plugin::checker::{self, Problem};
use crate::bindings::exports::banhook::plugin::descriptor::{self, Description, Setting};
use crate::bindings::exports::banhook::plugin::digester::{self, Batch};
use crate::bindings::exports::banhook::plugin::formatter::{self, Decision};
use crate::engine::Engine;
use crate::variables::HostCalls;
use crate::{check, digest, post, setting};

/// The plugin.
pub struct Plugin;

/// The engine, shared by all events.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(clock::local));

/// What templates ask the host.
const HOST: HostCalls = HostCalls { setting: setting_of_route, lookup };

/// A setting of the route. All are read at once: a call of the host costs more than a copy. They are those of one route,
/// since an instance handles one event.
fn setting_of_route(key: &str) -> Option<String> {
    static SETTINGS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    let settings = SETTINGS.get_or_init(settings::all);
    settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
}

/// Where a subject is registered. The host logs why it has no answer, and a message does without.
fn lookup(subject: &str) -> Option<Place> {
    geo::lookup(subject).ok().flatten()
}

impl formatter::Guest for Plugin {
    fn format(event: Event) -> Result<Decision, String> {
        log_panics();
        post::decide(&ENGINE, event, HOST)
    }
}

impl digester::Guest for Plugin {
    fn digest(batch: Batch) -> Result<digester::Decision, String> {
        log_panics();
        digest::decide(&ENGINE, batch, HOST)
    }
}

impl descriptor::Guest for Plugin {
    fn describe() -> Description {
        let settings = setting::described().map(|(name, kind, description)| Setting {
            name: name.to_owned(),
            kind,
            description,
            default: None,
        });
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        Description { name: "template".to_owned(), version, settings: settings.collect(), hints: None }
    }
}

impl checker::Guest for Plugin {
    fn check() -> Vec<Problem> {
        log_panics();
        check::problems(&ENGINE, &settings::all())
    }
}

/// Logs the text of a panic, which the trap would lose.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
}

/// Called once when the plugin is built. The loaded module starts with the resulting memory, so that no event waits for the
/// compilation of templates. Wizer defines the name.
#[cfg(target_family = "wasm")]
#[unsafe(export_name = "wizer-initialize")]
extern "C" fn initialize() {
    LazyLock::force(&ENGINE);
}

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: crate::arena::Arena<ARENA_BYTES> = crate::arena::Arena::new();

/// Several times the memory that an event with the built-in templates needs.
#[cfg(target_family = "wasm")]
const ARENA_BYTES: usize = 128 << 10;

// The exports exist only in WebAssembly.
#[cfg(target_family = "wasm")]
crate::bindings::export!(Plugin with_types_in crate::bindings);
