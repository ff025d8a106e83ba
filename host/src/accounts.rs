//! Users and groups, by the files `/etc/passwd` and `/etc/group`.
//!
//! Nothing else is asked: banhook may be linked statically, and NSS (LDAP, systemd-userdb) needs the system's libc. So a
//! user that is only in such a source has no name here, and no supplementary groups.

use std::fs;

use rustix::process::{Gid, Uid};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Returns the name of a user, or the number where `/etc/passwd` has none.
#[must_use]
pub(crate) fn user_name(user: Uid) -> String {
    name_or_number(&read(PASSWD), user.as_raw())
}

/// Returns the name of a group, or the number where `/etc/group` has none.
#[must_use]
pub(crate) fn group_name(group: Gid) -> String {
    name_or_number(&read(GROUP), group.as_raw())
}

/// Returns the groups of a user: `primary`, and those that list the user as a member.
#[must_use]
pub(crate) fn groups_of(user: Uid, primary: Gid) -> Vec<Gid> {
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

    #[test]
    fn the_system_files_name_root() {
        assert_eq!(user_name(Uid::ROOT), "root");
        assert_eq!(groups_of(Uid::ROOT, Gid::ROOT)[0], Gid::ROOT);
    }
}
