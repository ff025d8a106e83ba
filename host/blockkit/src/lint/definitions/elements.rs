//! Interactive elements: buttons, menus, pickers, inputs. An incoming webhook has nobody to answer them, but Slack accepts
//! them.

use super::objects::{
    CHOICE, CONFIRM, DISPATCH, FILTER, OPTION_GROUP, OVERFLOW_OPTION, SELECT_OPTION, SLACK_FILE, STYLE, WORKFLOW,
};
use super::rich_text::RICH_TEXT;
use crate::limits::{ALT_MAX, BUTTON_MAX};
use crate::lint::entry::{NO_MAX, array, element, field, formatted, max, object, plain, string, tagged, up_to};
use crate::lint::schema::Kind::{Bool, Enum, Int};
use crate::lint::schema::{Array, Field, Format, Kind, Object};
use crate::lint::source::{GO, MESSAGING, PYTHON, SLACKBLOCKS, TYPES};

const LIMITS: &[&str] = &[MESSAGING, SLACKBLOCKS, GO];

/// Every element.
pub static ELEMENTS: &[&Object] = &[
    &BUTTON,
    &WORKFLOW_BUTTON,
    &IMAGE_ELEMENT,
    &STATIC_SELECT,
    &EXTERNAL_SELECT,
    &USERS_SELECT,
    &CONVERSATIONS_SELECT,
    &CHANNELS_SELECT,
    &MULTI_STATIC_SELECT,
    &MULTI_EXTERNAL_SELECT,
    &MULTI_USERS_SELECT,
    &MULTI_CONVERSATIONS_SELECT,
    &MULTI_CHANNELS_SELECT,
    &OVERFLOW,
    &CHECKBOXES,
    &RADIO_BUTTONS,
    &DATEPICKER,
    &TIMEPICKER,
    &DATETIMEPICKER,
    &FEEDBACK_BUTTONS,
    &ICON_BUTTON,
    &PLAIN_TEXT_INPUT,
    &NUMBER_INPUT,
    &EMAIL_TEXT_INPUT,
    &URL_TEXT_INPUT,
    &FILE_INPUT,
    &RICH_TEXT_INPUT,
];

const LABEL: Field = field("accessibility_label", up_to(max(75))).from(&[TYPES, PYTHON]);
const BUTTON_TEXT: Field = field("text", plain(BUTTON_MAX)).required().from(&[TYPES, PYTHON]);
const PLACEHOLDER: Field = field("placeholder", plain(150)).from(&[PYTHON]);
const FOCUS: Field = field("focus_on_load", Bool);
const MOST_SELECTED: Field = field("max_selected_items", Int(1, i64::MAX));
const MIN_QUERY: Field = field("min_query_length", Int(0, i64::MAX));
const RESPONSE_URL: Field = field("response_url_enabled", Bool);
const DEFAULT_CONVERSATION: Field = field("default_to_current_conversation", Bool);
const INITIAL_TEXT: Field = field("initial_value", string());

pub static BUTTON: Object = element(
    "button",
    &[
        BUTTON_TEXT,
        field("url", formatted(Format::LinkUrl, max(3_000))).from(&[TYPES, PYTHON]),
        field("value", up_to(max(2_000))).from(&[TYPES, PYTHON]),
        STYLE,
        LABEL,
        CONFIRM,
        field("agent_prompt", up_to(max(4_000))).from(LIMITS),
    ],
);
pub static WORKFLOW_BUTTON: Object = element(
    "workflow_button",
    &[BUTTON_TEXT, field("workflow", Kind::Object(&WORKFLOW)).required(), STYLE, LABEL, CONFIRM],
);

/// The source of an image.
pub const IMAGE_URL: Field = field("image_url", formatted(Format::FetchedUrl, max(3_000))).from(&[PYTHON, SLACKBLOCKS]);
pub const IMAGE_FILE: Field = field("slack_file", Kind::Object(&SLACK_FILE));
pub const ALT_TEXT: Field =
    field("alt_text", formatted(Format::NotBlank, max(ALT_MAX))).required().from(&[TYPES, PYTHON]);
pub const IMAGE_SOURCE: &[&str] = &["image_url", "slack_file"];

