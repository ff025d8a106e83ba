//! Web URLs.

use url::Url;

/// Parses a URL of the web: http or https, with a host.
///
/// The result is normalised, and holds no white space, control character, `<` or `>`: the parser encodes them.
#[must_use]
pub fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_url_of_anything_but_http_with_a_host_is_none() {
        for (text, url) in [
            ("https://example.org", Some("https://example.org/")),
            ("HTTP://example.org/a b<c>", Some("http://example.org/a%20b%3Cc%3E")),
            ("https://", None),
            ("//example.org", None),
            ("javascript:alert(1)", None),
            ("file:///etc/passwd", None),
            ("mailto:a@example.org", None),
            ("", None),
        ] {
            assert_eq!(web_url(text).as_ref().map(Url::as_str), url, "{text}");
        }
    }
}
