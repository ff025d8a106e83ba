//! Composition objects: texts, options, dialogs.

use crate::limits::TEXT_OBJECT_MAX;
use crate::lint::entry::{NO_MAX, array, field, filled, formatted, max, object, plain, string, tagged, text, up_to};
use crate::lint::schema::Kind::{Bool, Enum};
use crate::lint::schema::{Array, Field, Format, Kind, Object};
use crate::lint::source::{GO, MESSAGING, PYTHON, SLACKBLOCKS, TYPES, UNSOURCED};

/// The text of any text object.
const TEXT: Field = field("text", filled(max(TEXT_OBJECT_MAX))).required().from(&[TYPES, SLACKBLOCKS, GO, PYTHON]);

/// Literal text.
pub static PLAIN_TEXT: Object = tagged(
    "object",
    "plain_text",
    &[TEXT, field("emoji", Bool), field("verbatim", Kind::Forbidden).undocumented().from(&[UNSOURCED])],
);

/// Text in Slack's markup.
pub static MRKDWN: Object = tagged(
    "object",
    "mrkdwn",
    &[
        TEXT,
        field("emoji", Kind::Forbidden).from(&[TYPES, GO]),
        field("verbatim", Bool).undocumented().from(&[UNSOURCED, TYPES]),
    ],
);

/// A question before an action.
pub const CONFIRM: Field = field("confirm", Kind::Object(&CONFIRMATION));

static CONFIRMATION: Object = object(
    "confirmation dialog",
    &[
        field("title", plain(100)).required().from(&[PYTHON, TYPES]),
        field("text", text(300)).required().from(&[PYTHON, TYPES]),
        field("confirm", plain(30)).required().from(&[PYTHON, TYPES]),
        field("deny", plain(30)).required().from(&[PYTHON, TYPES]),
        STYLE,
    ],
);

/// The style of a button.
pub const STYLE: Field = field("style", Enum(&["primary", "danger"])).from(&[TYPES, PYTHON]);

const VALUE: Field = field("value", up_to(max(150))).required().from(&[PYTHON]);
const DESCRIPTION: Field = field("description", text(75)).from(&[PYTHON, TYPES]);
const URL: Field = field("url", formatted(Format::LinkUrl, max(3_000))).from(&[MESSAGING, SLACKBLOCKS, TYPES]);

/// An option of a select menu.
pub static SELECT_OPTION: Object = object(
    "option of a menu",
    &[field("text", plain(75)).required().from(&[PYTHON, TYPES]), VALUE, DESCRIPTION, URL_WITHOUT_EFFECT],
);

/// An option of an overflow menu.
pub static OVERFLOW_OPTION: Object =
    object("option of a menu", &[field("text", plain(75)).required().from(&[PYTHON, TYPES]), VALUE, DESCRIPTION, URL]);

/// An option of checkboxes or radio buttons.
pub static CHOICE: Object = object(
    "option",
    &[field("text", text(75)).required().from(&[PYTHON, TYPES]), VALUE, DESCRIPTION, URL_WITHOUT_EFFECT],
);

const URL_WITHOUT_EFFECT: Field = Field { no_effect: Some("only an overflow menu's options open a URL"), ..URL };

/// Options under a heading.
pub static OPTION_GROUP: Object = object(
    "option group",
    &[
        field("label", plain(75)).required().from(&[PYTHON, TYPES]),
        field("options", Kind::Array(&GROUPED)).required().from(&[PYTHON, TYPES]),
    ],
);

static GROUPED: Array = array("options", Kind::Object(&SELECT_OPTION), 1, max(100));

/// A file on Slack.
pub static SLACK_FILE: Object =
    object("slack_file", &[field("id", string()), field("url", formatted(Format::FetchedUrl, NO_MAX)).undocumented()])
        .any_of(&["id", "url"]);

/// The events of an input that start an action.
pub const DISPATCH: Field = field("dispatch_action_config", Kind::Object(&DISPATCH_CONFIG));

static DISPATCH_CONFIG: Object =
    object("dispatch_action_config", &[field("trigger_actions_on", Kind::Array(&TRIGGERS))]);
static TRIGGERS: Array = array("triggers", Enum(&["on_enter_pressed", "on_character_entered"]), 0, NO_MAX);

/// The conversations that a menu offers.
pub const FILTER: Field = field("filter", Kind::Object(&CONVERSATION_FILTER));

static CONVERSATION_FILTER: Object = object(
    "conversation filter",
    &[
        field("include", Kind::Array(&CONVERSATIONS)),
        field("exclude_external_shared_channels", Bool),
        field("exclude_bot_users", Bool),
    ],
);
static CONVERSATIONS: Array = array("kinds", Enum(&["im", "mpim", "private", "public"]), 0, NO_MAX);

/// The workflow that a button starts.
pub static WORKFLOW: Object = object("workflow", &[field("trigger", Kind::Object(&TRIGGER)).required()]);

static TRIGGER: Object = object(
    "workflow trigger",
    &[
        field("url", formatted(Format::LinkUrl, NO_MAX)).required(),
        field("customizable_input_parameters", Kind::Array(&PARAMETERS)),
    ],
);
static PARAMETERS: Array = array("parameters", Kind::Object(&PARAMETER), 0, NO_MAX);
static PARAMETER: Object =
    object("input parameter", &[field("name", string()).required(), field("value", string()).required()]);
