//! Has components compiled in a separate process, since nothing else bounds the compiler's time and memory.
//!
//! The child is this very program (`banhook compile`, [`compile_process`](super::compile_process)): it reads the plugin's
//! file from its standard input and answers on its standard output; it has no environment and opens nothing. The compiler's
//! memory is never the daemon's. Before the file it gets the [`Functions`] of the plugin's version before, and after the
//! compiled component it returns those of this one.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::engine::{Metering, compiling_engine};
use super::functions::Functions;
use super::{PluginError, component, declarations};

/// Address space that compiling may take: CPython, the largest guest known, takes less than half.
pub(super) const ADDRESS_SPACE: u64 = 4 << 30;

/// Memory that loading a compiled component may take, apart from its code and data, which are mapped. CPython takes less than one.
pub(super) const LOAD_MEMORY: u64 = 16 << 20;

/// The first byte of a child's answer. What is compiled follows, or an error.
pub(super) const COMPILED: u8 = b'+';
pub(super) const INVALID: u8 = b'-';
pub(super) const UNFIT: u8 = b'!';
/// The byte before it once the component is compiled, and is being loaded to see what that takes.
pub(super) const LOADING: u8 = b'?';

/// Bytes of an error that are read.
pub(super) const ERROR_BYTES: usize = 4 << 10;

/// Bytes that a compiled component may have, and its functions once more: CPython has twice those of its file.
pub(super) const fn compiled_most(file: usize) -> usize {
    (32 << 20) + file.saturating_mul(4)
}

/// Where components are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, without a bound on time.
    Here,
    /// In a child process that runs this program, whose command `compile` must call `serve`.
    Child(PathBuf),
}

/// Bytes of a length: of the functions, before them on the way to the child, and after them on the way back.
pub(super) const LENGTH: usize = 8;

/// A component as wasmtime serialized it, and its functions. Only this module makes one, so it may be run.
pub(super) struct Compiled {
    bytes: Vec<u8>,
    /// Bytes of the component; those of its functions follow.
    component: usize,
}

impl Compiled {
    fn new(mut component: Vec<u8>, mut functions: Vec<u8>, file: usize) -> Self {
        let length = component.len();
        // Without them, the next version is compiled whole.
        if functions.len() <= compiled_most(file) {
            component.append(&mut functions);
        }
        Self { bytes: component, component: length }
    }

    /// Reads what [`Self::write`] wrote; `None` if it is not whole.
    fn read(mut bytes: Vec<u8>) -> Option<Self> {
        let functions = u64::from_le_bytes(*bytes.last_chunk::<LENGTH>()?);
        bytes.truncate(bytes.len() - LENGTH);
        let component = bytes.len().checked_sub(usize::try_from(functions).ok()?)?;
        Some(Self { bytes, component })
    }

    /// Writes it for [`Self::read`]. The component comes first, since its file is mapped from its begin.
    pub(super) fn write(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(&self.bytes)?;
        to.write_all(&length(self.functions()))
    }

    /// Returns the component.
    pub(super) fn component(&self) -> &[u8] {
        self.bytes.get(..self.component).unwrap_or_default()
    }

    /// Returns its functions, for the next version of the plugin.
    pub(super) fn functions(&self) -> &[u8] {
        self.bytes.get(self.component..).unwrap_or_default()
    }
}

fn length(bytes: &[u8]) -> [u8; LENGTH] {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes()
}

impl Compiler {
    /// A child process that runs the program that runs now, even if its file is replaced meanwhile.
    #[must_use]
    pub(crate) fn this_program() -> Self {
        Self::Child(PathBuf::from("/proc/self/exe"))
    }

    /// Compiles the bytes of a plugin's file. `functions`: those of the plugin's version before, or none.
    pub(super) fn compile(
        &self,
        file: &[u8],
        functions: &[u8],
        metering: Metering,
        within: Duration,
    ) -> Result<Compiled, PluginError> {
        match self {
            Self::Here => compile(file, functions, metering),
            Self::Child(program) => {
                let child = Command::new(program)
                    .args(["compile", metering.name()])
                    .env_clear()
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(|error| PluginError::Engine(format!("cannot start the compiler: {error}")))?;
                ask(child, file, functions, within)
            }
        }
    }
}