pub static IMAGE_ELEMENT: Object = tagged("element", "image", &[IMAGE_URL, IMAGE_FILE, ALT_TEXT]).one_of(IMAGE_SOURCE);

static OPTIONS: Array = array("options", Kind::Object(&SELECT_OPTION), 1, max(100));
static OPTION_GROUPS: Array = array("option groups", Kind::Object(&OPTION_GROUP), 1, max(100));
static INITIAL_OPTIONS: Array = array("options", Kind::Object(&SELECT_OPTION), 0, NO_MAX);
static IDS: Array = array("ids", string(), 0, NO_MAX);

const SELECT_OPTIONS: Field = field("options", Kind::Array(&OPTIONS)).from(LIMITS);
const SELECT_GROUPS: Field = field("option_groups", Kind::Array(&OPTION_GROUPS)).from(LIMITS);
const SELECT_SOURCE: &[&str] = &["options", "option_groups"];
const INITIAL_OPTION: Field = field("initial_option", Kind::Object(&SELECT_OPTION));
const INITIAL_SELECTION: Field = field("initial_options", Kind::Array(&INITIAL_OPTIONS));

pub static STATIC_SELECT: Object =
    element("static_select", &[PLACEHOLDER, SELECT_OPTIONS, SELECT_GROUPS, INITIAL_OPTION, CONFIRM, FOCUS])
        .one_of(SELECT_SOURCE);
pub static EXTERNAL_SELECT: Object =
    element("external_select", &[PLACEHOLDER, INITIAL_OPTION, MIN_QUERY, CONFIRM, FOCUS]);
pub static USERS_SELECT: Object =
    element("users_select", &[PLACEHOLDER, field("initial_user", string()), CONFIRM, FOCUS]);
pub static CONVERSATIONS_SELECT: Object = element(
    "conversations_select",
    &[PLACEHOLDER, field("initial_conversation", string()), DEFAULT_CONVERSATION, FILTER, RESPONSE_URL, CONFIRM, FOCUS],
);
pub static CHANNELS_SELECT: Object =
    element("channels_select", &[PLACEHOLDER, field("initial_channel", string()), RESPONSE_URL, CONFIRM, FOCUS]);

pub static MULTI_STATIC_SELECT: Object = element(
    "multi_static_select",
    &[PLACEHOLDER, SELECT_OPTIONS, SELECT_GROUPS, INITIAL_SELECTION, MOST_SELECTED, CONFIRM, FOCUS],
)
.one_of(SELECT_SOURCE);
pub static MULTI_EXTERNAL_SELECT: Object =
    element("multi_external_select", &[PLACEHOLDER, INITIAL_SELECTION, MIN_QUERY, MOST_SELECTED, CONFIRM, FOCUS]);
pub static MULTI_USERS_SELECT: Object = element(
    "multi_users_select",
    &[PLACEHOLDER, field("initial_users", Kind::Array(&IDS)), MOST_SELECTED, CONFIRM, FOCUS],
);
pub static MULTI_CONVERSATIONS_SELECT: Object = element(
    "multi_conversations_select",
    &[
        PLACEHOLDER,
        field("initial_conversations", Kind::Array(&IDS)),
        DEFAULT_CONVERSATION,
        FILTER,
        MOST_SELECTED,
        CONFIRM,
        FOCUS,
    ],
);
pub static MULTI_CHANNELS_SELECT: Object = element(
    "multi_channels_select",
    &[PLACEHOLDER, field("initial_channels", Kind::Array(&IDS)), MOST_SELECTED, CONFIRM, FOCUS],
);

static OVERFLOW_OPTIONS: Array = array("options", Kind::Object(&OVERFLOW_OPTION), 1, max(5));
static CHOICES: Array = array("options", Kind::Object(&CHOICE), 1, max(10));
static INITIAL_CHOICES: Array = array("options", Kind::Object(&CHOICE), 0, NO_MAX);
const CHOICE_OPTIONS: Field = field("options", Kind::Array(&CHOICES)).required().from(&[TYPES, SLACKBLOCKS]);

