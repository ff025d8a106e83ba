//! How the table's entries are written, so that a field and its limits fit a line.

use super::schema::{Extra, Field, Form, Kind, List, Max, Need, Object, Pair, Str, TextForm};
use super::table::{BLOCK_FIELDS, ELEMENT_FIELDS, TYPES};

/// No limit.
pub const NO_MAX: Max = Max { agreed: usize::MAX, largest: usize::MAX };

/// All sources agree.
pub const fn max(count: usize) -> Max {
    Max { agreed: count, largest: count }
}

/// Sources name different numbers.
pub const fn disputed(agreed: usize, largest: usize) -> Max {
    Max { agreed, largest }
}

/// One source names a number, others know none.
pub const fn perhaps(agreed: usize) -> Max {
    Max { agreed, largest: usize::MAX }
}

/// A string of any length.
pub const fn string() -> Kind {
    Kind::Str(Str { min: 0, max: NO_MAX, form: Form::Free })
}

/// A string of at most so many characters.
pub const fn up_to(max: Max) -> Kind {
    Kind::Str(Str { min: 0, max, form: Form::Free })
}

/// A string of at least one character, and at most so many.
pub const fn filled(max: Max) -> Kind {
    Kind::Str(Str { min: 1, max, form: Form::Free })
}

/// A string of this form.
pub const fn formed(form: Form, max: Max) -> Kind {
    Kind::Str(Str { min: 0, max, form })
}

/// `plain_text` of at most so many characters.
pub const fn plain(max_chars: usize) -> Kind {
    Kind::Text(TextForm::Plain, max(max_chars))
}

/// A text object of at most so many characters.
pub const fn text(max_chars: usize) -> Kind {
    Kind::Text(TextForm::Any, max(max_chars))
}

/// `mrkdwn` of at most so many characters.
pub const fn markup(max_chars: usize) -> Kind {
    Kind::Text(TextForm::Markup, max(max_chars))
}

/// An array of at least and at most so many.
pub const fn list(noun: &'static str, items: Kind, min: usize, max: Max) -> List {
    List { noun, items, min, max, nulls: false }
}

/// An optional field.
pub const fn field(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, need: Need::Optional, sure: true, useless: None, sources: &[TYPES] }
}

/// A block.
pub const fn block(name: &'static str, fields: &'static [Field]) -> Object {
    Object { noun: "block", typed: true, common: BLOCK_FIELDS, ..object(name, fields) }
}

/// An interactive element.
pub const fn element(name: &'static str, fields: &'static [Field]) -> Object {
    Object { noun: "element", typed: true, common: ELEMENT_FIELDS, ..object(name, fields) }
}

/// Anything else that says by its `type` what it is.
pub const fn typed(noun: &'static str, name: &'static str, fields: &'static [Field]) -> Object {
    Object { noun, typed: true, ..object(name, fields) }
}

/// A composition object.
pub const fn object(name: &'static str, fields: &'static [Field]) -> Object {
    Object {
        noun: "object",
        name,
        typed: false,
        common: &[],
        fields,
        any_of: &[],
        one_of: &[],
        pairs: &[],
        extra: None,
        useless: None,
    }
}

impl Field {
    /// It must be there.
    pub const fn required(self) -> Self {
        Self { need: Need::Required, ..self }
    }

    /// Some sources want it.
    pub const fn wanted_by_some(self) -> Self {
        Self { need: Need::Disputed, ..self }
    }

    /// What we know of it is hearsay: no more than warnings.
    pub const fn unsure(self) -> Self {
        Self { sure: false, ..self }
    }

    /// An incoming webhook can do nothing with it.
    pub const fn useless(self, why: &'static str) -> Self {
        Self { useless: Some(why), ..self }
    }

    /// Where its rules were read.
    pub const fn from(self, sources: &'static [&'static str]) -> Self {
        Self { sources, ..self }
    }
}

impl Object {
    /// At least one of these fields must be there.
    pub const fn any_of(self, keys: &'static [&'static str]) -> Self {
        Self { any_of: keys, ..self }
    }

    /// Exactly one of these fields must be there.
    pub const fn one_of(self, keys: &'static [&'static str]) -> Self {
        Self { one_of: keys, ..self }
    }

    /// How its fields depend on each other.
    pub const fn pairs(self, pairs: &'static [Pair]) -> Self {
        Self { pairs, ..self }
    }

    /// What no table of fields can say.
    pub const fn also(self, extra: Extra) -> Self {
        Self { extra: Some(extra), ..self }
    }

    /// An incoming webhook can do nothing with it.
    pub const fn useless(self, why: &'static str) -> Self {
        Self { useless: Some(why), ..self }
    }
}
