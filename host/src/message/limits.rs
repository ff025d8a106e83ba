//! How long, how many: Slack's limits, and our own where Slack gives none.
//!
//! Lengths are Unicode code points, escaped text counted as it is written (whether Slack counts an entity as one
//! character or five is not documented; this is the safe reading). Unless a source is given, a number is from
//! <https://docs.slack.dev/reference/block-kit>.

/// Blocks in a message.
pub const BLOCKS_MAX: usize = 50;
/// Attachments in a message; the webhook's error is `too_many_attachments`.
pub const ATTACHMENTS_MAX: usize = 100;
/// A message's `text`; Slack cuts what is longer.
pub const TEXT_MAX: usize = 40_000;
/// A text object, and so a section's text.
pub const TEXT_OBJECT_MAX: usize = 3_000;
/// A header's text.
pub const HEADER_MAX: usize = 150;
/// Fields of a section.
pub const FIELDS_MAX: usize = 10;
/// A field's text.
pub const FIELD_MAX: usize = 2_000;
/// Elements of a context block.
pub const CONTEXT_MAX: usize = 10;
/// Elements of an actions block.
pub const ACTIONS_MAX: usize = 25;
/// A button's text.
pub const BUTTON_MAX: usize = 75;
/// A URL, of an image or of a button.
pub const URL_MAX: usize = 3_000;
/// An image's `alt_text`.
pub const ALT_MAX: usize = 2_000;
/// An image's title.
pub const TITLE_MAX: usize = 2_000;
/// Tables in a message; the error is `only_one_table_allowed`.
pub const TABLES_MAX: usize = 1;
/// Rows of a table.
pub const TABLE_ROWS_MAX: usize = 100;
/// Cells of a table's row.
pub const TABLE_COLUMNS_MAX: usize = 20;
/// The text of all cells of a table. Seen by others: <https://github.com/vellum-ai/vellum-assistant/pull/36219>.
pub const TABLE_TEXT_MAX: usize = 10_000;

/// All text of a message's blocks. Not documented; `msg_blocks_too_long` has been seen at 13,297 characters
/// (<https://github.com/slackapi/bolt-js/issues/2509>) and at 11,341 (issue 2867 there), so we stay below.
pub const BLOCKS_TEXT_MAX: usize = 10_000;
/// What we give a notification, which is also the whole message on a target without blocks (`messages.wit`).
pub const NOTIFICATION_MAX: usize = 3_000;
/// What we give a `rich_text` block, for which Slack names no limit: as much as a section's text.
pub const RICH_TEXT_MAX: usize = 3_000;
/// What we give a cell of a table, so that one cell cannot use up the table.
pub const CELL_MAX: usize = 500;
/// A whole body; far above what the limits on text leave possible, so that only structure can reach it.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// A plugin's raw block, or blocks.
pub const RAW_BYTES_MAX: usize = 64 * 1024;
/// How deep a raw block is nested; the deepest real one (a list in rich text in a container) comes to 11.
pub const RAW_DEPTH_MAX: usize = 16;
