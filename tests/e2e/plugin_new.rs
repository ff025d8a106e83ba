//! `plugin new` and `plugin build`: in each language a new plugin is built with its own pinned tools, and passes its cases.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binary::{banhook, root};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

/// Building with Debian's Rust compiles its standard library, and CPython takes its time, while other tests run.
const BUILDING: Duration = Duration::from_secs(900);

/// Kept between test runs, so that CPython is compiled only once.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/guests");

/// Makes a plugin that uses everything, builds it and runs its cases. `tools`: what is linked into its directory, by name.
#[track_caller]
fn scaffold_passes_its_cases(language: &str, tools: &[(&str, PathBuf)]) {
    let env = TestEnv::new();
    let all = ["--history", "--geo", "--digest", "--check"];
    let made = env.banhook(["plugin", "new", "my-plugin", "--lang", language].iter().chain(&all)).ok();
    assert!(made.stdout.contains("banhook plugin build"), "{made}");
    for (name, tool) in tools {
        assert!(tool.exists(), "{}; run the tests by `cargo xtask test`, which gets it", tool.display());
        symlink(tool, env.path("my-plugin").join(name)).unwrap();
    }
    run(&env, &["plugin", "build", "my-plugin"]).ok();
    let tested = run(&env, &["test", "my-plugin/plugin.wasm"]).ok();
    let cases = fs::read_dir(env.path("my-plugin/cases")).unwrap().count();
    assert!(cases == 12 && tested.stdout.ends_with(&format!("{cases} passed, 0 failed\n")), "{tested}");
    for line in tested.stdout.lines() {
        assert!(!line.contains("warning: "), "{line}: {tested}");
    }
}

fn run(env: &TestEnv, arguments: &[&str]) -> CommandOutput {
    let mut command = env.command(banhook());
    // The tools keep what they downloaded in the home directory.
    for name in ["HOME", "PATH", "CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.args(arguments).env("XDG_CACHE_HOME", CACHE).env("CARGO_TARGET_DIR", root().join("target/scaffold/rust"));
    command.env("ZIG_GLOBAL_CACHE_DIR", root().join(".tools/zig-cache"));
    command.env("ZIG_LOCAL_CACHE_DIR", root().join(".tools/zig-cache"));
    CommandOutput::within(&mut command, BUILDING)
}

/// The tools of `xtask` are those that the scaffold pins.
#[track_caller]
fn has_same_pins(scaffold: &str, guest: &str, file: &str) {
    let read = |folder: &str, name: &str| {
        let path = root().join("plugins").join(folder).join(name).join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let versions = |text: String| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| line.contains("==") || line.contains("\"version\"")).map(str::to_owned).collect()
    };
    let (scaffold, guest) = (versions(read("scaffold", scaffold)), versions(read("guests", guest)));
    assert!(!scaffold.is_empty() && scaffold == guest, "{scaffold:?} {guest:?}");
}

#[test]
#[ignore = "needs Rust for WebAssembly: cargo xtask test"]
fn scaffold_in_rust_builds_and_passes_its_cases() {
    scaffold_passes_its_cases("rust", &[]);
}

#[test]
#[ignore = "needs componentize-qjs: cargo xtask test"]
fn scaffold_in_javascript_builds_and_passes_its_cases() {
    has_same_pins("js", "javascript", "package-lock.json");
    scaffold_passes_its_cases("js", &[("node_modules", root().join(".tools/javascript/node_modules"))]);
}

#[test]
#[ignore = "needs componentize-py: cargo xtask test"]
fn scaffold_in_python_builds_and_passes_its_cases() {
    has_same_pins("python", "python", "requirements.txt");
    scaffold_passes_its_cases("python", &[(".venv", root().join(".tools/python"))]);
}

#[test]
#[ignore = "needs ziglang: cargo xtask test"]
fn scaffold_in_c_builds_and_passes_its_cases() {
    has_same_pins("c", "c", "requirements.txt");
    scaffold_passes_its_cases("c", &[(".venv", root().join(".tools/c"))]);
}

#[test]
fn new_overwrites_nothing_and_takes_only_names() {
    let env = TestEnv::new();
    fs::create_dir(env.path("mine")).unwrap();
    let exists = env.banhook(["plugin", "new", "mine", "--lang", "c"]).exits(2);
    exists.complains(&["mine exists; nothing was changed"]);
    assert_eq!(fs::read_dir(env.path("mine")).unwrap().count(), 0);
    for name in ["../x", "Mine", "a/b"] {
        env.banhook(["plugin", "new", name, "--lang", "js"]).exits(2).complains(&["is no name for a plugin"]);
    }
}

#[test]
fn build_without_tools_names_the_one_command_that_gets_them() {
    for (language, command) in [
        ("js", "apt-get install --no-install-recommends nodejs npm"),
        ("python", "apt-get install --no-install-recommends python3-venv"),
        ("c", "apt-get install --no-install-recommends python3-venv"),
        ("rust", "https://sh.rustup.rs"),
    ] {
        let env = TestEnv::new();
        env.banhook(["plugin", "new", "mine", "--lang", language]).ok();
        let build = |path: &Path| {
            let mut program = env.command(banhook());
            program.args(["plugin", "build", "mine"]).env("PATH", path);
            CommandOutput::of(&mut program).exits(2)
        };
        build(&env.path("empty")).complains(&["is missing; run", command]);
    }
    // With a package manager, its command is the one.
    let env = TestEnv::new();
    fs::create_dir(env.path("bin")).unwrap();
    for (program, language, command) in [
        ("npm", "js", "run in the plugin's directory, or add --install-tools: npm ci"),
        ("python3", "python", "python3 -m venv .venv && .venv/bin/pip install"),
        ("rustup", "rust", "https://sh.rustup.rs"),
    ] {
        env.write(&format!("bin/{program}"), "");
        env.banhook(["plugin", "new", language, "--lang", language]).ok();
        let mut build = env.command(banhook());
        build.args(["plugin", "build", language]).env("PATH", env.path("bin"));
        CommandOutput::of(&mut build).exits(2).complains(&[command]);
    }
    env.banhook(["plugin", "build", "bin"]).exits(2).complains(&["there is no plugin in bin"]);
}
