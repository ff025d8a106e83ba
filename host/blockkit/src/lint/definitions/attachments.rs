//! Attachments: the older format of Slack's messages, about which Slack is lenient.

use super::blocks::ANY_BLOCK;
use crate::lint::entry::{NO_MAX, array, field, formatted, max, object, string, up_to};
use crate::lint::schema::Kind::{Any, Bool, Enum, IntOrStr};
use crate::lint::schema::{Array, Dependency, Field, Format, Kind, Object};
use crate::lint::source::{DOCS, PYTHON, TYPES, UNSOURCED};

static ATTACHMENT_BLOCKS: Array = array("blocks", Kind::Union(&ANY_BLOCK), 0, max(50));
static FIELDS: Array = array("fields", Kind::Object(&ATTACHMENT_FIELD), 0, NO_MAX);
static MARKUP_IN: Array = array("names", Enum(&["pretext", "text", "fields"]), 0, NO_MAX);
static ACTIONS: Array = array("actions", Kind::Object(&LEGACY_ACTION), 0, max(5));

/// An attachment.
pub static ATTACHMENT: Object = object(
    "attachment",
    &[
        field("blocks", Kind::Array(&ATTACHMENT_BLOCKS)).from(&[TYPES, DOCS]),
        field("fallback", string()),
        field("color", formatted(Format::AttachmentColor, NO_MAX)).undocumented().from(&[TYPES, PYTHON]),
        field("pretext", string()),
        field("author_name", string()),
        field("author_subname", string()),
        url("author_link", Format::LinkUrl),
        url("author_icon", Format::FetchedUrl),
        field("title", string()),
        url("title_link", Format::LinkUrl),
        field("text", string()),
        field("fields", Kind::Array(&FIELDS)),
        url("image_url", Format::FetchedUrl),
        url("thumb_url", Format::FetchedUrl),
        field("footer", up_to(max(300))).from(&[TYPES, PYTHON]),
        url("footer_icon", Format::FetchedUrl),
        field("ts", IntOrStr),
        field("mrkdwn_in", Kind::Array(&MARKUP_IN)),
        field("actions", Kind::Array(&ACTIONS)).from(&[PYTHON]),
        field("callback_id", string()),
        unsourced("id"),
        unsourced("attachment_type"),
        unsourced("app_unfurl_url"),
        unsourced("is_app_unfurl"),
        unsourced("app_id"),
        unsourced("bot_id"),
        unsourced("preview"),
        unsourced("author_id"),
        unsourced("service_name"),
        unsourced("service_icon"),
        unsourced("service_url"),
        unsourced("from_url"),
        unsourced("original_url"),
    ],
)
.dependencies(&[
    Dependency::NoEffectWithout("author_link", "author_name"),
    Dependency::NoEffectWithout("author_icon", "author_name"),
    Dependency::NoEffectWithout("ts", "footer"),
    Dependency::NoEffectWith("thumb_url", "image_url"),
]);

const fn url(key: &'static str, format: Format) -> Field {
    field(key, formatted(format, NO_MAX)).undocumented()
}

/// Seen in messages that Slack returns; defined so that it is not reported as unknown.
const fn unsourced(key: &'static str) -> Field {
    field(key, Any).undocumented().from(&[UNSOURCED])
}

static ATTACHMENT_FIELD: Object = object(
    "attachment field",
    &[field("title", string()), field("value", string()).undocumented(), field("short", Bool).undocumented()],
);

static LEGACY_ACTION: Object = object(
    "attachment action",
    &[
        field("type", string()).undocumented(),
        field("name", string()).undocumented(),
        field("text", string()).undocumented(),
        field("value", string()).undocumented(),
        field("style", Enum(&["default", "primary", "danger"])).undocumented(),
        url("url", Format::LinkUrl),
        unsourced("id"),
        unsourced("confirm"),
        unsourced("data_source"),
        unsourced("min_query_length"),
        unsourced("options"),
        unsourced("option_groups"),
        unsourced("selected_options"),
    ],
);
