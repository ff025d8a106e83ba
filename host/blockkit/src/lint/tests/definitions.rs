//! Every rule of the definitions, tried in every place where it applies: at the limit no finding, above it one.
//!
//! The messages are made from the definitions, so that whatever is added there is tried here.

use serde_json::{Value, json};

use crate::lint::definitions::{BLOCKS, ELEMENTS, INLINE, MESSAGE};
use crate::lint::samples::{Slot, sample, sample_object, sample_text, stretch};
use crate::lint::schema::{Array, Dependency, Field, Format, Kind, Max, Object, Presence, Str, TextType, Union};
use crate::lint::source::UNSOURCED;
use crate::lint::{Finding, Rule, Severity};

/// The way through all definitions, each object once.
#[derive(Default)]
pub struct Traversal {
    /// Every object so far.
    pub seen: Vec<&'static Object>,
    rules: usize,
    problems: Vec<String>,
}

impl Traversal {
    /// Starts at the message.
    pub fn whole() -> Self {
        let mut traversal = Self::default();
        traversal.object(&Slot { path: String::new(), message: &|value| value }, &MESSAGE);
        traversal
    }

    fn has_seen(&self, object: &Object) -> bool {
        self.seen.iter().any(|seen| std::ptr::eq(*seen, object))
    }

    fn object(&mut self, slot: &Slot<'_>, object: &'static Object) {
        if self.has_seen(object) {
            return;
        }
        self.seen.push(object);
        self.expect_no_error(slot, sample_object(object));
        self.unknown_field(slot, object);
        self.groups(slot, object);
        self.dependencies(slot, object);
        for field in object.all_fields() {
            let with = |value: Value| {
                let mut whole = sample_object(object);
                let fields = whole.as_object_mut().unwrap();
                if object.one_of.contains(&field.key) {
                    fields.retain(|key, _| !object.one_of.contains(&key.as_str()));
                }
                fields.insert(field.key.to_owned(), value);
                (slot.message)(whole)
            };
            let slot = Slot { path: slot.below(field.key), message: &with };
            if field.is_forbidden() {
                self.expect(&slot, json!(true), &slot.path, Rule::ForbiddenField, field.severity());
                continue;
            }
            self.presence(&slot, object, field);
            self.kind(&slot, &field.kind, field);
        }
    }

    fn kind(&mut self, slot: &Slot<'_>, kind: &'static Kind, field: &'static Field) {
        if !matches!(kind, Kind::Any) {
            self.wrong_types(slot, kind, field);
        }
        match kind {
            Kind::Str(rules) => self.string(slot, rules, field),
            Kind::Int(min, max) => {
                for good in [*min, *max].map(|number| json!(number)) {
                    self.expect_nothing(slot, good, &slot.path);
                }
                if let Some(below) = min.checked_sub(1) {
                    self.expect(slot, json!(below), &slot.path, Rule::TooSmall, field.severity());
                }
                if let Some(above) = max.checked_add(1) {
                    self.expect(slot, json!(above), &slot.path, Rule::TooLarge, field.severity());
                }
                self.expect(slot, json!(1.5), &slot.path, Rule::WrongType, field.severity());
            }
            Kind::Positive => {
                self.expect_nothing(slot, json!(0.001), &slot.path);
                self.expect(slot, json!(0), &slot.path, Rule::TooSmall, field.severity());
            }
            Kind::Enum(allowed) => {
                for value in *allowed {
                    self.expect_nothing(slot, json!(value), &slot.path);
                }
                self.expect(slot, json!("no such"), &slot.path, Rule::UnknownValue, field.severity());
            }
            Kind::Text(text_type, max) => self.text_object(slot, *text_type, *max, field),
            Kind::Object(object) => {
                if object.tagged {
                    let mut other = sample_object(object);
                    other["type"] = json!("another");
                    self.expect(slot, other.clone(), &slot.below("type"), Rule::MisplacedType, Severity::Error);
                    other.as_object_mut().unwrap().remove("type");
                    self.expect(slot, other, &slot.path, Rule::Missing, Severity::Error);
                }
                self.object(slot, object);
            }
            Kind::Union(union) => self.union(slot, union),
            Kind::Array(array) => self.array(slot, array, field),
            Kind::Any | Kind::Bool | Kind::Flag | Kind::Number | Kind::IntOrStr | Kind::Forbidden => {}
        }
    }

