//! Tables: rows of cells.

use super::rich_text::RICH_TEXT;
use crate::limits::TABLE_COLUMNS_MAX;
use crate::lint::entry::{NO_MAX, array, block, disputed, field, filled, max, object, string, tagged};
use crate::lint::finding::Severity;
use crate::lint::schema::Kind::{Bool, Enum, Int};
use crate::lint::schema::{Array, CustomCheck, Kind, Object, Union};
use crate::lint::source::{GO, MESSAGING, MORPHISM, SLACKBLOCKS, TABLE_PAGE, TYPES};

/// A table. `rows` has the rules between its rows.
pub static TABLE: Object = block(
    "table",
    &[field("rows", Kind::Array(&TABLE_ROWS)).required(), field("column_settings", Kind::Array(&COLUMN_SETTINGS))],
)
.custom(CustomCheck::Table);

static TABLE_ROWS: Array = array("rows", Kind::Array(&CELLS), 1, max(100));
// slack-go's fixtures skip columns with null.
static COLUMN_SETTINGS: Array =
    Array { nulls: true, ..array("column settings", Kind::Object(&COLUMN_SETTING), 0, max(20)) };
static COLUMN_SETTING: Object =
    object("column setting", &[field("align", Enum(&["left", "center", "right"])), field("is_wrapped", Bool)]);

/// A table with pages, sorting and a header row.
pub static DATA_TABLE: Object = block(
    "data_table",
    &[
        field("caption", filled(NO_MAX)).required().from(&[TABLE_PAGE, MESSAGING, SLACKBLOCKS, GO]),
        field("rows", Kind::Array(&DATA_ROWS)).required().from(&[TABLE_PAGE, SLACKBLOCKS, MORPHISM, MESSAGING]),
        field("page_size", Int(1, 100)).from(&[TABLE_PAGE]),
        field("row_header_column_index", Int(0, i64::MAX)).from(&[TABLE_PAGE, MESSAGING, SLACKBLOCKS, GO]),
    ],
)
.custom(CustomCheck::DataTable);

// Older documents and slack-messaging 0.7 name 101.
static DATA_ROWS: Array = array("rows", Kind::Array(&CELLS), 2, disputed(101, 201));

static CELLS: Array = array("cells", Kind::Union(&CELL), 1, max(TABLE_COLUMNS_MAX));
static CELL: Union = Union {
    noun: "cell",
    members: &[&RAW_TEXT, &RAW_NUMBER, &RICH_TEXT],
    known: &[],
    misplaced: Severity::Error,
    unknown: Severity::Error,
};
static RAW_TEXT: Object =
    tagged("cell", "raw_text", &[field("text", filled(NO_MAX)).required().from(&[TYPES, SLACKBLOCKS])]);
static RAW_NUMBER: Object = tagged(
    "cell",
    "raw_number",
    &[field("value", Kind::Number).required(), field("text", string()).required_by_some()],
);
