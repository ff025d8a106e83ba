//! What the table is made of: objects, their fields, and what a field may hold. Data only: `entry` makes it, `walk` reads it.

use std::fmt;

use super::finding::Severity;
use super::words::a;

/// A block, an element, a composition object, or the message itself.
pub struct Object {
    /// What it is one of: "block", "element", "object".
    pub noun: &'static str,
    /// What it is called; also what stands in its `type`, if `typed`.
    pub name: &'static str,
    /// Whether it says in `type` what it is.
    pub typed: bool,
    /// Fields that all of its noun have.
    pub common: &'static [Field],
    /// Its own fields, in the order in which findings about them come.
    pub fields: &'static [Field],
    /// Fields of which at least one must be there; may be empty.
    pub any_of: &'static [&'static str],
    /// Fields of which exactly one must be there; may be empty.
    pub one_of: &'static [&'static str],
    /// How its fields depend on each other.
    pub pairs: &'static [Pair],
    /// What no table of fields can say.
    pub extra: Option<Extra>,
    /// Why an incoming webhook cannot use it, if so.
    pub useless: Option<&'static str>,
}

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
    /// Whether what we know of it is documented, so that breaking it is an error and no warning.
    pub sure: bool,
    /// Why an incoming webhook cannot use it, if so.
    pub useless: Option<&'static str>,
    /// Where its rules were read.
    pub sources: &'static [&'static str],
}

/// Whether a field must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It need not.
    Optional,
    /// Sources disagree.
    Disputed,
    /// It must.
    Required,
}

/// What a field or item may hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Anything.
    Any,
    /// True or false.
    Flag,
    /// A string.
    Str(Str),
    /// A whole number from, to.
    Int(i64, i64),
    /// Any number.
    Number,
    /// A number above 0.
    Positive,
    /// A whole number or a string.
    IntOrStr,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// A text object.
    Text(TextForm, Max),
    /// An object that this place demands; if it has a `type`, that is checked.
    Object(&'static Object),
    /// An object that says by its `type` what it is.
    Typed(&'static Types),
    /// An array.
    List(&'static List),
    /// Nothing: the field may not be there.
    Never,
}

/// A string.
#[derive(Debug, Clone, Copy)]
pub struct Str {
    /// How many characters it must have.
    pub min: usize,
    /// How many it may have.
    pub max: Max,
    /// What it is.
    pub form: Form,
}

/// What a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Free,
    /// Text that people should see: blank is a warning.
    Shown,
    /// A piece of a text, which may be the space between two others: empty is a warning.
    Piece,
    /// The id of a block.
    BlockId,
    /// The id of an element.
    ActionId,
    /// A URL that Slack fetches.
    Fetched,
    /// A URL that a person opens, on the web or in an app.
    Opened,
    /// A URL that must be https.
    Https,
    /// `YYYY-MM-DD`.
    Date,
    /// `HH:mm`.
    Time,
    /// `#RRGGBB`.
    Rgb,
    /// `good`, `warning`, `danger` or a hex colour.
    AttachmentColor,
    /// `:name:`.
    Emoji,
    /// A message's time stamp: `1503435956.000247`.
    Timestamp,
}

/// Which text objects may stand in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// Both.
    Any,
    /// `plain_text` only.
    Plain,
    /// `mrkdwn`; of `plain_text`, sources disagree.
    Markup,
}

/// The most of something. Between the two numbers sources disagree: a warning. Above the larger: an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Max {
    /// What all sources allow.
    pub agreed: usize,
    /// What the most generous source allows; `usize::MAX` if one knows no limit.
    pub largest: usize,
}

/// An array.
#[derive(Debug)]
pub struct List {
    /// What its items are called when they are counted.
    pub noun: &'static str,
    /// What each is.
    pub items: Kind,
    /// How many it must have.
    pub min: usize,
    /// How many it may have.
    pub max: Max,
    /// Whether `null` may be among them.
    pub nulls: bool,
}

/// Objects told apart by their `type`.
#[derive(Debug)]
pub struct Types {
    /// What they are called.
    pub noun: &'static str,
    /// Those that may stand here.
    pub listed: &'static [&'static Object],
    /// Those that exist elsewhere.
    pub known: &'static [&'static Object],
    /// How bad one is that exists but is not listed.
    pub unlisted: Severity,
    /// How bad one is that nobody has heard of.
    pub unknown: Severity,
}

/// How two fields of an object depend on each other.
#[derive(Debug, Clone, Copy)]
pub enum Pair {
    /// The first may be `true` only where the second is (absent is `false`).
    OnlyWith(&'static str, &'static str),
    /// Both may not be `true`.
    NeverWith(&'static str, &'static str),
    /// The first does nothing where the second is absent: a warning.
    IdleWithout(&'static str, &'static str),
    /// The first does nothing where the second is present: a warning.
    IdleBeside(&'static str, &'static str),
}

/// What no table of fields can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// A `table` block.
    Table,
    /// A `data_table` block.
    DataTable,
    /// A `data_visualization` block.
    Visualization,
    /// Its `chart`, if that has axes.
    AxisChart,
    /// A `markdown` block.
    Markdown,
}

impl Field {
    /// An error, if what we know is sure.
    pub const fn severity(&self) -> Severity {
        if self.sure { Severity::Error } else { Severity::Warning }
    }
}

/// By name: objects hold each other, a container even itself.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl Object {
    /// As findings call it: `a header block`.
    pub fn label(&self) -> String {
        if self.typed { a(&format!("{} {}", self.name, self.noun)) } else { a(self.name) }
    }

    /// All its fields.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.common.iter().chain(self.fields)
    }
}
