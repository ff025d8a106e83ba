//! A body as a person would see it in Slack, drawn elsewhere.
//!
//! `mrkdwn` reads Slack's markup, `blocks` lays a message out in lines of styled pieces, `terminal` prints those.
//! Everything shown passes `Piece::new`, which makes control characters visible.

mod blocks;
mod emoji;
mod line;
mod mrkdwn;
mod rich_text;
mod terminal;

pub use terminal::to_terminal;
