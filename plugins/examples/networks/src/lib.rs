//! networks: bans of our own networks are skipped, all others are held, and the digest says which networks had most.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use banhook_plugin::digest::{self, Batch, Cause, Totals};
use banhook_plugin::settings::{self, Description, Problem, Setting};
use banhook_plugin::{Action, Block, Event, Hold, Message, Plugin, Result, hold, post, rich, skip};

/// All bans are in one digest.
const KEY: &str = "networks";

/// Prefixes of the networks that are counted.
const IPV4_PREFIX: u32 = 24;
const IPV6_PREFIX: u32 = 48;

/// Networks that the digest lists.
const LISTED: usize = 10;

struct Networks;

impl Plugin for Networks {
    fn format(event: Event) -> Result {
        let Action::Ban(ban) = event.action else { return skip("only bans") };
        if ban.restored {
            return skip("restored after a restart");
        }
        // What is no address is counted, but not as a network.
        let Some(network) = ban.subject.and_then(|subject| subject.parse::<Network>().ok()) else { return hold(KEY) };
        for own in settings::lines("own") {
            if own.parse::<Network>()?.contains(network) {
                return skip("one of our own networks");
            }
        }
        hold(Hold::new(KEY).tag(network.counted()))
    }
}

impl banhook_plugin::Digester for Networks {
    fn digest(batch: Batch) -> Result<digest::Decision> {
        let totals = &batch.totals;
        if batch.cause != Cause::Held {
            // banhook's own text goes out.
            return post(Message::new("a digest").hint("digest", "built-in"));
        }
        let text = match totals.bans {
            1 => rich().bold("1 ban"),
            bans => rich().bold(format!("{bans} bans")).text(format!(" of {} subjects", totals.subjects)),
        };
        let message = Message::new(text.clone()).block(Block::section(text));
        if totals.by_tag.is_empty() {
            return post(message);
        }
        let heading = ["Network".to_owned(), "Bans".to_owned()];
        let rows = totals.by_tag.iter().take(LISTED).map(|tally| [tally.name.clone(), tally.bans.to_string()]);
        let message = message.block(Block::table([heading].into_iter().chain(rows)));
        let more = networks(totals).saturating_sub(LISTED);
        post(if more > 0 { message.block(Block::context([format!("and {more} more networks")])) } else { message })
    }
}

impl banhook_plugin::Settings for Networks {
    fn describe() -> Description {
        let own = Setting::lines("own", "Our own networks, whose bans are skipped");
        Description::new("networks").version("1.0.0").setting(own)
    }

    fn check() -> Vec<Problem> {
        let own = settings::lines("own");
        let wrong = (1..).zip(&own).filter_map(|(line, own)| Some((line, own.parse::<Network>().err()?)));
        wrong.map(|(line, why)| Problem::error("own", why).line(line)).collect()
    }
}

/// How many different networks a digest has; its tally lists at most 20.
fn networks(totals: &Totals) -> usize {
    let label = totals.labels.iter().find(|(name, _)| name == "tags");
    label.and_then(|(_, count)| count.parse().ok()).unwrap_or(totals.by_tag.len())
}

/// A network, or an address as the network of that alone.
#[derive(Clone, Copy, PartialEq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// The network of this prefix that an address is in.
    fn of(address: IpAddr, prefix: u32) -> Self {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - prefix).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - prefix).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { address, prefix }
    }

    /// The network as which this one is counted. A larger one stands for itself.
    fn counted(self) -> Self {
        let prefix = if self.address.is_ipv4() { IPV4_PREFIX } else { IPV6_PREFIX };
        Self::of(self.address, prefix.min(self.prefix))
    }

    fn contains(self, other: Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.prefix <= other.prefix
            && Self::of(other.address, self.prefix) == self
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no network; write it as \"203.0.113.0/24\" or \"2001:db8::/48\"");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| wrong())?;
        if prefix > bits { Err(wrong()) } else { Ok(Self::of(address, prefix)) }
    }
}

impl Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

banhook_plugin::export!(Networks: digest, settings);
