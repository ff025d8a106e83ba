//! A webhook's URL: whoever has it can post, so it is a secret that no message or log may show.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::message::Target;
use crate::message::UrlProblem;
use crate::phrase::listed;

/// Quotes that people copy with a URL: those of a shell, and those of a word processor.
const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// A URL that has been checked for its target. It has no `Display`, and its `Debug` shows [`WebhookUrl::redacted`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WebhookUrl {
    url: Url,
    target: Target,
}

/// Why a text is not the URL of a webhook. Shows nothing of its secret part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WebhookUrlError {
    /// An empty text.
    #[error("the URL is empty")]
    Empty,
    /// Not a URL.
    #[error("the URL cannot be parsed ({0}); it must begin with https://")]
    Syntax(#[from] url::ParseError),
    /// `https://hooks.slack.com/services/T…/B…/…`, as in the documentation.
    #[error("the URL is the example of the documentation; use your own webhook's URL")]
    Example,
    /// Some editors put one before a text.
    #[error("there is a byte order mark before the URL; save the file as UTF-8 without BOM")]
    ByteOrderMark,
    /// `"https://…"`
    #[error("the URL is in quotes; remove them")]
    Quotes,
    /// A space, a line feed or another control character; a URL parser drops some of them silently.
    #[error("the URL contains a space or more than one line")]
    Space,
    /// Neither https, nor http to this host or the one that `http_host` names.
    #[error(
        "the URL is not https; http is allowed only for a webhook on this host (localhost, 127.0.0.1, ::1), and for the private host that http_host names"
    )]
    NotHttps,
    /// `http_host` or `relay_host` names another host than the URL.
    #[error("the URL's host is {host}, and not the one that {key} names")]
    OtherHost {
        /// The URL's, with a port, if it has one.
        host: String,
        /// The key.
        key: &'static str,
    },
    /// `https://user:password@…`
    #[error(
        "the URL contains a user name; a webhook needs none (for a server before the chat that asks for one, set basic_auth_file)"
    )]
    UserName,
    /// The host of another service.
    #[error("the URL is a webhook of {name}; set target = \"{target}\"")]
    OtherService {
        /// The service.
        name: &'static str,
        /// The word for it.
        target: &'static str,
    },
    /// Not one of the service's hosts.
    #[error(
        "the URL's host is {host}, but {name} is at {hosts}; for another service set target, for a relay set relay_host"
    )]
    WrongHost {
        /// With a port, if it has one.
        host: String,
        /// The service.
        name: &'static str,
        /// Its hosts.
        hosts: String,
    },
    /// One of the service's hosts, but not a webhook's path.
    #[error(transparent)]
    Service(#[from] UrlProblem),
}

/// The hosts for which a webhook lifts a rule, as [`url::Host`] writes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AllowedHosts {
    /// `http_host`: a private host that is reached without TLS.
    pub(crate) http: Option<String>,
    /// `relay_host`: a host that is not the service's and takes its messages.
    pub(crate) relay: Option<String>,
}

/// Why a host cannot be one of [`AllowedHosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AllowedHostError {
    /// A URL, a port or anything else that is no host.
    #[error("expected a host without scheme, port or path")]
    Syntax,
    /// The messages and the URL's secret would cross the internet unencrypted.
    #[error("plain http is only for a private host, and not for a public address or a service's own host")]
    Public,
    /// It needs no permission.
    #[error("this is a service's own host")]
    Service,
}

impl AllowedHosts {
    /// Parses the host of `http_host`. That the addresses of a name are private is checked for each connection.
    pub(super) fn http(text: &str) -> Result<String, AllowedHostError> {
        let host = parse_host(text)?;
        let is_public = match &host {
            Host::Domain(name) => is_service_host(name),
            Host::Ipv4(address) => !is_private(IpAddr::V4(*address)),
            Host::Ipv6(address) => !is_private(IpAddr::V6(*address)),
        };
        if is_public { Err(AllowedHostError::Public) } else { Ok(host.to_string()) }
    }

    /// Parses the host of `relay_host`.
    pub(super) fn relay(text: &str) -> Result<String, AllowedHostError> {
        let host = parse_host(text)?.to_string();
        if is_service_host(&host) { Err(AllowedHostError::Service) } else { Ok(host) }
    }
}

fn parse_host(text: &str) -> Result<Host, AllowedHostError> {
    Host::parse(text).map_err(|_| AllowedHostError::Syntax)
}

fn is_service_host(host: &str) -> bool {
    Target::ALL.iter().any(|target| target.hosts().contains(&host.trim_end_matches('.')))
}

