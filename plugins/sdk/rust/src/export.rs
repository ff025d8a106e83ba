//! The macro that makes a plugin of a type.

use std::marker::PhantomData;

pub use crate::bindings::{digester, formatter, settings};
pub use crate::mrkdwn::Escaped;
use crate::{Digester, Plugin, Settings};

/// Exports a type as the plugin, with what it has beyond [`Plugin`]:
///
/// ```
/// # use banhook_plugin::{Event, Plugin, Result, skip};
/// struct MyPlugin;
///
/// impl Plugin for MyPlugin {
///     fn format(event: Event) -> Result {
///         skip(event.jail)
///     }
/// }
///
/// banhook_plugin::export!(MyPlugin);
/// ```
///
/// `export!(MyPlugin: digest)` for one that is a [`Digester`], `export!(MyPlugin: settings)` for [`Settings`], and
/// `export!(MyPlugin: digest, settings)` for both. It is an error to leave out a trait that the type has.
#[macro_export]
macro_rules! export {
    ($plugin:ident) => {
        $crate::export!(@checked $plugin, false, false);
    };
    ($plugin:ident: digest) => {
        $crate::export!(@checked $plugin, true, false);
        $crate::export!(@digester $plugin);
    };
    ($plugin:ident: settings) => {
        $crate::export!(@checked $plugin, false, true);
        $crate::export!(@settings $plugin);
    };
    ($plugin:ident: digest, settings) => {
        $crate::export!(@checked $plugin, true, true);
        $crate::export!(@digester $plugin);
        $crate::export!(@settings $plugin);
    };
    (@checked $plugin:ident, $digest:literal, $settings:literal) => {
        const _: () = {
            use $crate::export::{HasNot as _, Traits};
            $crate::export::is_plugin::<$plugin>();
            assert!(
                $digest || !Traits::<$plugin>::DIGESTER,
                "this plugin is a `Digester`; say so with `export!(…: digest)`"
            );
            assert!(
                $settings || !Traits::<$plugin>::SETTINGS,
                "this plugin has `Settings`; say so with `export!(…: settings)`"
            );
        };
        $crate::export!(@export $plugin, formatter);
    };
    (@digester $plugin:ident) => {
        const _: () = $crate::export::is_digester::<$plugin>();
        $crate::export!(@export $plugin, digester);
    };
    (@settings $plugin:ident) => {
        const _: () = $crate::export::has_settings::<$plugin>();
        $crate::export!(@export $plugin, settings);
    };
    // The exports exist only in WebAssembly.
    (@export $plugin:ident, $world:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::export::$world::export!($plugin with_types_in $crate::export::$world);
    };
    ($($other:tt)*) => {
        ::std::compile_error!(
            "expected the plugin's type and what it has beyond `format`: `export!(MyPlugin)`, `export!(MyPlugin: digest)`, \
             `export!(MyPlugin: settings)` or `export!(MyPlugin: digest, settings)`"
        );
    };
}

/// Which traits a type has, for the macro: an inherent constant is preferred to that of [`HasNot`], and exists only where its
/// bound holds.
pub struct Traits<T>(PhantomData<T>);

/// The answer for a type that lacks them.
pub trait HasNot {
    /// Whether it decides on digests.
    const DIGESTER: bool = false;
    /// Whether it describes its settings.
    const SETTINGS: bool = false;
}

impl<T> HasNot for Traits<T> {}

impl<T: Digester> Traits<T> {
    /// Whether it decides on digests.
    pub const DIGESTER: bool = true;
}

impl<T: Settings> Traits<T> {
    /// Whether it describes its settings.
    pub const SETTINGS: bool = true;
}

/// Compiles for a plugin only; for the message of its trait.
pub const fn is_plugin<T: Plugin>() {}

/// The same for a plugin that decides on digests.
pub const fn is_digester<T: Digester>() {}

/// The same for a plugin with settings.
pub const fn has_settings<T: Settings>() {}
