//! The terms of a definition: objects, their fields, and the values that a field may hold. Data only: `entry` has short
//! ways to write them, `definitions` holds them, `walk` reads them.

use std::fmt;

use super::finding::Severity;
use super::phrase::a;
use super::source::Sources;

/// A block, an element, a composition object, or the message itself.
pub struct Object {
    /// The kind of thing that it is: "block", "element", "object".
    pub noun: &'static str,
    /// Its name; also the value of its `type`, if `tagged`.
    pub name: &'static str,
    /// Whether its `type` field names it.
    pub tagged: bool,
    /// Fields that all objects of this noun have.
    pub common: &'static [Field],
    /// Its own fields, in the order of their findings.
    pub fields: &'static [Field],
    /// Fields of which at least one is required; may be empty.
    pub any_of: &'static [&'static str],
    /// Fields of which exactly one is required; may be empty.
    pub one_of: &'static [&'static str],
    /// Rules between two of its fields.
    pub dependencies: &'static [Dependency],
    /// A rule that a list of fields cannot express.
    pub custom: Option<CustomCheck>,
    /// The reason why it has no effect in an incoming webhook's message, if so.
    pub no_effect: Option<&'static str>,
}

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// The values that it may hold.
    pub kind: Kind,
    /// Whether it is required.
    pub presence: Presence,
    /// Whether its rules are documented. Breaking a rule that is not is only a warning.
    pub documented: bool,
    /// The reason why it has no effect in an incoming webhook's message, if so.
    pub no_effect: Option<&'static str>,
    /// The sources of its rules.
    pub sources: Sources,
}

/// Whether a field is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is not.
    Optional,
    /// Sources disagree.
    Disputed,
    /// It is.
    Required,
}

/// The values that a field or an item may hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any value.
    Any,
    /// `true` or `false`.
    Bool,
    /// The same, or 0 or 1, as Slack's oldest fields take it.
    Flag,
    /// A string.
    Str(Str),
    /// A whole number between the two, inclusive.
    Int(i64, i64),
    /// Any number.
    Number,
    /// A number greater than 0.
    Positive,
    /// A whole number or a string.
    IntOrStr,
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// A text object.
    Text(TextType, Max),
    /// This object; if it is tagged, its `type` is checked.
    Object(&'static Object),
    /// One of several objects, which its `type` tells apart.
    Union(&'static Union),
    /// An array.
    Array(&'static Array),
    /// No value: the field is not allowed.
    Forbidden,
}

/// A string.
#[derive(Debug, Clone, Copy)]
pub struct Str {
    /// The least number of characters.
    pub min: usize,
    /// The greatest number of characters.
    pub max: Max,
    /// What it must look like.
    pub format: Format,
}

/// What a string must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anything.
    Any,
    /// Text for a reader: a blank one is a warning.
    NotBlank,
    /// A piece of a text, which may be the space between two others: an empty one is a warning.
    NotEmpty,
    /// The id of a block.
    BlockId,
    /// The id of an element.
    ActionId,
    /// A URL that Slack fetches.
    FetchedUrl,
    /// A URL that a person opens, on the web or in an app.
    LinkUrl,
    /// An https URL.
    HttpsUrl,
    /// `YYYY-MM-DD`.
    Date,
    /// `HH:mm`.
    Time,
    /// `#RRGGBB`.
    HexColor,
    /// `good`, `warning`, `danger` or a hex colour.
    AttachmentColor,
    /// `:name:`.
    Emoji,
    /// A message's `ts`: `1503435956.000247`.
    MessageTs,
}

/// The text objects that a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextType {
    /// Both.
    Any,
    /// `plain_text` only.
    Plain,
    /// `mrkdwn`; sources disagree about `plain_text`.
    Mrkdwn,
}

/// An upper limit. A value between the two numbers, about which sources disagree, is a warning; one above both is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Max {
    /// The limit that all sources allow.
    pub agreed: usize,
    /// The limit of the most generous source; `usize::MAX` if that knows none.
    pub largest: usize,
}

/// An array.
#[derive(Debug)]
pub struct Array {
    /// The plural for its items.
    pub noun: &'static str,
    /// The value of each item.
    pub items: Kind,
    /// The least number of items.
    pub min: usize,
    /// The greatest number of items.
    pub max: Max,
    /// Whether an item may be `null`.
    pub nulls: bool,
}

/// Objects that their `type` tells apart.
#[derive(Debug)]
pub struct Union {
    /// The noun for all of them.
    pub noun: &'static str,
    /// The objects that are allowed here.
    pub members: &'static [&'static Object],
    /// Objects that exist, but are not allowed here.
    pub known: &'static [&'static Object],
    /// The severity of an object that is known, but not allowed here.
    pub misplaced: Severity,
    /// The severity of a `type` that is not known.
    pub unknown: Severity,
}

/// A rule between two fields of an object.
#[derive(Debug, Clone, Copy)]
pub enum Dependency {
    /// The first may be `true` only where the second is (absent is `false`).
    Requires(&'static str, &'static str),
    /// At most one of them may be `true`.
    Excludes(&'static str, &'static str),
    /// The first has no effect where the second is absent: a warning.
    NoEffectWithout(&'static str, &'static str),
    /// The first has no effect where the second is present: a warning.
    NoEffectWith(&'static str, &'static str),
}

/// A rule that a list of fields cannot express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomCheck {
    /// Of a `table` block.
    Table,
    /// Of a `data_table` block.
    DataTable,
    /// Of a `data_visualization` block.
    DataVisualization,
    /// Of its `chart`, if that has axes.
    AxisChart,
    /// Of a `markdown` block.
    Markdown,
}

impl Field {
    /// Returns the severity of breaking one of its rules.
    pub const fn severity(&self) -> Severity {
        if self.documented { Severity::Error } else { Severity::Warning }
    }
}

/// By name: objects hold each other, a container even itself.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl Object {
    /// Returns its name with an article, as in `a header block`.
    pub fn label(&self) -> String {
        if self.tagged { a(&format!("{} {}", self.name, self.noun)) } else { a(self.name) }
    }

    /// Returns its common fields, then its own.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.common.iter().chain(self.fields)
    }
}
