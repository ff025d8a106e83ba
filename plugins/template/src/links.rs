//! The setting `links`: pages about an address, each a known name or a pattern of one's own.

use minijinja::value::Value;

use crate::bindings::banhook::plugin::types::{Ban, Family};
use crate::{mrkdwn, nearest};

/// The key of the setting: a line for each link.
pub const SETTING: &str = "links";

/// The known pages.
const KNOWN: [(&str, &str); 4] = [
    ("abuseipdb", "https://www.abuseipdb.com/check/{ip}"),
    ("greynoise", "https://viz.greynoise.io/ip/{ip}"),
    ("shodan", "https://www.shodan.io/host/{ip}"),
    ("virustotal", "https://www.virustotal.com/gui/ip-address/{ip}"),
];

/// The place of the address in a pattern. Two spellings, since templates have the second.
const PLACES: [&str; 2] = ["{ip}", "{{ ip }}"];

/// A link: its label and the pattern of its URL.
struct Link<'s> {
    label: &'s str,
    pattern: &'s str,
}

/// The links about a banned address as markup; `none` if there are none, or the subject is no address.
pub fn of(ban: &Ban, setting: Option<&str>) -> Value {
    let is_address = matches!(ban.family, Family::Ipv4 | Family::Ipv6);
    let (Some(setting), Some(subject)) = (setting.filter(|_| is_address), &ban.subject) else { return Value::from(()) };
    let mut markup = String::new();
    for link in lines(setting).filter_map(|line| parse(line).ok()) {
        if !markup.is_empty() {
            markup.push_str(" · ");
        }
        let url = PLACES.into_iter().fold(link.pattern.to_owned(), |url, place| url.replace(place, &encoded(subject)));
        // Writing to a String cannot fail.
        let _ = mrkdwn::write_link(&mut markup, &url, link.label);
    }
    if markup.is_empty() { Value::from(()) } else { Value::from_safe_string(markup) }
}

/// All problems of the setting.
pub fn problems(setting: &str) -> Vec<String> {
    lines(setting).filter_map(|line| parse(line).err()).collect()
}

fn lines(setting: &str) -> impl Iterator<Item = &str> {
    setting.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Reads `shodan`, `https://example.org/ip/{ip}` or `Our list https://example.org/ip/{ip}`.
fn parse(line: &str) -> Result<Link<'_>, String> {
    if let Some((label, pattern)) = KNOWN.into_iter().find(|(name, _)| *name == line) {
        return Ok(Link { label, pattern });
    }
    let known = || KNOWN.into_iter().map(|(name, _)| name);
    let Some(at) = ["https://", "http://"].into_iter().find_map(|scheme| line.find(scheme)) else {
        let known = match nearest::suggestion(line, known()) {
            none if none.is_empty() => format!("; known are {}", known().collect::<Vec<_>>().join(", ")),
            suggestion => suggestion,
        };
        return Err(format!("\"{line}\" is neither a known link nor a URL with {{ip}}{known}"));
    };
    let (label, pattern) = line.split_at_checked(at).unwrap_or((line, ""));
    if !PLACES.into_iter().any(|place| pattern.contains(place)) {
        return Err(format!("the link \"{pattern}\" has no {{ip}}, the place of the address"));
    }
    let plain = PLACES.into_iter().fold(pattern.to_owned(), |url, place| url.replace(place, ""));
    if plain.contains(|character: char| character.is_whitespace() || "<>|{}\"".contains(character)) {
        return Err(format!("the link \"{pattern}\" is not a URL"));
    }
    let host = pattern.split('/').nth(2).unwrap_or(pattern);
    let label = label.trim();
    Ok(Link { label: if label.is_empty() { host } else { label }, pattern })
}

/// An address in a URL: of what addresses consist, everything is kept.
fn encoded(address: &str) -> String {
    address.chars().filter(|character| character.is_ascii_hexdigit() || ".:".contains(*character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn links(setting: &str, ban: Ban) -> String {
        of(&ban, Some(setting)).to_string()
    }

    #[test]
    fn links_known_names_and_patterns_become_markup() {
        let setting =
            "abuseipdb\n\n shodan \nhttps://example.org/{{ ip }}?a&b\nOur *list* <1>: https://example.org/?q={ip}\n";
        assert_eq!(
            links(setting, sample::ban()),
            "<https://www.abuseipdb.com/check/203.0.113.7|abuseipdb> · <https://www.shodan.io/host/203.0.113.7|shodan> · \
             <https://example.org/203.0.113.7?a&amp;b|example.org> · \
             <https://example.org/?q=203.0.113.7|Our ∗list∗ &lt;1&gt;:>"
        );
        let v6 = Ban { subject: Some("2001:db8::7".to_owned()), family: Family::Ipv6, ..sample::ban() };
        assert_eq!(links("greynoise", v6), "<https://viz.greynoise.io/ip/2001:db8::7|greynoise>");
    }

    #[test]
    fn links_of_what_is_no_address_are_none() {
        for family in [Family::Ipv4Network, Family::Ipv6Network, Family::Name, Family::Other] {
            assert!(of(&Ban { family, ..sample::ban() }, Some("shodan")).is_none());
        }
        assert!(of(&sample::ban(), None).is_none());
        assert!(of(&sample::ban(), Some("\n")).is_none());
        assert_eq!(encoded("1.2.3.4|x> <!here>"), "1.2.3.4ee");
    }

    #[test]
    fn links_mistakes_are_reported() {
        assert_eq!(problems("shodan\nhttps://a.example/{ip}"), [""; 0]);
        assert_eq!(
            problems("shodam\nwhois\nhttps://a.example/ip\nhttps://a.example/{ip}|x"),
            [
                "\"shodam\" is neither a known link nor a URL with {ip}; did you mean \"shodan\"?",
                "\"whois\" is neither a known link nor a URL with {ip}; known are abuseipdb, greynoise, shodan, virustotal",
                "the link \"https://a.example/ip\" has no {ip}, the place of the address",
                "the link \"https://a.example/{ip}|x\" is not a URL",
            ]
        );
    }
}
