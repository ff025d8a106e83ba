//! Short ways to write a definition, so that a field and its limits fit a line.

use super::schema::{Array, CustomCheck, Dependency, Field, Format, Kind, Max, Object, Presence, Str, TextType};
use super::source::{PYTHON, Sources, TYPES};

/// The fields that every block has.
const BLOCK_FIELDS: &[Field] = &[field("block_id", formatted(Format::BlockId, max(255))).from(&[TYPES, PYTHON])];
/// The fields that every interactive element has.
const ELEMENT_FIELDS: &[Field] = &[field("action_id", formatted(Format::ActionId, max(255))).from(&[PYTHON])];

/// No limit.
pub const NO_MAX: Max = Max { agreed: usize::MAX, largest: usize::MAX };

/// A limit on which all sources agree.
pub const fn max(count: usize) -> Max {
    Max { agreed: count, largest: count }
}

/// Two limits, of sources that disagree.
pub const fn disputed(agreed: usize, largest: usize) -> Max {
    Max { agreed, largest }
}

/// A limit that some sources name, while others know none.
pub const fn by_some(agreed: usize) -> Max {
    Max { agreed, largest: usize::MAX }
}

/// A string of any length.
pub const fn string() -> Kind {
    Kind::Str(Str { min: 0, max: NO_MAX, format: Format::Any })
}

/// A string of at most `max` characters.
pub const fn up_to(max: Max) -> Kind {
    Kind::Str(Str { min: 0, max, format: Format::Any })
}

/// A string of 1 to `max` characters.
pub const fn filled(max: Max) -> Kind {
    Kind::Str(Str { min: 1, max, format: Format::Any })
}

/// A string of this format.
pub const fn formatted(format: Format, max: Max) -> Kind {
    Kind::Str(Str { min: 0, max, format })
}

/// A `plain_text` object of at most `max_chars` characters.
pub const fn plain(max_chars: usize) -> Kind {
    Kind::Text(TextType::Plain, max(max_chars))
}

/// A text object of at most `max_chars` characters.
pub const fn text(max_chars: usize) -> Kind {
    Kind::Text(TextType::Any, max(max_chars))
}

/// A `mrkdwn` object of at most `max_chars` characters.
pub const fn mrkdwn(max_chars: usize) -> Kind {
    Kind::Text(TextType::Mrkdwn, max(max_chars))
}

/// An array of `min` to `max` items.
pub const fn array(noun: &'static str, items: Kind, min: usize, max: Max) -> Array {
    Array { noun, items, min, max, nulls: false }
}

/// An optional field.
pub const fn field(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, presence: Presence::Optional, documented: true, no_effect: None, sources: &[TYPES] }
}

/// A block.
pub const fn block(name: &'static str, fields: &'static [Field]) -> Object {
    Object { noun: "block", tagged: true, common: BLOCK_FIELDS, ..object(name, fields) }
}

/// An interactive element.
pub const fn element(name: &'static str, fields: &'static [Field]) -> Object {
    Object { noun: "element", tagged: true, common: ELEMENT_FIELDS, ..object(name, fields) }
}

/// Any other object whose `type` names it.
pub const fn tagged(noun: &'static str, name: &'static str, fields: &'static [Field]) -> Object {
    Object { noun, tagged: true, ..object(name, fields) }
}

/// A composition object.
pub const fn object(name: &'static str, fields: &'static [Field]) -> Object {
    Object {
        noun: "object",
        name,
        tagged: false,
        common: &[],
        fields,
        any_of: &[],
        one_of: &[],
        dependencies: &[],
        custom: None,
        no_effect: None,
    }
}

impl Field {
    /// Makes it required.
    pub const fn required(self) -> Self {
        Self { presence: Presence::Required, ..self }
    }

    /// Makes it required according to some sources.
    pub const fn required_by_some(self) -> Self {
        Self { presence: Presence::Disputed, ..self }
    }

    /// Makes breaking its rules no more than a warning.
    pub const fn undocumented(self) -> Self {
        Self { documented: false, ..self }
    }

    /// States why it has no effect in an incoming webhook's message.
    pub const fn no_effect(self, why: &'static str) -> Self {
        Self { no_effect: Some(why), ..self }
    }

    /// Sets the sources of its rules.
    pub const fn from(self, sources: Sources) -> Self {
        Self { sources, ..self }
    }
}

impl Object {
    /// Requires at least one of these fields.
    pub const fn any_of(self, keys: &'static [&'static str]) -> Self {
        Self { any_of: keys, ..self }
    }

    /// Requires exactly one of these fields.
    pub const fn one_of(self, keys: &'static [&'static str]) -> Self {
        Self { one_of: keys, ..self }
    }

    /// Sets the rules between its fields.
    pub const fn dependencies(self, dependencies: &'static [Dependency]) -> Self {
        Self { dependencies, ..self }
    }

    /// Adds a rule that a list of fields cannot express.
    pub const fn custom(self, custom: CustomCheck) -> Self {
        Self { custom: Some(custom), ..self }
    }

    /// States why it has no effect in an incoming webhook's message.
    pub const fn no_effect(self, why: &'static str) -> Self {
        Self { no_effect: Some(why), ..self }
    }
}
