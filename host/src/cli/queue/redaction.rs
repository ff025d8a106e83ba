//! Replaces in a case what says whose it is: addresses by those of documentation, hosts and names by numbered ones. The same
//! value becomes the same everywhere, so that what the plugin compares still compares.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::Value;

use crate::cli::addresses::{parse, replace_addresses};

/// The keys whose whole value is replaced, and what it becomes.
const NAMES: [(&str, &str); 3] = [("host", "host"), ("subject", "subject"), ("id", "event")];

/// What was replaced, and by what.
#[derive(Default)]
struct Replaced {
    addresses: BTreeMap<IpNet, IpNet>,
    names: BTreeMap<String, String>,
}

/// Replaces addresses, hosts and names in a case.
pub(super) fn redact(case: &mut Value) {
    let mut replaced = Replaced::default();
    // First all names: some of them stand in other texts, too.
    find(case, &mut replaced);
    replace(case, &mut replaced);
}

fn find(value: &Value, replaced: &mut Replaced) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| find(value, replaced)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match (NAMES.iter().find(|(name, _)| name == key), value) {
                    (Some((_, kind)), Value::String(name)) if parse(name).is_none() && !name.is_empty() => {
                        let number = replaced.names.len() + 1;
                        let new = if *kind == "event" { event_id(number) } else { format!("{kind}-{number}.example") };
                        replaced.names.entry(name.clone()).or_insert(new);
                    }
                    _ => find(value, replaced),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn replace(value: &mut Value, replaced: &mut Replaced) {
    match value {
        Value::String(text) => *text = replaced.text(text),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, replaced)),
        Value::Object(fields) => {
            let old = std::mem::take(fields);
            for (key, mut value) in old {
                // A time looks like a part of an address, and settings are the administrator's own.
                if !matches!(key.as_str(), "at" | "began") {
                    replace(&mut value, replaced);
                }
                // Places are by address.
                fields.insert(replaced.text(&key), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Replaced {
    fn text(&mut self, text: &str) -> String {
        if let Some(name) = self.names.get(text) {
            return name.clone();
        }
        let mut out = replace_addresses(text, |written, net| Some(self.shown(written, net)));
        for (name, new) in &self.names {
            // Short ones are words as well.
            if name.len() > 3 {
                out = out.replace(name.as_str(), new);
            }
        }
        out
    }

    /// Returns the replacement of an address or network in the same form.
    fn shown(&mut self, old: &str, net: IpNet) -> String {
        let number = self.addresses.len() + 1;
        let new = *self.addresses.entry(net).or_insert_with(|| documented(net, number));
        if old.contains('/') { new.to_string() } else { new.addr().to_string() }
    }
}

/// Returns the address or network of documentation with this number (RFC 5737 and RFC 3849), as long as the old one if that
/// is possible.
fn documented(net: IpNet, number: usize) -> IpNet {
    let octets = |number: usize| u8::try_from(number % 256).unwrap_or_default();
    match net {
        IpNet::V4(net) => {
            let block = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
            let [a, b, c] = block.get(number / 256 % block.len()).copied().unwrap_or([192, 0, 2]);
            let address = Ipv4Addr::new(a, b, c, octets(number));
            IpNet::new(address.into(), net.prefix_len())
                .map_or_else(|_| IpAddr::from(address).into(), |net| net.trunc())
        }
        IpNet::V6(net) => {
            let [high, low] = u16::try_from(number % 65_536).unwrap_or_default().to_be_bytes();
            let number = u16::from_be_bytes([high, low]);
            // Its number is in the part that a network of an end site has.
            let address = Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, u16::from(net.prefix_len() == 128));
            IpNet::new(address.into(), net.prefix_len())
                .map_or_else(|_| IpAddr::from(address).into(), |net| net.trunc())
        }
    }
}

fn event_id(number: usize) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn redact_replaces_the_same_by_the_same() {
        let mut case = json!({
            "about": "Message 1 of the route sec.",
            "event": {
                "id": "019ab0c1-0000-7000-8000-000000000007", "at": "2026-11-22T10:56:55.601Z", "host": "web-7.corp.test",
                "jail": "sshd", "subject": "81.2.69.160",
                "matches": ["Nov 22 10:56:55 web-7.corp.test sshd[12]: from 81.2.69.160 port 22: 2a02:8071::7."],
            },
            "history": [{ "at": "2026-11-22T10:00:00Z", "host": "db-1.corp.test", "jail": "sshd", "subject": "81.2.69.0/24" }],
            "geo": { "81.2.69.160": { "country": "GB" } },
            "settings": { "office": "81.2.69.160", "version": "1.2" },
        });
        redact(&mut case);
        let text = case.to_string();
        for hidden in ["81.2.69", "corp.test", "2a02", "019ab0c1"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        let subject = case["event"]["subject"].as_str().unwrap();
        assert!(subject.starts_with("192.0.2."), "{subject}");
        assert!(case["geo"].get(subject).is_some(), "{text}");
        assert_eq!(case["settings"], json!({ "office": subject, "version": "1.2" }));
        let host = case["event"]["host"].as_str().unwrap();
        let line = case["event"]["matches"][0].as_str().unwrap();
        assert!(
            line.starts_with(&format!("Nov 22 10:56:55 {host} sshd[12]: from {subject} port 22: 2001:db8:")),
            "{line}"
        );
        assert!(line.ends_with('.'), "{line}");
        assert_eq!(case["event"]["at"], "2026-11-22T10:56:55.601Z");
        let network = case["history"][0]["subject"].as_str().unwrap();
        assert!(network.ends_with("/24") && network.starts_with("192.0.2.0"), "{network}");
    }
}
