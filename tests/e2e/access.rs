//! What `config check` says of files that the user may not read that banhook works as.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{banhook, require, require_root};
use crate::component;
use crate::fail2ban::Fail2ban;
use crate::outcome::Outcome;
use crate::place::{NOBODY, Place};
use crate::reload::mmdb;

/// A place whose state folder is nobody's.
fn of_nobody() -> Place {
    require_root();
    let place = Place::new();
    set_mode(&place.path(""), 0o755);
    chown(place.path("main.url"), Some(NOBODY), None).unwrap();
    fs::create_dir(place.state()).unwrap();
    chown(place.state(), Some(NOBODY), Some(NOBODY)).unwrap();
    place
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn check(place: &Place) -> Outcome {
    place.banhook(["config", "check"])
}

fn reads(place: &Place, log: &Path) {
    place.configure(&format!("[[sources]]\nlog = \"{}\"", log.display()));
}

#[test]
fn a_log_that_the_owner_of_the_state_folder_may_not_read() {
    let place = of_nobody();
    let log = place.write("f.log", "");
    reads(&place, &log);
    check(&place).ok();
    // As on Debian: root:adm 640.
    set_mode(&log, 0o640);
    chown(&log, Some(0), Some(4)).unwrap();
    check(&place).exits(2).complains(&["nobody cannot read", "f.log", "usermod -aG adm nobody"]);
    set_mode(&log, 0o600);
    check(&place).exits(2).complains(&["nobody cannot read", "setfacl -m u:nobody:r "]);
    fs::create_dir(place.path("closed")).unwrap();
    set_mode(&place.path("closed"), 0o700);
    reads(&place, &place.path("closed/f.log"));
    check(&place).exits(2).complains(&["nobody cannot read", "closed/f.log", "setfacl -m u:nobody:x "]);
    assert!(fs::read_dir(place.state()).unwrap().next().is_none(), "a check stores nothing");
}

#[test]
fn what_the_configuration_is_made_of_is_read_as_the_owner_of_the_state_folder() {
    let place = of_nobody();
    fs::create_dir(place.path("conf.d")).unwrap();
    place.write("conf.d/a.toml", "host = \"web-1\"");
    place.write("own.wasm", component::moody());
    place.write("ca.pem", include_str!("../../host/src/config/testdata/ca.pem"));
    place.write("geo.mmdb", mmdb(4, 24, &[]));
    let route = "plugin = \"own.wasm\"\n[routes.grants]\ngeo = [\"geo.mmdb\"]";
    place.configure_both("ca_file = \"ca.pem\"", route);
    let names = ["config.toml", "conf.d/a.toml", "conf.d", "main.url", "own.wasm", "ca.pem", "geo.mmdb"];
    for name in names {
        let mode = match name {
            "conf.d" => 0o755,
            "main.url" => 0o600,
            _ => 0o644,
        };
        set_mode(&place.path(name), mode);
    }
    check(&place).ok();
    for name in names {
        let file = place.path(name);
        let meta = fs::metadata(&file).unwrap();
        chown(&file, Some(0), Some(0)).unwrap();
        set_mode(&file, if name == "conf.d" { 0o711 } else { 0o600 });
        let run = format!("run: chown nobody: {}", file.display());
        check(&place).exits(2).complains(&["nobody cannot read", &run]);
        // As it says.
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        if name == "conf.d" {
            set_mode(&file, meta.permissions().mode() & 0o777);
        }
        check(&place).ok();
    }
    // All that is in a closed folder is one fault.
    set_mode(&place.path(""), 0o700);
    let open_state = tempfile::tempdir().unwrap();
    chown(open_state.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let state = ["--state-dir".as_ref(), open_state.path().as_os_str()];
    let told = place.banhook(["config".as_ref(), "check".as_ref()].into_iter().chain(state)).exits(2);
    let folder = place.path("").display().to_string();
    told.complains(&[&format!("setfacl -m u:nobody:x {}", folder.trim_end_matches('/'))]);
}

#[test]
fn as_the_current_user_where_there_is_no_state_folder_yet() {
    let place = of_nobody();
    let log = place.write("f.log", "");
    set_mode(&log, 0o600);
    reads(&place, &log);
    // What nobody may not read cannot be blamed on the configuration or the program.
    let copy = place.path("banhook");
    fs::copy(banhook(), &copy).unwrap();
    let as_nobody = || Outcome::of(place.command(&copy).args(["config", "check"]).uid(NOBODY).gid(NOBODY));
    as_nobody().exits(2).complains(&["nobody cannot read", "f.log"]);
    fs::remove_dir(place.state()).unwrap();
    as_nobody().exits(2).complains(&["nobody cannot read", "f.log"]);
    fs::create_dir(place.state()).unwrap();
    let told = as_nobody().ok();
    assert!(told.stderr.contains("cannot tell what root may read"), "{told}");
    check(&place).ok();
}

#[test]
fn what_is_not_there_yet_is_worth_a_warning() {
    let place = Place::new();
    let database = "[fail2ban]\ndatabase = \"absent.sqlite3\"";
    place.configure(&format!("[[sources]]\nlog = \"absent.log\"\n{database}"));
    let told = check(&place).ok();
    for word in ["no log", "absent.log yet", "absent.sqlite3 yet"] {
        assert!(told.stderr.contains(word), "{told}");
    }
    place.write("absent.sqlite3", "something else");
    check(&place).exits(2);
}

/// As the README has it, and that it survives what happens to a database.
#[test]
fn the_database_of_a_real_server_is_opened_to_one_user() {
    let place = of_nobody();
    require("setfacl", "acl");
    let server = Fail2ban::start(&place);
    let file = server.folder().join("bans.sqlite3");
    let setfacl = |what: &str, path: &PathBuf| Outcome::of(Command::new("setfacl").arg("-m").arg(what).arg(path)).ok();
    place.configure(&format!("[fail2ban]\ndatabase = \"{}\"", file.display()));
    check(&place).exits(2).complains(&["nobody cannot read", "bans.sqlite3", "setfacl -m u:nobody:r "]);
    setfacl("u:nobody:r", &file);
    check(&place).ok();
    server.client("restart").ok();
    check(&place).ok();
    server.stop();
    fs::remove_file(&file).unwrap();
    setfacl("d:u:nobody:r,d:g::-,d:o::-", &server.folder().to_owned());
    server.client("start").ok();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o007, 0, "closed to all others");
    let told = check(&place).ok();
    assert_eq!(told.stderr, "", "{told}");
}