pub static OVERFLOW: Object = element(
    "overflow",
    &[field("options", Kind::Array(&OVERFLOW_OPTIONS)).required().from(&[TYPES, SLACKBLOCKS]), CONFIRM],
);
pub static CHECKBOXES: Object =
    element("checkboxes", &[CHOICE_OPTIONS, field("initial_options", Kind::Array(&INITIAL_CHOICES)), CONFIRM, FOCUS]);
pub static RADIO_BUTTONS: Object =
    element("radio_buttons", &[CHOICE_OPTIONS, field("initial_option", Kind::Object(&CHOICE)), CONFIRM, FOCUS]);

pub static DATEPICKER: Object =
    element("datepicker", &[PLACEHOLDER, field("initial_date", formatted(Format::Date, NO_MAX)), CONFIRM, FOCUS]);
pub static TIMEPICKER: Object = element(
    "timepicker",
    &[PLACEHOLDER, field("initial_time", formatted(Format::Time, NO_MAX)), field("timezone", string()), CONFIRM, FOCUS],
);
pub static DATETIMEPICKER: Object = element(
    "datetimepicker",
    // Ten digits: the SDK's text says 99999999, but its code and its test say otherwise.
    &[field("initial_date_time", Int(0, 9_999_999_999)).from(&[PYTHON]), CONFIRM, FOCUS],
);

pub static FEEDBACK_BUTTONS: Object = element(
    "feedback_buttons",
    &[
        field("positive_button", Kind::Object(&FEEDBACK_BUTTON)).required(),
        field("negative_button", Kind::Object(&FEEDBACK_BUTTON)).required(),
    ],
);
static FEEDBACK_BUTTON: Object = object(
    "feedback button",
    &[
        field("text", plain(75)).required().from(&[MESSAGING, SLACKBLOCKS, PYTHON]),
        field("value", up_to(max(2_000))).required().from(&[MESSAGING, SLACKBLOCKS, PYTHON]),
        field("accessibility_label", up_to(max(75))).from(&[MESSAGING, SLACKBLOCKS, PYTHON]),
    ],
);
pub static ICON_BUTTON: Object = element(
    "icon_button",
    &[
        // The only example in the documents.
        field("icon", Enum(&["trash"])).required().undocumented(),
        field("text", plain(3_000)).required(),
        field("value", up_to(max(2_000))).from(LIMITS),
        field("accessibility_label", up_to(max(75))).from(LIMITS),
        field("visible_to_user_ids", Kind::Array(&VISIBLE_TO)).from(&[SLACKBLOCKS]),
        CONFIRM,
    ],
);
static VISIBLE_TO: Array = array("ids", string(), 0, max(10));

pub static PLAIN_TEXT_INPUT: Object = element(
    "plain_text_input",
    &[
        PLACEHOLDER,
        INITIAL_TEXT,
        field("multiline", Bool),
        field("min_length", Int(0, 3_000)).from(LIMITS),
        field("max_length", Int(1, 3_000)).from(LIMITS),
        DISPATCH,
        FOCUS,
    ],
);
pub static NUMBER_INPUT: Object = element(
    "number_input",
    &[
        PLACEHOLDER,
        field("is_decimal_allowed", Bool).required(),
        INITIAL_TEXT,
        field("min_value", string()),
        field("max_value", string()),
        DISPATCH,
        FOCUS,
    ],
);
pub static EMAIL_TEXT_INPUT: Object = element("email_text_input", &[PLACEHOLDER, INITIAL_TEXT, DISPATCH, FOCUS]);
pub static URL_TEXT_INPUT: Object = element("url_text_input", &[PLACEHOLDER, INITIAL_TEXT, DISPATCH, FOCUS]);
pub static FILE_INPUT: Object =
    element("file_input", &[field("filetypes", Kind::Array(&FILE_TYPES)), field("max_files", Int(1, 10)).from(LIMITS)]);
static FILE_TYPES: Array = array("file types", string(), 0, NO_MAX);
pub static RICH_TEXT_INPUT: Object = element(
    "rich_text_input",
    &[
        PLACEHOLDER,
        field("initial_value", Kind::Object(&RICH_TEXT)),
        field("min_lines", Int(1, 100)),
        field("max_lines", Int(1, 100)),
        DISPATCH,
        FOCUS,
    ],
);