    fn presence(&mut self, slot: &Slot<'_>, object: &Object, field: &'static Field) {
        let found = slot.check(Value::Null);
        self.rules += 1;
        let null = found.iter().any(|found| found.path == slot.path && found.rule == Rule::Null);
        let grouped = object.any_of.contains(&field.key) || object.one_of.contains(&field.key);
        let missing = found.iter().find(|found| found.rule == Rule::Missing).map(|found| found.severity);
        let expected = match field.presence {
            Presence::Optional => None,
            Presence::Disputed => Some(Severity::Warning),
            Presence::Required => Some(Severity::Error),
        };
        if !null || (missing != expected && !grouped) {
            self.problems.push(format!("{}: null: {found:?}", slot.path));
        }
    }

    fn string(&mut self, slot: &Slot<'_>, rules: &Str, field: &'static Field) {
        // Code points: a letter of one byte, one of two, one that is a surrogate pair in JavaScript, and one that
        // people see as a single character but is three.
        for unit in ["a", "é", "😀", "👩‍💻"] {
            if !matches!(rules.format, Format::Any | Format::NotBlank | Format::BlockId | Format::ActionId)
                && unit != "a"
            {
                continue;
            }
            let long = |count: usize| json!(stretch(sample_text(rules), unit, count));
            self.most(slot, rules.max, Rule::TooLong, &slot.path, field, &long);
        }
        if rules.min > 0 {
            let short = json!("a".repeat(rules.min - 1));
            self.expect(slot, short, &slot.path, Rule::TooShort, field.severity());
        }
        let (bad, rule, severity) = match rules.format {
            Format::Any => return,
            Format::NotBlank => (" ", Rule::Blank, Severity::Warning),
            Format::NotEmpty => ("", Rule::Blank, Severity::Warning),
            Format::BlockId | Format::ActionId => return,
            Format::FetchedUrl | Format::LinkUrl => ("javascript:alert(1)", Rule::Url, field.severity()),
            Format::HttpsUrl => ("http://example.org/", Rule::Url, field.severity()),
            _ => ("bad", Rule::Format, field.severity()),
        };
        self.expect(slot, json!(bad), &slot.path, rule, severity);
    }

    fn text_object(&mut self, slot: &Slot<'_>, text_type: TextType, max: Max, field: &'static Field) {
        let path = slot.below("text");
        let kinds: &[&str] = match text_type {
            TextType::Any => &["plain_text", "mrkdwn"],
            TextType::Plain => &["plain_text"],
            TextType::Mrkdwn => &["mrkdwn"],
        };
        for kind in kinds {
            for unit in ["a", "é", "😀", "&amp;"] {
                let long = |count| json!({ "type": kind, "text": stretch("", unit, count) });
                self.most(slot, max, Rule::TooLong, &path, field, &long);
            }
            self.expect(slot, json!({ "type": kind, "text": "" }), &path, Rule::TooShort, Severity::Error);
            self.expect(slot, json!({ "type": kind }), &slot.path, Rule::Missing, Severity::Error);
        }
        let wrong = |kind: &str| json!({ "type": kind, "text": "a" });
        let at = slot.below("type");
        match text_type {
            TextType::Any => {}
            TextType::Plain => self.expect(slot, wrong("mrkdwn"), &at, Rule::TextType, Severity::Error),
            TextType::Mrkdwn => self.expect(slot, wrong("plain_text"), &at, Rule::TextType, Severity::Warning),
        }
        self.expect(slot, wrong("other"), &at, Rule::MisplacedType, Severity::Error);
        let emoji = json!({ "type": "mrkdwn", "text": "a", "emoji": true });
        if text_type != TextType::Plain {
            self.expect(slot, emoji, &slot.below("emoji"), Rule::ForbiddenField, Severity::Error);
        }
    }

    fn union(&mut self, slot: &Slot<'_>, union: &'static Union) {
        let at = slot.below("type");
        self.expect(slot, json!({}), &slot.path, Rule::Missing, Severity::Error);
        self.expect(slot, json!({ "type": 1 }), &at, Rule::WrongType, Severity::Error);
        self.expect(slot, json!({ "type": "no such" }), &at, Rule::UnknownType, union.unknown);
        let unlisted = |object: &&&'static Object| !union.members.iter().any(|listed| listed.name == object.name);
        for object in union.known.iter().filter(unlisted) {
            self.expect(slot, sample_object(object), &at, Rule::MisplacedType, union.misplaced);
        }
        for object in union.members {
            self.expect_no_error(slot, sample_object(object));
            self.object(slot, object);
        }
    }

