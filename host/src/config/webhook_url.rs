//! A webhook's URL: whoever has it can post, so it is a secret that no message may show.

use std::fmt;

use url::{Host, Url};

use super::Target;

/// Slack's own hosts; anything else that calls itself Slack gets our alerts and is not Slack.
const SLACK_HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// Discord's, with its two trial versions and its old name.
const DISCORD_HOSTS: [&str; 4] = ["discord.com", "ptb.discord.com", "canary.discord.com", "discordapp.com"];

/// What no URL begins or ends with: those of a shell, and those of a word processor.
const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// A URL that has been checked for its target. It has no `Display`, and its `Debug` shows [`WebhookUrl::redacted`].
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// Why a text is no webhook's URL. The text itself is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// Nothing at all.
    #[error("the URL is empty")]
    Empty,
    /// Not the form of a URL.
    #[error("the URL cannot be parsed ({0}); it has to begin with https://")]
    Syntax(#[from] url::ParseError),
    /// `https://hooks.slack.com/services/T…/B…/…`, as documents have it.
    #[error("the URL is README's example; put your own webhook's URL there")]
    Example,
    /// What some editors put before a text.
    #[error("there is a byte order mark before the URL; save it as UTF-8 without BOM")]
    ByteOrderMark,
    /// `"https://…"`
    #[error("the URL stands in quotes; take them away")]
    Quotes,
    /// A space, a line feed or another control character within; a URL parser drops some of them silently.
    #[error("the URL holds a space or more than one line")]
    Space,
    /// Neither https, nor http to this host.
    #[error("the URL is not https; only a webhook on this host (localhost, 127.0.0.1, ::1) may do without")]
    NotHttps,
    /// `https://user:password@…`
    #[error("the URL holds a user name; a webhook needs none")]
    UserName,
    /// Not one of Slack's hosts.
    #[error(
        "the URL's host is {0}, but Slack's webhooks are at hooks.slack.com or hooks.slack-gov.com; for another chat set target"
    )]
    NotSlack(String),
    /// A workflow's or a trigger's URL.
    #[error("the URL starts a Slack workflow, which takes no messages; make an incoming webhook (…/services/…)")]
    Workflow,
    /// Slack's host, but not a webhook's path.
    #[error("the URL is not as Slack gives it: https://hooks.slack.com/services/T…/B…/…")]
    NotServices,
    /// Not one of Discord's hosts.
    #[error("the URL's host is {0}, but Discord's webhooks are at discord.com")]
    NotDiscord(String),
    /// Discord's host, but not a webhook's path.
    #[error("the URL is not as Discord gives it, with /slack at its end: https://discord.com/api/webhooks/…/…/slack")]
    NotDiscordWebhook,
    /// A webhook for Discord's own messages.
    #[error("the URL takes Discord's own messages; put /slack at its end")]
    NotDiscordSlack,
    /// Slack's host for a target that is not Slack.
    #[error("the URL is a webhook of Slack, but the target is \"{0}\"")]
    IsSlack(&'static str),
}

