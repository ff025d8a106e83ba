//! A body as a page or a picture of its own, close to how Slack shows it, light and dark.
//!
//! Both are self-contained: no script, font or style from elsewhere, and the page's policy forbids them. Pictures in a
//! message are placeholders that link to the URL, so that a preview requests nothing. Every text of a message goes through
//! `fragment::escape`, and every link leads to http, https or mail. All of it is HTML and XML at the same time.

mod article;
mod blocks;
mod charts;
mod elements;
mod fragment;
mod inlines;
mod page;
mod picture;
mod style;
mod tables;
#[cfg(test)]
mod tests;

pub use article::Posted;
pub use page::{Page, stylesheet, to_article, to_html};
pub use picture::{Picture, Theme, to_svg};
