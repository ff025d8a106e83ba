//! The ids of messages on the command line.

use clap::builder::RangedI64ValueParser;
use clap::value_parser;

/// Parses an id.
pub(super) fn message_id() -> RangedI64ValueParser<i64> {
    value_parser!(i64).range(1..)
}

/// Says that there is no message of this id.
pub(super) fn no_such_message(id: i64) -> String {
    format!(
        "there is no message {id} in the queue; it may have been merged into a digest, or formatted again under a new id \
         when it was retried; see `banhook queue list`"
    )
}
