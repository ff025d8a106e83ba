//! The rules of values that hold no others: strings and numbers.

use serde_json::Value;

use super::checker::{Checker, Count};
use super::finding::Severity;
use super::format;
use super::phrase::{either, quoted};
use super::pointer::Pointer;
use super::rule::Rule;
use super::schema::{Field, Format, Str};

impl<'v> Checker<'v> {
    /// Checks a string's length and format.
    pub fn string(&mut self, at: &Pointer<'_>, text: &'v str, rules: &Str, field: &'static Field) {
        let is_counted = self.depth > 0 && field.key == "text";
        // A text has at most as many characters as bytes: short ones need not be counted.
        if is_counted || text.is_empty() || text.len() > rules.max.agreed {
            let count = Count::characters(text);
            self.totals.text += if is_counted { count.value } else { 0 };
            self.bounds(at, count, rules.min, rules.max, field);
        }
        match rules.format {
            Format::Any => {}
            Format::NotBlank if text.trim().is_empty() => {
                self.add(Severity::Warning, at, Rule::Blank, field.sources, "is blank".to_owned());
            }
            Format::NotEmpty if text.is_empty() => {
                self.add(Severity::Warning, at, Rule::Blank, field.sources, "is empty".to_owned());
            }
            Format::NotBlank | Format::NotEmpty => {}
            Format::BlockId if !self.block_ids.insert(text) => {
                let text = format!("an earlier block has the block_id {}", quoted(text));
                self.add(Severity::Warning, at, Rule::DuplicateBlockId, field.sources, text);
            }
            Format::ActionId if !self.action_ids.insert(text) => {
                let text = format!("an earlier element of this block has the action_id {}", quoted(text));
                self.add(Severity::Warning, at, Rule::DuplicateActionId, field.sources, text);
            }
            Format::BlockId | Format::ActionId => {}
            other => {
                if let Some(mismatch) = format::mismatch(other, text) {
                    self.malformed(at, text, mismatch, field);
                }
            }
        }
    }

    /// Checks that a value is a whole number within its bounds.
    pub fn int(&mut self, at: &Pointer<'_>, value: &Value, min: i64, max: i64, field: &'static Field) {
        let Some(number) = format::whole(value) else {
            return self.wrong_type(at, value, "a whole number", field);
        };
        if number < min {
            let text = format!("{number}, at least {min}");
            self.add_numbers(field.severity(), at, Rule::TooSmall, field.sources, text, (number, min));
        }
        if number > max {
            let text = format!("{number}, at most {max}");
            self.add_numbers(field.severity(), at, Rule::TooLarge, field.sources, text, (number, max));
        }
    }

    /// Checks that a value is a number greater than 0.
    pub fn positive(&mut self, at: &Pointer<'_>, value: &Value, field: &'static Field) {
        if !value.is_number() {
            return self.wrong_type(at, value, "a number", field);
        }
        if value.as_f64().is_some_and(|number| number <= 0.0) {
            let text = format!("{value}, must be greater than 0");
            self.add(field.severity(), at, Rule::TooSmall, field.sources, text);
        }
    }

    /// Checks that a value is one of these strings.
    pub fn one_of(&mut self, at: &Pointer<'_>, value: &Value, allowed: &[&'static str], field: &'static Field) {
        let Some(text) = value.as_str() else {
            return self.wrong_type(at, value, "a string", field);
        };
        if !allowed.contains(&text) {
            let text = format!("expected {}, found {}", either(allowed), quoted(text));
            self.add(field.severity(), at, Rule::UnknownValue, field.sources, text);
        }
    }
}
