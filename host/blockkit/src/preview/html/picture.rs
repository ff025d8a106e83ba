//! Messages as a picture for documents.

use super::article::{Posted, articles};
use super::fragment::escape;
use super::style::{DARK, LIGHT, STYLE};

/// The colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark text on white.
    Light,
    /// Light text on black.
    Dark,
}

/// What a picture needs besides its messages.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'t> {
    /// A description of the picture for those who cannot see it.
    pub alt: &'t str,
    /// The name of the app that sends the messages.
    pub sender: &'t str,
    /// Its colours.
    pub theme: Theme,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels. The layout depends on the reader's fonts, so leave some room: what does not fit is cut.
    pub height: u32,
}

/// Draws the bodies of webhook requests, each below its heading, as an SVG picture.
///
/// The picture holds HTML (`foreignObject`), which browsers show but some other programs do not.
#[must_use]
pub fn to_svg<'b>(picture: &Picture<'_>, messages: impl IntoIterator<Item = impl Into<Posted<'b>>>) -> String {
    let Picture { alt, sender, theme, width, height } = *picture;
    let colors = match theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>\n:root {{\n{colors}}}\n{STYLE}</style>\n\
         <foreignObject width=\"{width}\" height=\"{height}\">\n\
         <div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"picture\">\n{}</div>\n</foreignObject>\n</svg>\n",
        escape(alt),
        articles(sender, messages),
    )
}
