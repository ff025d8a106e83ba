//! An incoming webhook's body.

use super::attachments::ATTACHMENT;
use super::blocks::ANY_BLOCK;
use crate::lint::entry::{NO_MAX, array, field, formatted, max, object, string};
use crate::lint::schema::Kind::{Any, Bool, Enum, Flag};
use crate::lint::schema::{Array, Field, Format, Kind, Object};
use crate::lint::source::{DOCS, UNSOURCED, WEBHOOK};

const LEGACY: &str = "only legacy webhooks accept it; an app's webhook has its own";
const REPLY: &str = "only a reply to a response_url accepts it";

static MESSAGE_BLOCKS: Array = array("blocks", Kind::Union(&ANY_BLOCK), 0, max(50));
static MESSAGE_ATTACHMENTS: Array = array("attachments", Kind::Object(&ATTACHMENT), 0, max(100));

/// That it needs `text`, `blocks` or `attachments` is a rule of `body`.
pub static MESSAGE: Object = Object {
    noun: "body",
    ..object(
        "message",
        &[
            // Its length is a rule of `body`: Slack truncates a longer text instead of refusing it.
            field("text", string()).from(&[DOCS]),
            field("blocks", Kind::Array(&MESSAGE_BLOCKS)).from(&[DOCS]),
            field("attachments", Kind::Array(&MESSAGE_ATTACHMENTS)).from(&[DOCS]),
            field("thread_ts", formatted(Format::MessageTs, NO_MAX)).undocumented().from(&[UNSOURCED]),
            field("mrkdwn", Flag).undocumented().from(&[UNSOURCED]),
            field("unfurl_links", Flag).from(&[WEBHOOK]),
            field("unfurl_media", Flag).from(&[WEBHOOK]),
            field("link_names", Flag).from(&[WEBHOOK]),
            field("parse", string()).undocumented().from(&[UNSOURCED]),
            field("metadata", Kind::Object(&METADATA)).from(&[WEBHOOK]),
            legacy("channel", string()),
            legacy("username", string()),
            legacy("icon_emoji", formatted(Format::Emoji, NO_MAX)),
            legacy("icon_url", formatted(Format::FetchedUrl, NO_MAX)),
            reply("response_type", Enum(&["in_channel", "ephemeral"])),
            reply("replace_original", Bool),
            reply("delete_original", Bool),
        ],
    )
};

const fn legacy(key: &'static str, kind: Kind) -> Field {
    field(key, kind).undocumented().no_effect(LEGACY).from(&[WEBHOOK])
}

const fn reply(key: &'static str, kind: Kind) -> Field {
    field(key, kind).undocumented().no_effect(REPLY).from(&[UNSOURCED])
}

static METADATA: Object = object(
    "metadata",
    &[
        field("event_type", string()).required_by_some().from(&[WEBHOOK]),
        field("event_payload", Any).required_by_some().from(&[WEBHOOK]),
    ],
);
