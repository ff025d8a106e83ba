//! Blocks: what a message is made of.

use super::super::entry::{
    NO_MAX, block, disputed, field, filled, formed, list, markup, max, perhaps, plain, string, text, typed, up_to,
};
use super::super::finding::Severity;
use super::super::schema::Kind::{Any, Enum, Flag};
use super::super::schema::{Extra, Form, Kind, List, Object, Pair, Str, TextForm, Types};
use super::charts::DATA_VISUALIZATION;
use super::elements::{
    ALT_TEXT, BUTTON, CHANNELS_SELECT, CHECKBOXES, CONVERSATIONS_SELECT, DATEPICKER, DATETIMEPICKER, ELEMENTS,
    EMAIL_TEXT_INPUT, EXTERNAL_SELECT, FEEDBACK_BUTTONS, FILE_INPUT, ICON_BUTTON, IMAGE_ELEMENT, IMAGE_FILE,
    IMAGE_SOURCE, IMAGE_URL, MULTI_CHANNELS_SELECT, MULTI_CONVERSATIONS_SELECT, MULTI_EXTERNAL_SELECT,
    MULTI_STATIC_SELECT, MULTI_USERS_SELECT, NUMBER_INPUT, OVERFLOW, PLAIN_TEXT_INPUT, RADIO_BUTTONS, RICH_TEXT_INPUT,
    STATIC_SELECT, TIMEPICKER, URL_TEXT_INPUT, USERS_SELECT, WORKFLOW_BUTTON,
};
use super::objects::{MRKDWN, PLAIN_TEXT};
use super::rich_text::RICH_TEXT;
use super::tables::{DATA_TABLE, TABLE};
use super::{GO, MESSAGING, MORPHISM, PYTHON, SLACKBLOCKS, TYPES};

/// Every block.
pub static BLOCKS: &[&Object] = &[
    &SECTION,
    &HEADER,
    &CONTEXT,
    &DIVIDER,
    &ACTIONS,
    &IMAGE,
    &RICH_TEXT,
    &TABLE,
    &MARKDOWN,
    &VIDEO,
    &FILE,
    &INPUT,
    &CONTEXT_ACTIONS,
    &ALERT,
    &CARD,
    &CAROUSEL,
    &CONTAINER,
    &DATA_TABLE,
    &DATA_VISUALIZATION,
    &TASK_CARD,
    &PLAN,
];

/// A block of a message or an attachment.
pub static ANY_BLOCK: Types = Types {
    noun: "block",
    listed: BLOCKS,
    known: &[],
    unlisted: Severity::Warning,
    // Slack makes new ones faster than linters learn.
    unknown: Severity::Warning,
};

static SECTION: Object = block(
    "section",
    &[
        field("text", text(3_000)).from(&[TYPES, PYTHON]),
        field("fields", Kind::List(&SECTION_FIELDS)).from(&[TYPES, PYTHON]),
        field("accessory", Kind::Typed(&ACCESSORY)),
        field("expand", Flag),
    ],
)
.any_of(&["text", "fields"]);
static SECTION_FIELDS: List = list("fields", text(2_000), 1, max(10));
static ACCESSORY: Types = elements(&[
    &BUTTON,
    &CHECKBOXES,
    &DATEPICKER,
    &MULTI_STATIC_SELECT,
    &MULTI_EXTERNAL_SELECT,
    &MULTI_USERS_SELECT,
    &MULTI_CONVERSATIONS_SELECT,
    &MULTI_CHANNELS_SELECT,
    &OVERFLOW,
    &RADIO_BUTTONS,
    &STATIC_SELECT,
    &EXTERNAL_SELECT,
    &USERS_SELECT,
    &CONVERSATIONS_SELECT,
    &CHANNELS_SELECT,
    &TIMEPICKER,
    &WORKFLOW_BUTTON,
    &IMAGE_ELEMENT,
]);

static HEADER: Object = block("header", &[field("text", plain(150)).required().from(&[TYPES, PYTHON])]);

static CONTEXT: Object =
    block("context", &[field("elements", Kind::List(&CONTEXT_ELEMENTS)).required().from(&[TYPES, PYTHON])]);
static CONTEXT_ELEMENTS: List = list("elements", Kind::Typed(&CONTEXT_ELEMENT), 1, max(10));
static CONTEXT_ELEMENT: Types = elements(&[&IMAGE_ELEMENT, &PLAIN_TEXT, &MRKDWN]);

static DIVIDER: Object = block("divider", &[]);

