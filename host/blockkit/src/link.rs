//! Web URLs.

use url::Url;

/// Parses a URL of the web: http or https, with a host.
///
/// The result is normalised, and holds no white space, control character, `<` or `>`: the parser encodes them.
#[must_use]
pub fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
