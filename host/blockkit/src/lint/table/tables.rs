//! Tables: rows of cells.

use super::super::entry::{NO_MAX, block, disputed, field, filled, list, max, object, string, typed};
use super::super::finding::Severity;
use super::super::schema::Kind::{Enum, Flag, Int};
use super::super::schema::{Extra, Kind, List, Object, Types};
use super::rich_text::RICH_TEXT;
use super::{GO, MESSAGING, MORPHISM, SLACKBLOCKS, TYPES};

/// A table. What its rows have in common is in `walk`.
pub static TABLE: Object = block(
    "table",
    &[field("rows", Kind::List(&TABLE_ROWS)).required(), field("column_settings", Kind::List(&COLUMN_SETTINGS))],
)
.also(Extra::Table);

static TABLE_ROWS: List = list("rows", Kind::List(&CELLS), 1, max(100));
// slack-go's fixtures leave columns out with null.
static COLUMN_SETTINGS: List =
    List { nulls: true, ..list("column settings", Kind::Object(&COLUMN_SETTING), 0, max(20)) };
static COLUMN_SETTING: Object =
    object("column setting", &[field("align", Enum(&["left", "center", "right"])), field("is_wrapped", Flag)]);

/// A table with pages, sorting and a header row.
pub static DATA_TABLE: Object = block(
    "data_table",
    &[
        field("caption", filled(NO_MAX)).required().from(&[MESSAGING, SLACKBLOCKS, GO]),
        field("rows", Kind::List(&DATA_ROWS)).required().from(&[SLACKBLOCKS, MORPHISM, MESSAGING]),
        field("page_size", Int(1, 100)),
        field("row_header_column_index", Int(0, i64::MAX)).from(&[MESSAGING, SLACKBLOCKS, GO]),
    ],
)
.also(Extra::DataTable);

// Older documents and slack-messaging 0.7 name 101.
static DATA_ROWS: List = list("rows", Kind::List(&CELLS), 2, disputed(101, 201));

static CELLS: List = list("cells", Kind::Typed(&CELL), 1, max(20));
static CELL: Types = Types {
    noun: "cell",
    listed: &[&RAW_TEXT, &RAW_NUMBER, &RICH_TEXT],
    known: &[],
    unlisted: Severity::Error,
    unknown: Severity::Error,
};
static RAW_TEXT: Object =
    typed("cell", "raw_text", &[field("text", filled(NO_MAX)).required().from(&[TYPES, SLACKBLOCKS])]);
static RAW_NUMBER: Object =
    typed("cell", "raw_number", &[field("value", Kind::Number).required(), field("text", string()).wanted_by_some()]);
