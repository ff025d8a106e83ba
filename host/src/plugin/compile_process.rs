//! The process that compiles one component for the banhook that started it: `banhook compile`.
//!
//! It runs in two steps, so that whatever a component makes the host allocate is allocated here first, where it is bounded.
//! The first compiles. The second, the same program again, loads the compiled component as the daemon will, with little
//! memory beyond that of the mapped file, and only then passes it on. A component that takes more ends this process, and
//! no other.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use wasmtime::component::Linker;

use super::compiler::{
    ADDRESS_SPACE, COMPILED, ERROR_BYTES, INVALID, LOAD_MEMORY, LOADING, UNFIT, compile, read_request,
};
use super::engine::{Metering, compiling_engine};
use super::host::{Grant, Host, PluginContext, grantable};
use super::{PluginError, cache};
use crate::event::readable::cut;

/// How much lower the priority of compiling is: delivering alerts goes first.
const NICENESS: i32 = 5;

/// The argument of the second step.
pub(crate) const LOAD: &str = "--load";

/// Compiles what it reads from standard input, and becomes the process that loads it.
///
/// # Errors
/// When the parent has ended, or the compiler cannot be set up.
pub(crate) fn serve(metering: Metering) -> io::Result<()> {
    let bound = Rlimit { current: Some(ADDRESS_SPACE), maximum: Some(ADDRESS_SPACE) };
    setrlimit(Resource::As, bound)?;
    nice(NICENESS)?;
    // A daemon that is stopped meanwhile does not wait.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Where memory is short, the system ends this process and not the daemon. It matters only there.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let (functions, file) = read_request(io::stdin().lock())?;
    match compile(&file, &functions, metering) {
        Ok(compiled) => {
            let mut to_load = File::from(memfd_create("compiled", MemfdFlags::CLOEXEC)?);
            compiled.write(&mut to_load)?;
            to_load.rewind()?;
            Err(Command::new("/proc/self/exe").args(["compile", metering.name(), LOAD]).stdin(to_load).exec())
        }
        Err(error) => {
            let (kind, text) = match error {
                PluginError::Invalid(text) => (INVALID, text),
                PluginError::Unfit(text) => (UNFIT, text),
                error => (INVALID, error.to_string()),
            };
            let mut output = io::stdout().lock();
            output.write_all(&[kind])?;
            output.write_all(cut(&text, ERROR_BYTES).as_bytes())?;
            output.flush()
        }
    }
}

/// Loads the compiled component that is its standard input, and writes it to its standard output.
///
/// # Errors
/// When it cannot be read, or the parent has ended.
pub(crate) fn load(metering: Metering) -> io::Result<()> {
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = io::stdout().lock();
    output.write_all(&[LOADING])?;
    output.flush()?;
    let engine = compiling_engine(metering, None).map_err(|error| io::Error::other(format!("{error:#}")))?;
    let bound = address_space()?.saturating_add(file.metadata()?.len()).saturating_add(LOAD_MEMORY);
    setrlimit(Resource::As, Rlimit { current: Some(bound), maximum: Some(bound) })?;
    if let Some(component) = cache::map(&engine, &file) {
        let host = Host::new();
        let grants = grantable().into_iter().map(|(name, _)| (name, Grant::Refused)).collect();
        let (providers, _) = host.open(&PluginContext { grants, ..PluginContext::default() });
        let mut linker = Linker::new(&engine);
        // The daemon finds the same fault at the same place, and knows what the route grants.
        if host.link(&mut linker, &component, &providers).is_ok() {
            drop(linker.instantiate_pre(&component));
        }
    }
    output.write_all(&[COMPILED])?;
    io::copy(&mut file, &mut output)?;
    output.flush()
}

/// Bytes of address space that this process has.
fn address_space() -> io::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    let size = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
    pages.map(|pages| pages.saturating_mul(size)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
