//! What a string must look like: URLs, dates, colours.

use serde_json::Value;
use url::Url;

use super::rule::Rule;
use super::schema::Form;
use crate::link::web_url;

/// Schemes that Slack and mail programs open from a message. Others may work, so they are a warning.
const OPENED: [&str; 4] = ["mailto", "tel", "sms", "slack"];
/// Schemes that show or run what their author wrote, or what lies on the reader's disk.
const DANGEROUS: [&str; 6] = ["javascript", "vbscript", "data", "file", "blob", "about"];

/// How a string is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The rule that it breaks.
    pub rule: Rule,
    /// What it should be.
    pub expected: &'static str,
    /// Whether Slack would surely refuse it.
    pub sure: bool,
}

/// What is wrong with `text` as a thing of this form.
pub fn fault(form: Form, text: &str) -> Option<Fault> {
    let format = |expected| Some(Fault { rule: Rule::Format, expected, sure: true });
    match form {
        Form::Free | Form::Shown | Form::Piece | Form::BlockId | Form::ActionId => None,
        Form::Fetched | Form::Opened | Form::Https => url_fault(form, text),
        Form::Date if !is_date(text) => format("date like 2026-11-22"),
        Form::Time if !is_time(text) => format("time like 09:30"),
        Form::Rgb if !is_hex_color(text, &[6]) => format("colour like #2eb67d"),
        Form::AttachmentColor if !matches!(text, "good" | "warning" | "danger") && !is_hex_color(text, &[3, 6, 8]) => {
            format("colour: good, warning, danger, or like #2eb67d")
        }
        Form::Emoji if !(text.len() > 2 && text.starts_with(':') && text.ends_with(':')) => {
            format("emoji like :no_entry:")
        }
        Form::Timestamp if !is_timestamp(text) => format("message's time stamp like 1503435956.000247"),
        Form::Date | Form::Time | Form::Rgb | Form::AttachmentColor | Form::Emoji | Form::Timestamp => None,
    }
}

fn url_fault(form: Form, text: &str) -> Option<Fault> {
    if is_plain_web_url(text) && (form != Form::Https || starts_with_ignoring_case(text, "https:")) {
        return None;
    }
    let fault = |expected, sure| Some(Fault { rule: Rule::Url, expected, sure });
    let url = Url::parse(text);
    let scheme = url.as_ref().map(Url::scheme).unwrap_or_default();
    if form == Form::Https {
        return if scheme == "https" && web_url(text).is_some() { None } else { fault("https URL", true) };
    }
    match scheme {
        "http" | "https" if web_url(text).is_some() => None,
        // Without a scheme: relative, which Slack's own SDK has in its tests, or no URL at all.
        "" if text.is_empty() || text.contains(':') => fault("URL", true),
        "" => fault("URL with http or https in front", false),
        scheme if form == Form::Opened && OPENED.contains(&scheme) => None,
        scheme if form == Form::Opened && !DANGEROUS.contains(&scheme) => fault("http or https URL", false),
        _ => fault("http or https URL", true),
    }
}

/// Whether it surely is a URL of the web, found without the parser, whose care for strange hosts costs more than all
/// the rest of a lint.
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

/// The number, if it is whole.
pub fn whole(value: &Value) -> Option<i64> {
    // Exact below 2^53, and JSON from JavaScript knows no other numbers.
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

/// Numbers of these many digits, `between` them nothing else.
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

    /// What is wrong, in a word: "" for nothing, "?" behind what is a warning.
    fn disposition(form: Form, text: &str) -> String {
        fault(form, text)
            .map_or_else(String::new, |fault| format!("{}{}", fault.expected, if fault.sure { "" } else { "?" }))
    }

    #[test]
    fn urls() {
        const WEB: &str = "http or https URL";
        for (text, fetched, opened, https) in [
            ("https://example.org/a?b#c", "", "", ""),
            ("https://example.org:8443", "", "", ""),
            ("HTTPS://EXAMPLE.ORG/", "", "", ""),
            ("https://[2001:db8::1]/", "", "", ""),
            ("https://203.0.113.7/x", "", "", ""),
            ("https://bücher.example/", "", "", ""),
            ("http://example.org", "", "", "https URL"),
            ("mailto:a@example.org", WEB, "", "https URL"),
            ("slack://user?team=T1&id=U1", WEB, "", "https URL"),
            ("vscode://file/x", WEB, "http or https URL?", "https URL"),
            ("javascript:alert(1)", WEB, WEB, "https URL"),
            ("JavaScript:alert(1)", WEB, WEB, "https URL"),
            (" javascript:alert(1)", WEB, WEB, "https URL"),
            ("data:text/html,x", WEB, WEB, "https URL"),
            ("file:///etc/passwd", WEB, WEB, "https URL"),
            ("image.jpg", "URL with http or https in front?", "URL with http or https in front?", "https URL"),
            ("//example.org/x", "URL with http or https in front?", "URL with http or https in front?", "https URL"),
            ("", "URL", "URL", "https URL"),
            ("https://", "URL", "URL", "https URL"),
            ("https://a b/", "URL", "URL", "https URL"),
            ("https://example.999/", "URL", "URL", "https URL"),
        ] {
            assert_eq!(disposition(Form::Fetched, text), fetched, "fetched {text}");
            assert_eq!(disposition(Form::Opened, text), opened, "opened {text}");
            assert_eq!(disposition(Form::Https, text), https, "https {text}");
        }
    }

    /// The short cut calls nothing a URL that the parser would not.
    #[test]
    fn plain_urls_are_urls() {
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
    fn what_is_written_as_it_must_be() {
        for (form, good, bad) in [
            (Form::Date, &["1990-04-28"][..], &["1990-4-28", "28.04.1990", "1990-13-01", "1990-04-28T", ""][..]),
            (Form::Time, &["00:00", "23:59"], &["24:00", "9:30", "09:60", "09:30:00", ""]),
            (Form::Rgb, &["#2eb67d", "#FFF000"], &["2eb67d", "#fff", "#2eb67g", "red"]),
            (Form::AttachmentColor, &["good", "#8800ff", "#fff"], &["red", "8800ff", "#", ""]),
            (Form::Emoji, &[":no_entry:"], &["no_entry", "::", ":", ""]),
            (Form::Timestamp, &["1503435956.000247"], &["1503435956", "x.y", ".", ""]),
        ] {
            for text in good {
                assert_eq!(fault(form, text), None, "{text}");
            }
            for text in bad {
                assert!(fault(form, text).is_some(), "{form:?} {text}");
            }
        }
    }

    #[test]
    fn whole_numbers() {
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
