//! The cost of a compiled plugin: to load it, and to keep it.

use std::time::Instant;

use anyhow::{Context, ensure};
use banhook::plugin::{BUILT_IN, Cache, Plugin, Runtime};

use crate::guests::{self, SMALL};
use crate::report::Report;

/// Target of the median, in milliseconds, for a plugin in Rust: the smallest and the largest that we have.
const LOAD_AT_MOST: f64 = 1.0;
/// MB of memory for each further plugin.
const MEMORY_AT_MOST: f64 = 10.0;

const ROUNDS: usize = 40;
/// Plugins that are loaded to measure the memory of one more.
const FURTHER: u8 = 8;

/// Measures, and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cache = Cache::open(&folder.path().join("cache"))?;

    let [mut engine, mut of_small, mut of_template] = [const { Vec::new() }; 3];
    // The first round compiles and is not counted.
    for round in 0..=ROUNDS {
        let start = Instant::now();
        // A new one each time: a runtime remembers what it loaded.
        let runtime = guests::runtime(Some(cache.clone()))?;
        let taken =
            [start.elapsed(), load(&runtime, SMALL)?, load(&runtime, BUILT_IN)?].map(|it| it.as_secs_f64() * 1e3);
        if round > 0 {
            for (values, taken) in [&mut engine, &mut of_small, &mut of_template].into_iter().zip(taken) {
                values.push(taken);
            }
        }
    }
    let python = guests::python()?;
    let mut of_python = Vec::new();
    for round in 0..=ROUNDS {
        let runtime = guests::runtime(Some(cache.clone()))?;
        let taken = load(&runtime, &python)?.as_secs_f64() * 1e3;
        if round > 0 {
            of_python.push(taken);
        }
    }
    let mut smoke_test = Vec::new();
    let runtime = guests::runtime(Some(cache.clone()))?;
    let plugin = runtime.load(&python, &guests::providers(&runtime), guests::limits())?;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        ensure!(plugin.smoke_test().is_empty(), "{:?}", plugin.smoke_test());
        smoke_test.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.heading("loading a compiled component", "ms");
    report.row("the engine itself", &engine, None);
    report.row("small Rust guest", &of_small, Some(LOAD_AT_MOST));
    report.row("template plugin", &of_template, Some(LOAD_AT_MOST));
    report.row("Python guest", &of_python, None);
    report.row("  its smoke test: check and five events", &smoke_test, None);

    println!("\nresident memory for each further idle plugin, MB");
    for (name, module) in [("small Rust guest", SMALL), ("template plugin", BUILT_IN)] {
        report.number(name, further(&cache, module)?, Some(MEMORY_AT_MOST));
    }
    Ok(())
}

fn load(runtime: &Runtime, file: &[u8]) -> anyhow::Result<std::time::Duration> {
    let start = Instant::now();
    let plugin = runtime.load(file, &guests::providers(runtime), guests::limits())?;
    let taken = start.elapsed();
    drop(plugin);
    Ok(taken)
}

/// MB that each further plugin of this kind takes once it has run, when loaded from the cache.
fn further(cache: &Cache, module: &[u8]) -> anyhow::Result<f64> {
    let files: Vec<_> = (0..=FURTHER).map(|number| guests::another(module, number)).collect();
    let compiling = guests::runtime(Some(cache.clone()))?;
    for file in &files {
        drop(compiling.load(file, &guests::providers(&compiling), guests::limits())?);
    }
    drop(compiling);

    let runtime = guests::runtime(Some(cache.clone()))?;
    let mut plugins: Vec<Plugin> = Vec::new();
    let mut before = None;
    for file in &files {
        let plugin = runtime.load(file, &guests::providers(&runtime), guests::limits())?;
        ensure!(plugin.smoke_test().is_empty(), "a plugin fails its smoke test");
        plugins.push(plugin);
        // The first one also pays for the engine.
        if before.is_none() {
            before = Some(resident()?);
        }
    }
    Ok((resident()? - before.unwrap_or_default()) / f64::from(FURTHER))
}

/// MB of this process in memory.
fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc/self/status")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0 / 1e6)
}
