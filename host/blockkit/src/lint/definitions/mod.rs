//! The definition of every object that a message may hold: its fields, their limits, and the source of each.
//!
//! A source is Slack's own package or documents where there is one. Where sources name different numbers, both are here;
//! a field that no source documents is `undocumented`.

mod attachments;
mod blocks;
mod charts;
mod elements;
mod message;
mod objects;
mod rich_text;
mod tables;

#[cfg(test)]
pub use blocks::BLOCKS;
#[cfg(test)]
pub use elements::ELEMENTS;
pub use message::MESSAGE;
pub use objects::{MRKDWN, PLAIN_TEXT};
#[cfg(test)]
pub use rich_text::INLINE;
