//! The ban in an event: who, how long, why.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::timestamp::Timestamp;

/// A ban, as it begins or as it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ban {
    /// Who is banned, verbatim: an address, a network, a host name, or what else a filter captured. Empty: unknown.
    pub subject: String,
    /// How many failures led to the ban; 0: banned by hand.
    pub failures: Option<u32>,
    /// How many times this subject has been banned, this one included.
    pub count: Option<u32>,
    /// How long it lasts.
    pub duration: Option<BanDuration>,
    /// Whether it is an old ban that fail2ban restored after a restart.
    pub restored: bool,
    /// fail2ban's own time of the ban; an unban has the time of its ban.
    pub ticket_at: Option<Timestamp>,
    /// The log lines that led to the ban, oldest first.
    pub matches: Vec<String>,
}

/// What the subject of a test event begins with: `banhook doctor --send` sends it as a ban, and nobody is banned. The subject
/// is what every action passes on unchanged, and every message shows. Whoever can make a filter capture such a text keeps a
/// ban of it out of the history, and nothing else.
pub const TEST_SUBJECT: &str = "banhook-doctor-test-";

/// How long a ban lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BanDuration {
    /// Seconds.
    Seconds(u32),
    /// Until it is lifted by hand.
    Permanent,
}

/// The kind of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `203.0.113.7`
    Ipv4,
    /// `2001:db8::7`
    Ipv6,
    /// `203.0.113.0/24`
    Ipv4Network,
    /// `2001:db8::/32`
    Ipv6Network,
    /// A host name.
    Name,
    /// Anything else.
    Other,
}

impl Ban {
    /// Returns whether it is a test event, see [`TEST_SUBJECT`].
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.subject.starts_with(TEST_SUBJECT)
    }

    /// Returns the family of the subject.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(&self.subject)
    }
}

impl Family {
    /// Returns the family of a subject.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        let (address, prefix) = match subject.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (subject, None),
        };
        // Digits only: `parse` alone would take `+8`.
        let bits = |most: u8| {
            prefix.is_none_or(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse().is_ok_and(|n: u8| n <= most))
        };
        if address.parse::<Ipv4Addr>().is_ok() && bits(32) {
            return if prefix.is_some() { Self::Ipv4Network } else { Self::Ipv4 };
        }
        if address.parse::<Ipv6Addr>().is_ok() && bits(128) {
            return if prefix.is_some() { Self::Ipv6Network } else { Self::Ipv6 };
        }
        if is_host_name(subject) { Self::Name } else { Self::Other }
    }

    /// Returns the word for it in JSON and in templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ipv4Network => "ipv4-network",
            Self::Ipv6Network => "ipv6-network",
            Self::Name => "name",
            Self::Other => "other",
        }
    }
}

/// A host name of at least two labels (RFC 1123); the last one is not all digits, so `1.2.3` is not a host name.
fn is_host_name(text: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && text.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_recognizes_addresses_networks_and_host_names() {
        for (subject, family) in [
            ("203.0.113.7", Family::Ipv4),
            ("203.0.113.0/24", Family::Ipv4Network),
            ("203.0.113.0/33", Family::Other),
            ("203.0.113.0/+8", Family::Other),
            ("203.0.113.0/", Family::Other),
            ("2001:db8::7", Family::Ipv6),
            ("2001:db8::/32", Family::Ipv6Network),
            ("::ffff:203.0.113.7", Family::Ipv6),
            ("mail.example.org", Family::Name),
            ("xn--bcher-kva.example.", Family::Name),
            ("localhost", Family::Other),
            ("1.2.3", Family::Other),
            ("user bob", Family::Other),
            ("a..b", Family::Other),
            ("-a.example", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(Family::of(subject), family, "{subject}");
        }
    }
}
