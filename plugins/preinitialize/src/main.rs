//! Runs a module's `wizer-initialize` and writes a module that starts with the resulting memory.
//!
//! Each event gets a new instance of the plugin. Work that is the same for all of them can run once, when the plugin is
//! built. It must not call imports: they trap.

use std::path::PathBuf;

use wasmtime::error::Context;
use wasmtime::{Engine, Instance, Linker, Module, Result, Store, Val, bail};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [from, to] = arguments.as_slice() else { bail!("usage: banhook-preinitialize MODULE NEW-MODULE") };
    let module = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    let module = preinitialize(&module).with_context(|| format!("initializing {}", from.display()))?;
    std::fs::write(to, module).with_context(|| format!("writing {}", to.display()))
}

fn preinitialize(module: &[u8]) -> Result<Vec<u8>> {
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument(module)?;
    let engine = Engine::default();
    let module = Module::new(&engine, instrumented)?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module)?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, wizer.get_init_func())?.call(&mut store, ())?;
    // The function is asynchronous for other runtimes; here it never waits.
    pollster::block_on(wizer.snapshot(&context, &mut Initialized { instance, store }))
}

/// The initialized instance of the module.
struct Initialized {
    instance: Instance,
    store: Store<()>,
}

/// Wizer asks only for exports of its own instrumentation, and its contract is a panic otherwise.
#[allow(clippy::expect_used, clippy::panic)]
impl InstanceState for Initialized {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name).expect("a global of that name");
        match global.get(&mut self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(bits) => SnapshotVal::F32(bits),
            Val::F64(bits) => SnapshotVal::F64(bits),
            other => panic!("{name} is of type {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&mut self.store, name).expect("a memory of that name");
        contents(memory.data(&self.store));
    }
}
