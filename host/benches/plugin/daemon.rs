//! The time until a daemon is ready whose plugins are compiled already.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use banhook::plugin::{BUILT_IN, Cache};

use crate::guests::{self, SMALL};
use crate::report::Report;

/// Target of the median, in milliseconds.
const READY_AT_MOST: f64 = 60.0;

const ROUNDS: usize = 20;

/// Measures, and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    set_up(folder.path(), &guests::python()?)?;
    start(folder.path()).context("starting the daemon once")?;
    let taken = (0..ROUNDS).map(|_| start(folder.path())).collect::<anyhow::Result<Vec<_>>>()?;
    report.heading("daemon with 8 compiled plugins", "ms");
    report.row("from its start until it is ready", &taken, Some(READY_AT_MOST));
    Ok(())
}

/// A route for each of eight plugins: Python, and seven in Rust of both sizes.
fn set_up(folder: &Path, python: &[u8]) -> anyhow::Result<()> {
    let mut plugins = vec![("python.wasm".to_owned(), python.to_vec())];
    plugins.extend((1..=4).map(|number| (format!("small-{number}.wasm"), guests::another(SMALL, number))));
    plugins.extend((1..=3).map(|number| (format!("template-{number}.wasm"), guests::another(BUILT_IN, number))));
    // Nothing is ever sent there.
    let mut config = "[webhooks.main]\nurl_file = \"main.url\"\n".to_owned();
    fs::write(folder.join("main.url"), "http://127.0.0.1:9/services/T0/B0/SECRET")?;
    fs::set_permissions(folder.join("main.url"), fs::Permissions::from_mode(0o600))?;
    let state = folder.join("state");
    DirBuilder::new().mode(0o700).create(&state)?;
    // Otherwise the daemon would be ready before those that take long to compile.
    let compiling = guests::runtime(Some(Cache::open(&state.join("cache"))?))?;
    for (name, file) in plugins {
        compiling
            .load(&file, &guests::providers(&compiling), guests::limits())
            .with_context(|| format!("loading {name}"))?;
        fs::write(folder.join(&name), file)?;
        let route = name.trim_end_matches(".wasm");
        writeln!(
            config,
            "\n[[routes]]\nname = \"{route}\"\nplugin = \"{name}\"\nwebhook = \"main\"\ngrants.geo = false"
        )?;
    }
    fs::write(folder.join("config.toml"), config)?;
    Ok(())
}

/// Milliseconds until a daemon is ready; it is stopped then.
fn start(folder: &Path) -> anyhow::Result<f64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banhook"));
    command.arg("--config").arg(folder.join("config.toml")).arg("--state-dir").arg(folder.join("state")).arg("run");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut daemon = Stopped(command.spawn()?);
    let stderr = daemon.0.stderr.take().context("no standard error")?;
    let mut said = String::new();
    for line in BufReader::new(stderr).lines() {
        let line = line?;
        if line.contains("ready") {
            // A plugin that fails to load does so quickly.
            ensure!(!said.contains("ERROR"), "the daemon reports errors: {said}");
            return Ok(start.elapsed().as_secs_f64() * 1e3);
        }
        said.push_str(&line);
        said.push('\n');
    }
    bail!("the daemon ended before it was ready: {said}")
}

/// Killed when it is dropped.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
