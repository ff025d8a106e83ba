//! Slack's limits on the common texts, for programs that cut theirs before they send them. The rest, and the sources of
//! all, are in the linter's table.
//!
//! Lengths are Unicode code points, escaped text counted as it is written (whether Slack counts an entity as one
//! character or five is not documented; this is the safe reading).

/// A message's `text`; Slack cuts what is longer.
pub const TEXT_MAX: usize = 40_000;
/// A text object, and so a section's text.
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
/// Cells of a table's row.
pub const TABLE_COLUMNS_MAX: usize = 20;
