//! An empty WASI 0.2, for guests whose toolchain cannot do without: JavaScript, Python, C.
//!
//! It reaches nothing: no file, no environment, no network, and nothing that waits. What a guest prints is kept for error
//! reports; its clock shows the event's time, and its random numbers follow from the event, so that the same event gets
//! the same answer. Only what a component imports is defined, by name, in any version of 0.2: a handful of functions that
//! every language runtime calls as it starts, and for all others an error code or, if their type has none, a trap that
//! names them.

mod functions;
mod names;

use std::collections::HashSet;

use wasmtime::component::Val;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};

use super::context::PluginContext;
use super::grants::Grant;
use super::interface::{HostInterface, Import, Linked, Opened, Provider};
use crate::event::readable::cut;
use crate::plugin::error::{HostError, NAME_BYTES};

/// Error codes that say no, as `wasi:filesystem`, `wasi:sockets` and others call them.
const REFUSALS: [&str; 4] = ["access", "access-denied", "not-supported", "unsupported"];

/// All interfaces of the empty WASI.
pub(super) struct Wasi;

impl HostInterface for Wasi {
    fn name(&self) -> &'static str {
        "wasi:*@0.2"
    }

    fn is_imported_as(&self, import: &str) -> bool {
        interface(import).is_some()
    }

    fn open(&self, _grant: &Grant, _route: &PluginContext) -> Opened {
        Self.into()
    }
}

impl Provider for Wasi {
    fn link(&self, to: &mut Linked<'_>, import: &Import<'_>) -> wasmtime::Result<()> {
        let Some(interface) = interface(import.name) else { return Ok(()) };
        let mut defined = HashSet::new();
        for (item, export) in import.instances.iter().flat_map(|instance| instance.exports(import.engine)) {
            let is_new = matches!(export.ty, ComponentItem::Resource(_) | ComponentItem::ComponentFunc(_))
                && defined.insert(item.to_owned());
            if !is_new {
                continue;
            }
            if !names::has_item(interface, item) {
                let item = cut(item, NAME_BYTES);
                wasmtime::bail!("it imports {}#{item}, which WASI 0.2 does not have", import.name)
            }
            match export.ty {
                ComponentItem::Resource(_) => to.resource(item, functions::resource(item), |_, _| Ok(()))?,
                ComponentItem::ComponentFunc(function) if !functions::define(to, interface, item)? => {
                    deny(to, import.name, item, &function)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// `cli/environment` of `wasi:cli/environment@0.2.3`.
fn interface(import: &str) -> Option<&str> {
    let (interface, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    (names::has_interface(interface) && patch.bytes().all(|byte| byte.is_ascii_digit())).then_some(interface)
}

/// Defines a function that returns an error code, or traps if its type has none.
fn deny(to: &mut Linked<'_>, interface: &str, name: &str, function: &ComponentFunc) -> wasmtime::Result<()> {
    let refusal = function.results().next().and_then(|result| refusal(&result));
    let called = format!("called {interface}#{name}, which no plugin can");
    to.func_new(name, move |_, _, _, results| match (&refusal, results.first_mut()) {
        (Some(code), Some(result)) => {
            *result = Val::Result(Err(Some(Box::new(Val::Enum(code.clone())))));
            Ok(())
        }
        _ => Err(HostError(called.clone()).into()),
    })
}

/// The error code that says no, if the result has one.
fn refusal(result: &Type) -> Option<String> {
    let Type::Result(result) = result else { return None };
    let Some(Type::Enum(codes)) = result.err() else { return None };
    codes.names().find(|name| REFUSALS.contains(name)).map(ToOwned::to_owned)
}
