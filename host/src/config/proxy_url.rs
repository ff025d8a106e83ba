//! The URL of a proxy, which may contain a password: no message may show it.

use std::fmt;

use url::{Host, Url};

use super::secret_source::Env;

/// A checked URL of an HTTP or SOCKS proxy. It has no `Display`, and its `Debug` shows [`ProxyUrl::redacted`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ProxyUrl(Url);

/// Why a text is not the URL of a proxy. The text itself is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyUrlError {
    /// It is not a URL.
    #[error("the URL cannot be parsed ({0})")]
    Syntax(#[from] url::ParseError),
    /// It contains a space, a line feed or another control character; a URL parser drops some of them silently.
    #[error("the URL contains a space or more than one line")]
    Space,
    /// It has another scheme, or none: `proxy:3128`.
    #[error(
        "only HTTP and SOCKS proxies are supported, and their URL begins with http://, https://, socks5h://, socks5://, socks4a:// or socks4://"
    )]
    Scheme,
    /// The host has other characters than letters, digits, `-`, `_` and `.`.
    #[error("the URL's host is not a valid host name")]
    Host,
    /// It has a path, a query or a fragment.
    #[error("the URL has a path, a query or a fragment")]
    TooLong,
}

/// The schemes of proxies that the HTTP client knows.
const SCHEMES: [&str; 6] = ["http", "https", "socks5h", "socks5", "socks4a", "socks4"];

/// The beginning of the schemes of SOCKS.
const SOCKS: &str = "socks";

/// Where a SOCKS proxy is unless its URL says otherwise.
const SOCKS_PORT: u16 = 1_080;

/// The environment's variables that name a proxy; where one is set, the HTTP client does not ask for the next.
const VARIABLES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]];

/// Returns the variables of the environment that name a proxy which the HTTP client would silently not use, each with the
/// reason. Shows nothing of their values.
pub(super) fn unusable_variables(env: Env<'_>) -> Vec<(&'static str, ProxyUrlError)> {
    let unusable = |name: &'static str| {
        let text = env(name).filter(|text| !text.is_empty())?;
        // Without a scheme, it is a proxy of HTTP.
        let text = if text.contains("://") { text } else { format!("http://{text}") };
        match ProxyUrl::parse(&text) {
            // The client leaves the path out.
            Ok(_) | Err(ProxyUrlError::TooLong) => None,
            Err(error) => Some((name, error)),
        }
    };
    VARIABLES.into_iter().filter_map(|names| unusable(names.into_iter().find(|name| env(name).is_some())?)).collect()
}

impl ProxyUrl {
    /// Returns whether it is a proxy of SOCKS.
    #[must_use]
    pub(crate) fn is_socks(&self) -> bool {
        self.0.scheme().starts_with(SOCKS)
    }

