//! Users and groups, by the files `/etc/passwd` and `/etc/group`, and the commands that let a user read a file.
//!
//! Nothing else is asked: banhook may be linked statically, and NSS (LDAP, systemd-userdb) needs the system's libc. So a
//! user that is only in such a source has no name here, and no supplementary groups.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::{Gid, Uid};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Returns the name of a user, or the number where `/etc/passwd` has none.
#[must_use]
pub fn user_name(user: Uid) -> String {
    name_or_number(&read(PASSWD), user.as_raw())
}

/// Returns the name of a group, or the number where `/etc/group` has none.
#[must_use]
pub fn group_name(group: Gid) -> String {
    name_or_number(&read(GROUP), group.as_raw())
}

/// Returns the groups of a user: `primary`, and those that list the user as a member.
#[must_use]
pub fn groups_of(user: Uid, primary: Gid) -> Vec<Gid> {
    let mut groups = vec![primary];
    groups.extend(supplementary(&read(PASSWD), &read(GROUP), user.as_raw()).into_iter().map(Gid::from_raw));
    groups
}

/// The file's text; empty if it cannot be read, which is the same as listing nobody.
fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A line's name and number: the first and the third field in both files.
fn name_and_number(line: &str) -> Option<(&str, u32)> {
    let mut fields = line.split(':');
    let (name, number) = (fields.next()?, fields.nth(1)?);
    Some((name, number.parse().ok()?))
}

fn name_of(text: &str, number: u32) -> Option<&str> {
    text.lines().filter_map(name_and_number).find(|(_, found)| *found == number).map(|(name, _)| name)
}

fn name_or_number(text: &str, number: u32) -> String {
    name_of(text, number).map_or_else(|| number.to_string(), str::to_owned)
}

fn supplementary(passwd: &str, group: &str, user: u32) -> Vec<u32> {
    let Some(name) = name_of(passwd, user) else { return Vec::new() };
    let lists = |line: &&str| line.split(':').nth(3).is_some_and(|members| members.split(',').any(|it| it == name));
    group.lines().filter(lists).filter_map(name_and_number).map(|(_, number)| number).collect()
}

/// The group that reads logs, on Debian and its like.
const LOG_GROUP: &str = "adm";

/// Returns the command that gives a user access to a file that an error is about, as the end of a sentence; empty if there
/// is none.
pub fn read_hint(error: &io::Error, path: &Path, user: &str) -> String {
    hint(error, path, user, read_command)
}

/// Returns the command that gives a user a file of the configuration, as [`read_hint`] does.
pub fn own_hint(error: &io::Error, path: &Path, user: &str) -> String {
    hint(error, path, user, |_, path, user| format!("chown {user}: {}", path.display()))
}

/// Returns the commands that let a user read fail2ban's database, also one that fail2ban creates later, as [`read_hint`] does.
pub fn database_hint(error: &io::Error, path: &Path, user: &str) -> String {
    hint(error, path, user, |meta, path, user| {
        let command = read_command(meta, path, user);
        match path.parent() {
            Some(folder) if !joins_group(meta) => {
                format!("{command} && setfacl -m d:u:{user}:r,d:g::-,d:o::- {}", folder.display())
            }
            _ => command,
        }
    })
}

/// Returns the command that lets a user read a log, also after its next rotation, as [`read_hint`] does.
pub fn log_hint(error: &io::Error, path: &Path, user: &str) -> String {
    hint(error, path, user, |meta, path, user| {
        // logrotate creates the next one as it is configured to, on Debian for the group adm.
        let group = group_name(Gid::from_raw(meta.gid()));
        let has_log_group = read(GROUP).lines().filter_map(name_and_number).any(|(name, _)| name == LOG_GROUP);
        if !has_log_group || group != LOG_GROUP && meta.gid() != 0 {
            return read_command(meta, path, user);
        }
        let open = if group == LOG_GROUP && group_reads(meta) {
            String::new()
        } else {
            format!("chgrp {LOG_GROUP} {0} && chmod g+r {0} && ", path.display())
        };
        format!("{open}usermod -aG {LOG_GROUP} {user}, and restart banhook")
    })
}

fn hint(error: &io::Error, path: &Path, user: &str, command: impl Fn(&Metadata, &Path, &str) -> String) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return String::new();
    }
    match fs::metadata(path) {
        Ok(meta) => format!("; run: {}", command(&meta, path, user)),
        Err(_) => match closed_folder(path) {
            Some(folder) => enter_hint(folder, user),
            None => format!("; {user} may not enter its directory, or one above it"),
        },
    }
}

/// Returns the folder in the path of a file that may not be entered, if that is why the file cannot be read.
pub fn closed_folder(file: &Path) -> Option<&Path> {
    let closed = |path: &Path| fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    file.ancestors()
        .zip(file.ancestors().skip(1))
        .find(|(path, folder)| closed(path) && !closed(folder))
        .map(|(_, folder)| folder)
}

