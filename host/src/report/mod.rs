//! Reports: what was banned in a period, for a route's channel at set times and for `banhook report`; and that nothing was.
//!
//! A report is no event: it is in no ledger and no history, and makes no storm.

mod period;
mod silence;
mod summary;
mod text;

pub(crate) use period::latest_slot;
pub(crate) use silence::{Signs, Watch, text as silence_text};
#[cfg(test)]
pub(crate) use summary::Summary;
pub(crate) use summary::{Span, summarize};
pub(crate) use text::message;
