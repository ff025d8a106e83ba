//! The formats of strings: URLs, dates, colours.

use std::net::Ipv4Addr;

use serde_json::Value;
use url::{Host, Url};

use super::rule::Rule;
use super::schema::Format;
use crate::link::web_url;

/// Schemes that are opened from a message. Others may work too, so they are a warning.
const OPENABLE: [&str; 4] = ["mailto", "tel", "sms", "slack"];
/// Schemes that show or run content of their author's, or files on the reader's disk.
const DANGEROUS: [&str; 6] = ["javascript", "vbscript", "data", "file", "blob", "about"];

/// Domains that exist in private networks only.
const PRIVATE_DOMAINS: [&str; 9] =
    [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".corp", ".home", ".private"];

/// A string that is not of its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The rule that it breaks.
    pub rule: Rule,
    /// The expected format, with its article.
    pub expected: &'static str,
    /// Whether Slack certainly refuses it.
    pub certain: bool,
}

/// Compares a string with its format.
pub fn mismatch(format: Format, text: &str) -> Option<Mismatch> {
    let expected = |expected| Some(Mismatch { rule: Rule::Format, expected, certain: true });
    match format {
        Format::Any | Format::NotBlank | Format::NotEmpty | Format::BlockId | Format::ActionId => None,
        Format::FetchedUrl => url_mismatch(format, text).or_else(|| {
            let expected = "a URL that Slack can fetch from the internet";
            is_unreachable(text).then_some(Mismatch { rule: Rule::Unreachable, expected, certain: false })
        }),
        Format::LinkUrl | Format::HttpsUrl => url_mismatch(format, text),
        Format::Date if !is_date(text) => expected("a date like 2026-11-22"),
        Format::Time if !is_time(text) => expected("a time like 09:30"),
        Format::HexColor if !is_hex_color(text, &[6]) => expected("a colour like #2eb67d"),
        Format::AttachmentColor
            if !matches!(text, "good" | "warning" | "danger") && !is_hex_color(text, &[3, 6, 8]) =>
        {
            expected("good, warning, danger or a colour like #2eb67d")
        }
        Format::Emoji if !(text.len() > 2 && text.starts_with(':') && text.ends_with(':')) => {
            expected("an emoji like :no_entry:")
        }
        Format::MessageTs if !is_timestamp(text) => expected("a message's ts like 1503435956.000247"),
        Format::Date
        | Format::Time
        | Format::HexColor
        | Format::AttachmentColor
        | Format::Emoji
        | Format::MessageTs => None,
    }
}

fn url_mismatch(format: Format, text: &str) -> Option<Mismatch> {
    if is_plain_web_url(text) && (format != Format::HttpsUrl || starts_with_ignoring_case(text, "https:")) {
        return None;
    }
    let mismatch = |expected, certain| Some(Mismatch { rule: Rule::Url, expected, certain });
    let url = Url::parse(text);
    let scheme = url.as_ref().map(Url::scheme).unwrap_or_default();
    if format == Format::HttpsUrl {
        return if scheme == "https" && web_url(text).is_some() { None } else { mismatch("an https URL", true) };
    }
    match scheme {
        "http" | "https" if web_url(text).is_some() => None,
        // A relative URL, which Slack's own SDK has in its tests, or no URL at all.
        "" if text.is_empty() || text.contains(':') => mismatch("a URL", true),
        "" => mismatch("a URL that begins with http or https", false),
        scheme if format == Format::LinkUrl && OPENABLE.contains(&scheme) => None,
        scheme if format == Format::LinkUrl && !DANGEROUS.contains(&scheme) => mismatch("an http or https URL", false),
        _ => mismatch("an http or https URL", true),
    }
}

/// Returns whether Slack can hardly fetch what is at a URL: it is on the reader's host or in a private network, or is a file
/// that Slack shows to members only.
fn is_unreachable(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    match url.host() {
        Some(Host::Ipv4(address)) => is_private(address),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(is_private)
        }
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let is_slack = name == "slack.com" || name.ends_with(".slack.com");
            !name.contains('.')
                || PRIVATE_DOMAINS.iter().any(|domain| name.ends_with(domain))
                || is_slack && (name == "files.slack.com" || url.path().starts_with("/files"))
        }
        None => false,
    }
}

