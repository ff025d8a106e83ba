//! The address of a subject, as MMDB files are asked for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::Family;

/// The address that a subject is, or the first one of the network that it is.
pub(super) fn address(subject: &str) -> Option<IpAddr> {
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
