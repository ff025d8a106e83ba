//! The names of the linter's rules: what a finding shows in brackets, and what programs may look for.

use std::fmt;

/// A rule that a body can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A JSON value of another type than the field takes.
    WrongType,
    /// An explicit `null`, where Slack's documents know only fields that are absent.
    Null,
    /// A field that must be there.
    Missing,
    /// None of several fields of which at least one must be there.
    MissingOneOf,
    /// Several fields of which only one may be there.
    OnlyOneOf,
    /// A field that does nothing without another, or beside another.
    Pairing,
    /// A text with fewer characters than it must have.
    TooShort,
    /// A text with more characters than it may have.
    TooLong,
    /// A text that shows nothing where something should be shown.
    Blank,
    /// A list with fewer items than it must have.
    TooFew,
    /// A list with more items than it may have.
    TooMany,
    /// A number below what it may be.
    TooSmall,
    /// A number above what it may be.
    TooLarge,
    /// A word that is none of those that the field takes.
    UnknownValue,
    /// A date, time, colour or timestamp that is not written as one.
    Format,
    /// What is no URL, or one of a scheme that does not belong there.
    Url,
    /// `mrkdwn` where only `plain_text` may be, or the other way round.
    TextType,
    /// A field that the object does not have.
    UnknownField,
    /// A field that objects of this kind may not have.
    ForbiddenField,
    /// A block, or a part of rich text, of a type that nobody has heard of.
    UnknownType,
    /// An object of a type that may not stand here.
    MisplacedType,
    /// A field or block that an incoming webhook can do nothing with.
    Useless,
    /// Neither text nor blocks nor attachments.
    NoContent,
    /// More than one table in a message.
    OneTable,
    /// More charts than a message may have.
    TooManyCharts,
    /// More text in all `markdown` blocks together than a message may have.
    MarkdownTotal,
    /// More text in all blocks together than Slack has been seen to take.
    BlocksText,
    /// More text in all cells of a table than it may have.
    TableText,
    /// A table's row with another number of cells than the first.
    RaggedRows,
    /// Rich text in the header row of a `data_table`.
    HeaderRow,
    /// A series without exactly one point for each category.
    PointsPerCategory,
    /// A name that must be unique in its chart.
    DuplicateName,
    /// A `block_id` that another block has too.
    DuplicateBlockId,
    /// An `action_id` that another element of the same block has too.
    DuplicateActionId,
    /// A body that is longer than anything sensible; the guard's own.
    BodySize,
    /// A hint that no target knows; the plugin interface's, not Slack's.
    HintUnknown,
    /// A `thread` hint that is no message's `ts`; likewise.
    HintThread,
}

impl Rule {
    /// As it is shown and looked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongType => "wrong-type",
            Self::Null => "null",
            Self::Missing => "missing",
            Self::MissingOneOf => "missing-one-of",
            Self::OnlyOneOf => "only-one-of",
            Self::Pairing => "pairing",
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
            Self::TextType => "text-type",
            Self::UnknownField => "unknown-field",
            Self::ForbiddenField => "forbidden-field",
            Self::UnknownType => "unknown-type",
            Self::MisplacedType => "misplaced-type",
            Self::Useless => "useless",
            Self::NoContent => "no-content",
            Self::OneTable => "one-table",
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
            Self::BodySize => "body-size",
            Self::HintUnknown => "hint-unknown",
            Self::HintThread => "hint-thread",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
