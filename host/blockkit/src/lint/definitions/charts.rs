//! Charts: the content of a `data_visualization` block.

use crate::lint::entry::{array, block, disputed, field, filled, max, object, tagged, up_to};
use crate::lint::finding::Severity;
use crate::lint::schema::Kind::{Number, Positive};
use crate::lint::schema::{Array, CustomCheck, Field, Kind, Object, Union};
use crate::lint::source::{CHART_PAGE, GO, MESSAGING, SLACKBLOCKS};

const ALL: &[&str] = &[CHART_PAGE, MESSAGING, SLACKBLOCKS, GO];

/// A chart.
pub static DATA_VISUALIZATION: Object = block(
    "data_visualization",
    &[field("title", filled(max(50))).required().from(ALL), field("chart", Kind::Union(&CHART)).required().from(ALL)],
)
.custom(CustomCheck::DataVisualization);

static CHART: Union = Union {
    noun: "chart",
    members: &[&PIE, &BAR, &AREA, &LINE],
    known: &[],
    misplaced: Severity::Error,
    unknown: Severity::Error,
};

static PIE: Object = tagged("chart", "pie", &[field("segments", Kind::Array(&SEGMENTS)).required().from(ALL)]);
static BAR: Object = axes("bar");
static AREA: Object = axes("area");
static LINE: Object = axes("line");

const fn axes(name: &'static str) -> Object {
    const FIELDS: &[Field] = &[
        field("series", Kind::Array(&ALL_SERIES)).required().from(ALL),
        field("axis_config", Kind::Object(&AXIS_CONFIG)).required().from(ALL),
    ];
    tagged("chart", name, FIELDS).custom(CustomCheck::AxisChart)
}

// Slack's page, slack-go and slack-messaging name 6; slackblocks says that Slack raised it.
static SEGMENTS: Array = array("segments", Kind::Object(&SEGMENT), 1, disputed(6, 12));
static SEGMENT: Object = object(
    "segment",
    &[field("label", up_to(max(20))).required().from(ALL), field("value", Positive).required().from(ALL)],
);

static ALL_SERIES: Array = array("series", Kind::Object(&SERIES), 1, disputed(6, 12));
static SERIES: Object = object(
    "series",
    &[field("name", filled(max(20))).required().from(ALL), field("data", Kind::Array(&POINTS)).required().from(ALL)],
);
static POINTS: Array = array("points", Kind::Object(&POINT), 1, max(20));
static POINT: Object = object(
    "point",
    &[field("label", up_to(max(20))).required().from(ALL), field("value", Number).required().from(ALL)],
);

static AXIS_CONFIG: Object = object(
    "axis_config",
    &[
        field("categories", Kind::Array(&CATEGORIES)).required().from(ALL),
        field("x_label", up_to(max(50))).from(ALL),
        field("y_label", up_to(max(50))).from(ALL),
    ],
);
static CATEGORIES: Array = array("categories", up_to(max(20)), 1, max(20));
