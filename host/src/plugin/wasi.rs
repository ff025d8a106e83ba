//! An empty WASI 0.2, for guests whose toolchain cannot do without: JavaScript, Python, C.
//!
//! There is nothing behind it: no file, no environment, no network, and nothing that waits. What it prints is kept
//! for error reports; its clock shows the event's time, and its random numbers follow from the event, so that the same
//! event gives the same answer. Only what a component imports is defined, by name, whatever its version within
//! 0.2: a handful of functions that every language runtime calls as it starts, and for all others an error code or,
//! where their type has none, a trap that names them.

use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType, Val};

use super::imports::State;
use super::limits::Limits;
use crate::event::Timestamp;

/// The packages that the empty WASI covers.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Error codes that say no, as `wasi:filesystem`, `wasi:sockets` and others call them.
const REFUSALS: [&str; 4] = ["access", "access-denied", "not-supported", "unsupported"];

/// Random bytes that one call may ask for.
const RANDOM_BYTES: u64 = 64 << 10;

/// What one instance did with its WASI.
pub(super) struct Wasi {
    printed: Vec<u8>,
    keep: usize,
    random: fastrand::Rng,
    /// Nanoseconds that the monotonic clock has shown: it goes on by one with each look.
    monotonic: u64,
}

/// Something that a plugin asked of WASI and cannot have.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Denied(String);

impl Wasi {
    /// `seed` decides its random numbers.
    pub(super) fn new(limits: &Limits, seed: u64) -> Self {
        Self { printed: Vec::new(), keep: limits.log_bytes, random: fastrand::Rng::with_seed(seed), monotonic: 0 }
    }

    /// The end of what it printed to its standard output and error.
    pub(super) fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed).trim().to_owned()
    }

    fn print(&mut self, bytes: &[u8]) {
        // The end says more than the beginning: a traceback closes with its reason.
        let bytes = bytes.get(bytes.len().saturating_sub(self.keep)..).unwrap_or_default();
        let over = (self.printed.len() + bytes.len()).saturating_sub(self.keep);
        self.printed.drain(..over);
        self.printed.extend_from_slice(bytes);
    }
}

/// Whether the empty WASI covers the interface with this full name (`wasi:cli/environment@0.2.3`).
pub(super) fn is_covered(name: &str) -> bool {
    parse(name).is_some()
}

/// `cli/environment` of `wasi:cli/environment@0.2.3`.
fn parse(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix("wasi:")?.split_once('@')?;
    let (package, _) = interface.split_once('/')?;
    let patch = version.strip_prefix("0.2.")?;
    (PACKAGES.contains(&package) && patch.bytes().all(|byte| byte.is_ascii_digit())).then_some(interface)
}

/// Defines what of it a component imports.
pub(super) fn add_to_linker(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let (Some(interface), ComponentItem::ComponentInstance(instance)) = (parse(name), import.ty) else { continue };
        let mut definitions = linker.instance(name)?;
        for (item, export) in instance.exports(&engine) {
            match export.ty {
                ComponentItem::Resource(_) => definitions.resource(item, resource(item), |_, _| Ok(()))?,
                ComponentItem::ComponentFunc(function) if !offer(&mut definitions, interface, item)? => {
                    deny(&mut definitions, name, item, &function)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Handles carry all there is to know in their number, so there is no table behind them.
enum Input {}
/// 0: standard output, 1: standard error.
enum Output {}
/// 0: ready, 1: never.
enum Pollable {}
enum Terminal {}
enum IoError {}
/// What is never handed out: files, sockets.
enum NoResource {}

const READY: u32 = 0;
const NEVER: u32 = 1;

fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<Input>(),
        "output-stream" => ResourceType::host::<Output>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "terminal-input" | "terminal-output" => ResourceType::host::<Terminal>(),
        "error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<NoResource>(),
    }
}

/// `stream-error` of `wasi:io/streams`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "part of the type")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// `datetime` of `wasi:clocks/wall-clock`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Cx<'a> = StoreContextMut<'a, State>;
type Linked<'a> = LinkerInstance<'a, State>;

/// Defines a function that runtimes rely on; false if it is none of these.
fn offer(to: &mut Linked<'_>, interface: &str, name: &str) -> wasmtime::Result<bool> {
    match interface {
        "cli/environment" | "cli/exit" | "cli/stdin" | "cli/stdout" | "cli/stderr" => process(to, name),
        "cli/terminal-stdin" | "cli/terminal-stdout" | "cli/terminal-stderr" => {
            to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((None::<Resource<Terminal>>,)))?;
            Ok(true)
        }
        "filesystem/preopens" if name == "get-directories" => {
            to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Vec::<(Resource<NoResource>, String)>::new(),)))?;
            Ok(true)
        }
        "io/streams" => streams(to, name),
        "io/poll" => poll(to, name),
        "clocks/wall-clock" | "clocks/monotonic-clock" => clocks(to, interface, name),
        "random/random" | "random/insecure" | "random/insecure-seed" => random(to, name),
        _ => Ok(false),
    }
}

fn process(to: &mut Linked<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "get-environment" => to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Vec::<(String, String)>::new(),)))?,
        "get-arguments" => to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Vec::<String>::new(),)))?,
        "initial-cwd" => to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((None::<String>,)))?,
        "exit" => to.func_wrap(name, |_: Cx<'_>, (_,): (Result<(), ()>,)| -> wasmtime::Result<()> {
            Err(Denied("ended itself (wasi:cli/exit)".to_owned()).into())
        })?,
        "get-stdin" => to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Resource::<Input>::new_own(0),)))?,
        "get-stdout" => to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Resource::<Output>::new_own(0),)))?,
        "get-stderr" => to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Resource::<Output>::new_own(1),)))?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Input is at its end; output is kept.
