//! The event: something fail2ban did, and its JSON.
//!
//! Everything else in banhook speaks of events in these types. Nothing here knows of files, sockets, plugins or
//! messages, and every string is taken to be written by an attacker.

mod ban;
mod batch;
mod digest_cause;
#[allow(clippy::module_inception, reason = "the noun itself")]
mod event;
mod foreign;
mod json;
mod past;
pub mod readable;
mod timestamp;
mod totals;

pub use ban::Family;
pub use ban::{Ban, BanDuration, TEST_SUBJECT};
pub use batch::{Batch, LISTED_FIRST, LISTED_LAST, STORM_LABEL, STORM_OVER};
pub use digest_cause::DigestCause;
pub use event::EventDefaults;
pub use event::Kind;
pub use event::{Event, EventDetails};
pub use json::ParseEventError;
pub use past::PastBan;
pub use past::{BanQuery, BanSummary, SubjectQuery, Tally};
pub use timestamp::Timestamp;
pub use totals::{Counted, Counter, ROWS, Row, Totals};