    fn array(&mut self, slot: &Slot<'_>, array: &'static Array, field: &'static Field) {
        let many = |count: usize| Value::Array(vec![sample(&array.items); count]);
        self.most(slot, array.max, Rule::TooMany, &slot.path, field, &many);
        if array.min > 0 {
            self.expect_nothing(slot, many(array.min), &slot.path);
            self.expect(slot, many(array.min - 1), &slot.path, Rule::TooFew, field.severity());
        }
        // Not the first item: an index that is not counted would still be 0.
        let at = 1.max(array.min - usize::from(array.min > 1));
        let at = if array.max.agreed > 1 { at } else { 0 };
        let with = |value: Value| {
            let mut items = vec![sample(&array.items); array.min.max(at + 1)];
            items[at] = value;
            (slot.message)(Value::Array(items))
        };
        let item = Slot { path: slot.below(&at.to_string()), message: &with };
        self.kind(&item, &array.items, field);
        if array.nulls {
            self.expect_nothing(&item, Value::Null, &item.path);
        }
    }

    fn wrong_types(&mut self, slot: &Slot<'_>, kind: &Kind, field: &'static Field) {
        for wrong in [json!(true), json!(7), json!("seven"), json!(["seven"]), json!({ "seven": 7 })] {
            let fits = match kind {
                Kind::Bool | Kind::Flag => wrong.is_boolean(),
                Kind::Str(_) | Kind::Enum(_) => wrong.is_string(),
                Kind::Int(..) | Kind::Number | Kind::Positive => wrong.is_number(),
                Kind::IntOrStr => wrong.is_number() || wrong.is_string(),
                Kind::Text(..) | Kind::Object(_) | Kind::Union(_) => wrong.is_object(),
                Kind::Array(_) => wrong.is_array(),
                Kind::Any | Kind::Forbidden => true,
            };
            if !fits {
                self.expect(slot, wrong, &slot.path, Rule::WrongType, field.severity());
            }
        }
    }

    fn unknown_field(&mut self, slot: &Slot<'_>, object: &Object) {
        let mut whole = sample_object(object);
        whole["no/such~field"] = json!(1);
        self.expect(slot, whole, &slot.below("no~1such~0field"), Rule::UnknownField, Severity::Warning);
    }

    fn groups(&mut self, slot: &Slot<'_>, object: &'static Object) {
        for (group, both) in [(object.any_of, None), (object.one_of, Some(Rule::OnlyOneOf))] {
            if group.is_empty() {
                continue;
            }
            let mut none = sample_object(object);
            none.as_object_mut().unwrap().retain(|key, _| !group.contains(&key.as_str()));
            let mut all = none.clone();
            for field in object.fields.iter().filter(|field| group.contains(&field.key)) {
                all[field.key] = sample(&field.kind);
            }
            self.expect(slot, none, &slot.path, Rule::MissingOneOf, Severity::Error);
            match both {
                Some(rule) => self.expect(slot, all, &slot.path, rule, Severity::Error),
                None => self.expect_nothing(slot, all, &slot.path),
            }
        }
    }

    fn dependencies(&mut self, slot: &Slot<'_>, object: &'static Object) {
        for dependency in object.dependencies {
            let yes = || Some(json!(true));
            let sample_of = |key: &str| sample(&object.fields.iter().find(|field| field.key == key).unwrap().kind);
            let (a, b, good, bad, severity) = match *dependency {
                Dependency::Requires(a, b) => (a, b, [yes(), yes()], [yes(), None], Severity::Error),
                Dependency::Excludes(a, b) => (a, b, [yes(), None], [yes(), yes()], Severity::Error),
                Dependency::NoEffectWithout(a, b) => {
                    let (x, y) = (Some(sample_of(a)), Some(sample_of(b)));
                    (a, b, [x.clone(), y], [x, None], Severity::Warning)
                }
                Dependency::NoEffectWith(a, b) => {
                    let (x, y) = (Some(sample_of(a)), Some(sample_of(b)));
                    (a, b, [x.clone(), None], [x, y], Severity::Warning)
                }
            };
            let with = |values: [Option<Value>; 2]| {
                let mut whole = sample_object(object);
                for (key, value) in [a, b].into_iter().zip(values) {
                    if let Some(value) = value {
                        whole[key] = value;
                    }
                }
                whole
            };
            let found = slot.check(with(good));
            if found.iter().any(|one| one.rule == Rule::FieldDependency && one.path == slot.below(a)) {
                self.problems.push(format!("{}: {dependency:?}: {found:?}", slot.path));
            }
            self.expect(slot, with(bad), &slot.below(a), Rule::FieldDependency, severity);
        }
    }

