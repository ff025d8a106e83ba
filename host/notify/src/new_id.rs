//! Identifiers of events and segments: UUIDs of version 7, in the order of time.

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

/// Returns a new identifier.
///
/// The random numbers are those with which std seeds its hash maps. It asks the system by a call, and needs no `/dev`, which
/// the action may not have; what the crate `uuid` uses in a static program opens `/dev/urandom`, and panics without it.
pub(crate) fn new_id() -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let random = RandomState::new();
    let [high, low] = [0_u8, 1].map(|part| u128::from(random.hash_one((part, now))));
    let [_, _, _, _, _, _, bytes @ ..] = (high << 64 | low).to_be_bytes();
    Builder::from_unix_timestamp_millis(u64::try_from(now.as_millis()).unwrap_or_default(), &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_id_is_version_7_with_the_time_and_differs() {
        let (first, second) = (new_id(), new_id());
        assert_ne!(first, second);
        assert_eq!(first.get_version_num(), 7);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(first.as_u128() >> 80 <= now && now - (first.as_u128() >> 80) < 10_000);
    }
}