    /// Parses and checks a URL: `http://proxy.example:3128`, with `USER:PASSWORD@` before the host if need be. A SOCKS proxy
    /// without a port is at port 1080.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(crate) fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(ProxyUrlError::Space);
        }
        let mut url = match Url::parse(text) {
            Ok(url) => url,
            Err(url::ParseError::RelativeUrlWithoutBase) => return Err(ProxyUrlError::Scheme),
            Err(error) => return Err(error.into()),
        };
        if !SCHEMES.contains(&url.scheme()) {
            return Err(ProxyUrlError::Scheme);
        }
        // The HTTP client accepts fewer host names, and would silently use no proxy for any other.
        match url.host() {
            Some(Host::Domain(name))
                if name.is_empty()
                    || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) =>
            {
                return Err(ProxyUrlError::Host);
            }
            Some(_) => {}
            None => return Err(ProxyUrlError::Host),
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyUrlError::TooLong);
        }
        if url.scheme().starts_with(SOCKS) && url.port().is_none() {
            // Fails only for a URL without a host.
            let _ = url.set_port(Some(SOCKS_PORT));
        }
        Ok(Self(url))
    }

    /// Returns whether it contains a user name or a password.
    #[must_use]
    pub(crate) fn is_secret(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    /// Returns the URL with `***` for user and password: `http://***@proxy.example:3128`.
    #[must_use]
    pub(crate) fn redacted(&self) -> String {
        let user = if self.is_secret() { "***@" } else { "" };
        let host = self.0.host_str().unwrap_or_default();
        let port = self.0.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}://{user}{host}{port}", self.0.scheme())
    }

    /// Returns the secret itself, for the caller that connects.
    #[must_use]
    pub(crate) const fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({})", self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_valid_url_redacts_user_and_password() {
        for (text, secret, shown) in [
            ("http://proxy.example:3128", false, "http://proxy.example:3128"),
            ("https://proxy.example/", false, "https://proxy.example"),
            ("http://127.0.0.1:3128", false, "http://127.0.0.1:3128"),
            ("http://[::1]:3128", false, "http://[::1]:3128"),
            ("http://squid_1:3128", false, "http://squid_1:3128"),
            ("http://me:s3cret@proxy.example:3128", true, "http://***@proxy.example:3128"),
            ("http://s3cret@proxy.example", true, "http://***@proxy.example"),
            ("http://:s3cret%40@proxy.example", true, "http://***@proxy.example"),
            ("socks5h://proxy.example:9050", false, "socks5h://proxy.example:9050"),
            ("socks5://me:s3cret@127.0.0.1", true, "socks5://***@127.0.0.1:1080"),
            ("socks5://[::1]:1080/", false, "socks5://[::1]:1080"),
            ("socks4a://proxy.example", false, "socks4a://proxy.example:1080"),
        ] {
            let url = ProxyUrl::parse(text).unwrap();
            assert_eq!((url.is_secret(), url.redacted().as_str()), (secret, shown), "{text}");
            assert_eq!(format!("{url:?}"), format!("ProxyUrl({shown})"));
        }
    }

    #[test]
    fn unusable_variables_are_those_that_the_client_ignores() {
        for (set, unusable) in [
            (&[][..], &[][..]),
            (&[("HTTPS_PROXY", ""), ("all_proxy", "proxy.example:3128")], &[]),
            (&[("HTTPS_PROXY", "http://me:s3cret@proxy.example:3128/path"), ("HTTP_PROXY", "quic://x")], &[]),
            (&[("https_proxy", "socks5h://proxy.example"), ("ALL_PROXY", "socks4://proxy.example")], &[]),
            (&[("https_proxy", "quic://s3cret@proxy.example")], &["https_proxy"]),
            (&[("HTTPS_PROXY", "proxy.example:3128"), ("https_proxy", "quic://x")], &[]),
            (&[("ALL_PROXY", "socks://proxy.example"), ("HTTPS_PROXY", "http://a b")], &["HTTPS_PROXY", "ALL_PROXY"]),
        ] {
            let env = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            let found = unusable_variables(&env);
            assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), unusable, "{set:?}");
            assert!(!format!("{found:?}").contains("s3cret"));
        }
    }

    #[test]
    fn parse_invalid_url_does_not_show_it() {
        use ProxyUrlError as E;
        for (text, error) in [
            ("proxy.example:3128", E::Scheme),
            ("127.0.0.1:3128", E::Scheme),
            ("me:s3cret@proxy.example:3128", E::Scheme),
            ("socks6://me:s3cret@proxy.example:1080", E::Scheme),
            ("quic://me:s3cret@proxy.example:1080", E::Scheme),
            ("socks5://", E::Host),
            ("socks5://me:s3cret@", E::Syntax(url::ParseError::EmptyHost)),
            ("socks5://me:s3cret@a{b}:1", E::Host),
            ("http://", E::Syntax(url::ParseError::EmptyHost)),
            ("http://me:s3cret@proxy.example:70000", E::Syntax(url::ParseError::InvalidPort)),
            ("http://me:s3cret@proxy example", E::Space),
            ("http://proxy.example\n", E::Space),
            ("http://me:s3cret@a{b}:3128", E::Host),
            ("http://proxy.example/s3cret", E::TooLong),
            ("http://proxy.example?s3cret", E::TooLong),
            ("http://proxy.example/#s3cret", E::TooLong),
        ] {
            let found = ProxyUrl::parse(text).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!format!("{found} {found:?}").contains("s3cret"), "{found}");
        }
    }
}