static ACTIONS: Object =
    block("actions", &[field("elements", Kind::List(&ACTION_ELEMENTS)).required().from(&[TYPES, PYTHON])]);
static ACTION_ELEMENTS: List = list("elements", Kind::Typed(&ACTION_ELEMENT), 1, max(25));
static ACTION_ELEMENT: Types = elements(&[
    &BUTTON,
    &CHECKBOXES,
    &DATEPICKER,
    &DATETIMEPICKER,
    &MULTI_STATIC_SELECT,
    &MULTI_EXTERNAL_SELECT,
    &MULTI_USERS_SELECT,
    &MULTI_CONVERSATIONS_SELECT,
    &MULTI_CHANNELS_SELECT,
    &OVERFLOW,
    &RADIO_BUTTONS,
    &STATIC_SELECT,
    &EXTERNAL_SELECT,
    &USERS_SELECT,
    &CONVERSATIONS_SELECT,
    &CHANNELS_SELECT,
    &TIMEPICKER,
    &WORKFLOW_BUTTON,
    &RICH_TEXT_INPUT,
]);

static IMAGE: Object =
    block("image", &[IMAGE_URL, IMAGE_FILE, ALT_TEXT, field("title", plain(2_000)).from(&[TYPES, PYTHON])])
        .one_of(IMAGE_SOURCE);

static MARKDOWN: Object =
    block("markdown", &[field("text", filled(max(12_000))).required().from(&[TYPES, PYTHON])]).also(Extra::Markdown);

static VIDEO: Object = block(
    "video",
    &[
        field("title", Kind::Text(TextForm::Plain, disputed(199, 200))).required().from(&[
            TYPES,
            PYTHON,
            SLACKBLOCKS,
            MESSAGING,
        ]),
        field("video_url", formed(Form::Https, NO_MAX)).required(),
        field("thumbnail_url", formed(Form::Fetched, NO_MAX)).required(),
        field("alt_text", filled(perhaps(200))).required().from(&[TYPES, SLACKBLOCKS]),
        field("title_url", formed(Form::Https, NO_MAX)),
        field("author_name", up_to(disputed(49, 50))).from(&[TYPES, PYTHON, SLACKBLOCKS]),
        field("provider_name", up_to(perhaps(50))).from(&[SLACKBLOCKS]),
        field("provider_icon_url", formed(Form::Fetched, NO_MAX)),
        field("description", plain(200)).from(&[SLACKBLOCKS, MESSAGING]),
    ],
)
.useless("it needs an app with links.embed:write and the video's domain, which most webhooks are not of");

static FILE: Object =
    block("file", &[field("external_id", string()).required(), field("source", Enum(&["remote"])).required()])
        .useless("Slack hands it out but does not take it");

static INPUT: Object = block(
    "input",
    &[
        field("label", plain(2_000)).required().from(&[TYPES, PYTHON]),
        field("element", Kind::Typed(&INPUT_ELEMENT)).required(),
        field("hint", plain(2_000)).from(&[TYPES, PYTHON]),
        field("optional", Flag),
        field("dispatch_action", Flag),
    ],
);
static INPUT_ELEMENT: Types = elements(&[
    &CHECKBOXES,
    &DATEPICKER,
    &DATETIMEPICKER,
    &EMAIL_TEXT_INPUT,
    &FILE_INPUT,
    &MULTI_STATIC_SELECT,
    &MULTI_EXTERNAL_SELECT,
    &MULTI_USERS_SELECT,
    &MULTI_CONVERSATIONS_SELECT,
    &MULTI_CHANNELS_SELECT,
    &NUMBER_INPUT,
    &PLAIN_TEXT_INPUT,
    &RADIO_BUTTONS,
    &RICH_TEXT_INPUT,
    &STATIC_SELECT,
    &EXTERNAL_SELECT,
    &USERS_SELECT,
    &CONVERSATIONS_SELECT,
    &CHANNELS_SELECT,
    &TIMEPICKER,
    &URL_TEXT_INPUT,
]);

static CONTEXT_ACTIONS: Object = block(
    "context_actions",
    &[field("elements", Kind::List(&CONTEXT_ACTION_ELEMENTS)).required().from(&[TYPES, PYTHON])],
);
static CONTEXT_ACTION_ELEMENTS: List = list("elements", Kind::Typed(&CONTEXT_ACTION), 1, max(5));
static CONTEXT_ACTION: Types = elements(&[&FEEDBACK_BUTTONS, &ICON_BUTTON]);

