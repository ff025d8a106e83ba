//! The example plugin in four languages, with the same decisions in each: components compiled against 0.1.0 of the
//! interface, which must run as long as 0.1 is supported, and those built from `plugins/guests` now.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::binary::{banhook, root};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

/// Compiling CPython takes ten seconds of one core; other tests run at the same time.
const COMPILING: Duration = Duration::from_secs(300);

/// Kept between test runs, so that CPython is compiled only once.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/guests");

fn compiled_against_0_1_0() -> PathBuf {
    root().join("plugins/dist/0.1.0")
}

fn built_from_source(guest: &str) -> PathBuf {
    let folder = std::env::var_os("BANHOOK_GUESTS").map(PathBuf::from).expect(
        "BANHOOK_GUESTS names the folder of the guests built from source; run the tests by `cargo xtask test`, which sets it",
    );
    let guest = folder.join(guest);
    assert!(guest.is_file(), "{} is not a file", guest.display());
    guest
}

/// Checks that a guest makes the golden decision in each case, and logs the same lines as every guest.
#[track_caller]
fn matches_golden_decisions(guest: &Path) {
    let cases = compiled_against_0_1_0().join("cases");
    let env = TestEnv::new();
    let mut command = env.command(banhook());
    command.args([Path::new("test"), guest, &cases]).env("XDG_CACHE_HOME", CACHE);
    let tested = CommandOutput::within(&mut command, COMPILING).ok();
    let mut expected = Vec::new();
    for file in files(&cases, "json") {
        let case: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let text = |field: &str| case["event"][field].as_str().unwrap().to_owned();
        let settings: Vec<_> = case["settings"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
        expected.push(format!("  log Info: {} on {}", text("jail"), text("host")));
        expected.push(format!("  log Debug: settings: {}", settings.join(", ")));
        let fails = if case["decision"].get("error").is_some() { " (fails, as the case says)" } else { "" };
        expected.push(format!("ok       {}{fails}", file.display()));
    }
    let (cases, sums) = tested.stdout.split_once("slowest cases").unwrap_or_else(|| panic!("{tested}"));
    // One case is about a URL that makes no link.
    let shown: Vec<_> = cases.lines().filter(|line| !line.starts_with("  warning: ")).collect();
    assert_eq!(shown, expected, "{tested}");
    assert!(sums.ends_with(&format!("\n{} passed, 0 failed\n", expected.len() / 3)), "{tested}");
}

/// The files in a folder with this extension, sorted by name. Fails if there are none.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == extension));
    files.sort();
    assert!(!files.is_empty(), "no {extension} in {}", folder.display());
    files
}

#[test]
fn guests_compiled_against_0_1_0_match_golden_decisions() {
    let components = files(&compiled_against_0_1_0(), "wasm");
    let names: Vec<_> = components.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["c.wasm", "javascript.wasm", "rust.wasm"]);
    for component in &components {
        matches_golden_decisions(component);
    }
}

#[test]
#[ignore = "needs the example plugins built from source: cargo xtask test"]
fn guest_rust_matches_golden_decisions() {
    matches_golden_decisions(&built_from_source("rust.wasm"));
}

#[test]
#[ignore = "needs the example plugins built from source: cargo xtask test"]
fn guest_python_matches_golden_decisions() {
    matches_golden_decisions(&built_from_source("python.wasm"));
}