impl WebhookUrl {
    /// Parses and checks a URL.
    ///
    /// On this host (loopback) every target accepts any path, and plain http. Elsewhere it has to be https, for Slack
    /// one of Slack's hosts with a path `/services/T…/B…/…`, and for Discord one of Discord's with a path
    /// `/api/webhooks/…/…/slack`. The others are at home on any host.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub fn parse(text: &str, target: Target) -> Result<Self, WebhookUrlError> {
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
        let url = Self(Url::parse(text)?);
        let plain = url.0.scheme() == "http";
        if url.0.scheme() != "https" && !(plain && url.is_loopback()) {
            return Err(WebhookUrlError::NotHttps);
        }
        if !url.0.username().is_empty() || url.0.password().is_some() {
            return Err(WebhookUrlError::UserName);
        }
        if url.is_loopback() {
            return Ok(url);
        }
        let slack = SLACK_HOSTS.contains(&url.0.host_str().unwrap_or_default());
        match target {
            Target::Slack => url.check_slack()?,
            _ if slack => return Err(WebhookUrlError::IsSlack(target.as_str())),
            Target::Discord => url.check_discord()?,
            Target::Mattermost | Target::RocketChat | Target::Zulip => {}
        }
        Ok(url)
    }

    fn check_discord(&self) -> Result<(), WebhookUrlError> {
        let host = self.0.host_str().unwrap_or_default();
        if !DISCORD_HOSTS.contains(&host) || self.0.port().is_some() {
            return Err(WebhookUrlError::NotDiscord(self.host_and_port()));
        }
        let segments: Vec<_> = self.0.path_segments().into_iter().flatten().collect();
        let path = match segments.as_slice() {
            ["api", version, path @ ..] if version.starts_with('v') => path,
            ["api", path @ ..] => path,
            _ => return Err(WebhookUrlError::NotDiscordWebhook),
        };
        match path {
            ["webhooks", id, token, "slack"] if ![id, token].iter().any(|part| part.is_empty()) => Ok(()),
            ["webhooks", id, token] if ![id, token].iter().any(|part| part.is_empty()) => {
                Err(WebhookUrlError::NotDiscordSlack)
            }
            _ => Err(WebhookUrlError::NotDiscordWebhook),
        }
    }

    fn check_slack(&self) -> Result<(), WebhookUrlError> {
        let host = self.0.host_str().unwrap_or_default();
        if !SLACK_HOSTS.contains(&host) || self.0.port().is_some() {
            return Err(WebhookUrlError::NotSlack(self.host_and_port()));
        }
        match self.0.path_segments().and_then(|mut segments| segments.next()) {
            Some("workflows" | "triggers") => Err(WebhookUrlError::Workflow),
            _ if self.services().is_none() => Err(WebhookUrlError::NotServices),
            _ => Ok(()),
        }
    }

    /// The first two of the three parts behind `/services/`: the workspace and the app, which are no secret.
    fn services(&self) -> Option<(&str, &str)> {
        let segments: Vec<_> = self.0.path_segments()?.collect();
        match segments.as_slice() {
            ["services", team, app, secret] if ![team, app, secret].iter().any(|part| part.is_empty()) => {
                Some((team, app))
            }
            _ => None,
        }
    }

    fn host_and_port(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Whether it stays on this host: `localhost`, `127.0.0.0/8` or `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// The URL with `***` for what is secret: `https://hooks.slack.com/services/T012/B345/***`.
    ///
    /// Of other services the whole path is, since each keeps its token in another part of it.
    #[must_use]
    pub fn redacted(&self) -> String {
        let origin = format!("{}://{}", self.0.scheme(), self.host_and_port());
        match self.services() {
            Some((team, app)) => format!("{origin}/services/{team}/{app}/***"),
            None => format!("{origin}/***"),
        }
    }

    /// The secret itself, for the one caller that sends.
    #[must_use]
    pub const fn expose(&self) -> &Url {
        &self.0
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

    #[test]
    fn accepted_and_redacted() {
        for (text, target, shown) in [
            (
                "https://hooks.slack.com/services/T01/B02/s3cret",
                Target::Slack,
                "https://hooks.slack.com/services/T01/B02/***",
            ),
            (
                "https://HOOKS.slack-gov.com:443/services/T/B/s3cret?s3cret",
                Target::Slack,
                "https://hooks.slack-gov.com/services/T/B/***",
            ),
            ("http://127.0.0.1:8080/s3cret", Target::Slack, "http://127.0.0.1:8080/***"),
            ("http://[::1]:8080/services/T/B/s3cret", Target::Slack, "http://[::1]:8080/services/T/B/***"),
            ("http://localhost/", Target::Slack, "http://localhost/***"),
            ("https://chat.example.org/hooks/s3cret", Target::Mattermost, "https://chat.example.org/***"),
            ("https://discord.com/api/webhooks/1/s3cret/slack", Target::Discord, "https://discord.com/***"),
            (
                "https://ptb.discord.com/api/v10/webhooks/1/s3cret/slack?wait=true",
                Target::Discord,
                "https://ptb.discord.com/***",
            ),
            ("http://127.0.0.1:1/s3cret", Target::Discord, "http://127.0.0.1:1/***"),
            (
                "https://chat.example.org:8443/hooks/s3cret/s3cret",
                Target::RocketChat,
                "https://chat.example.org:8443/***",
            ),
            (
                "https://zulip.example.org/api/v1/external/slack_incoming?api_key=s3cret&stream=bans",
                Target::Zulip,
                "https://zulip.example.org/***",
            ),
        ] {
            let url = WebhookUrl::parse(text, target).unwrap();
            assert_eq!(url.redacted(), shown);
            assert!(!format!("{url:?}").contains("s3cret"), "{url:?}");
            assert!(url.expose().as_str().contains("s3cret") || url.expose().path() == "/");
        }
    }

    #[test]
    fn refused_without_showing_it() {
        use WebhookUrlError as E;
        let not_slack = |host: &str| E::NotSlack(host.to_owned());
        for (text, target, error) in [
            ("", Target::Slack, E::Empty),
            ("hooks.slack.com/services/T/B/s3cret", Target::Slack, E::Syntax(url::ParseError::RelativeUrlWithoutBase)),
            ("https://hooks.slack.com/services/T…/B…/…", Target::Slack, E::Example),
            ("\u{feff}https://hooks.slack.com/services/T/B/s3cret", Target::Slack, E::ByteOrderMark),
            ("\"https://hooks.slack.com/services/T/B/s3cret\"", Target::Slack, E::Quotes),
            ("'https://hooks.slack.com/services/T/B/s3cret'", Target::Slack, E::Quotes),
            ("https://hooks.slack.com/services/T/B/s3cret”", Target::Slack, E::Quotes),
            ("http://hooks.slack.com/services/T/B/s3cret", Target::Slack, E::NotHttps),
            ("https://hooks.slack.com/services/T/B/s3\ncret", Target::Slack, E::Space),
            ("ftp://127.0.0.1/s3cret", Target::Slack, E::NotHttps),
            ("file:///s3cret", Target::Zulip, E::NotHttps),
            ("http://10.0.0.1/s3cret", Target::Mattermost, E::NotHttps),
            ("http://localhost.example.org/s3cret", Target::Slack, E::NotHttps),
            ("https://s3cret:s3cret@hooks.slack.com/services/T/B/s3cret", Target::Slack, E::UserName),
            ("https://hooks.slack.com@evil.example/services/T/B/s3cret", Target::Slack, E::UserName),
            (
                "https://hooks.slack.com.evil.example/services/T/B/s3cret",
                Target::Slack,
                not_slack("hooks.slack.com.evil.example"),
            ),
            ("https://hooks.slack.com:8443/services/T/B/s3cret", Target::Slack, not_slack("hooks.slack.com:8443")),
            ("https://hooks.slack.com./services/T/B/s3cret", Target::Slack, not_slack("hooks.slack.com.")),
            ("https://hooks.slack.com/workflows/T/A/1/s3cret", Target::Slack, E::Workflow),
            ("https://hooks.slack.com/triggers/T/1/s3cret", Target::Slack, E::Workflow),
            ("https://hooks.slack.com/services/T/s3cret", Target::Slack, E::NotServices),
            ("https://hooks.slack.com/services/T/B/", Target::Slack, E::NotServices),
            ("https://hooks.slack.com/x/../services/T/B/s3cret/more", Target::Slack, E::NotServices),
            ("https://hooks.slack.com/services/T/B/s3cret", Target::Mattermost, E::IsSlack("mattermost")),
            ("https://discord.com/api/webhooks/1/s3cret", Target::Discord, E::NotDiscordSlack),
            ("https://discord.com/api/webhooks/1/s3cret/github", Target::Discord, E::NotDiscordWebhook),
            ("https://discord.com/api/webhooks//s3cret/slack", Target::Discord, E::NotDiscordWebhook),
            (
                "https://discord.com.evil.example/api/webhooks/1/s3cret/slack",
                Target::Discord,
                E::NotDiscord("discord.com.evil.example".into()),
            ),
            (
                "https://discord.com:8443/api/webhooks/1/s3cret/slack",
                Target::Discord,
                E::NotDiscord("discord.com:8443".into()),
            ),
        ] {
            let found = WebhookUrl::parse(text, target).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!format!("{found} {found:?}").contains("s3cret"), "{found}");
        }
    }
}
