//! Whether the user that banhook works as may read what it reads: all that the configuration is made of, logs, and
//! fail2ban's database. What root reads in a check says nothing of that.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;

use rustix::process::{Gid, Uid};

use crate::accounts::{group_name, user_name};
use crate::config::Config;
use crate::event::Timestamp;
use crate::route::{DatabaseError, Fail2banDatabase};
use crate::store::StateDir;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What will not work.
    pub faults: Vec<String>,
    /// What may be a mistake.
    pub warnings: Vec<String>,
}

/// Looks as the owner of the state folder, or as the current user if there is none yet.
pub fn look(config: &Config, state: &Path) -> Access {
    // Only this thread becomes another user: the system keeps that by thread.
    thread::scope(|scope| scope.spawn(|| as_owner(config, state)).join()).unwrap_or_default()
}

fn as_owner(config: &Config, state: &Path) -> Access {
    let mut access = Access::default();
    let database = config.fail2ban.database.as_ref().filter(|_| config.fail2ban.configured);
    if config.files.is_empty() && config.sources.is_empty() && database.is_none() {
        return access;
    }
    let before = rustix::process::geteuid().as_raw();
    let become_owner = std::path::absolute(state).map(|state| StateDir::new(state).become_owner());
    if let Ok(Err(error)) = become_owner {
        access.warnings.push(format!("cannot tell what banhook may read: {error}"));
        return access;
    }
    let now = rustix::process::geteuid().as_raw();
    if let Some(owner) = fs::metadata(state).ok().map(|meta| meta.uid()).filter(|owner| *owner != now) {
        let owner = user_name(Uid::from_raw(owner));
        access.warnings.push(format!("cannot tell what {owner} may read, which banhook works as; ask again as root"));
        return access;
    }
    let user = user_name(Uid::from_raw(now));
    // As the user who checks they were read already.
    for file in config.files.iter().filter(|_| now != before) {
        // The configuration's own name may be relative, and a folder is to be named.
        look_at_file(&std::path::absolute(file).unwrap_or_else(|_| file.clone()), &user, &mut access);
    }
    for source in &config.sources {
        look_at_log(&source.log, &user, &mut access);
    }
    if let Some(path) = database {
        look_at_database(path, &user, &mut access);
    }
    access
}

/// One of the files or folders that the configuration is made of.
fn look_at_file(file: &Path, user: &str, access: &mut Access) {
    match open(file) {
        Ok(_) => {}
        // `conf.d`, of which there may be none; the others were there when they were read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let fault = match closed_folder(file) {
                // Once for all files in it.
                Some(folder) => {
                    format!("user {user} cannot read what is in {0}: {error}{1}", folder.display(), enter(folder, user))
                }
                None if error.kind() == io::ErrorKind::PermissionDenied => {
                    format!("user {user} cannot read {0}: {error}; run: chown {user}: {0}", file.display())
                }
                None => format!("user {user} cannot read {}: {error}", file.display()),
            };
            if !access.faults.contains(&fault) {
                access.faults.push(fault);
            }
        }
    }
}

/// Opens it without blocking, should it be a pipe.
fn open(file: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(file)
}

fn look_at_log(log: &Path, user: &str, access: &mut Access) {
    let shown = log.display();
    match open(log) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            access.warnings.push(format!("there is no log {shown} yet"));
        }
        Err(error) => {
            access.faults.push(format!("user {user} cannot read {shown}: {error}{}", hint(&error, log, user)))
        }
    }
}

fn look_at_database(path: &Path, user: &str, access: &mut Access) {
    let mut database = Fail2banDatabase::new(path.to_owned());
    match database.look_up("", "", None, Timestamp(0)) {
        Ok(_) if database.is_there() => {}
        Ok(_) => access.warnings.push(format!(
            "there is no {} yet; fail2ban-client get dbfile says where it is, and database = false does without",
            path.display()
        )),
        Err(DatabaseError::Read { reason, .. }) => access.faults.push(format!(
            "user {user} cannot read fail2ban's database {}: {reason}{}",
            path.display(),
            hint(&reason, path, user)
        )),
        // Somebody writes into it: it is one.
        Err(error) if error.is_busy() => {}
        Err(error) => access.faults.push(error.to_string()),
    }
}

/// What to do about it, as a command where there is one.
fn hint(error: &io::Error, path: &Path, user: &str) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return String::new();
    }
    match fs::metadata(path) {
        Ok(meta) => format!("; run: {}", command(&meta, path, user)),
        Err(_) => match closed_folder(path) {
            Some(folder) => enter(folder, user),
            None => format!("; {user} may not even look into its folder, or one above it"),
        },
    }
}

/// The folder on the way to a file that does not let us pass, if that is why we cannot even look at the file.
fn closed_folder(file: &Path) -> Option<&Path> {
    let closed = |path: &Path| fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    file.ancestors()
        .zip(file.ancestors().skip(1))
        .find(|(path, folder)| closed(path) && !closed(folder))
        .map(|(_, folder)| folder)
}

/// Opens a folder to the one user.
fn enter(folder: &Path, user: &str) -> String {
    let folder = folder.display();
    format!("; {user} may not look into the folder {folder}; run: setfacl -m u:{user}:x {folder}")
}

/// A group that may read is joined; otherwise the file is opened to the one user.
fn command(meta: &Metadata, path: &Path, user: &str) -> String {
    /// The bit that lets the group read.
    const GROUP_READS: u32 = 0o040;
    // To join root's group is to be given more than a log.
    if meta.permissions().mode() & GROUP_READS != 0 && meta.gid() != 0 {
        return format!("usermod -aG {} {user}, and restart banhook", group_name(Gid::from_raw(meta.gid())));
    }
    format!("setfacl -m u:{user}:r {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_opens_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("f.log");
        fs::write(&log, "").unwrap();
        let with_mode = |mode| {
            fs::set_permissions(&log, fs::Permissions::from_mode(mode)).unwrap();
            command(&fs::metadata(&log).unwrap(), &log, "banhook")
        };
        let alone = format!("setfacl -m u:banhook:r {}", log.display());
        assert_eq!(with_mode(0o600), alone);
        if rustix::process::geteuid().is_root() {
            assert_eq!(with_mode(0o640), alone, "nobody joins the group root");
            std::os::unix::fs::chown(&log, None, Some(4)).unwrap();
            assert_eq!(with_mode(0o640), "usermod -aG adm banhook, and restart banhook");
        }
    }

    #[test]
    fn nothing_is_looked_at_that_is_not_configured() {
        let text = "webhooks.x.url = 'http://127.0.0.1:1/'\nfail2ban.database = false";
        let config = Config::parse(text, Path::new("/etc/banhook/config.toml"), &|_| None).unwrap();
        assert_eq!(look(&config, Path::new("/nonexistent")), Access::default());
    }
}
