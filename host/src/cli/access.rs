//! Checks that the user that banhook runs as may read the files of the configuration, logs, and fail2ban's database. That
//! root, who runs the check, may read them proves nothing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::process::Uid;

use crate::accounts::{closed_folder, enter_hint, log_hint, own_hint, user_name};
use crate::config::{Config, Fail2ban, LogSource, is_pattern};
use crate::event::Timestamp;
use crate::receive::fail2ban_database::{DatabaseError, Fail2banDatabase};
use crate::receive::tail::{matching, named_logs, problem};
use crate::store::StateDir;

/// The findings of the check.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// What banhook cannot read.
    pub faults: Vec<String>,
    /// What may be a mistake.
    pub warnings: Vec<String>,
    /// Why fail2ban's database is not read, where it is the default one: banhook does without it.
    pub unread_database: Option<String>,
}

/// Checks as the owner of the state directory, or as the current user if there is none yet.
pub(super) fn check_access(config: &Config, state: &Path) -> Access {
    // Only this thread becomes another user: the system keeps the user by thread.
    thread::scope(|scope| {
        let checking = thread::Builder::new().spawn_scoped(scope, || check_as_owner(config, state));
        let checked = checking.ok().and_then(|checking| checking.join().ok());
        checked.unwrap_or_else(|| Access {
            warnings: vec!["cannot check what banhook may read: no thread for it".to_owned()],
            ..Access::default()
        })
    })
}

fn check_as_owner(config: &Config, state: &Path) -> Access {
    let mut access = Access::default();
    let Fail2ban { database, configured } = &config.fail2ban;
    let database = database.as_ref().filter(|path| *configured || path.exists());
    if config.files.is_empty() && config.sources.is_empty() && database.is_none() {
        return access;
    }
    let before = rustix::process::geteuid().as_raw();
    let become_owner = std::path::absolute(state).map(|state| StateDir::new(state).become_owner());
    if let Ok(Err(error)) = become_owner {
        access.warnings.push(format!("cannot check what banhook may read: {error}"));
        return access;
    }
    let now = rustix::process::geteuid().as_raw();
    if let Some(owner) = fs::metadata(state).ok().map(|meta| meta.uid()).filter(|owner| *owner != now) {
        let owner = user_name(Uid::from_raw(owner));
        access
            .warnings
            .push(format!("cannot check what {owner}, the user banhook runs as, may read; run this as root"));
        return access;
    }
    let user = user_name(Uid::from_raw(now));
    // The user who runs the check has read them already.
    for file in config.files.iter().filter(|_| now != before) {
        // The configuration's own name may be relative, and a hint names its folder.
        check_file(&std::path::absolute(file).unwrap_or_else(|_| file.clone()), &user, &mut access);
    }
    let sources: Vec<_> = config.sources.iter().cloned().map(Arc::new).collect();
    let (_, aliases) = named_logs(&sources);
    let problems = aliases.iter().filter_map(|alias| Some((alias, alias.problem()?)));
    access.warnings.extend(problems.map(|(alias, problem)| format!("the log {}: {problem}", alias.path.display())));
    for (log, source) in config.sources.iter().flat_map(|source| source.logs.iter().map(move |log| (log, source))) {
        if !is_pattern(log) {
            check_log(log, source, &user, &mut access);
            continue;
        }
        let matching = matching(log);
        if matching.is_empty() {
            access.warnings.push(format!("no log matches {} yet", log.display()));
        }
        matching.iter().for_each(|log| check_log(log, source, &user, &mut access));
    }
    match database {
        Some(path) if *configured => check_database(path, &user, &mut access),
        Some(path) => access.unread_database = unread(path, &user),
        None => {}
    }
    access
}

/// Returns a warning for each file or folder of the configuration that others than root and its owner may write: whoever can,
/// decides what banhook sends, and to whom.
pub(super) fn writable_by_others(config: &Config) -> Vec<String> {
    /// The permissions to write of the group and of everybody.
    const GROUP_WRITES: u32 = 0o020;
    const ALL_WRITE: u32 = 0o002;
    /// In such a folder, only a file's owner may replace it.
    const STICKY: u32 = 0o1000;
    let own_group = rustix::process::getegid().as_raw();
    let files = config.files.iter();
    let paths: BTreeSet<_> = files.flat_map(|file| [Some(file.as_path()), file.parent()]).flatten().collect();
    paths
        .into_iter()
        .filter_map(|path| Some((path, fs::metadata(path).ok()?)))
        .filter(|(_, meta)| {
            let mode = meta.mode();
            let group_writes = mode & GROUP_WRITES != 0 && meta.gid() != 0 && meta.gid() != own_group;
            (group_writes || mode & ALL_WRITE != 0) && !(meta.is_dir() && mode & STICKY != 0)
        })
        .map(|(path, meta)| {
            let (path, mode) = (path.display(), meta.mode() & 0o7777);
            format!("others than its owner may write {path} (mode {mode:04o}), and so decide what banhook does; run: chmod go-w {path}")
        })
        .collect()
}

