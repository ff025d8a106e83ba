//! A plugin's file as a component: checked, and converted if it is a core module.

use std::borrow::Cow;

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use super::PluginError;

/// The first eight bytes of a core module, and of a component: the same magic, then version and layer.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// What the name of the custom section begins with in which a core module carries its component type.
const COMPONENT_TYPE: &str = "component-type";

/// The module of WASI preview 1, in core modules.
const PREVIEW1: &str = "wasi_snapshot_preview1";

/// Characters of a version that are kept.
const VERSION_CHARS: usize = 40;

/// Checks a file's size and its first bytes.
///
/// # Errors
/// When it is too large, or not WebAssembly that banhook runs.
pub(super) fn check(bytes: &[u8], allowed: u64) -> Result<(), PluginError> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if found > allowed {
        return Err(PluginError::TooLarge { found, allowed });
    }
    if bytes.starts_with(COMPONENT) || bytes.starts_with(MODULE) {
        return Ok(());
    }
    if bytes.starts_with(b"\0asm") {
        return Err(PluginError::Invalid("it is WebAssembly of a version that banhook does not know".to_owned()));
    }
    Err(PluginError::NotWasm)
}

/// Returns the component that a file holds. A core module that carries its component type, as
/// `cargo build --target wasm32-unknown-unknown` makes it, is converted.
///
/// # Errors
/// When it is a core module that cannot be converted.
pub(super) fn from_file(bytes: &[u8]) -> Result<Cow<'_, [u8]>, PluginError> {
    if !bytes.starts_with(MODULE) {
        return Ok(Cow::Borrowed(bytes));
    }
    if let Some(function) = imported_from_preview1(bytes) {
        return Err(PluginError::Invalid(format!(
            "it is built for WASI preview 1, whose {function} it calls, and has neither files nor a standard output; build it for \
             wasm32-unknown-unknown or wasm32-wasip2, and in C leave printf and files out: log.write logs"
        )));
    }
    let has_type =
        |payload| matches!(payload, Ok(Payload::CustomSection(section)) if section.name().starts_with(COMPONENT_TYPE));
    if !Parser::new(0).parse_all(bytes).any(has_type) {
        return Err(PluginError::Invalid(
            "it is a core module without a component type; build it with bindings for banhook's wit/, world \"plugin\", as \
             wit-bindgen makes them"
                .to_owned(),
        ));
    }
    let encoded = ComponentEncoder::default().module(bytes).and_then(|encoder| encoder.validate(false).encode());
    encoded.map(Cow::Owned).map_err(|error| {
        PluginError::Invalid(format!(
            "it is a core module that cannot be converted ({error:#}); build it with wit-bindgen, or run `wasm-tools component new` on it"
        ))
    })
}

/// Returns the first function that a core module imports from WASI preview 1.
fn imported_from_preview1(module: &[u8]) -> Option<&str> {
    let mut imports = Parser::new(0).parse_all(module).filter_map(|payload| match payload {
        Ok(Payload::ImportSection(imports)) => Some(imports.into_imports()),
        _ => None,
    });
    imports.find_map(|mut imports| {
        imports.find_map(|import| import.ok().filter(|import| import.module == PREVIEW1).map(|import| import.name))
    })
}

/// The version that a component's author gave it: the custom section `version` of the outermost layer, which
/// wasm-metadata and cargo-component write.
pub(super) fn version(file: &[u8]) -> Option<String> {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(file) {
        match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) if depth == 0 && section.name() == "version" => {
                let version = str::from_utf8(section.data()).ok()?;
                return Some(version.chars().filter(|c| !c.is_control()).take(VERSION_CHARS).collect());
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_for_wasi_preview1_says_what_to_build_it_for() {
        let import = "(func (param i32 i32 i32 i32) (result i32))";
        let module = format!(r#"(module (import "wasi_snapshot_preview1" "fd_write" {import}))"#);
        let error = from_file(&wat::parse_str(module).unwrap()).unwrap_err().to_string();
        for words in ["fd_write", "wasm32-unknown-unknown or wasm32-wasip2", "leave printf and files out"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