/// Addresses that no server on the internet can reach (RFC 1918, 6598, and those of this host or link).
fn is_private(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_private()
        || address.is_link_local()
        || first == 100 && (64..128).contains(&second)
}

/// Returns whether `text` is certainly a web URL. Spares the parser, whose care for unusual hosts would cost more time than
/// the rest of the linter.
fn is_plain_web_url(text: &str) -> bool {
    let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)) else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = host.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'0'..=b'9' | b'-' | b'.'));
    // Only an IPv4 address ends in a digit, and punycode must be decoded to be checked.
    plain
        && host.ends_with(|end: char| end.is_ascii_lowercase())
        && !host.contains("xn--")
        && !host.contains("..")
        && !host.starts_with('.')
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Returns the number, if it is whole.
pub fn whole(value: &Value) -> Option<i64> {
    // Floats are exact below 2^53, and JSON from JavaScript has no other numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let from_float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT);
    let from_unsigned = || value.as_u64().map(|_| i64::MAX);
    value.as_i64().or_else(from_unsigned).or_else(|| from_float().map(|number| number as i64))
}

fn is_date(text: &str) -> bool {
    match numbers(text, '-', &[4, 2, 2]).as_deref() {
        Some([_, month, day]) => (1..=12).contains(month) && (1..=31).contains(day),
        _ => false,
    }
}

fn is_time(text: &str) -> bool {
    match numbers(text, ':', &[2, 2]).as_deref() {
        Some([hour, minute]) => *hour < 24 && *minute < 60,
        _ => false,
    }
}

fn is_timestamp(text: &str) -> bool {
    text.split_once('.').is_some_and(|(seconds, rest)| is_digits(seconds) && is_digits(rest))
}

