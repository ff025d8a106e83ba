//! Which groups a user is in, as `/etc/passwd` and `/etc/group` say: what reads a log that is for `adm` only.

use std::fs;

use rustix::process::{Gid, Uid};

/// The user's own group, and those that list the user as a member.
pub(super) fn of(user: Uid, own: Gid) -> Vec<Gid> {
    let read = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let mut groups = vec![own];
    groups.extend(listed(&read("/etc/passwd"), &read("/etc/group"), user.as_raw()).into_iter().map(Gid::from_raw));
    groups
}

fn listed(passwd: &str, group: &str, user: u32) -> Vec<u32> {
    let names = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(user)).then_some(name)
    });
    let Some(name) = names.take(1).next() else { return Vec::new() };
    let member_of = |line: &str| {
        let mut fields = line.split(':');
        let (number, members) = (fields.nth(2)?, fields.next()?);
        members.split(',').any(|member| member == name).then(|| number.parse().ok()).flatten()
    };
    group.lines().filter_map(member_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_by_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbanhook:x:998:997::/var/lib/banhook:/bin/false\n";
        let group = "adm:x:4:syslog,banhook\nsudo:x:27:banhooks\nbanhook:x:997:\nodd\nsystemd-journal:x:101:banhook";
        assert_eq!(listed(passwd, group, 998), [4, 101]);
        assert_eq!(listed(passwd, group, 7), Vec::<u32>::new());
    }
}
