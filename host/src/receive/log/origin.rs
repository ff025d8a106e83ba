//! Where a log comes from, as far as its lines cannot say.

/// Where a log comes from, as far as its lines cannot say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogOrigin {
    /// The tag whose lines are fail2ban's, in a file of several services: a syslog tag, a compose service or a container.
    pub tag: Option<String>,
    /// The host of all lines, whatever they name.
    pub host: Option<String>,
    /// The names of this host. A line that names one of them, short or full, in any case, is of this host, and its event
    /// names none.
    pub own_hosts: Vec<String>,
}

impl LogOrigin {
    /// Returns the host of an event whose line names this one; empty for this host.
    pub(super) fn host<'a>(&'a self, named: &'a str) -> &'a str {
        let host = self.host.as_deref().unwrap_or(named);
        if self.own_hosts.iter().any(|own| is_same_host(own, host)) { "" } else { host }
    }
}

/// Returns whether two names are of one host: the same in any case, or one is the other's first part.
fn is_same_host(one: &str, other: &str) -> bool {
    fn normal(name: &str) -> &str {
        name.strip_suffix('.').unwrap_or(name)
    }
    let (one, other) = (normal(one), normal(other));
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    // `10` is not the host 10.0.0.1.
    let is_address = |name: &str| name.parse::<std::net::IpAddr>().is_ok();
    match (one.split_once('.'), other.split_once('.')) {
        (Some((short, _)), None) => !is_address(one) && short.eq_ignore_ascii_case(other),
        (None, Some((short, _))) => !is_address(other) && short.eq_ignore_ascii_case(one),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_that_is_this_one_in_any_form_is_empty() {
        let own = |own: &str, named: &str| {
            LogOrigin { own_hosts: vec![own.to_owned()], ..LogOrigin::default() }.host(named).is_empty()
        };
        for (name, named) in [
            ("web-1", "web-1"),
            ("web-1", "WEB-1"),
            ("web-1", "web-1.example.org"),
            ("web-1.example.org", "Web-1"),
            ("web-1.example.org", "web-1.example.org."),
            ("2001:db8::1", "2001:DB8::1"),
        ] {
            assert!(own(name, named), "{name} {named}");
        }
        for (name, named) in [
            ("web-1", "web-2"),
            ("web-1.example.org", "web-1.example.com"),
            ("web-1", "web-10"),
            ("10", "10.0.0.1"),
            ("web", "web-1.example.org"),
        ] {
            assert!(!own(name, named), "{name} {named}");
        }
    }

    #[test]
    fn host_of_the_settings_overrides_the_lines() {
        let origin = |host: &str| LogOrigin {
            host: Some(host.to_owned()),
            own_hosts: vec!["web-1".to_owned()],
            ..LogOrigin::default()
        };
        assert_eq!(origin("mail").host("web-2"), "mail");
        assert_eq!(origin("WEB-1.example.org").host("web-2"), "");
    }
}
