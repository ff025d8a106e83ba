//! The preview: a body as a person would see it in Slack, rendered in a terminal or as HTML.
//!
//! Everything that a terminal shows passes `Piece::new`, which makes control characters visible; everything that a page or
//! picture shows passes `fragment::escape`.

mod html;
mod numbers;
mod terminal;

pub use html::{Page, Picture, Posted, Theme, stylesheet, to_article, to_html, to_svg};
pub use terminal::to_terminal;
