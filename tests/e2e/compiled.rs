//! The built-in plugin as the program under test compiles it: once for all tests, since that takes a second and more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::binary::banhook;
use crate::polling::until;

/// A state directory whose cache has the compiled plugin. It is kept between test runs, as a cache is.
pub fn compiled() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        fs::create_dir_all(&folder).unwrap();
        let state = folder.join("state");
        // What an earlier version left may not be this one's to open.
        for entry in fs::read_dir(&state).into_iter().flatten().flatten().filter(|entry| entry.file_name() != "cache") {
            fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path())).unwrap();
        }
        fs::write(folder.join("config.toml"), "[webhooks.main]\nurl_env = \"URL\"\n").unwrap();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(banhook());
            command.args(arguments).env("BANHOOK_CONFIG", folder.join("config.toml"));
            command.env("BANHOOK_STATE_DIR", &state).env("URL", "http://127.0.0.1:9/").stdin(Stdio::null());
            command
        };
        let mut daemon = command(&["run"]).stderr(Stdio::null()).spawn().unwrap();
        until("the plugin to be compiled", || {
            assert!(daemon.try_wait().unwrap().is_none(), "the daemon did not start");
            let status = command(&["status", "--format", "json"]).output().unwrap();
            let status = String::from_utf8_lossy(&status.stdout).into_owned();
            if status.contains("\"sha256\":\"") { Ok(()) } else { Err(status) }
        });
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        state
    })
}
