//! The functions of a plugin.

use crate::bindings::digester::exports::banhook::plugin::digester;
use crate::bindings::formatter::exports::banhook::plugin::formatter;
use crate::bindings::settings::exports::banhook::plugin::{checker, descriptor};
use crate::digest::Batch;
use crate::settings::{Description, Problem};
use crate::{Decision, Event, Result, digest, log};

/// A plugin. What it has beyond `format` are traits of their own, which [`export!`](crate::export) names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not decide on events",
    label = "no plugin yet",
    note = "write `impl Plugin for {Self}` with `fn format(event: Event) -> Result`"
)]
pub trait Plugin {
    /// Decides on one event: [`post`](crate::post), [`skip`](crate::skip) or [`hold`](crate::hold). It runs in an instance
    /// of its own, so that nothing is remembered from one event to the next.
    ///
    /// # Errors
    /// The event goes out as a plain message that carries the error.
    fn format(event: Event) -> Result<Decision>;
}

/// A plugin that decides on digests, too: `export!(MyPlugin: digest)`. Without it the built-in digest is sent.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not decide on digests",
    label = "exported with `digest`",
    note = "write `impl Digester for {Self}`, or leave `digest` out of `export!`"
)]
pub trait Digester {
    /// Decides on a digest that closes: [`post`](crate::post), [`skip`](crate::skip) or [`hold`](crate::hold).
    ///
    /// # Errors
    /// The built-in digest goes out and names the error.
    fn digest(batch: Batch) -> Result<digest::Decision>;
}

/// A plugin that describes and checks its settings, too: `export!(MyPlugin: settings)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not describe its settings",
    label = "exported with `settings`",
    note = "write `impl Settings for {Self}`, or leave `settings` out of `export!`"
)]
pub trait Settings {
    /// Says what the plugin is and which settings it has. A route that sets another one, or a value of another kind, is at
    /// fault.
    fn describe() -> Description;

    /// Finds what is wrong with the settings, before any event.
    fn check() -> Vec<Problem> {
        Vec::new()
    }
}

impl<T: Plugin> formatter::Guest for T {
    fn format(event: Event) -> Result<Decision, String> {
        log::panics();
        <T as Plugin>::format(event).map_err(String::from)
    }
}

impl<T: Digester> digester::Guest for T {
    fn digest(batch: Batch) -> Result<digest::Decision, String> {
        log::panics();
        <T as Digester>::digest(batch).map_err(String::from)
    }
}

impl<T: Settings> descriptor::Guest for T {
    fn describe() -> Description {
        log::panics();
        <T as Settings>::describe()
    }
}

impl<T: Settings> checker::Guest for T {
    fn check() -> Vec<Problem> {
        log::panics();
        <T as Settings>::check()
    }
}