/// Parses numbers of exactly these many digits, separated by `between`.
fn numbers(text: &str, between: char, digits: &[usize]) -> Option<Vec<u32>> {
    let parts: Vec<&str> = text.split(between).collect();
    let fits = parts.len() == digits.len()
        && parts.iter().zip(digits).all(|(part, digits)| part.len() == *digits && is_digits(part));
    fits.then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex_color(text: &str, lengths: &[usize]) -> bool {
    text.strip_prefix('#')
        .is_some_and(|digits| lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The expected format, with "?" appended if the mismatch is only a warning; empty if there is none.
    fn expected(format: Format, text: &str) -> String {
        let shown = |Mismatch { expected, certain, .. }| format!("{expected}{}", if certain { "" } else { "?" });
        mismatch(format, text).map_or_else(String::new, shown)
    }

    #[test]
    fn mismatch_of_a_url_depends_on_its_scheme() {
        const WEB: &str = "an http or https URL";
        const RELATIVE: &str = "a URL that begins with http or https?";
        for (text, fetched, opened, https) in [
            ("https://example.org/a?b#c", "", "", ""),
            ("https://example.org:8443", "", "", ""),
            ("HTTPS://EXAMPLE.ORG/", "", "", ""),
            ("https://[2001:db8::1]/", "", "", ""),
            ("https://203.0.113.7/x", "", "", ""),
            ("https://bücher.example/", "", "", ""),
            ("http://example.org", "", "", "an https URL"),
            ("mailto:a@example.org", WEB, "", "an https URL"),
            ("slack://user?team=T1&id=U1", WEB, "", "an https URL"),
            ("vscode://file/x", WEB, "an http or https URL?", "an https URL"),
            ("javascript:alert(1)", WEB, WEB, "an https URL"),
            ("JavaScript:alert(1)", WEB, WEB, "an https URL"),
            (" javascript:alert(1)", WEB, WEB, "an https URL"),
            ("data:text/html,x", WEB, WEB, "an https URL"),
            ("file:///etc/passwd", WEB, WEB, "an https URL"),
            ("image.jpg", RELATIVE, RELATIVE, "an https URL"),
            ("//example.org/x", RELATIVE, RELATIVE, "an https URL"),
            ("", "a URL", "a URL", "an https URL"),
            ("https://", "a URL", "a URL", "an https URL"),
            ("https://a b/", "a URL", "a URL", "an https URL"),
            ("https://example.999/", "a URL", "a URL", "an https URL"),
        ] {
            assert_eq!(expected(Format::FetchedUrl, text), fetched, "fetched {text}");
            assert_eq!(expected(Format::LinkUrl, text), opened, "opened {text}");
            assert_eq!(expected(Format::HttpsUrl, text), https, "https {text}");
        }
    }

    // lightdash/lightdash#25797 and others: images that Slack could not download, so that it rejected the message.
    #[test]
    fn image_that_slack_can_hardly_fetch_is_a_warning() {
        for (text, unreachable) in [
            ("https://example.org/a.png", false),
            ("https://203.0.113.7/a.png", false),
            ("https://[2001:db8::1]/a.png", false),
            ("https://slack.com/img/icons/app.png", false),
            ("https://a.slack-edge.com/files/x.png", false),
            ("http://localhost:3000/a.png", true),
            ("http://127.0.0.1/a.png", true),
            ("http://0.0.0.0/a.png", true),
            ("http://10.1.2.3/a.png", true),
            ("http://172.20.0.3:8080/a.png", true),
            ("http://192.168.1.10/a.png", true),
            ("http://169.254.169.254/a.png", true),
            ("http://100.64.0.1/a.png", true),
            ("http://[::1]/a.png", true),
            ("http://[fd00::1]/a.png", true),
            ("http://[::ffff:10.0.0.1]/a.png", true),
            ("http://0x7f.1/a.png", true),
            ("http://grafana:3000/render/a.png", true),
            ("https://grafana.internal/a.png", true),
            ("https://GRAFANA.Internal./a.png", true),
            ("https://printer.local/a.png", true),
            ("https://files.slack.com/files-pri/T1-F1/a.png", true),
            ("https://team.slack.com/files/U1/F1/a.png", true),
            ("https://slack.com/files/U1/F1/a.png", true),
        ] {
            let found = mismatch(Format::FetchedUrl, text);
            assert_eq!(
                found.map(|found| (found.rule, found.certain)),
                unreachable.then_some((Rule::Unreachable, false)),
                "{text}"
            );
            assert_eq!(mismatch(Format::LinkUrl, text), None, "{text}");
        }
    }

    #[test]
    fn is_plain_web_url_accepts_only_urls_that_the_parser_accepts() {
        for host in
            ["example.org", "a", "a.b.c-d", "xn--nope", "1.2.3.4", "0x7f", "a..b", ".a", "-a", "a-.b", "", "a_b"]
        {
            for rest in ["", "/", "/ä \u{202e}", "?x", "#x", ":1", "@b/"] {
                let text = format!("https://{host}{rest}");
                assert!(!is_plain_web_url(&text) || web_url(&text).is_some(), "{text}");
            }
        }
        assert!(is_plain_web_url("https://a.example/x"));
    }

    #[test]
    fn mismatch_of_a_well_formed_string_is_none() {
        for (format, good, bad) in [
            (Format::Date, &["1990-04-28"][..], &["1990-4-28", "28.04.1990", "1990-13-01", "1990-04-28T", ""][..]),
            (Format::Time, &["00:00", "23:59"], &["24:00", "9:30", "09:60", "09:30:00", ""]),
            (Format::HexColor, &["#2eb67d", "#FFF000"], &["2eb67d", "#fff", "#2eb67g", "red"]),
            (Format::AttachmentColor, &["good", "#8800ff", "#fff"], &["red", "8800ff", "#", ""]),
            (Format::Emoji, &[":no_entry:"], &["no_entry", "::", ":", ""]),
            (Format::MessageTs, &["1503435956.000247"], &["1503435956", "x.y", ".", ""]),
        ] {
            for text in good {
                assert_eq!(mismatch(format, text), None, "{text}");
            }
            for text in bad {
                assert!(mismatch(format, text).is_some(), "{format:?} {text}");
            }
        }
    }

    #[test]
    fn whole_of_a_fraction_or_string_is_none() {
        for (value, expected) in [
            (json!(-3), Some(-3)),
            (json!(3.0), Some(3)),
            (json!(1e4), Some(10_000)),
            (json!(u64::MAX), Some(i64::MAX)),
            (json!(1.5), None),
            (json!("3"), None),
        ] {
            assert_eq!(whole(&value), expected, "{value}");
        }
    }
}