/// Checks one of the files and folders of the configuration.
fn check_file(file: &Path, user: &str, access: &mut Access) {
    match open(file) {
        Ok(_) => {}
        // `conf.d`, which is optional; the others existed when they were read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let fault = match closed_folder(file) {
                // The same fault for all files in it.
                Some(folder) => {
                    let run = enter_hint(folder, user);
                    format!("user {user} cannot read the files in {}: {error}{run}", folder.display())
                }
                None => {
                    format!("user {user} cannot read {}: {error}{}", file.display(), own_hint(&error, file, user))
                }
            };
            if !access.faults.contains(&fault) {
                access.faults.push(fault);
            }
        }
    }
}

/// Opens a file, without blocking if it is a pipe.
fn open(file: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(file)
}

fn check_log(log: &Path, source: &LogSource, user: &str, access: &mut Access) {
    let shown = log.display();
    match open(log) {
        Ok(_) => {
            let problem = problem(log, source, Timestamp::now);
            access.warnings.extend(problem.map(|problem| format!("the log {shown}: {problem}")));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            access.warnings.push(format!("the log {shown} does not exist yet"));
        }
        Err(error) => {
            access.faults.push(format!("user {user} cannot read {shown}: {error}{}", log_hint(&error, log, user)))
        }
    }
}

fn check_database(path: &Path, user: &str, access: &mut Access) {
    let mut database = Fail2banDatabase::new(path.to_owned());
    match database.look_up("", "", None, Timestamp(0)) {
        Ok(_) if database.exists() => {}
        Ok(_) => access.warnings.push(format!(
            "fail2ban's database {} does not exist yet; `fail2ban-client get dbfile` shows where it is, database = false \
             uses none",
            path.display()
        )),
        Err(error @ DatabaseError::Read { .. }) => access.faults.push(format!("user {user} {error}")),
        // fail2ban is writing to it, so it is its database.
        Err(error) if error.is_busy() => {}
        Err(error) => access.faults.push(error.to_string()),
    }
}

/// Returns why the default database is not read, in a sentence that ends with what to do.
fn unread(path: &Path, user: &str) -> Option<String> {
    let error = Fail2banDatabase::new(path.to_owned()).look_up("", "", None, Timestamp(0)).err()?;
    matches!(error, DatabaseError::Read { .. }).then(|| format!("bans come without log lines: user {user} {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn writable_by_others_names_files_and_directories_with_the_command() {
        let text = "webhooks.x.url = 'http://127.0.0.1:1/'\nfail2ban.database = false";
        let mut config = Config::parse(text, Path::new("/etc/banhook/config.toml"), &|_| None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [file, plugins] = ["config.toml", "plugins"].map(|name| folder.path().join(name));
        fs::write(&file, text).unwrap();
        fs::create_dir(&plugins).unwrap();
        let plugin = plugins.join("a.wasm");
        fs::write(&plugin, "").unwrap();
        config.files = [file.clone(), plugin.clone()].into();
        let found = || writable_by_others(&config);
        for (path, mode, is_warned) in [
            (&file, 0o644, false),
            (&file, 0o646, true),
            (&plugin, 0o666, true),
            (&plugins, 0o777, true),
            (&plugins, 0o1777, false),
            (&file, 0o664, false),
        ] {
            let before = fs::metadata(path).unwrap().permissions();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            let found = found();
            assert_eq!(found.len(), usize::from(is_warned), "{mode:o}: {found:?}");
            let run = format!("run: chmod go-w {}", path.display());
            assert!(found.iter().all(|warning| warning.ends_with(&run)), "{found:?}");
            fs::set_permissions(path, before).unwrap();
        }
    }

    #[test]
    fn check_access_without_files_finds_nothing() {
        let text = "webhooks.x.url = 'http://127.0.0.1:1/'\nfail2ban.database = false";
        let config = Config::parse(text, Path::new("/etc/banhook/config.toml"), &|_| None).unwrap();
        assert_eq!(check_access(&config, Path::new("/nonexistent")), Access::default());
    }
}