/// Returns whether an address is on this host or in a private network (RFC 1918, 4193, 6598, and link-local addresses).
#[must_use]
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || first == 100 && (64..128).contains(&second)
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

impl WebhookUrl {
    /// Parses and checks a URL.
    ///
    /// On this host (loopback) every target accepts any path, and plain http. Elsewhere the URL must be https, and
    /// the host and path those of the target's service, as far as it has its own; `allowed` lifts each of these for one host.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(super) fn parse(text: &str, target: Target, allowed: &AllowedHosts) -> Result<Self, WebhookUrlError> {
        if text.is_empty() {
            return Err(WebhookUrlError::Empty);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(WebhookUrlError::Space);
        }
        if text.starts_with('\u{feff}') {
            return Err(WebhookUrlError::ByteOrderMark);
        }
        if text.starts_with(QUOTES) || text.ends_with(QUOTES) {
            return Err(WebhookUrlError::Quotes);
        }
        if text.contains('…') {
            return Err(WebhookUrlError::Example);
        }
        let url = Self { url: Url::parse(text)?, target };
        let is_host = |allowed: &Option<String>| allowed.is_some() && allowed.as_deref() == url.url.host_str();
        if url.url.scheme() != "https" && !(url.is_plain() && (url.is_loopback() || allowed.http.is_some())) {
            return Err(WebhookUrlError::NotHttps);
        }
        for (key, host) in [("http_host", &allowed.http), ("relay_host", &allowed.relay)] {
            if host.is_some() && !is_host(host) {
                return Err(WebhookUrlError::OtherHost { host: url.host_and_port(), key });
            }
        }
        if !url.url.username().is_empty() || url.url.password().is_some() {
            return Err(WebhookUrlError::UserName);
        }
        if !url.is_loopback() && !is_host(&allowed.relay) {
            url.check_host()?;
        }
        target.check_url(&url.url)?;
        Ok(url)
    }

    fn check_host(&self) -> Result<(), WebhookUrlError> {
        let host = self.url.host_str().unwrap_or_default();
        let hosts = self.target.hosts();
        if let Some(other) = Target::ALL.iter().find(|other| **other != self.target && other.hosts().contains(&host)) {
            return Err(WebhookUrlError::OtherService { name: other.name(), target: other.as_str() });
        }
        if hosts.is_empty() {
            return Ok(());
        }
        if !hosts.contains(&host) || self.url.port().is_some() {
            let hosts = listed(hosts.iter().copied(), "or");
            return Err(WebhookUrlError::WrongHost { host: self.host_and_port(), name: self.target.name(), hosts });
        }
        Ok(self.target.check_path(&self.url)?)
    }

    fn host_and_port(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Whether it is sent without TLS.
    #[must_use]
    pub(crate) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Whether it stays on this host: `localhost`, `127.0.0.0/8` or `::1`.
    #[must_use]
    pub(crate) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Returns the URL with `***` for all that is secret: `https://hooks.slack.com/services/T012/B345/***`.
    #[must_use]
    pub(crate) fn redacted(&self) -> String {
        format!("{}://{}{}/***", self.url.scheme(), self.host_and_port(), self.target.public_path(&self.url))
    }

    /// The secret itself, for the one caller that sends.
    #[must_use]
    pub(crate) const fn expose(&self) -> &Url {
        &self.url
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({})", self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, target: Target) -> Result<WebhookUrl, WebhookUrlError> {
        WebhookUrl::parse(text, target, &AllowedHosts::default())
    }

    #[test]
    fn allowed_host_lifts_its_rule_for_that_host_only() {
        use WebhookUrlError as E;
        let other = |host: &str, key| Err(E::OtherHost { host: host.to_owned(), key });
        let http = Some("mattermost");
        let relay = Some("relay.example.org");
        for (text, target, http, relay, expected) in [
            ("http://mattermost:8065/hooks/s3cret", Target::MATTERMOST, http, None, Ok(())),
            ("http://MATTERMOST/hooks/s3cret", Target::MATTERMOST, http, None, Ok(())),
            ("https://mattermost/hooks/s3cret", Target::MATTERMOST, http, None, Ok(())),
            (
                "http://mattermost.evil.example/s3cret",
                Target::MATTERMOST,
                http,
                None,
                other("mattermost.evil.example", "http_host"),
            ),
            ("http://10.0.0.1/s3cret", Target::MATTERMOST, http, None, other("10.0.0.1", "http_host")),
            ("http://10.0.0.1/s3cret", Target::MATTERMOST, Some("10.0.0.1"), None, Ok(())),
            ("http://[fd00::1]/s3cret", Target::ZULIP, Some("[fd00::1]"), None, Ok(())),
            ("ftp://mattermost/s3cret", Target::MATTERMOST, http, None, Err(E::NotHttps)),
            ("http://relay.example.org/s3cret", Target::SLACK, None, relay, Err(E::NotHttps)),
            ("https://relay.example.org:8443/any/s3cret?x", Target::SLACK, None, relay, Ok(())),
            ("https://relay.example.org/s3cret", Target::DISCORD, None, relay, Ok(())),
            (
                "https://hooks.slack.com/services/T/B/s3cret",
                Target::SLACK,
                None,
                relay,
                other("hooks.slack.com", "relay_host"),
            ),
            ("http://relay.lan/s3cret", Target::SLACK, Some("relay.lan"), Some("relay.lan"), Ok(())),
        ] {
            let allowed = AllowedHosts {
                http: http.map(|host| AllowedHosts::http(host).unwrap()),
                relay: relay.map(|host| AllowedHosts::relay(host).unwrap()),
            };
            let found = WebhookUrl::parse(text, target, &allowed);
            assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
            assert_eq!(found.map(drop), expected, "{text}");
        }
        for text in ["8.8.8.8", "[2001:db8::1]", "172.32.0.1", "hooks.slack.com", "hooks.slack.com.", "discord.com"] {
            assert_eq!(AllowedHosts::http(text), Err(AllowedHostError::Public), "{text}");
        }
        for text in ["http://mattermost", "mattermost:8065", "a/b", "", "a b"] {
            assert_eq!(AllowedHosts::http(text), Err(AllowedHostError::Syntax), "{text}");
        }
        assert_eq!(AllowedHosts::relay("hooks.slack.com"), Err(AllowedHostError::Service));
    }

    #[test]
    fn is_private_knows_private_networks() {
        for (address, private) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("192.168.1.1", true),
            ("169.254.1.1", true),
            ("100.64.0.1", true),
            ("::1", true),
            ("fd12::1", true),
            ("fe80::1", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
            ("8.8.8.8", false),
            ("172.32.0.1", false),
            ("100.128.0.1", false),
            ("0.0.0.0", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }

    #[test]
    fn parse_webhook_url_redacts_all_but_the_public_path() {
        for (text, target, shown) in [
            (
                "https://hooks.slack.com/services/T01/B02/s3cret",
                Target::SLACK,
                "https://hooks.slack.com/services/T01/B02/***",
            ),
            (
                "https://HOOKS.slack-gov.com:443/services/T/B/s3cret?s3cret",
                Target::SLACK,
                "https://hooks.slack-gov.com/services/T/B/***",
            ),
            ("http://127.0.0.1:8080/s3cret", Target::SLACK, "http://127.0.0.1:8080/***"),
            ("http://[::1]:8080/services/T/B/s3cret", Target::SLACK, "http://[::1]:8080/services/T/B/***"),
            ("http://localhost/", Target::SLACK, "http://localhost/***"),
            ("https://chat.example.org/hooks/s3cret", Target::MATTERMOST, "https://chat.example.org/***"),
            ("https://discord.com/api/webhooks/1/s3cret", Target::DISCORD, "https://discord.com/***"),
            ("https://discord.com/api/webhooks/1/s3cret/slack", Target::DISCORD, "https://discord.com/***"),
            (
                "https://ptb.discord.com/api/v10/webhooks/1/s3cret/slack?wait=true",
                Target::DISCORD,
                "https://ptb.discord.com/***",
            ),
            ("http://127.0.0.1:1/s3cret", Target::DISCORD, "http://127.0.0.1:1/***"),
            (
                "https://chat.example.org:8443/hooks/s3cret/s3cret",
                Target::ROCKETCHAT,
                "https://chat.example.org:8443/***",
            ),
            (
                "https://zulip.example.org/api/v1/external/slack_incoming?api_key=s3cret&stream=bans",
                Target::ZULIP,
                "https://zulip.example.org/***",
            ),
        ] {
            let url = parse(text, target).unwrap();
            assert_eq!(url.redacted(), shown);
            assert!(!format!("{url:?}").contains("s3cret"), "{url:?}");
            assert!(url.expose().as_str().contains("s3cret") || url.expose().path() == "/");
        }
    }

    #[test]
    fn parse_other_url_fails_without_showing_it() {
        use WebhookUrlError as E;
        let not_slack = |host: &str| E::WrongHost {
            host: host.to_owned(),
            name: "Slack",
            hosts: "hooks.slack.com or hooks.slack-gov.com".to_owned(),
        };
        let not_discord = |host: &str| E::WrongHost {
            host: host.to_owned(),
            name: "Discord",
            hosts: "discord.com, ptb.discord.com, canary.discord.com or discordapp.com".to_owned(),
        };
        let path_of = |target: Target, url: &str| E::Service(target.check_path(&url.parse().unwrap()).unwrap_err());
        let workflow = || path_of(Target::SLACK, "https://hooks.slack.com/workflows/");
        let not_services = || path_of(Target::SLACK, "https://hooks.slack.com/");
        let not_webhook = || path_of(Target::DISCORD, "https://discord.com/");
        for (error, part) in [
            (workflow(), "starts a Slack workflow"),
            (not_services(), "not that of a Slack webhook"),
            (not_webhook(), "not that of a Discord webhook"),
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
        for (text, target, error) in [
            ("", Target::SLACK, E::Empty),
            ("hooks.slack.com/services/T/B/s3cret", Target::SLACK, E::Syntax(url::ParseError::RelativeUrlWithoutBase)),
            ("https://hooks.slack.com/services/T…/B…/…", Target::SLACK, E::Example),
            ("\u{feff}https://hooks.slack.com/services/T/B/s3cret", Target::SLACK, E::ByteOrderMark),
            ("\"https://hooks.slack.com/services/T/B/s3cret\"", Target::SLACK, E::Quotes),
            ("'https://hooks.slack.com/services/T/B/s3cret'", Target::SLACK, E::Quotes),
            ("https://hooks.slack.com/services/T/B/s3cret”", Target::SLACK, E::Quotes),
            ("http://hooks.slack.com/services/T/B/s3cret", Target::SLACK, E::NotHttps),
            ("https://hooks.slack.com/services/T/B/s3\ncret", Target::SLACK, E::Space),
            ("ftp://127.0.0.1/s3cret", Target::SLACK, E::NotHttps),
            ("file:///s3cret", Target::ZULIP, E::NotHttps),
            ("http://10.0.0.1/s3cret", Target::MATTERMOST, E::NotHttps),
            ("http://localhost.example.org/s3cret", Target::SLACK, E::NotHttps),
            ("https://s3cret:s3cret@hooks.slack.com/services/T/B/s3cret", Target::SLACK, E::UserName),
            ("https://hooks.slack.com@evil.example/services/T/B/s3cret", Target::SLACK, E::UserName),
            (
                "https://hooks.slack.com.evil.example/services/T/B/s3cret",
                Target::SLACK,
                not_slack("hooks.slack.com.evil.example"),
            ),
            ("https://hooks.slack.com:8443/services/T/B/s3cret", Target::SLACK, not_slack("hooks.slack.com:8443")),
            ("https://hooks.slack.com./services/T/B/s3cret", Target::SLACK, not_slack("hooks.slack.com.")),
            ("https://hooks.slack.com/workflows/T/A/1/s3cret", Target::SLACK, workflow()),
            ("https://hooks.slack.com/triggers/T/1/s3cret", Target::SLACK, workflow()),
            ("https://hooks.slack.com/services/T/s3cret", Target::SLACK, not_services()),
            ("https://hooks.slack.com/services/T/B/", Target::SLACK, not_services()),
            ("https://hooks.slack.com/x/../services/T/B/s3cret/more", Target::SLACK, not_services()),
            (
                "https://hooks.slack.com/services/T/B/s3cret",
                Target::MATTERMOST,
                E::OtherService { name: "Slack", target: "slack" },
            ),
            (
                "https://discord.com/api/webhooks/1/s3cret/slack",
                Target::SLACK,
                E::OtherService { name: "Discord", target: "discord" },
            ),
            ("https://discord.com/api/webhooks/1", Target::DISCORD, not_webhook()),
            ("https://discord.com/api/webhooks/1/s3cret/github", Target::DISCORD, not_webhook()),
            ("https://discord.com/api/webhooks//s3cret/slack", Target::DISCORD, not_webhook()),
            (
                "https://discord.com.evil.example/api/webhooks/1/s3cret/slack",
                Target::DISCORD,
                not_discord("discord.com.evil.example"),
            ),
            ("https://discord.com:8443/api/webhooks/1/s3cret/slack", Target::DISCORD, not_discord("discord.com:8443")),
        ] {
            let found = parse(text, target).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!format!("{found} {found:?}").contains("s3cret"), "{found}");
        }
    }
}
