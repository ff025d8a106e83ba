//! The tasks that are a row of other programs: their output is passed on as it is.

use std::path::Path;

use anyhow::Context;

use crate::command::{cargo, run};
use crate::guests::{self, Guest};
use crate::{packages, plugins};

/// Everything that the tests need, then all tests. The last lines are those of `cargo test`.
pub fn test(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    packages::ensure(&packages::for_tests())?;
    let template = plugins::build(root).context("building the template plugin from source")?;
    let guests = guests::build(root, &guests::FOR_TESTS)?;
    // Examples in the documentation first, so that the closing lines are those of the tests proper.
    run(cargo(root).args(["test", "--workspace", "--doc"]))?;
    let (of_cargo, of_tests) = match arguments.iter().position(|argument| argument == "--") {
        Some(position) => arguments.split_at(position),
        None => (arguments, &[][..]),
    };
    run(cargo(root)
        .args(["test", "--workspace", "--lib", "--bins", "--tests"])
        .args(of_cargo)
        // Also the tests that `cargo test` leaves out because they need root or other programs.
        .args(["--", "--include-ignored"])
        .args(of_tests.iter().skip(1))
        .env("BANHOOK_FRESH_TEMPLATE", template)
        .env("BANHOOK_GUESTS", guests))
}

/// Puts freshly built plugins where they are committed.
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

/// How long a message takes on its way out; an error if that is more than it may.
pub fn bench_message(root: &Path) -> anyhow::Result<()> {
    run(cargo(root).args(["bench", "--package", "banhook", "--bench", "message"]))
}

/// Measures the way of events through a daemon; host/benches/delivery says how.
pub fn bench_delivery(root: &Path, parts: &[String]) -> anyhow::Result<()> {
    run(cargo(root).args(["bench", "--package", "banhook", "--bench", "delivery", "--"]).args(parts))
}

/// Measures the plugin host; host/benches/plugin says how. One of the plugins that a daemon loads is Python's.
pub fn bench_plugin(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_guest(Guest::Python))?;
    guests::build(root, &[Guest::Python])?;
    run(cargo(root).args(["bench", "--package", "banhook", "--bench", "plugin"]))
}
