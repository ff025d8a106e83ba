//! Composition objects: texts, options, dialogs.

use super::super::entry::{NO_MAX, field, filled, formed, list, max, object, plain, string, text, typed, up_to};
use super::super::schema::Kind::{Enum, Flag};
use super::super::schema::{Field, Form, Kind, List, Object};
use super::{GO, HEARSAY, MESSAGING, PYTHON, SLACKBLOCKS, TYPES};

/// How long any text object may be.
const TEXT: Field = field("text", filled(max(3_000))).required().from(&[TYPES, SLACKBLOCKS, GO, PYTHON]);

/// Text as it is.
pub static PLAIN_TEXT: Object = typed(
    "object",
    "plain_text",
    &[TEXT, field("emoji", Flag), field("verbatim", Kind::Never).unsure().from(&[HEARSAY])],
);

/// Slack's own markup.
pub static MRKDWN: Object = typed(
    "object",
    "mrkdwn",
    &[TEXT, field("emoji", Kind::Never).from(&[TYPES, GO]), field("verbatim", Flag).unsure().from(&[HEARSAY, TYPES])],
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

/// What a button looks like.
pub const STYLE: Field = field("style", Enum(&["primary", "danger"])).from(&[TYPES, PYTHON]);

const VALUE: Field = field("value", up_to(max(150))).required().from(&[PYTHON]);
const DESCRIPTION: Field = field("description", text(75)).from(&[PYTHON, TYPES]);
const URL: Field = field("url", formed(Form::Opened, max(3_000))).from(&[MESSAGING, SLACKBLOCKS, TYPES]);

/// An option of a select menu.
pub static SELECT_OPTION: Object = object(
    "option of a menu",
    &[field("text", plain(75)).required().from(&[PYTHON, TYPES]), VALUE, DESCRIPTION, IDLE_URL],
);

/// An option of an overflow menu.
pub static OVERFLOW_OPTION: Object =
    object("option of a menu", &[field("text", plain(75)).required().from(&[PYTHON, TYPES]), VALUE, DESCRIPTION, URL]);

/// An option of checkboxes or radio buttons.
pub static CHOICE: Object =
    object("option", &[field("text", text(75)).required().from(&[PYTHON, TYPES]), VALUE, DESCRIPTION, IDLE_URL]);

const IDLE_URL: Field = Field { useless: Some("only options of an overflow menu open a URL"), ..URL };

/// Options under a heading.
pub static OPTION_GROUP: Object = object(
    "option group",
    &[
        field("label", plain(75)).required().from(&[PYTHON, TYPES]),
        field("options", Kind::List(&GROUPED)).required().from(&[PYTHON, TYPES]),
    ],
);

static GROUPED: List = list("options", Kind::Object(&SELECT_OPTION), 1, max(100));

/// A file that Slack has.
pub static SLACK_FILE: Object =
    object("slack_file", &[field("id", string()), field("url", formed(Form::Fetched, NO_MAX)).unsure()])
        .any_of(&["id", "url"]);

/// When an input tells of itself.
pub const DISPATCH: Field = field("dispatch_action_config", Kind::Object(&DISPATCH_CONFIG));

static DISPATCH_CONFIG: Object =
    object("dispatch_action_config", &[field("trigger_actions_on", Kind::List(&TRIGGERS))]);
static TRIGGERS: List = list("triggers", Enum(&["on_enter_pressed", "on_character_entered"]), 0, NO_MAX);

/// Which conversations a menu offers.
pub const FILTER: Field = field("filter", Kind::Object(&CONVERSATION_FILTER));

static CONVERSATION_FILTER: Object = object(
    "conversation filter",
    &[
        field("include", Kind::List(&CONVERSATIONS)),
        field("exclude_external_shared_channels", Flag),
        field("exclude_bot_users", Flag),
    ],
);
static CONVERSATIONS: List = list("kinds", Enum(&["im", "mpim", "private", "public"]), 0, NO_MAX);

/// The workflow that a button starts.
pub static WORKFLOW: Object = object("workflow", &[field("trigger", Kind::Object(&TRIGGER)).required()]);

static TRIGGER: Object = object(
    "workflow trigger",
    &[
        field("url", formed(Form::Opened, NO_MAX)).required(),
        field("customizable_input_parameters", Kind::List(&PARAMETERS)),
    ],
);
static PARAMETERS: List = list("parameters", Kind::Object(&PARAMETER), 0, NO_MAX);
static PARAMETER: Object =
    object("input parameter", &[field("name", string()).required(), field("value", string()).required()]);
