//! Links: only what parses as http or https is one.

use url::Url;

/// The URL, normalised, if it is one of the web: http or https, with a host.
///
/// What it returns holds no white space, control character, `<` or `>`: the parser encodes them.
#[must_use]
pub fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
