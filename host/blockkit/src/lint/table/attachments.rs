//! Attachments: the older half of Slack's messages, about which it is lenient.

use super::super::entry::{NO_MAX, field, formed, list, max, object, string, up_to};
use super::super::schema::Kind::{Any, Enum, Flag, IntOrStr};
use super::super::schema::{Field, Form, Kind, List, Object, Pair};
use super::blocks::ANY_BLOCK;
use super::{DOCS, HEARSAY, PYTHON, TYPES};

static ATTACHMENT_BLOCKS: List = list("blocks", Kind::Typed(&ANY_BLOCK), 0, max(50));
static FIELDS: List = list("fields", Kind::Object(&ATTACHMENT_FIELD), 0, NO_MAX);
static MARKUP_IN: List = list("names", Enum(&["pretext", "text", "fields"]), 0, NO_MAX);
static ACTIONS: List = list("actions", Kind::Object(&LEGACY_ACTION), 0, max(5));

/// An attachment.
pub static ATTACHMENT: Object = object(
    "attachment",
    &[
        field("blocks", Kind::List(&ATTACHMENT_BLOCKS)).from(&[TYPES, DOCS]),
        field("fallback", string()),
        field("color", formed(Form::AttachmentColor, NO_MAX)).unsure().from(&[TYPES, PYTHON]),
        field("pretext", string()),
        field("author_name", string()),
        field("author_subname", string()),
        url("author_link", Form::Opened),
        url("author_icon", Form::Fetched),
        field("title", string()),
        url("title_link", Form::Opened),
        field("text", string()),
        field("fields", Kind::List(&FIELDS)),
        url("image_url", Form::Fetched),
        url("thumb_url", Form::Fetched),
        field("footer", up_to(max(300))).from(&[TYPES, PYTHON]),
        url("footer_icon", Form::Fetched),
        field("ts", IntOrStr),
        field("mrkdwn_in", Kind::List(&MARKUP_IN)),
        field("actions", Kind::List(&ACTIONS)).from(&[PYTHON]),
        field("callback_id", string()),
        hearsay("id"),
        hearsay("attachment_type"),
        hearsay("app_unfurl_url"),
        hearsay("is_app_unfurl"),
        hearsay("app_id"),
        hearsay("bot_id"),
        hearsay("preview"),
        hearsay("author_id"),
        hearsay("service_name"),
        hearsay("service_icon"),
        hearsay("service_url"),
        hearsay("from_url"),
        hearsay("original_url"),
    ],
)
.pairs(&[
    Pair::IdleWithout("author_link", "author_name"),
    Pair::IdleWithout("author_icon", "author_name"),
    Pair::IdleWithout("ts", "footer"),
    Pair::IdleBeside("thumb_url", "image_url"),
]);

const fn url(key: &'static str, form: Form) -> Field {
    field(key, formed(form, NO_MAX)).unsure()
}

/// Seen in messages that Slack hands out; known so that it is not called unknown.
const fn hearsay(key: &'static str) -> Field {
    field(key, Any).unsure().from(&[HEARSAY])
}

static ATTACHMENT_FIELD: Object = object(
    "attachment field",
    &[field("title", string()), field("value", string()).unsure(), field("short", Flag).unsure()],
);

static LEGACY_ACTION: Object = object(
    "attachment action",
    &[
        field("type", string()).unsure(),
        field("name", string()).unsure(),
        field("text", string()).unsure(),
        field("value", string()).unsure(),
        field("style", Enum(&["default", "primary", "danger"])).unsure(),
        url("url", Form::Opened),
        hearsay("id"),
        hearsay("confirm"),
        hearsay("data_source"),
        hearsay("min_query_length"),
        hearsay("options"),
        hearsay("option_groups"),
        hearsay("selected_options"),
    ],
);
