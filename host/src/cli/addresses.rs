//! Addresses in text that people read.

use std::net::IpAddr;

use ipnet::IpNet;

/// Returns the text with each address or network in it replaced. `replace` gets it as it is written and parsed; `None`: it
/// stays.
pub(super) fn replace_addresses(text: &str, mut replace: impl FnMut(&str, IpNet) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(is_part) {
        let (before, from) = rest.split_at_checked(begin).unwrap_or((rest, ""));
        let (word, after) =
            from.split_at_checked(from.find(|c| !is_part(c)).unwrap_or(from.len())).unwrap_or((from, ""));
        out.push_str(before);
        match address(word).and_then(|(written, net)| Some((written, replace(written, net)?))) {
            Some((written, new)) => {
                out.push_str(&new);
                out.push_str(word.get(written.len()..).unwrap_or_default());
            }
            None => out.push_str(word),
        }
        rest = after;
    }
    out + rest
}

/// Parses an address or network.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn is_part(char: char) -> bool {
    char.is_ascii_hexdigit() || matches!(char, '.' | ':' | '/')
}

/// Returns the address or network that a word begins with; the end of a sentence, a port or another part of a path may follow.
fn address(word: &str) -> Option<(&str, IpNet)> {
    let bare = word.trim_end_matches(['.', ':', '/']);
    let without = |separator| bare.rsplit_once(separator).map(|(host, _)| host);
    [Some(bare), without(':'), without('/')].into_iter().flatten().find_map(|text| Some((text, parse(text)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_addresses_finds_them_in_any_text() {
        for (text, expected) in [
            ("ban of 203.0.113.7.", "ban of [address]."),
            ("at 203.0.113.7:443, 2001:db8::1", "at [address]:443, [address]"),
            ("[2001:db8::1]:443", "[[address]]:443"),
            ("203.0.113.0/24 and 203.0.113.7/index", "[address] and [address]/index"),
            ("10:56:55.5, version 0.1.0, cafe: é", "10:56:55.5, version 0.1.0, cafe: é"),
            ("", ""),
        ] {
            assert_eq!(replace_addresses(text, |_, _| Some("[address]".to_owned())), expected);
        }
    }
}
