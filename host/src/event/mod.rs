//! The event: something fail2ban did, and its JSON.
//!
//! Everything else in banhook speaks of events in these types. Nothing here knows of files, sockets, plugins or
//! messages, and every string is taken to be written by an attacker.

mod ban;
mod batch;
#[allow(clippy::module_inception, reason = "the noun itself")]
mod event;
mod event_defaults;
mod foreign;
mod json;
mod past;
pub(crate) mod readable;
mod timestamp;

pub use ban::{Ban, BanDuration, Family};
pub use batch::{Batch, Counted, Counter, DigestCause, LISTED_FIRST, LISTED_LAST, ROWS, Row, Totals};
pub use event::{Event, EventDetails, Kind};
pub use event_defaults::EventDefaults;
pub use json::ParseEventError;
pub use past::{BanQuery, BanSummary, JAILS_LISTED, PastBan, Tally};
pub use timestamp::Timestamp;
