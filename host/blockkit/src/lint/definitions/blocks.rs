//! Blocks: the parts of a message.

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
use crate::limits::{FIELD_MAX, HEADER_MAX, TEXT_OBJECT_MAX, TITLE_MAX};
use crate::lint::entry::{
    NO_MAX, array, block, by_some, disputed, field, filled, formatted, max, mrkdwn, plain, string, tagged, text, up_to,
};
use crate::lint::finding::Severity;
use crate::lint::schema::Kind::{Any, Bool, Enum};
use crate::lint::schema::{Array, CustomCheck, Dependency, Format, Kind, Object, Str, TextType, Union};
use crate::lint::source::{GO, MESSAGING, MORPHISM, PYTHON, SLACKBLOCKS, TYPES};

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
pub static ANY_BLOCK: Union = Union {
    noun: "block",
    members: BLOCKS,
    known: &[],
    misplaced: Severity::Warning,
    // Slack adds new ones faster than linters follow.
    unknown: Severity::Warning,
};

static SECTION: Object = block(
    "section",
    &[
        field("text", text(TEXT_OBJECT_MAX)).from(&[TYPES, PYTHON]),
        field("fields", Kind::Array(&SECTION_FIELDS)).from(&[TYPES, PYTHON]),
        field("accessory", Kind::Union(&ACCESSORY)),
        field("expand", Bool),
    ],
)
.any_of(&["text", "fields"]);
static SECTION_FIELDS: Array = array("fields", text(FIELD_MAX), 1, max(10));
static ACCESSORY: Union = elements(&[
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

static HEADER: Object = block("header", &[field("text", plain(HEADER_MAX)).required().from(&[TYPES, PYTHON])]);

static CONTEXT: Object =
    block("context", &[field("elements", Kind::Array(&CONTEXT_ELEMENTS)).required().from(&[TYPES, PYTHON])]);
static CONTEXT_ELEMENTS: Array = array("elements", Kind::Union(&CONTEXT_ELEMENT), 1, max(10));
static CONTEXT_ELEMENT: Union = elements(&[&IMAGE_ELEMENT, &PLAIN_TEXT, &MRKDWN]);

static DIVIDER: Object = block("divider", &[]);

static ACTIONS: Object =
    block("actions", &[field("elements", Kind::Array(&ACTION_ELEMENTS)).required().from(&[TYPES, PYTHON])]);
static ACTION_ELEMENTS: Array = array("elements", Kind::Union(&ACTION_ELEMENT), 1, max(25));
static ACTION_ELEMENT: Union = elements(&[
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
    block("image", &[IMAGE_URL, IMAGE_FILE, ALT_TEXT, field("title", plain(TITLE_MAX)).from(&[TYPES, PYTHON])])
        .one_of(IMAGE_SOURCE);

static MARKDOWN: Object = block("markdown", &[field("text", filled(max(12_000))).required().from(&[TYPES, PYTHON])])
    .custom(CustomCheck::Markdown);

static VIDEO: Object = block(
    "video",
    &[
        field("title", Kind::Text(TextType::Plain, disputed(199, 200))).required().from(&[
            TYPES,
            PYTHON,
            SLACKBLOCKS,
            MESSAGING,
        ]),
        field("video_url", formatted(Format::HttpsUrl, NO_MAX)).required(),
        field("thumbnail_url", formatted(Format::FetchedUrl, NO_MAX)).required(),
        field("alt_text", filled(by_some(200))).required().from(&[TYPES, SLACKBLOCKS]),
        field("title_url", formatted(Format::HttpsUrl, NO_MAX)),
        field("author_name", up_to(disputed(49, 50))).from(&[TYPES, PYTHON, SLACKBLOCKS]),
        field("provider_name", up_to(by_some(50))).from(&[SLACKBLOCKS]),
        field("provider_icon_url", formatted(Format::FetchedUrl, NO_MAX)),
        field("description", plain(200)).from(&[SLACKBLOCKS, MESSAGING]),
    ],
)
.no_effect("it needs an app with links.embed:write and the video's domain, and few webhooks belong to one");

static FILE: Object =
    block("file", &[field("external_id", string()).required(), field("source", Enum(&["remote"])).required()])
        .no_effect("Slack returns it but does not accept it");

static INPUT: Object = block(
    "input",
    &[
        field("label", plain(2_000)).required().from(&[TYPES, PYTHON]),
        field("element", Kind::Union(&INPUT_ELEMENT)).required(),
        field("hint", plain(2_000)).from(&[TYPES, PYTHON]),
        field("optional", Bool),
        field("dispatch_action", Bool),
    ],
);
static INPUT_ELEMENT: Union = elements(&[
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
    &[field("elements", Kind::Array(&CONTEXT_ACTION_ELEMENTS)).required().from(&[TYPES, PYTHON])],
);
static CONTEXT_ACTION_ELEMENTS: Array = array("elements", Kind::Union(&CONTEXT_ACTION), 1, max(5));
static CONTEXT_ACTION: Union = elements(&[&FEEDBACK_BUTTONS, &ICON_BUTTON]);

static ALERT: Object = block(
    "alert",
    &[
        // Only slackblocks names 200; 3,000 is the limit of any text object.
        field("text", Kind::Text(TextType::Any, disputed(200, TEXT_OBJECT_MAX))).required().from(&[TYPES, SLACKBLOCKS]),
        field("level", Enum(&["default", "info", "warning", "error", "success"])).from(&[TYPES, PYTHON]),
    ],
);

static CARD: Object = block(
    "card",
    &[
        field("hero_image", Kind::Object(&IMAGE_ELEMENT)),
        field("icon", Kind::Object(&IMAGE_ELEMENT)),
        field("slack_icon", Any).from(&[GO]),
        field("title", mrkdwn(150)).from(&[TYPES, PYTHON]),
        field("subtitle", mrkdwn(150)).from(&[TYPES, PYTHON]),
        field("body", mrkdwn(200)).from(&[TYPES, PYTHON]),
        field("subtext", mrkdwn(200)).from(&[SLACKBLOCKS]),
        field("actions", Kind::Array(&CARD_ACTIONS)).from(&[SLACKBLOCKS]),
    ],
)
.any_of(&["hero_image", "title", "actions", "body"]);
static CARD_ACTIONS: Array = array("actions", Kind::Object(&BUTTON), 0, by_some(3));

static CAROUSEL: Object =
    block("carousel", &[field("elements", Kind::Array(&CARDS)).required().from(&[TYPES, PYTHON])]);
static CARDS: Array = array("cards", Kind::Object(&CARD), 1, max(10));

static CONTAINER: Object = block(
    "container",
    &[
        field("title", plain(150)).from(&[TYPES, PYTHON]),
        field("rich_text_title", Kind::Object(&RICH_TEXT)),
        field("subtitle", text(150)).from(&[TYPES, PYTHON]),
        field("icon", Kind::Object(&IMAGE_ELEMENT)),
        field("width", Enum(&["narrow", "standard", "wide", "full"])),
        field("is_collapsible", Bool),
        field("default_collapsed", Bool),
        field("has_header_divider", Bool).from(&[PYTHON, GO]),
        field("child_blocks", Kind::Array(&CHILDREN)).required().from(&[TYPES, GO]),
    ],
)
.any_of(&["title", "rich_text_title"])
.dependencies(&[
    Dependency::Requires("default_collapsed", "is_collapsible"),
    Dependency::Excludes("has_header_divider", "is_collapsible"),
]);
static CHILDREN: Array = array("blocks", Kind::Union(&CHILD), 1, max(10));
static CHILD: Union = Union {
    noun: "block of a container",
    members: &[&ACTIONS, &CONTEXT, &DIVIDER, &FILE, &HEADER, &IMAGE, &INPUT, &RICH_TEXT, &SECTION, &TABLE, &VIDEO],
    known: BLOCKS,
    // slack-morphism has seen Slack accept others.
    misplaced: Severity::Warning,
    unknown: Severity::Warning,
};

static TASK_CARD: Object = block(
    "task_card",
    &[
        field("task_id", string()).required(),
        field("title", string()).required(),
        // slack_sdk leaves it out.
        field("status", Enum(&["pending", "in_progress", "complete", "error"]))
            .required_by_some()
            .from(&[TYPES, PYTHON]),
        field("details", Kind::Object(&RICH_TEXT)),
        field("output", Kind::Object(&RICH_TEXT)),
        field("sources", Kind::Array(&SOURCES)),
    ],
);
static SOURCES: Array = array("sources", Kind::Object(&URL_SOURCE), 0, NO_MAX);
static URL_SOURCE: Object = tagged(
    "element",
    "url",
    &[
        field("url", Kind::Str(Str { min: 1, max: max(3_000), format: Format::LinkUrl }))
            .required()
            .from(&[TYPES, SLACKBLOCKS]),
        field("text", string()).required(),
    ],
);

static PLAN: Object =
    block("plan", &[field("title", string()).required(), field("tasks", Kind::Array(&TASKS)).from(&[TYPES, MORPHISM])]);
static TASKS: Array = array("tasks", Kind::Union(&TASK), 0, max(50));
static TASK: Union = Union {
    noun: "task",
    members: &[&TASK_CARD],
    known: BLOCKS,
    misplaced: Severity::Warning,
    unknown: Severity::Warning,
};

const fn elements(members: &'static [&'static Object]) -> Union {
    Union { noun: "element", members, known: ELEMENTS, misplaced: Severity::Error, unknown: Severity::Error }
}
