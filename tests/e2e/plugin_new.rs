//! `plugin new` and `plugin build`: in each language a new plugin is built with its own pinned tools, and passes its cases.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::binary::{banhook, root};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

/// Building with Debian's Rust compiles its standard library, and CPython takes its time, while other tests run.
const BUILDING: Duration = Duration::from_secs(900);

/// Kept between test runs, so that CPython is compiled only once.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/guests");

/// Makes a plugin that uses everything, builds it and runs its cases.
#[track_caller]
fn scaffold_passes_its_cases(language: &str) {
    let env = TestEnv::new();
    let all = ["--history", "--geo", "--digest", "--check"];
    let made = env.banhook(["plugin", "new", "my-plugin", "--lang", language].iter().chain(&all)).ok();
    assert!(made.stdout.contains("banhook plugin build"), "{made}");
    link_tools(&env, language, "my-plugin");
    build(&env, "my-plugin").ok();
    let tested = run(&env, &["test", "my-plugin/plugin.wasm"]).ok();
    let cases = fs::read_dir(env.path("my-plugin/cases")).unwrap().count();
    assert!(cases == 12 && tested.stdout.ends_with(&format!("{cases} passed, 0 failed\n")), "{tested}");
    for line in tested.stdout.lines() {
        assert!(!line.contains("warning: "), "{line}: {tested}");
    }
}

/// The example plugins: each is copied over a new plugin of its name and language, as their README says.
#[test]
#[ignore = "needs the toolchains of all languages: cargo xtask test"]
fn example_plugins_build_and_pass_their_cases() {
    let examples = root().join("plugins/examples");
    let mut count = 0;
    for entry in fs::read_dir(&examples).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = entry.file_name().unwrap().to_str().unwrap();
        let sources = [("src/lib.rs", "rust"), ("plugin.ts", "ts"), ("plugin.js", "js"), ("app.py", "python")];
        let (_, language) = sources.iter().find(|(source, _)| entry.join(source).exists()).unwrap();
        let env = TestEnv::new();
        env.banhook(["plugin", "new", name, "--lang", language]).ok();
        fs::remove_dir_all(env.path(name).join("cases")).unwrap();
        copy(&entry, &env.path(name));
        link_tools(&env, language, name);
        build(&env, name).ok();
        let cases = fs::read_dir(env.path(name).join("cases")).unwrap().count();
        let tested = run(&env, &["test", &format!("{name}/plugin.wasm")]).ok();
        assert!(cases >= 3 && tested.stdout.ends_with(&format!("{cases} passed, 0 failed\n")), "{name}: {tested}");
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

/// Copies what is in a directory into another, over what is there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Links the tools of a language, which `cargo xtask test` got, into a plugin's directory.
#[track_caller]
pub fn link_tools(env: &TestEnv, language: &str, name: &str) {
    let (link, tools) = match language {
        "js" => ("node_modules", ".tools/javascript/node_modules"),
        "ts" => ("node_modules", ".tools/typescript/node_modules"),
        "python" => (".venv", ".tools/python"),
        "c" => (".venv", ".tools/c"),
        _ => return,
    };
    let tools = root().join(tools);
    assert!(tools.exists(), "{}; run the tests by `cargo xtask test`, which gets it", tools.display());
    symlink(tools, env.path(name).join(link)).unwrap();
}

/// A command of banhook with what an author has: tools, and caches that are kept between test runs.
pub fn author_command(env: &TestEnv) -> Command {
    let mut command = env.command(banhook());
    // The tools keep what they downloaded in the home directory.
    for name in ["HOME", "PATH", "CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("XDG_CACHE_HOME", CACHE).env("CARGO_TARGET_DIR", root().join("target/scaffold/rust"));
    command.env("ZIG_GLOBAL_CACHE_DIR", root().join(".tools/zig-cache"));
    command.env("ZIG_LOCAL_CACHE_DIR", root().join(".tools/zig-cache"));
    command
}

/// Builds the plugin in a directory. One at a time: plugins in Rust share a directory of what is compiled, and in it have the
/// same name.
pub fn build(env: &TestEnv, name: &str) -> CommandOutput {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    run(env, &["plugin", "build", name])
}

/// Runs a command of banhook as an author.
pub fn run(env: &TestEnv, arguments: &[&str]) -> CommandOutput {
    CommandOutput::within(author_command(env).args(arguments), BUILDING)
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
    scaffold_passes_its_cases("rust");
}

#[test]
#[ignore = "needs componentize-qjs: cargo xtask test"]
fn scaffold_in_javascript_builds_and_passes_its_cases() {
    has_same_pins("js", "javascript", "package-lock.json");
    scaffold_passes_its_cases("js");
}

#[test]
#[ignore = "needs componentize-qjs and TypeScript: cargo xtask test"]
fn scaffold_in_typescript_builds_and_passes_its_cases() {
    scaffold_passes_its_cases("ts");
}

#[test]
#[ignore = "needs componentize-py: cargo xtask test"]
fn scaffold_in_python_builds_and_passes_its_cases() {
    has_same_pins("python", "python", "requirements.txt");
    scaffold_passes_its_cases("python");
}

#[test]
#[ignore = "needs ziglang: cargo xtask test"]
fn scaffold_in_c_builds_and_passes_its_cases() {
    has_same_pins("c", "c", "requirements.txt");
    scaffold_passes_its_cases("c");
}

#[test]
fn new_overwrites_nothing_and_takes_only_names() {
    let env = TestEnv::new();
    fs::create_dir(env.path("mine")).unwrap();
    let exists = env.banhook(["plugin", "new", "mine", "--lang", "c"]).exits(2);
    exists.complains(&["mine exists; nothing was changed"]);
    assert_eq!(fs::read_dir(env.path("mine")).unwrap().count(), 0);
    for name in ["../x", "Mine", "a/b"] {
        env.banhook(["plugin", "new", name, "--lang", "js"]).exits(2).complains(&["is not a valid plugin name"]);
    }
}

#[test]
fn build_without_tools_names_the_one_command_that_gets_them() {
    for (language, command) in [
        ("js", "apt-get install --no-install-recommends nodejs npm"),
        ("ts", "apt-get install --no-install-recommends nodejs npm"),
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