fn streams(to: &mut Linked<'_>, name: &str) -> wasmtime::Result<bool> {
    type Written = (Result<(), StreamError>,);
    match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            to.func_wrap(name, |_: Cx<'_>, _: (Resource<Input>, u64)| Ok((Err::<Vec<u8>, _>(StreamError::Closed),)))?;
        }
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => {
            to.func_wrap(name, |_: Cx<'_>, _: (Resource<Input>, u64)| Ok((Err::<u64, _>(StreamError::Closed),)))?;
        }
        "[method]input-stream.subscribe" => {
            to.func_wrap(name, |_: Cx<'_>, _: (Resource<Input>,)| Ok((Resource::<Pollable>::new_own(READY),)))?;
        }
        "[method]output-stream.check-write" => {
            to.func_wrap(name, |_: Cx<'_>, _: (Resource<Output>,)| Ok((Ok::<u64, StreamError>(RANDOM_BYTES),)))?;
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            to.func_wrap(name, |mut cx: Cx<'_>, (_, bytes): (Resource<Output>, Vec<u8>)| {
                cx.data_mut().wasi.print(&bytes);
                Ok::<Written, _>((Ok(()),))
            })?;
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            to.func_wrap(name, |_: Cx<'_>, _: (Resource<Output>,)| Ok::<Written, _>((Ok(()),)))?;
        }
        "[method]output-stream.subscribe" => {
            to.func_wrap(name, |_: Cx<'_>, _: (Resource<Output>,)| Ok((Resource::<Pollable>::new_own(READY),)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What is ready answers at once; for anything else a plugin would have to wait, which it cannot.
fn poll(to: &mut Linked<'_>, name: &str) -> wasmtime::Result<bool> {
    let function = name.to_owned();
    let waited = move || Denied(format!("waited (wasi:io/poll#{function}), which a plugin cannot"));
    match name {
        "[method]pollable.ready" => {
            to.func_wrap(name, |_: Cx<'_>, (this,): (Resource<Pollable>,)| Ok((this.rep() == READY,)))?;
        }
        "[method]pollable.block" => {
            to.func_wrap(
                name,
                move |_: Cx<'_>, (this,): (Resource<Pollable>,)| {
                    if this.rep() == READY { Ok(()) } else { Err(waited().into()) }
                },
            )?;
        }
        "poll" => {
            to.func_wrap(name, move |_: Cx<'_>, (all,): (Vec<Resource<Pollable>>,)| {
                let ready: Vec<u32> =
                    (0..).zip(&all).filter(|(_, one)| one.rep() == READY).map(|(index, _)| index).collect();
                if ready.is_empty() { Err(waited().into()) } else { Ok((ready,)) }
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn clocks(to: &mut Linked<'_>, interface: &str, name: &str) -> wasmtime::Result<bool> {
    match (interface, name) {
        ("clocks/wall-clock", "now") => {
            to.func_wrap(name, |cx: Cx<'_>, (): ()| Ok((datetime(cx.data().now),)))?;
        }
        ("clocks/wall-clock", "resolution") => {
            to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))?;
        }
        ("clocks/monotonic-clock", "now") => to.func_wrap(name, |mut cx: Cx<'_>, (): ()| {
            let wasi = &mut cx.data_mut().wasi;
            wasi.monotonic += 1;
            Ok((wasi.monotonic,))
        })?,
        ("clocks/monotonic-clock", "resolution") => to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((1_u64,)))?,
        ("clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration") => {
            to.func_wrap(name, |_: Cx<'_>, (_,): (u64,)| Ok((Resource::<Pollable>::new_own(NEVER),)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn random(to: &mut Linked<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            let name_in_error = name.to_owned();
            to.func_wrap(name, move |mut cx: Cx<'_>, (wanted,): (u64,)| {
                if wanted > RANDOM_BYTES {
                    return Err(Denied(format!(
                        "asked for {wanted} random bytes at once ({name_in_error}), {RANDOM_BYTES} are allowed"
                    ))
                    .into());
                }
                let mut bytes = vec![0; usize::try_from(wanted)?];
                cx.data_mut().wasi.random.fill(&mut bytes);
                Ok((bytes,))
            })?;
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            to.func_wrap(name, |mut cx: Cx<'_>, (): ()| Ok((cx.data_mut().wasi.random.u64(..),)))?;
        }
        "insecure-seed" => to.func_wrap(name, |mut cx: Cx<'_>, (): ()| {
            let random = &mut cx.data_mut().wasi.random;
            Ok(((random.u64(..), random.u64(..)),))
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// The event's time; before 1970 there is none.
fn datetime(at: Timestamp) -> Datetime {
    let ms = u64::try_from(at.0).unwrap_or(0);
    Datetime { seconds: ms / 1_000, nanoseconds: u32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000 }
}

/// Defines a function that gives an error code, or traps where its type has none.
fn deny(to: &mut Linked<'_>, interface: &str, name: &str, function: &ComponentFunc) -> wasmtime::Result<()> {
    let refusal = function.results().next().and_then(|result| refusal(&result));
    let called = format!("called {interface}#{name}, which a plugin cannot");
    to.func_new(name, move |_, _, _, results| match (&refusal, results.first_mut()) {
        (Some(code), Some(result)) => {
            *result = Val::Result(Err(Some(Box::new(Val::Enum(code.clone())))));
            Ok(())
        }
        _ => Err(Denied(called.clone()).into()),
    })
}

fn refusal(result: &Type) -> Option<String> {
    let Type::Result(result) = result else { return None };
    let Some(Type::Enum(codes)) = result.err() else { return None };
    codes.names().find(|name| REFUSALS.contains(name)).map(ToOwned::to_owned)
}
