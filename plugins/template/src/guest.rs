//! The component's exports: calls from the host are handed on, with the host's functions passed in.

#![allow(unsafe_code)] // The export macro's. A component's exports are unsafe symbols by their nature.

use std::sync::LazyLock;

use crate::bindings::banhook::plugin::types::Event;
use crate::bindings::banhook::plugin::{clock, log, settings};
use crate::bindings::exports::banhook::plugin::checker::{self, Problem};
use crate::bindings::exports::banhook::plugin::formatter::{self, Decision};
use crate::engine::Engine;
use crate::{check, post};

/// The plugin.
pub struct Plugin;

/// The same for every event.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(clock::local));

impl formatter::Guest for Plugin {
    fn format(event: Event) -> Result<Decision, String> {
        log_panics();
        post::decide(&ENGINE, event, settings::get)
    }
}

impl checker::Guest for Plugin {
    fn check() -> Vec<Problem> {
        log_panics();
        check::problems(&ENGINE, &settings::all())
    }
}

/// A panic traps; this leaves its text in the log, where it would otherwise be lost.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
}

/// Called when the plugin is built: the module that is loaded begins with what memory holds after this, and no event waits
/// for templates to be compiled. The name is Wizer's.
#[cfg(target_family = "wasm")]
#[unsafe(export_name = "wizer-initialize")]
extern "C" fn initialize() {
    LazyLock::force(&ENGINE);
}

/// What an event with the built-in templates takes, several times over.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: crate::arena::Arena<ARENA_BYTES> = crate::arena::Arena::new();

#[cfg(target_family = "wasm")]
const ARENA_BYTES: usize = 128 << 10;

// Elsewhere these symbols would mean nothing.
#[cfg(target_family = "wasm")]
crate::bindings::export!(Plugin with_types_in crate::bindings);
