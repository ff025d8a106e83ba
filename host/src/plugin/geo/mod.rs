//! `geo`: where an address is registered, as local MMDB files say. No network is asked.
//!
//! [`GeoDatabases`] keeps each file in memory once, however many routes use it. Files come from elsewhere and may be damaged:
//! what is taken from them is bounded, and nothing in them can do more than leave an answer out.

mod database;
#[cfg(test)]
pub(crate) mod mmdb;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use database::{GeoDatabases, GeoError, GeoFiles};

use super::answer::{Level, LogLine};
use super::bindings::banhook::plugin::geo::{Host, Place as WitPlace};
use super::imports::State;
use crate::event::Family;

/// Where an address is registered.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeoInfo {
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// In English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_name: Option<String>,
    /// Autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_number: Option<u32>,
    /// Who runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_name: Option<String>,
    /// What else is known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Knows where addresses are registered.
pub trait Geo: Send + Sync {
    /// Of an address, or of a network's first address. `None`: it is neither, or unknown.
    ///
    /// # Errors
    /// When a file turns out to be damaged where the answer would be.
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError>;
}

impl Host for State {
    fn lookup(&mut self, subject: String) -> Option<WitPlace> {
        let place = self.context.grants.geo.as_ref()?.lookup(&subject);
        let place = place.unwrap_or_else(|error| {
            self.log_line(LogLine { level: Level::Warn, message: format!("geo.lookup has no answer: {error}") });
            None
        })?;
        Some(WitPlace {
            country: place.country,
            country_name: place.country_name,
            as_number: place.as_number,
            as_name: place.as_name,
            labels: place.labels.into_iter().collect(),
        })
    }
}

/// The address that a subject is, or the first one of the network that it is.
fn address(subject: &str) -> Option<IpAddr> {
    let (address, bits) = match subject.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (subject, None),
    };
    let address = match Family::of(subject) {
        Family::Ipv4 | Family::Ipv4Network => {
            let address: Ipv4Addr = address.parse().ok()?;
            // A shift by all bits leaves none.
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.unwrap_or(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        Family::Ipv6 | Family::Ipv6Network => {
            let address: Ipv6Addr = address.parse().ok()?;
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.unwrap_or(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        Family::Name | Family::Other => return None,
    };
    // `::ffff:203.0.113.7` is registered as 203.0.113.7.
    Some(address.to_canonical())
}
