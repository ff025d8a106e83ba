//! The URL of a proxy, which may contain a password: no message may show it.

use std::fmt;

use url::{Host, Url};

/// A checked URL of an HTTP proxy. It has no `Display`, and its `Debug` shows [`ProxyUrl::redacted`].
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
    /// It is of SOCKS, or has no scheme: `proxy:3128`.
    #[error("only HTTP proxies are supported, and their URL begins with http:// or https://")]
    NotHttp,
    /// The host has other characters than letters, digits, `-`, `_` and `.`.
    #[error("the URL's host is not a valid host name")]
    Host,
    /// It has a path, a query or a fragment.
    #[error("the URL has a path, a query or a fragment")]
    TooLong,
}

impl ProxyUrl {
    /// Parses and checks a URL: `http://proxy.example:3128`, with `USER:PASSWORD@` before the host if need be.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub(crate) fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(ProxyUrlError::Space);
        }
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(url::ParseError::RelativeUrlWithoutBase) => return Err(ProxyUrlError::NotHttp),
            Err(error) => return Err(error.into()),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ProxyUrlError::NotHttp);
        }
        // The HTTP client accepts fewer host names, and would silently use no proxy for any other.
        if let Some(Host::Domain(name)) = url.host()
            && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(ProxyUrlError::Host);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyUrlError::TooLong);
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
        ] {
            let url = ProxyUrl::parse(text).unwrap();
            assert_eq!((url.is_secret(), url.redacted().as_str()), (secret, shown), "{text}");
            assert_eq!(format!("{url:?}"), format!("ProxyUrl({shown})"));
        }
    }

    #[test]
    fn parse_invalid_url_does_not_show_it() {
        use ProxyUrlError as E;
        for (text, error) in [
            ("proxy.example:3128", E::NotHttp),
            ("127.0.0.1:3128", E::NotHttp),
            ("me:s3cret@proxy.example:3128", E::NotHttp),
            ("socks5://me:s3cret@proxy.example:1080", E::NotHttp),
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
