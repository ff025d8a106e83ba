//! Reports: what was banned in a period, for a route's channel at set times and for `banhook report`.
//!
//! A report is no event: it is in no ledger and no history, and makes no storm.

mod period;
mod summary;
mod text;

pub(crate) use period::latest_slot;
pub(crate) use summary::{Span, summarize};
pub(crate) use text::message;
