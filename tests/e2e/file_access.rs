//! `config check` on files that banhook's own user cannot read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{banhook, require, require_root};
use crate::command_output::CommandOutput;
use crate::component;
use crate::fail2ban::Fail2ban;
use crate::reload::mmdb;
use crate::test_env::{NOBODY, TestEnv};

/// A test environment whose state directory belongs to the user nobody.
fn env_of_nobody() -> TestEnv {
    require_root();
    let env = TestEnv::new();
    set_mode(&env.path(""), 0o755);
    chown(env.path("main.url"), Some(NOBODY), None).unwrap();
    fs::create_dir(env.state()).unwrap();
    chown(env.state(), Some(NOBODY), Some(NOBODY)).unwrap();
    env
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn check(env: &TestEnv) -> CommandOutput {
    env.banhook(["config", "check"])
}

fn configure_log(env: &TestEnv, log: &Path) {
    env.configure(&format!("[[sources]]\nlog = \"{}\"", log.display()));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn config_check_log_unreadable_by_state_dir_owner_is_rejected() {
    let env = env_of_nobody();
    let log = env.write("f.log", "");
    configure_log(&env, &log);
    check(&env).ok();
    // As on Debian: root:adm 640.
    set_mode(&log, 0o640);
    chown(&log, Some(0), Some(4)).unwrap();
    check(&env).exits(2).complains(&["nobody cannot read", "f.log", "usermod -aG adm nobody"]);
    set_mode(&log, 0o600);
    check(&env).exits(2).complains(&["nobody cannot read", "chmod g+r", "usermod -aG adm nobody"]);
    fs::create_dir(env.path("closed")).unwrap();
    set_mode(&env.path("closed"), 0o700);
    configure_log(&env, &env.path("closed/f.log"));
    check(&env).exits(2).complains(&["nobody cannot read", "closed/f.log", "setfacl -m u:nobody:x "]);
    assert!(fs::read_dir(env.state()).unwrap().next().is_none(), "a check creates no file");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn config_check_files_are_checked_as_state_dir_owner() {
    let env = env_of_nobody();
    fs::create_dir(env.path("conf.d")).unwrap();
    env.write("conf.d/a.toml", "host = \"web-1\"");
    env.write("own.wasm", component::faulty());
    env.write("ca.pem", include_str!("../../host/src/config/testdata/ca.pem"));
    env.write("geo.mmdb", mmdb(4, 24, &[]));
    let route = "plugin = \"own.wasm\"\n[routes.grants]\ngeo = [\"geo.mmdb\"]";
    env.configure_both("ca_file = \"ca.pem\"", route);
    let names = ["config.toml", "conf.d/a.toml", "conf.d", "main.url", "own.wasm", "ca.pem", "geo.mmdb"];
    for name in names {
        let mode = match name {
            "conf.d" => 0o755,
            "main.url" => 0o600,
            _ => 0o644,
        };
        set_mode(&env.path(name), mode);
    }
    check(&env).ok();
    for name in names {
        let file = env.path(name);
        let meta = fs::metadata(&file).unwrap();
        chown(&file, Some(0), Some(0)).unwrap();
        set_mode(&file, if name == "conf.d" { 0o711 } else { 0o600 });
        let run = format!("run: chown nobody: {}", file.display());
        check(&env).exits(2).complains(&["nobody cannot read", &run]);
        // The printed command solves it.
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        if name == "conf.d" {
            set_mode(&file, meta.permissions().mode() & 0o777);
        }
        check(&env).ok();
    }
    // A folder that cannot be entered is reported once, not once per file.
    set_mode(&env.path(""), 0o700);
    let open_state = tempfile::tempdir().unwrap();
    chown(open_state.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let state = ["--state-dir".as_ref(), open_state.path().as_os_str()];
    let output = env.banhook(["config".as_ref(), "check".as_ref()].into_iter().chain(state)).exits(2);
    let folder = env.path("").display().to_string();
    output.complains(&[&format!("setfacl -m u:nobody:x {}", folder.trim_end_matches('/'))]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn config_check_without_state_dir_checks_as_current_user() {
    let env = env_of_nobody();
    let log = env.write("f.log", "");
    set_mode(&log, 0o600);
    configure_log(&env, &log);
    // The user nobody can read everything else, so only the log is reported.
    let copy = env.path("banhook");
    CommandOutput::of(env.command("cp").arg(banhook()).arg(&copy)).ok();
    let as_nobody = || CommandOutput::of(env.command(&copy).args(["config", "check"]).uid(NOBODY).gid(NOBODY));
    as_nobody().exits(2).complains(&["nobody cannot read", "f.log"]);
    fs::remove_dir(env.state()).unwrap();
    as_nobody().exits(2).complains(&["nobody cannot read", "f.log"]);
    fs::create_dir(env.state()).unwrap();
    let output = as_nobody().ok();
    assert!(output.stderr.contains("cannot check what root"), "{output}");
    check(&env).ok();
}

#[test]
fn config_check_missing_log_and_database_warn() {
    let env = TestEnv::new();
    let database = "[fail2ban]\ndatabase = \"absent.sqlite3\"";
    env.configure(&format!("[[sources]]\nlog = \"absent.log\"\n{database}"));
    let output = check(&env).ok();
    for word in ["absent.log does not exist yet", "absent.sqlite3 does not exist yet"] {
        assert!(output.stderr.contains(word), "{output}");
    }
    env.write("absent.sqlite3", "something else");
    check(&env).exits(2);
}

/// The commands that README names, and that they survive a restart and a new database.
#[test]
#[ignore = "needs root, fail2ban and setfacl: cargo xtask test"]
fn config_check_fail2ban_database_acl_suffices() {
    let env = env_of_nobody();
    require("setfacl", "acl");
    let server = Fail2ban::start(&env);
    let file = server.folder().join("bans.sqlite3");
    let setfacl =
        |entry: &str, path: &PathBuf| CommandOutput::of(Command::new("setfacl").arg("-m").arg(entry).arg(path)).ok();
    env.configure(&format!("[fail2ban]\ndatabase = \"{}\"", file.display()));
    check(&env).exits(2).complains(&["nobody cannot read", "bans.sqlite3", "setfacl -m u:nobody:r "]);
    setfacl("u:nobody:r", &file);
    check(&env).ok();
    server.client("restart").ok();
    check(&env).ok();
    server.stop();
    fs::remove_file(&file).unwrap();
    setfacl("d:u:nobody:r,d:g::-,d:o::-", &server.folder().to_owned());
    server.client("start").ok();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o007, 0, "not accessible to others");
    let output = check(&env).ok();
    assert_eq!(output.stderr, "", "{output}");
}
