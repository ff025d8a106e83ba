//! Slack's limits on common texts, for programs that cut theirs before they send them. The linter's definitions use them
//! too, and have the other limits and all sources.
//!
//! Lengths are Unicode code points, escaped text counted as it is written: whether Slack counts an entity as one
//! character or five is not documented, and this is the safe reading.

/// A message's `text`; Slack truncates a longer one.
pub const TEXT_MAX: usize = 40_000;
/// The text of a text object, as in a section.
pub const TEXT_OBJECT_MAX: usize = 3_000;
/// A header's text.
pub const HEADER_MAX: usize = 150;
/// A field's text.
pub const FIELD_MAX: usize = 2_000;
/// A button's text.
pub const BUTTON_MAX: usize = 75;
/// An image's `alt_text`.
pub const ALT_MAX: usize = 2_000;
/// An image's title.
pub const TITLE_MAX: usize = 2_000;
/// The number of cells in a row of a table.
pub const TABLE_COLUMNS_MAX: usize = 20;
