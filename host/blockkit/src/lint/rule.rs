//! The linter's rules by name: a finding shows the name in brackets, and programs match on it.

use std::fmt;

/// A rule that a body can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A JSON value of a type that the field does not take.
    WrongType,
    /// A `null`, where Slack's documents know only absent fields.
    Null,
    /// A required field is missing.
    Missing,
    /// All of several fields are missing, of which one is required.
    MissingOneOf,
    /// Several fields, of which only one is allowed.
    OnlyOneOf,
    /// A field that is not allowed, or has no effect, because of another field.
    FieldDependency,
    /// A text with too few characters.
    TooShort,
    /// A text with too many characters.
    TooLong,
    /// A text that shows nothing.
    Blank,
    /// An array with too few items.
    TooFew,
    /// An array with too many items.
    TooMany,
    /// A number that is too small.
    TooSmall,
    /// A number that is too large.
    TooLarge,
    /// A string that is not one of those that the field takes.
    UnknownValue,
    /// A date, time, colour, emoji or timestamp in another format.
    Format,
    /// A string that is not a URL, or is one of the wrong scheme.
    Url,
    /// The URL of an image that Slack can hardly fetch: of a private network, or a file of Slack's own.
    Unreachable,
    /// `mrkdwn` in place of `plain_text`, or the other way round.
    TextType,
    /// A field that the object does not have.
    UnknownField,
    /// A field that is not allowed in this object.
    ForbiddenField,
    /// A block or an element of a `type` that is not known.
    UnknownType,
    /// An object of a `type` that is not allowed in this place.
    MisplacedType,
    /// A field or an object without effect in an incoming webhook's message.
    NoEffect,
    /// No text, blocks or attachments.
    NoContent,
    /// More than one table in a message.
    TooManyTables,
    /// Too many charts in a message.
    TooManyCharts,
    /// Too much text in all `markdown` blocks of a message.
    MarkdownTotal,
    /// Too much text in all blocks of a message.
    BlocksText,
    /// Too much text in all cells of a table.
    TableText,
    /// A row with another number of cells than the first row.
    RaggedRows,
    /// Rich text in the header row of a `data_table`.
    HeaderRow,
    /// A series without exactly one point for each category.
    PointsPerCategory,
    /// A name that is not unique in its chart.
    DuplicateName,
    /// A `block_id` that an earlier block has.
    DuplicateBlockId,
    /// An `action_id` that an earlier element of the same block has.
    DuplicateActionId,
    /// A rule of the calling program, by its name, for findings that it adds itself.
    Custom(&'static str),
}

impl Rule {
    /// Returns the rule's name, as in `too-long`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongType => "wrong-type",
            Self::Null => "null",
            Self::Missing => "missing",
            Self::MissingOneOf => "missing-one-of",
            Self::OnlyOneOf => "only-one-of",
            Self::FieldDependency => "field-dependency",
            Self::TooShort => "too-short",
            Self::TooLong => "too-long",
            Self::Blank => "blank",
            Self::TooFew => "too-few",
            Self::TooMany => "too-many",
            Self::TooSmall => "too-small",
            Self::TooLarge => "too-large",
            Self::UnknownValue => "unknown-value",
            Self::Format => "format",
            Self::Url => "url",
            Self::Unreachable => "unreachable",
            Self::TextType => "text-type",
            Self::UnknownField => "unknown-field",
            Self::ForbiddenField => "forbidden-field",
            Self::UnknownType => "unknown-type",
            Self::MisplacedType => "misplaced-type",
            Self::NoEffect => "no-effect",
            Self::NoContent => "no-content",
            Self::TooManyTables => "too-many-tables",
            Self::TooManyCharts => "too-many-charts",
            Self::MarkdownTotal => "markdown-total",
            Self::BlocksText => "blocks-text",
            Self::TableText => "table-text",
            Self::RaggedRows => "ragged-rows",
            Self::HeaderRow => "header-row",
            Self::PointsPerCategory => "points-per-category",
            Self::DuplicateName => "duplicate-name",
            Self::DuplicateBlockId => "duplicate-block-id",
            Self::DuplicateActionId => "duplicate-action-id",
            Self::Custom(name) => name,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
