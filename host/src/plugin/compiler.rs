//! Compiles components in a separate process, since nothing else bounds the compiler's time and memory.
//!
//! The child is this very program (`banhook compile`): it reads the plugin's file from its standard input and answers on
//! its standard output; it has no environment and opens nothing. The compiler's memory is never the daemon's.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use wasmtime::Engine;

use super::engine::{Metering, compiling_engine};
use super::{PluginError, component};

/// Address space that compiling may take: CPython, the largest guest known, takes less than half.
const ADDRESS_SPACE: u64 = 4 << 30;

/// How much lower the priority of compiling is: delivering alerts goes first.
const NICENESS: i32 = 5;

/// The first byte of a child's answer: a compiled component follows, or an error.
const COMPILED: u8 = b'+';
const INVALID: u8 = b'-';

/// Where components are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, without a bound on time.
    Here,
    /// In a child process that runs this program, whose command `compile` must call `serve`.
    Child(PathBuf),
}

/// A component as wasmtime serialized it. Only this module makes one, so it may be run.
pub(super) struct Compiled(Vec<u8>);

impl Compiled {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Compiler {
    /// A child process that runs the program that runs now, even if its file is replaced meanwhile.
    #[must_use]
    pub(crate) fn this_program() -> Self {
        Self::Child(PathBuf::from("/proc/self/exe"))
    }

    /// Compiles the bytes of a plugin's file.
    pub(super) fn compile(&self, file: &[u8], metering: Metering, within: Duration) -> Result<Compiled, PluginError> {
        match self {
            Self::Here => {
                let engine = compiling_engine(metering).map_err(|error| PluginError::Engine(format!("{error:#}")))?;
                compile(&engine, file).map(Compiled)
            }
            Self::Child(program) => {
                let child = Command::new(program)
                    .args(["compile", metering.name()])
                    .env_clear()
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(|error| PluginError::Engine(format!("cannot start the compiler: {error}")))?;
                ask(child, file, within)
            }
        }
    }
}

fn compile(engine: &Engine, file: &[u8]) -> Result<Vec<u8>, PluginError> {
    let wasm = component::from_file(file)?;
    engine.precompile_component(&wasm).map_err(|error| PluginError::Invalid(format!("{error:#}")))
}

/// Sends the file and waits for the answer. The child has ended when this returns.
fn ask(mut child: Child, file: &[u8], within: Duration) -> Result<Compiled, PluginError> {
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(PluginError::Engine("the compiler has no pipes".to_owned()));
    };
    let (answered, answer) = mpsc::channel();
    let result = thread::scope(|scope| {
        scope.spawn(move || {
            let mut bytes = Vec::new();
            let read = output.read_to_end(&mut bytes).map(|_| bytes);
            // Nobody receives it only after a time-out.
            let _ = answered.send(read);
        });
        // The child reads everything before it answers; if it ends early, its answer says more than this error.
        scope.spawn(move || input.write_all(file));
        let result = answer.recv_timeout(within);
        if result.is_err() {
            // Fails only if it has ended already.
            let _ = child.kill();
        }
        result
    });
    let status = child.wait();
    let mut bytes = match result {
        Ok(read) => read?,
        Err(_) => return Err(PluginError::CompileTime(within)),
    };
    match bytes.first() {
        Some(&COMPILED) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => {
            bytes.remove(0);
            Ok(Compiled(bytes))
        }
        Some(&INVALID) => {
            bytes.remove(0);
            Err(PluginError::Invalid(String::from_utf8_lossy(&bytes).into_owned()))
        }
        _ => Err(PluginError::Compile(match status {
            Ok(status) => format!("the compiler ended with {status}; it may use {ADDRESS_SPACE} bytes of memory"),
            Err(error) => error.to_string(),
        })),
    }
}

/// The child's side: compiles what it reads from standard input, and answers on standard output.
///
/// # Errors
/// When the parent has ended, or the compiler cannot be set up.
pub(crate) fn serve(metering: Metering) -> io::Result<()> {
    let bound = Rlimit { current: Some(ADDRESS_SPACE), maximum: Some(ADDRESS_SPACE) };
    setrlimit(Resource::As, bound)?;
    nice(NICENESS)?;
    // A daemon that is stopped meanwhile does not wait.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut file = Vec::new();
    io::stdin().read_to_end(&mut file)?;
    let engine = compiling_engine(metering).map_err(|error| io::Error::other(format!("{error:#}")))?;
    let mut output = io::stdout().lock();
    match compile(&engine, &file) {
        Ok(compiled) => {
            output.write_all(&[COMPILED])?;
            output.write_all(&compiled)?;
        }
        Err(error) => {
            let text = match error {
                PluginError::Invalid(text) => text,
                error => error.to_string(),
            };
            output.write_all(&[INVALID])?;
            output.write_all(text.as_bytes())?;
        }
    }
    output.flush()
}
