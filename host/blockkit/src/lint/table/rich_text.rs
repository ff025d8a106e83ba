//! Rich text: sections, lists, quotes and code, and what stands in a line of them.

use super::super::entry::{NO_MAX, block, field, formed, list, object, string, typed};
use super::super::finding::Severity;
use super::super::schema::Kind::{Any, Enum, Flag, Int};
use super::super::schema::{Field, Form, Kind, List, Object, Types};
use super::{HEARSAY, SLACKBLOCKS, TYPES};

/// A block of rich text; also a cell of a table.
pub static RICH_TEXT: Object = block("rich_text", &[field("elements", Kind::List(&PARTS)).required()]);

static PARTS: List = list("elements", Kind::Typed(&PART), 0, NO_MAX);
static PART: Types = Types {
    noun: "element",
    listed: &[&SECTION, &LIST, &QUOTE, &PREFORMATTED],
    known: INLINE,
    unlisted: Severity::Error,
    unknown: Severity::Error,
};

static SECTION: Object = part("rich_text_section", &[LINE]);
static QUOTE: Object = part("rich_text_quote", &[LINE, field("border", Int(0, 1)).unsure().from(&[TYPES, HEARSAY])]);
static LIST: Object = part(
    "rich_text_list",
    &[
        field("elements", Kind::List(&LIST_ITEMS)).required(),
        field("style", Enum(&["bullet", "ordered"])).required(),
        field("indent", Int(0, 8)),
        field("border", Int(0, 1)).unsure().from(&[TYPES, HEARSAY]),
        field("offset", Int(0, i64::MAX)).unsure().from(&[HEARSAY]),
    ],
);
static PREFORMATTED: Object = part(
    "rich_text_preformatted",
    &[
        field("elements", Kind::List(&CODE)).required(),
        field("border", Int(0, 1)).unsure().from(&[TYPES, HEARSAY]),
        field("language", string()).from(&[SLACKBLOCKS]),
    ],
);

/// May be empty (Slack's Python SDK allows it for all of these).
const LINE: Field = field("elements", Kind::List(&LINE_PARTS)).required();

static LIST_ITEMS: List = list("elements", Kind::Object(&SECTION), 0, NO_MAX);
static LINE_PARTS: List = list("elements", Kind::Typed(&IN_LINE), 0, NO_MAX);
static IN_LINE: Types = Types {
    noun: "element",
    listed: INLINE,
    known: &[],
    unlisted: Severity::Error,
    // Slack hands out more of them than it documents.
    unknown: Severity::Warning,
};
static CODE: List = list("elements", Kind::Typed(&IN_CODE), 0, NO_MAX);
static IN_CODE: Types = Types { listed: &[&TEXT, &LINK], known: INLINE, ..IN_LINE };

const fn part(name: &'static str, fields: &'static [Field]) -> Object {
    typed("element", name, fields)
}

/// What stands in a line.
pub static INLINE: &[&Object] = &[&TEXT, &LINK, &USER, &USERGROUP, &CHANNEL, &TEAM, &BROADCAST, &EMOJI, &DATE, &COLOR];

static TEXT: Object = inline("text", &[field("text", formed(Form::Piece, NO_MAX)).required(), STYLED]);
static LINK: Object = inline(
    "link",
    &[field("url", formed(Form::Opened, NO_MAX)).required(), field("text", string()), field("unsafe", Flag), STYLED],
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
        field("url", formed(Form::Fetched, NO_MAX)).unsure(),
        field("skin_tone", Any).unsure().from(&[HEARSAY]),
        STYLED,
    ],
);
static DATE: Object = inline(
    "date",
    &[
        field("timestamp", Int(i64::MIN, i64::MAX)).required(),
        field("format", string()).required(),
        field("url", formed(Form::Opened, NO_MAX)).unsure(),
        field("fallback", string()),
        STYLED,
    ],
);
static COLOR: Object = inline("color", &[field("value", formed(Form::Rgb, NO_MAX)).required(), STYLED]);

const fn inline(name: &'static str, fields: &'static [Field]) -> Object {
    typed("element", name, fields)
}

const STYLED: Field = field("style", Kind::Object(&STYLE));

static STYLE: Object = object(
    "style",
    &[
        field("bold", Flag),
        field("italic", Flag),
        field("strike", Flag),
        field("code", Flag),
        field("underline", Flag),
        // Of mentions, in slackblocks' and slack-go's fixtures.
        field("highlight", Flag).unsure().from(&[SLACKBLOCKS]),
        field("client_highlight", Flag).unsure().from(&[SLACKBLOCKS]),
        field("unlink", Flag).unsure().from(&[SLACKBLOCKS]),
    ],
);
