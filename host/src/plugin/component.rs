//! The bytes of a plugin's file as a component: checked, and made one if they are a core module.

use std::borrow::Cow;

use wit_component::ComponentEncoder;

use super::PluginError;
use super::limits::COMPONENT_BYTES;

/// The first eight bytes of a core module, and of a component: the same magic, then version and layer.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The component that a file holds. A core module that carries its component type (what
/// `cargo build --target wasm32-unknown-unknown` leaves) becomes one.
///
/// # Errors
/// When it is too large, no WebAssembly, or not what it should be.
pub(super) fn from_file(bytes: &[u8]) -> Result<Cow<'_, [u8]>, PluginError> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if found > COMPONENT_BYTES {
        return Err(PluginError::TooLarge { found, allowed: COMPONENT_BYTES });
    }
    if bytes.starts_with(COMPONENT) {
        return Ok(Cow::Borrowed(bytes));
    }
    if bytes.starts_with(MODULE) {
        let encoded = ComponentEncoder::default().module(bytes).and_then(|encoder| encoder.validate(false).encode());
        return encoded.map(Cow::Owned).map_err(|error| {
            PluginError::Invalid(format!(
                "a core module that cannot be made one ({error:#}); build it with wit-bindgen, or run `wasm-tools component new` on it"
            ))
        });
    }
    if bytes.starts_with(b"\0asm") {
        return Err(PluginError::Invalid("WebAssembly of a version that banhook does not know".to_owned()));
    }
    Err(PluginError::NotWasm)
}
