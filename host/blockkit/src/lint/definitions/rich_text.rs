//! Rich text: sections, lists, quotes and code, and the elements in their lines.

use crate::lint::entry::{NO_MAX, array, block, field, formatted, object, string, tagged};
use crate::lint::finding::Severity;
use crate::lint::schema::Kind::{Any, Bool, Enum, Int};
use crate::lint::schema::{Array, Field, Format, Kind, Object, Union};
use crate::lint::source::{SLACKBLOCKS, TYPES, UNSOURCED};

/// A block of rich text; also a cell of a table.
pub static RICH_TEXT: Object = block("rich_text", &[field("elements", Kind::Array(&PARTS)).required()]);

static PARTS: Array = array("elements", Kind::Union(&PART), 0, NO_MAX);
static PART: Union = Union {
    noun: "element",
    members: &[&SECTION, &LIST, &QUOTE, &PREFORMATTED],
    known: INLINE,
    misplaced: Severity::Error,
    unknown: Severity::Error,
};

static SECTION: Object = part("rich_text_section", &[LINE]);
static QUOTE: Object =
    part("rich_text_quote", &[LINE, field("border", Int(0, 1)).undocumented().from(&[TYPES, UNSOURCED])]);
static LIST: Object = part(
    "rich_text_list",
    &[
        field("elements", Kind::Array(&LIST_ITEMS)).required(),
        field("style", Enum(&["bullet", "ordered"])).required(),
        field("indent", Int(0, 8)),
        field("border", Int(0, 1)).undocumented().from(&[TYPES, UNSOURCED]),
        field("offset", Int(0, i64::MAX)).undocumented().from(&[UNSOURCED]),
    ],
);
static PREFORMATTED: Object = part(
    "rich_text_preformatted",
    &[
        field("elements", Kind::Array(&CODE)).required(),
        field("border", Int(0, 1)).undocumented().from(&[TYPES, UNSOURCED]),
        field("language", string()).from(&[SLACKBLOCKS]),
    ],
);

/// May be empty: Slack's Python SDK allows it for all of these.
const LINE: Field = field("elements", Kind::Array(&LINE_PARTS)).required();

static LIST_ITEMS: Array = array("elements", Kind::Object(&SECTION), 0, NO_MAX);
static LINE_PARTS: Array = array("elements", Kind::Union(&IN_LINE), 0, NO_MAX);
static IN_LINE: Union = Union {
    noun: "element",
    members: INLINE,
    known: &[],
    misplaced: Severity::Error,
    // Slack returns more of them than it documents.
    unknown: Severity::Warning,
};
static CODE: Array = array("elements", Kind::Union(&IN_CODE), 0, NO_MAX);
static IN_CODE: Union = Union { members: &[&TEXT, &LINK], known: INLINE, ..IN_LINE };

const fn part(name: &'static str, fields: &'static [Field]) -> Object {
    tagged("element", name, fields)
}

/// The elements in a line.
pub static INLINE: &[&Object] = &[&TEXT, &LINK, &USER, &USERGROUP, &CHANNEL, &TEAM, &BROADCAST, &EMOJI, &DATE, &COLOR];

static TEXT: Object = inline("text", &[field("text", formatted(Format::NotEmpty, NO_MAX)).required(), STYLED]);
static LINK: Object = inline(
    "link",
    &[
        field("url", formatted(Format::LinkUrl, NO_MAX)).required(),
        field("text", string()),
        field("unsafe", Bool),
        STYLED,
    ],
);
static USER: Object = inline("user", &[field("user_id", string()).required(), STYLED]);
static USERGROUP: Object = inline("usergroup", &[field("usergroup_id", string()).required(), STYLED]);
static CHANNEL: Object = inline("channel", &[field("channel_id", string()).required(), STYLED]);
static TEAM: Object = inline("team", &[field("team_id", string()).required(), STYLED]);
static BROADCAST: Object =
    inline("broadcast", &[field("range", Enum(&["here", "channel", "everyone"])).required(), STYLED]);
static EMOJI: Object = inline(
    "emoji",
    &[
        field("name", string()).required(),
        field("unicode", string()),
        field("url", formatted(Format::FetchedUrl, NO_MAX)).undocumented(),
        field("skin_tone", Any).undocumented().from(&[UNSOURCED]),
        STYLED,
    ],
);
static DATE: Object = inline(
    "date",
    &[
        field("timestamp", Int(i64::MIN, i64::MAX)).required(),
        field("format", string()).required(),
        field("url", formatted(Format::LinkUrl, NO_MAX)).undocumented(),
        field("fallback", string()),
        STYLED,
    ],
);
static COLOR: Object = inline("color", &[field("value", formatted(Format::HexColor, NO_MAX)).required(), STYLED]);

const fn inline(name: &'static str, fields: &'static [Field]) -> Object {
    tagged("element", name, fields)
}

const STYLED: Field = field("style", Kind::Object(&STYLE));

static STYLE: Object = object(
    "style",
    &[
        field("bold", Bool),
        field("italic", Bool),
        field("strike", Bool),
        field("code", Bool),
        field("underline", Bool),
        // Of mentions, in slackblocks' and slack-go's fixtures.
        field("highlight", Bool).undocumented().from(&[SLACKBLOCKS]),
        field("client_highlight", Bool).undocumented().from(&[SLACKBLOCKS]),
        field("unlink", Bool).undocumented().from(&[SLACKBLOCKS]),
    ],
);
