//! The functions that language runtimes call as they start, and those that guests print with.

use wasmtime::component::{ComponentType, Lower, Resource, ResourceType};

use crate::event::Timestamp;
use crate::plugin::error::HostError;
use crate::plugin::host::interface::{Cx, Linked};

/// Random bytes that one call may ask for.
const RANDOM_BYTES: u64 = 64 << 10;

// A handle's number says everything about it, so there is no table of resources.

/// Always at its end.
enum Input {}
/// 0: standard output, 1: standard error.
enum Output {}
/// 0: ready, 1: never.
enum Pollable {}
enum Terminal {}
enum IoError {}
/// A resource that no plugin ever gets: files, sockets.
enum NoResource {}

const READY: u32 = 0;
const NEVER: u32 = 1;

/// The type of a resource with this name.
pub(super) fn resource(name: &str) -> ResourceType {
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

/// Defines a function that language runtimes call. Returns false if it is another one.
pub(super) fn define(to: &mut Linked<'_>, interface: &str, name: &str) -> wasmtime::Result<bool> {
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
            Err(HostError("called exit (wasi:cli/exit)".to_owned()).into())
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
                cx.data_mut().print(&bytes);
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

/// Whatever is ready answers at once; for anything else the plugin would have to wait, which it cannot.
fn poll(to: &mut Linked<'_>, name: &str) -> wasmtime::Result<bool> {
    let function = name.to_owned();
    let waited = move || HostError(format!("waited (wasi:io/poll#{function}), which no plugin can"));
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

/// The wall clock shows the event's time; the monotonic one advances by a nanosecond with each look.
fn clocks(to: &mut Linked<'_>, interface: &str, name: &str) -> wasmtime::Result<bool> {
    match (interface, name) {
        ("clocks/wall-clock", "now") => {
            to.func_wrap(name, |cx: Cx<'_>, (): ()| Ok((datetime(cx.data().now),)))?;
        }
        ("clocks/wall-clock", "resolution") => {
            to.func_wrap(name, |_: Cx<'_>, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))?;
        }
        ("clocks/monotonic-clock", "now") => to.func_wrap(name, |mut cx: Cx<'_>, (): ()| {
            let state = cx.data_mut();
            state.ticks += 1;
            Ok((state.ticks,))
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
                    return Err(HostError(format!(
                        "asked for {wanted} random bytes at once ({name_in_error}), {RANDOM_BYTES} are allowed"
                    ))
                    .into());
                }
                let mut bytes = vec![0; usize::try_from(wanted)?];
                cx.data_mut().random.fill(&mut bytes);
                Ok((bytes,))
            })?;
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            to.func_wrap(name, |mut cx: Cx<'_>, (): ()| Ok((cx.data_mut().random.u64(..),)))?;
        }
        "insecure-seed" => to.func_wrap(name, |mut cx: Cx<'_>, (): ()| {
            let random = &mut cx.data_mut().random;
            Ok(((random.u64(..), random.u64(..)),))
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// The event's time; before 1970, the epoch.
fn datetime(at: Timestamp) -> Datetime {
    let ms = u64::try_from(at.0).unwrap_or(0);
    Datetime { seconds: ms / 1_000, nanoseconds: u32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000 }
}