/// Returns the command that opens a folder to the user alone.
pub fn enter_hint(folder: &Path, user: &str) -> String {
    let folder = folder.display();
    format!("; {user} may not enter the directory {folder}; run: setfacl -m u:{user}:x {folder}")
}

/// Returns the command that lets the user read a file: as a member of the group that may, or alone.
fn read_command(meta: &Metadata, path: &Path, user: &str) -> String {
    if joins_group(meta) {
        return format!("usermod -aG {} {user}, and restart banhook", group_name(Gid::from_raw(meta.gid())));
    }
    format!("setfacl -m u:{user}:r {}", path.display())
}

/// Returns whether a user may read a file as a member of its group. Root's group may do more than read a file.
fn joins_group(meta: &Metadata) -> bool {
    group_reads(meta) && meta.gid() != 0
}

fn group_reads(meta: &Metadata) -> bool {
    meta.permissions().mode() & 0o040 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nodd\nbanhook:x:998:997::/var/lib/banhook:/bin/false\n";
    const GROUP: &str =
        "adm:x:4:syslog,banhook\nsudo:x:27:banhooks\nbanhook:x:997:\nodd\nsystemd-journal:x:101:banhook";

    #[test]
    fn name_of_a_listed_number_is_found_and_another_number_stays_a_number() {
        assert_eq!(name_or_number(PASSWD, 998), "banhook");
        assert_eq!(name_or_number(GROUP, 4), "adm");
        assert_eq!(name_or_number(PASSWD, 997), "997");
        assert_eq!(name_or_number("", 0), "0");
    }

    #[test]
    fn supplementary_groups_are_those_that_list_the_whole_name() {
        assert_eq!(supplementary(PASSWD, GROUP, 998), [4, 101]);
        assert_eq!(supplementary(PASSWD, GROUP, 7), Vec::<u32>::new());
    }

    /// The command that lets `banhook` read a file with this mode and group; `None`: the group of this process.
    fn command_for(mode: u32, group: Option<u32>, hint: fn(&io::Error, &Path, &str) -> String) -> String {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("f.log");
        fs::write(&log, "").unwrap();
        std::os::unix::fs::chown(&log, None, group).unwrap();
        fs::set_permissions(&log, fs::Permissions::from_mode(mode)).unwrap();
        let command = hint(&io::ErrorKind::PermissionDenied.into(), &log, "banhook");
        command.replace(&log.display().to_string(), "f.log")
    }

    #[test]
    fn read_hint_of_a_private_file_opens_it_to_the_user() {
        assert_eq!(command_for(0o600, None, read_hint), "; run: setfacl -m u:banhook:r f.log");
        assert_eq!(read_hint(&io::ErrorKind::NotFound.into(), Path::new("/none"), "banhook"), "");
    }

    #[test]
    fn own_hint_names_the_owner_and_database_hint_a_new_database_too() {
        assert_eq!(command_for(0o600, None, own_hint), "; run: chown banhook: f.log");
        let database = command_for(0o600, None, database_hint);
        assert!(
            database.starts_with("; run: setfacl -m u:banhook:r f.log && setfacl -m d:u:banhook:r,d:g::-,d:o::- /"),
            "{database}"
        );
    }

    #[test]
    #[ignore = "needs root, to change the group: cargo xtask test"]
    fn read_hint_joins_a_group_that_may_read_but_not_root() {
        let root = "; run: setfacl -m u:banhook:r f.log";
        assert_eq!(command_for(0o640, Some(0), read_hint), root, "nobody joins the group root");
        assert_eq!(command_for(0o640, Some(4), read_hint), "; run: usermod -aG adm banhook, and restart banhook");
    }

    #[test]
    #[ignore = "needs root, to change the group: cargo xtask test"]
    fn log_hint_lets_the_group_of_logs_read_it() {
        let join = "usermod -aG adm banhook, and restart banhook";
        assert_eq!(command_for(0o640, Some(4), log_hint), format!("; run: {join}"));
        for (mode, group) in [(0o600, 4), (0o640, 0), (0o600, 0)] {
            let open = format!("; run: chgrp adm f.log && chmod g+r f.log && {join}");
            assert_eq!(command_for(mode, Some(group), log_hint), open, "{mode:o} {group}");
        }
        assert_eq!(command_for(0o640, Some(27), log_hint), "; run: usermod -aG sudo banhook, and restart banhook");
    }

    #[test]
    fn the_system_files_name_root() {
        assert_eq!(user_name(Uid::ROOT), "root");
        assert_eq!(groups_of(Uid::ROOT, Gid::ROOT)[0], Gid::ROOT);
    }
}
