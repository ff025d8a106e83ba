//! Loading of arbitrary plugin files: each is rejected, or it loads and its smoke test ends. Either can be reported.
//!
//! The first byte of the input selects what the rest generates: a file as it is, a valid component, a valid module, or a
//! module with a plugin's exports, the only one of the four whose code runs.
#![no_main]

mod plugin;

use std::cell::RefCell;
use std::sync::LazyLock;

use banhook::plugin::Runtime;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use plugin::{World, check_fallback, limits, providers};
use wasm_smith::{Component, Config, Module};

/// Inputs per runtime, which caches compiled plugins.
const INPUTS: u32 = 200;

/// The exports of a plugin, and the imports that it may use, each as a module.
const EXPORTS: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "banhook:plugin/formatter@0.1.0#format") (param i32) (result i32) unreachable))"#;
const IMPORTS: &str = r#"(module
  (import "banhook:plugin/log@0.1.0" "write" (func (param i32 i32 i32)))
  (import "banhook:plugin/settings@0.1.0" "get" (func (param i32 i32 i32)))
  (import "banhook:plugin/settings@0.1.0" "all" (func (param i32)))
  (import "banhook:plugin/clock@0.1.0" "now" (func (result f64)))
  (import "banhook:plugin/clock@0.1.0" "local" (func (param f64 i32))))"#;

static WORLD: LazyLock<World> = LazyLock::new(World::plugin);

thread_local! {
    static RUNTIME: RefCell<(u32, Option<Runtime>)> = const { RefCell::new((0, None)) };
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let Ok(file) = file(*kind, rest) else { return };
    RUNTIME.with_borrow_mut(|(used, runtime)| {
        if *used % INPUTS == 0 {
            *runtime = None;
        }
        *used = used.wrapping_add(1);
        let runtime = runtime.get_or_insert_with(plugin::runtime);
        match runtime.load(&file, &providers(runtime), limits()) {
            Ok(plugin) => plugin.smoke_test().iter().for_each(check_fallback),
            Err(error) => check_fallback(&error),
        }
    });
});

fn file(kind: u8, rest: &[u8]) -> Result<Vec<u8>> {
    let mut rest = Unstructured::new(rest);
    Ok(match kind % 4 {
        0 => rest.take_rest().to_vec(),
        1 => Component::new(Config::default(), &mut rest)?.to_bytes(),
        2 => Module::new(Config::default(), &mut rest)?.to_bytes(),
        _ => {
            let config = Config {
                exports: Some(wat::parse_str(EXPORTS).expect("valid text")),
                available_imports: Some(wat::parse_str(IMPORTS).expect("valid text")),
                max_memories: 1,
                // No toolchain for components uses these.
                gc_enabled: false,
                exceptions_enabled: false,
                memory64_enabled: false,
                threads_enabled: false,
                ..Config::default()
            };
            WORLD.of(Module::new(config, &mut rest)?.to_bytes())
        }
    })
}