/// Compiles the bytes of a plugin's file, in this process.
pub(super) fn compile(file: &[u8], functions: &[u8], metering: Metering) -> Result<Compiled, PluginError> {
    let functions = Arc::new(Functions::from_bytes(functions));
    let engine = compiling_engine(metering, Some(Arc::<Functions>::clone(&functions)))
        .map_err(|error| PluginError::Engine(format!("{error:#}")))?;
    let wasm = component::from_file(file)?;
    declarations::check(&wasm)?;
    let compiled = engine.precompile_component(&wasm).map_err(|error| PluginError::Invalid(format!("{error:#}")))?;
    let (found, most) = (compiled.len(), compiled_most(file.len()));
    if found > most {
        return Err(PluginError::Unfit(format!("{found} bytes once compiled, {most} are allowed")));
    }
    Ok(Compiled::new(compiled, functions.to_bytes(), file.len()))
}

/// Reads what [`ask`] sends: the functions of the version before, and the file.
pub(super) fn read_request(mut from: impl Read) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut length = [0; LENGTH];
    from.read_exact(&mut length)?;
    let (mut functions, mut file) = (Vec::new(), Vec::new());
    from.by_ref().take(u64::from_le_bytes(length)).read_to_end(&mut functions)?;
    from.read_to_end(&mut file)?;
    Ok((functions, file))
}

/// Sends the file and waits for the answer. The child has ended when this returns.
fn ask(mut child: Child, file: &[u8], functions: &[u8], within: Duration) -> Result<Compiled, PluginError> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(PluginError::Engine("the compiler has no pipes".to_owned()));
    };
    // Both bytes before what is compiled, the length after it, and one more than is allowed.
    let most = compiled_most(file.len()).saturating_add(compiled_most(file.len())).saturating_add(2 + LENGTH + 1);
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let (answered, answer) = mpsc::channel();
    let result = thread::scope(|scope| {
        let receive = move || {
            let mut bytes = Vec::new();
            let read = output.take(most).read_to_end(&mut bytes).map(|_| bytes);
            // Nobody receives it only after a time-out.
            let _ = answered.send(read);
        };
        // The child reads everything before it answers; if it ends early, its answer says more than this error.
        let send = move || [&length(functions)[..], functions, file].iter().try_for_each(|part| input.write_all(part));
        let spawned = thread::Builder::new()
            .spawn_scoped(scope, receive)
            .and_then(|_| thread::Builder::new().spawn_scoped(scope, send));
        let result = match spawned {
            Ok(_) => answer.recv_timeout(within).map_err(|_| PluginError::CompileTime(within)),
            Err(error) => Err(PluginError::Engine(format!("cannot start a thread: {error}"))),
        };
        if result.is_err() {
            // Fails only if it has ended already.
            let _ = child.kill();
        }
        result
    });
    let status = child.wait();
    read_answer(result??, status)
}

fn read_answer(mut bytes: Vec<u8>, status: io::Result<ExitStatus>) -> Result<Compiled, PluginError> {
    let is_loading = bytes.first() == Some(&LOADING);
    let kind = bytes.get(usize::from(is_loading)).copied();
    let text = |bytes: &[u8]| {
        let text = bytes.get(usize::from(is_loading) + 1..).unwrap_or_default();
        String::from_utf8_lossy(text.get(..ERROR_BYTES).unwrap_or(text)).into_owned()
    };
    match kind {
        Some(COMPILED) if status.as_ref().is_ok_and(ExitStatus::success) => {
            bytes.drain(..=usize::from(is_loading));
            Compiled::read(bytes).ok_or_else(|| PluginError::Compile("the compiler's answer is cut".to_owned()))
        }
        Some(INVALID) => Err(PluginError::Invalid(text(&bytes))),
        Some(UNFIT) => Err(PluginError::Unfit(text(&bytes))),
        None if is_loading => {
            Err(PluginError::Unfit(format!("it takes more than {LOAD_MEMORY} bytes of memory to load")))
        }
        _ => Err(PluginError::Compile(match status {
            Ok(status) => format!("the compiler ended with {status}; it may use {ADDRESS_SPACE} bytes of memory"),
            Err(error) => error.to_string(),
        })),
    }
}
