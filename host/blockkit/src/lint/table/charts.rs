//! Charts: what a `data_visualization` block draws.

use super::super::entry::{block, disputed, field, filled, list, max, object, typed, up_to};
use super::super::finding::Severity;
use super::super::schema::Kind::{Number, Positive};
use super::super::schema::{Extra, Field, Kind, List, Object, Types};
use super::{DOCS, GO, MESSAGING, SLACKBLOCKS, TYPES};

const ALL: &[&str] = &[MESSAGING, SLACKBLOCKS, GO];

/// A chart.
pub static DATA_VISUALIZATION: Object = block(
    "data_visualization",
    &[
        field("title", filled(max(50))).required().from(&[GO, SLACKBLOCKS]),
        field("chart", Kind::Typed(&CHART)).required().from(ALL),
    ],
)
.also(Extra::Visualization);

static CHART: Types = Types {
    noun: "chart",
    listed: &[&PIE, &BAR, &AREA, &LINE],
    known: &[],
    unlisted: Severity::Error,
    unknown: Severity::Error,
};

static PIE: Object =
    typed("chart", "pie", &[field("segments", Kind::List(&SEGMENTS)).required().from(&[SLACKBLOCKS, GO])]);
static BAR: Object = axes("bar");
static AREA: Object = axes("area");
static LINE: Object = axes("line");

const fn axes(name: &'static str) -> Object {
    const FIELDS: &[Field] = &[
        field("series", Kind::List(&ALL_SERIES)).required().from(&[SLACKBLOCKS, DOCS, GO]),
        field("axis_config", Kind::Object(&AXIS_CONFIG)).required().from(&[TYPES, SLACKBLOCKS]),
    ];
    typed("chart", name, FIELDS).also(Extra::AxisChart)
}

// slack-go and slack-messaging know 6; Slack raised it.
static SEGMENTS: List = list("segments", Kind::Object(&SEGMENT), 1, disputed(6, 12));
static SEGMENT: Object = object(
    "segment",
    &[field("label", up_to(max(20))).required().from(ALL), field("value", Positive).required().from(ALL)],
);

static ALL_SERIES: List = list("series", Kind::Object(&SERIES), 1, disputed(6, 12));
static SERIES: Object = object(
    "series",
    &[field("name", filled(max(20))).required().from(ALL), field("data", Kind::List(&POINTS)).required().from(ALL)],
);
static POINTS: List = list("points", Kind::Object(&POINT), 1, max(20));
static POINT: Object = object(
    "point",
    &[field("label", up_to(max(20))).required().from(ALL), field("value", Number).required().from(ALL)],
);

static AXIS_CONFIG: Object = object(
    "axis_config",
    &[
        field("categories", Kind::List(&CATEGORIES)).required().from(ALL),
        field("x_label", up_to(max(50))).from(ALL),
        field("y_label", up_to(max(50))).from(ALL),
    ],
);
static CATEGORIES: List = list("categories", up_to(max(20)), 1, max(20));