static ALERT: Object = block(
    "alert",
    &[
        // 200 is slackblocks' alone; 3,000 is what any text object may have.
        field("text", Kind::Text(TextForm::Any, disputed(200, 3_000))).required().from(&[TYPES, SLACKBLOCKS]),
        field("level", Enum(&["default", "info", "warning", "error", "success"])).from(&[TYPES, PYTHON]),
    ],
);

static CARD: Object = block(
    "card",
    &[
        field("hero_image", Kind::Object(&IMAGE_ELEMENT)),
        field("icon", Kind::Object(&IMAGE_ELEMENT)),
        field("slack_icon", Any).from(&[GO]),
        field("title", markup(150)).from(&[TYPES, PYTHON]),
        field("subtitle", markup(150)).from(&[TYPES, PYTHON]),
        field("body", markup(200)).from(&[TYPES, PYTHON]),
        field("subtext", markup(200)).from(&[SLACKBLOCKS]),
        field("actions", Kind::List(&CARD_ACTIONS)).from(&[SLACKBLOCKS]),
    ],
)
.any_of(&["hero_image", "title", "actions", "body"]);
static CARD_ACTIONS: List = list("actions", Kind::Object(&BUTTON), 0, perhaps(3));

static CAROUSEL: Object = block("carousel", &[field("elements", Kind::List(&CARDS)).required().from(&[TYPES, PYTHON])]);
static CARDS: List = list("cards", Kind::Object(&CARD), 1, max(10));

static CONTAINER: Object = block(
    "container",
    &[
        field("title", plain(150)).from(&[TYPES, PYTHON]),
        field("rich_text_title", Kind::Object(&RICH_TEXT)),
        field("subtitle", text(150)).from(&[TYPES, PYTHON]),
        field("icon", Kind::Object(&IMAGE_ELEMENT)),
        field("width", Enum(&["narrow", "standard", "wide", "full"])),
        field("is_collapsible", Flag),
        field("default_collapsed", Flag),
        field("has_header_divider", Flag).from(&[PYTHON, GO]),
        field("child_blocks", Kind::List(&CHILDREN)).required().from(&[TYPES, GO]),
    ],
)
.any_of(&["title", "rich_text_title"])
.pairs(&[
    Pair::OnlyWith("default_collapsed", "is_collapsible"),
    Pair::NeverWith("has_header_divider", "is_collapsible"),
]);
static CHILDREN: List = list("blocks", Kind::Typed(&CHILD), 1, max(10));
static CHILD: Types = Types {
    noun: "block of a container",
    listed: &[&ACTIONS, &CONTEXT, &DIVIDER, &FILE, &HEADER, &IMAGE, &INPUT, &RICH_TEXT, &SECTION, &TABLE, &VIDEO],
    known: BLOCKS,
    // slack-morphism has seen Slack take others.
    unlisted: Severity::Warning,
    unknown: Severity::Warning,
};

static TASK_CARD: Object = block(
    "task_card",
    &[
        field("task_id", string()).required(),
        field("title", string()).required(),
        // slack_sdk leaves it out.
        field("status", Enum(&["pending", "in_progress", "complete", "error"])).wanted_by_some().from(&[TYPES, PYTHON]),
        field("details", Kind::Object(&RICH_TEXT)),
        field("output", Kind::Object(&RICH_TEXT)),
        field("sources", Kind::List(&SOURCES)),
    ],
);
static SOURCES: List = list("sources", Kind::Object(&URL_SOURCE), 0, NO_MAX);
static URL_SOURCE: Object = typed(
    "element",
    "url",
    &[
        field("url", Kind::Str(Str { min: 1, max: max(3_000), form: Form::Opened }))
            .required()
            .from(&[TYPES, SLACKBLOCKS]),
        field("text", string()).required(),
    ],
);

static PLAN: Object =
    block("plan", &[field("title", string()).required(), field("tasks", Kind::List(&TASKS)).from(&[TYPES, MORPHISM])]);
static TASKS: List = list("tasks", Kind::Typed(&TASK), 0, max(50));
static TASK: Types = Types {
    noun: "task",
    listed: &[&TASK_CARD],
    known: BLOCKS,
    unlisted: Severity::Warning,
    unknown: Severity::Warning,
};

const fn elements(listed: &'static [&'static Object]) -> Types {
    Types { noun: "element", listed, known: ELEMENTS, unlisted: Severity::Error, unknown: Severity::Error }
}