    /// At each of the two limits, and one above.
    fn most(
        &mut self,
        slot: &Slot<'_>,
        max: Max,
        rule: Rule,
        path: &str,
        field: &'static Field,
        make: &dyn Fn(usize) -> Value,
    ) {
        if max.agreed == usize::MAX {
            return;
        }
        self.expect_nothing(slot, make(max.agreed), path);
        let above = if max.agreed == max.largest { field.severity() } else { Severity::Warning };
        self.expect_numbers(slot, make(max.agreed + 1), path, rule, above, max.agreed);
        if max.largest != usize::MAX && max.largest > max.agreed {
            self.expect_numbers(slot, make(max.largest), path, rule, Severity::Warning, max.agreed);
            self.expect_numbers(slot, make(max.largest + 1), path, rule, field.severity(), max.largest);
        }
    }

    fn expect_numbers(
        &mut self,
        slot: &Slot<'_>,
        value: Value,
        path: &str,
        rule: Rule,
        severity: Severity,
        limit: usize,
    ) {
        let found = slot.check(value.clone());
        let numbered = found.iter().find(|one| one.path == path && one.rule == rule);
        let right = numbered.is_some_and(|one| {
            one.limit == Some(limit as i64) && one.value > one.limit && one.message.contains(&limit.to_string())
        });
        if !right {
            self.problems.push(format!("{path}: limit {limit} is not numbered: {numbered:?}"));
        }
        self.expect(slot, value, path, rule, severity);
    }

    /// Exactly this finding at the path, and no error but it.
    fn expect(&mut self, slot: &Slot<'_>, value: Value, path: &str, rule: Rule, severity: Severity) {
        self.rules += 1;
        let found = slot.check(value.clone());
        let here: Vec<_> = found.iter().filter(|one| one.path == path && one.rule == rule).collect();
        let alone = found.iter().filter(|one| is_error(one)).all(|one| one.path == path);
        // An object of the wrong type lacks what others need.
        let other = matches!(rule, Rule::MisplacedType | Rule::UnknownType | Rule::Missing | Rule::WrongType);
        if here.len() != 1 || here[0].severity != severity || !(alone || other) || here[0].sources.is_empty() {
            let shown: String = value.to_string().chars().take(200).collect();
            self.problems.push(format!("{path}: {shown}: expected {severity:?} {rule}, found {found:#?}"));
        }
    }

    fn expect_nothing(&mut self, slot: &Slot<'_>, value: Value, path: &str) {
        self.rules += 1;
        let found = slot.check(value.clone());
        let here: Vec<_> = found.iter().filter(|one| one.path == path && !BETWEEN.contains(&one.rule)).collect();
        if here.iter().any(|one| one.rule != Rule::NoEffect) {
            let shown: String = value.to_string().chars().take(200).collect();
            self.problems.push(format!("{path}: {shown}: expected nothing, found {here:#?}"));
        }
    }

    fn expect_no_error(&mut self, slot: &Slot<'_>, value: Value) {
        self.rules += 1;
        let errors: Vec<_> = slot.check(value).into_iter().filter(is_error).collect();
        if !errors.is_empty() {
            self.problems.push(format!("{}: the smallest object is refused: {errors:#?}", slot.path));
        }
    }
}

/// Rules about several objects, which samples that are repeated to fill an array break. `rule_tests` has them.
const BETWEEN: [Rule; 10] = [
    Rule::TooManyTables,
    Rule::TooManyCharts,
    Rule::MarkdownTotal,
    Rule::TableText,
    Rule::RaggedRows,
    Rule::PointsPerCategory,
    Rule::DuplicateName,
    Rule::FieldDependency,
    Rule::DuplicateBlockId,
    Rule::DuplicateActionId,
];

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error && !BETWEEN.contains(&finding.rule)
}

impl Field {
    fn is_forbidden(&self) -> bool {
        matches!(self.kind, Kind::Forbidden)
    }
}

#[test]
fn check_at_every_limit_of_the_definitions_finds_what_exceeds_it() {
    let traversal = Traversal::whole();
    let shown: Vec<_> = traversal.problems.iter().take(20).collect();
    assert!(shown.is_empty(), "{} of {}:\n{shown:#?}", traversal.problems.len(), traversal.rules);
    // A traversal that reached nothing would find no problem.
    for object in BLOCKS.iter().chain(ELEMENTS).chain(INLINE) {
        assert!(traversal.has_seen(object), "{} was not reached", object.name);
    }
    assert!(traversal.rules > 3_000, "{}", traversal.rules);
}

#[test]
fn every_field_has_a_source() {
    for object in BLOCKS.iter().chain(ELEMENTS).chain(INLINE).chain([&&MESSAGE]) {
        for field in object.all_fields() {
            assert!(!field.sources.is_empty(), "{} of {}", field.key, object.name);
            assert!(field.sources != [UNSOURCED] || !field.documented, "{} of {}", field.key, object.name);
        }
    }
}
