//! banhook's own limits, where Slack documents none. Slack's are in `blockkit::limits`, which also says how characters are counted.

/// All text of a message's blocks. Not documented; `msg_blocks_too_long` has been seen at 13,297 characters
/// (<https://github.com/slackapi/bolt-js/issues/2509>) and at 11,341 (issue 2867 there), so this stays below.
pub(super) const BLOCKS_TEXT_MAX: usize = 10_000;
/// A notification, which is also the whole message on a target without blocks (`messages.wit`).
pub(super) const NOTIFICATION_MAX: usize = 3_000;
/// A `rich_text` block, for which Slack names no limit: as much as a section's text.
pub(super) const RICH_TEXT_MAX: usize = 3_000;
/// Blocks of a message, which is Slack's limit, as are the next four.
pub(super) const BLOCKS_MAX: usize = 50;
/// Fields of a section.
pub(super) const FIELDS_MAX: usize = 10;
/// Pieces of a context block.
pub(super) const CONTEXT_MAX: usize = 10;
/// Buttons in a row.
pub(super) const BUTTONS_MAX: usize = 25;
/// Rows of a table.
pub(super) const ROWS_MAX: usize = 100;
/// Items of a list, for which Slack names no limit: as many as a table's rows.
pub(super) const ITEMS_MAX: usize = 100;
/// A cell of a table, so that one cell cannot use up the table.
pub(super) const CELL_MAX: usize = 500;
/// A whole body; far above what the limits on text leave possible, so that only structure can reach it.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;
/// A plugin's raw block, or blocks.
pub(super) const RAW_BYTES_MAX: usize = 64 * 1024;
/// The depth of a raw block; the deepest real one (a list in rich text in a container) has 11.
pub(super) const RAW_DEPTH_MAX: usize = 16;
/// Characters of a key that count: of a hold, a thread, or the name of a message (`wit/messages.wit`).
pub(crate) const KEY_CHARS: usize = 200;
/// Tags of an event that are kept.
pub(crate) const TAGS_MAX: usize = 10;
/// Characters of a tag that are kept.
pub(crate) const TAG_CHARS: usize = 100;
/// The longest that a plugin may hold an event or a digest, in milliseconds: a day.
pub(crate) const HOLD_MS_MAX: i64 = 86_400_000;
