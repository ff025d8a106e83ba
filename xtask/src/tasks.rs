//! Tasks that run other programs and pass their output through.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, anyhow};

use crate::command::{cargo, run};
use crate::guests::{self, Guest};
use crate::{debian_releases, debian_root, npm, package, packages, plugins, programs};

/// Installs and builds what the tests need, then runs all tests. The last lines of the output are those of `cargo test`.
pub fn test(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    packages::ensure(&packages::for_tests())?;
    // What is downloaded arrives while the processor compiles.
    let (built, gotten) = thread::scope(|scope| {
        let getting = scope.spawn(|| Gotten::get(root));
        (Built::build(root), getting.join())
    });
    let Gotten { debian, fail2ban, nats_server, chat_parsers } =
        gotten.map_err(|_| anyhow!("getting what the tests need panicked"))??;
    let Built { template, guests, notify, packages } = built?;
    test_script_libraries(root)?;
    // Documentation tests run first, so that the last lines are those of the other tests.
    run(cargo(root).args(["test", "--workspace", "--doc"]))?;
    let (of_cargo, of_tests) = match arguments.iter().position(|argument| argument == "--") {
        Some(position) => arguments.split_at(position),
        None => (arguments, &[][..]),
    };
    run(cargo(root)
        .args(["test", "--workspace", "--lib", "--bins", "--tests"])
        .args(of_cargo)
        // `cargo test` ignores the tests that need root or other programs.
        .args(["--", "--include-ignored"])
        // Tests with this name only print measurements.
        .args(["--skip", "_are_timed"])
        .args(of_tests.iter().skip(1))
        .env("RUST_TEST_THREADS", test_threads())
        .env("BANHOOK_FRESH_TEMPLATE", template)
        .env("BANHOOK_GUESTS", guests)
        .env("BANHOOK_NOTIFY", notify)
        .env("BANHOOK_PACKAGES", packages)
        .env("BANHOOK_DEBIAN_ROOT", debian)
        .env("BANHOOK_FAIL2BAN", fail2ban)
        .env("BANHOOK_NATS_SERVER", nats_server)
        .env("BANHOOK_CHAT_PARSERS", chat_parsers)
        .env("BANHOOK_RELIABILITY", root.join("target/reliability")))
}

/// What the tests need that is compiled.
struct Built {
    template: PathBuf,
    guests: PathBuf,
    notify: PathBuf,
    packages: PathBuf,
}

impl Built {
    fn build(root: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            template: plugins::build(root).context("building the template plugin from source")?,
            guests: guests::build(root, &guests::FOR_TESTS)?,
            notify: programs::build_notify(root).context("building banhook-notify")?,
            packages: package::for_tests(root).context("making the packages that the tests install")?,
        })
    }
}

/// What the tests need that is downloaded.
struct Gotten {
    debian: PathBuf,
    fail2ban: PathBuf,
    nats_server: PathBuf,
    chat_parsers: PathBuf,
}

impl Gotten {
    fn get(root: &Path) -> anyhow::Result<Self> {
        guests::install_tools(root).context("getting the tools of JavaScript and C")?;
        let chat_parsers = root.join(".tools/chat_parsers");
        npm::install(&root.join("tests/e2e/chat_parsers"), &chat_parsers).context("installing the chats' parsers")?;
        Ok(Self {
            debian: debian_root::make(root).context("making the Debian that the tests install into")?,
            fail2ban: debian_releases::FAIL2BAN.get(root)?,
            nats_server: debian_releases::NATS_SERVER.get(root)?,
            chat_parsers: chat_parsers.canonicalize().context("looking for the chats' parsers")?,
        })
    }
}

/// How many tests run at once: one more than there are processors, since many wait for a time to come.
fn test_threads() -> String {
    let chosen = std::env::var("RUST_TEST_THREADS").ok();
    chosen.unwrap_or_else(|| (thread::available_parallelism().map_or(1, usize::from) + 1).to_string())
}

/// Runs the tests of the libraries for plugins in JavaScript and Python, which need nothing but the languages.
fn test_script_libraries(root: &Path) -> anyhow::Result<()> {
    let libraries = root.join("plugins/sdk");
    run(Command::new("node").arg("--test").arg("test/").current_dir(libraries.join("js")))
        .context("testing the library for JavaScript")?;
    run(Command::new("python3")
        .args(["-B", "-m", "unittest", "tests/test_plugin.py"])
        .current_dir(libraries.join("python")))
    .context("testing the library for Python")
}

/// Makes the packages that the tests install, and the Debian that they install them into. Returns the two folders.
pub fn packages_for_tests(root: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let packages = package::for_tests(root).context("making the packages that the tests install")?;
    let debian = debian_root::make(root).context("making the Debian that the tests install into")?;
    Ok((packages, debian))
}

/// Rebuilds the committed plugins.
pub fn plugins(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_plugins())?;
    plugins::install(root)
}

/// Writes the help of every command into docs/src/command-line.md. The test that compares the two writes it.
pub fn reference(root: &Path) -> anyhow::Result<()> {
    run(cargo(root)
        .args(["test", "--package", "banhook-tests", "--test", "e2e", "--", "reference::"])
        .env("UPDATE_GOLDEN", "1"))
}

/// Measures the linter and the guard. Fails if they exceed a limit.
pub fn bench_message(root: &Path) -> anyhow::Result<()> {
    run(cargo(root).args(["bench", "--package", "banhook", "--bench", "message"]))
}

/// Measures events on their way through a daemon; see host/benches/delivery.
pub fn bench_delivery(root: &Path, parts: &[String]) -> anyhow::Result<()> {
    run(cargo(root).args(["bench", "--package", "banhook", "--bench", "delivery", "--"]).args(parts))
}

/// Measures the plugin host; see host/benches/plugin. One of the plugins that a daemon loads is Python's.
pub fn bench_plugin(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_guest(Guest::Python))?;
    guests::build(root, &[Guest::Python])?;
    run(cargo(root).args(["bench", "--package", "banhook", "--bench", "plugin"]))
}
