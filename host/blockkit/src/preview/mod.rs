//! A body as a person would see it in Slack, drawn elsewhere.
//!
//! `blocks` lays a message out in lines of styled pieces, which `terminal` prints; everything shown there passes
//! `Piece::new`, which makes control characters visible. `html` writes the same as a page; everything shown there
//! passes `html::escape`.

mod blocks;
mod html;
mod line;
mod pieces;
mod rich_text;
mod terminal;

pub use html::to_html;
pub use terminal::to_terminal;
