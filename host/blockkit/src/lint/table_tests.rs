//! Every rule that the table holds, tried at every place where it holds: at the limit nothing, one above a finding.
//!
//! The messages are made from the table: whatever is added there is tried here.

use serde_json::{Map, Value, json};

use super::schema::{Field, Form, Kind, List, Max, Need, Object, Pair, Str, TextForm, Types};
use super::table::{BLOCKS, ELEMENTS, INLINE, MESSAGE};
use super::{Finding, Rule, Severity, check};

/// A place in a message, and how to get something there.
struct Place<'p> {
    path: String,
    message: &'p dyn Fn(Value) -> Value,
}

impl Place<'_> {
    fn check(&self, value: Value) -> Vec<Finding> {
        check(&(self.message)(value))
    }

    fn below(&self, step: &str) -> String {
        format!("{}/{step}", self.path)
    }
}

/// The least that a field may hold.
fn sample(kind: &Kind) -> Value {
    match kind {
        Kind::Any => json!({}),
        Kind::Flag => json!(false),
        Kind::Str(rules) => json!(sample_text(rules)),
        Kind::Int(min, _) => json!(min.max(&0)),
        Kind::Number | Kind::Positive | Kind::IntOrStr => json!(1),
        Kind::Enum(words) => json!(words[0]),
        Kind::Text(TextForm::Any | TextForm::Markup, _) => json!({ "type": "mrkdwn", "text": "a" }),
        Kind::Text(TextForm::Plain, _) => json!({ "type": "plain_text", "text": "a" }),
        Kind::Object(object) => sample_object(object),
        Kind::Typed(types) => sample_object(types.listed[0]),
        Kind::List(list) => Value::Array(vec![sample(&list.items); list.min.max(1)]),
        Kind::Never => unreachable!("nothing is sampled that may not be"),
    }
}

fn sample_text(rules: &Str) -> &'static str {
    match rules.form {
        Form::Free | Form::Shown | Form::Piece | Form::BlockId | Form::ActionId => "a",
        Form::Fetched | Form::Opened | Form::Https => "https://example.org/",
        Form::Date => "2026-11-22",
        Form::Time => "10:56",
        Form::Rgb | Form::AttachmentColor => "#2eb67d",
        Form::Emoji => ":a:",
        Form::Timestamp => "1503435956.000247",
    }
}

/// With all that it needs and nothing else.
fn sample_object(object: &Object) -> Value {
    let mut fields = Map::new();
    if object.typed {
        fields.insert("type".to_owned(), json!(object.name));
    }
    for field in object.all_fields() {
        let first = [object.any_of, object.one_of].iter().any(|group| group.first() == Some(&field.key));
        if field.need != Need::Optional || first {
            fields.insert(field.key.to_owned(), sample(&field.kind));
        }
    }
    if object.name == MESSAGE.name {
        fields.insert("text".to_owned(), json!("fallback"));
    }
    Value::Object(fields)
}

/// Goes wherever the table leads, each object once.
#[derive(Default)]
pub struct Tour {
    /// Every object of the table.
    pub seen: Vec<&'static Object>,
    rules: usize,
    problems: Vec<String>,
}

impl Tour {
    /// From the message to everything in it.
    pub fn whole() -> Self {
        let mut tour = Self::default();
        tour.object(&Place { path: String::new(), message: &|value| value }, &MESSAGE);
        tour
    }

    fn has_seen(&self, object: &Object) -> bool {
        self.seen.iter().any(|seen| std::ptr::eq(*seen, object))
    }

    fn object(&mut self, place: &Place<'_>, object: &'static Object) {
        if self.has_seen(object) {
            return;
        }
        self.seen.push(object);
        self.expect_no_error(place, sample_object(object));
        self.unknown_field(place, object);
        self.groups(place, object);
        self.pairs(place, object);
        for field in object.all_fields() {
            let with = |value: Value| {
                let mut whole = sample_object(object);
                let fields = whole.as_object_mut().unwrap();
                if object.one_of.contains(&field.key) {
                    fields.retain(|key, _| !object.one_of.contains(&key.as_str()));
                }
                fields.insert(field.key.to_owned(), value);
                (place.message)(whole)
            };
            let place = Place { path: place.below(field.key), message: &with };
            if field.kind_is_never() {
                self.expect(&place, json!(true), &place.path, Rule::ForbiddenField, field.severity());
                continue;
            }
            self.presence(&place, object, field);
            self.kind(&place, &field.kind, field);
        }
    }

    fn kind(&mut self, place: &Place<'_>, kind: &'static Kind, field: &'static Field) {
        if !matches!(kind, Kind::Any) {
            self.wrong_types(place, kind, field);
        }
        match kind {
            Kind::Str(rules) => self.string(place, rules, field),
            Kind::Int(min, max) => {
                for good in [*min, *max].map(|number| json!(number)) {
                    self.expect_nothing(place, good, &place.path);
                }
                if let Some(below) = min.checked_sub(1) {
                    self.expect(place, json!(below), &place.path, Rule::TooSmall, field.severity());
                }
                if let Some(above) = max.checked_add(1) {
                    self.expect(place, json!(above), &place.path, Rule::TooLarge, field.severity());
                }
                self.expect(place, json!(1.5), &place.path, Rule::WrongType, field.severity());
            }
            Kind::Positive => {
                self.expect_nothing(place, json!(0.001), &place.path);
                self.expect(place, json!(0), &place.path, Rule::TooSmall, field.severity());
            }
            Kind::Enum(words) => {
                for word in *words {
                    self.expect_nothing(place, json!(word), &place.path);
                }
                self.expect(place, json!("no such"), &place.path, Rule::UnknownValue, field.severity());
            }
            Kind::Text(form, max) => self.text(place, *form, *max, field),
            Kind::Object(object) => {
                if object.typed {
                    let mut other = sample_object(object);
                    other["type"] = json!("another");
                    self.expect(place, other.clone(), &place.below("type"), Rule::MisplacedType, Severity::Error);
                    other.as_object_mut().unwrap().remove("type");
                    self.expect(place, other, &place.path, Rule::Missing, Severity::Error);
                }
                self.object(place, object);
            }
            Kind::Typed(types) => self.typed(place, types),
            Kind::List(list) => self.list(place, list, field),
            Kind::Any | Kind::Flag | Kind::Number | Kind::IntOrStr | Kind::Never => {}
        }
    }

    fn presence(&mut self, place: &Place<'_>, object: &Object, field: &'static Field) {
        let found = place.check(Value::Null);
        self.rules += 1;
        let null = found.iter().any(|found| found.path == place.path && found.rule == Rule::Null);
        let grouped = object.any_of.contains(&field.key) || object.one_of.contains(&field.key);
        let missing = found.iter().find(|found| found.rule == Rule::Missing).map(|found| found.severity);
        let expected = match field.need {
            Need::Optional => None,
            Need::Disputed => Some(Severity::Warning),
            Need::Required => Some(Severity::Error),
        };
        if !null || (missing != expected && !grouped) {
            self.problems.push(format!("{}: null: {found:?}", place.path));
        }
    }

    fn string(&mut self, place: &Place<'_>, rules: &Str, field: &'static Field) {
        // Code points: a letter of one byte, one of two, one that is a surrogate pair in JavaScript, and one that
        // people see as a single character but is three.
        for unit in ["a", "é", "😀", "👩‍💻"] {
            if !matches!(rules.form, Form::Free | Form::Shown | Form::BlockId | Form::ActionId) && unit != "a" {
                continue;
            }
            let long = |count: usize| json!(stretch(sample_text(rules), unit, count));
            self.most(place, rules.max, Rule::TooLong, &place.path, field, &long);
        }
        if rules.min > 0 {
            let short = json!("a".repeat(rules.min - 1));
            self.expect(place, short, &place.path, Rule::TooShort, field.severity());
        }
        let (bad, rule, severity) = match rules.form {
            Form::Free => return,
            Form::Shown => (" ", Rule::Blank, Severity::Warning),
            Form::Piece => ("", Rule::Blank, Severity::Warning),
            Form::BlockId | Form::ActionId => return,
            Form::Fetched | Form::Opened => ("javascript:alert(1)", Rule::Url, field.severity()),
            Form::Https => ("http://example.org/", Rule::Url, field.severity()),
            _ => ("bad", Rule::Format, field.severity()),
        };
        self.expect(place, json!(bad), &place.path, rule, severity);
    }

    fn text(&mut self, place: &Place<'_>, form: TextForm, max: Max, field: &'static Field) {
        let path = place.below("text");
        let kinds: &[&str] = match form {
            TextForm::Any => &["plain_text", "mrkdwn"],
            TextForm::Plain => &["plain_text"],
            TextForm::Markup => &["mrkdwn"],
        };
        for kind in kinds {
            for unit in ["a", "é", "😀", "&amp;"] {
                let long = |count| json!({ "type": kind, "text": stretch("", unit, count) });
                self.most(place, max, Rule::TooLong, &path, field, &long);
            }
            self.expect(place, json!({ "type": kind, "text": "" }), &path, Rule::TooShort, Severity::Error);
            self.expect(place, json!({ "type": kind }), &place.path, Rule::Missing, Severity::Error);
        }
        let wrong = |kind: &str| json!({ "type": kind, "text": "a" });
        let at = place.below("type");
        match form {
            TextForm::Any => {}
            TextForm::Plain => self.expect(place, wrong("mrkdwn"), &at, Rule::TextType, Severity::Error),
            TextForm::Markup => self.expect(place, wrong("plain_text"), &at, Rule::TextType, Severity::Warning),
        }
        self.expect(place, wrong("other"), &at, Rule::MisplacedType, Severity::Error);
        let emoji = json!({ "type": "mrkdwn", "text": "a", "emoji": true });
        if form != TextForm::Plain {
            self.expect(place, emoji, &place.below("emoji"), Rule::ForbiddenField, Severity::Error);
        }
    }

    fn typed(&mut self, place: &Place<'_>, types: &'static Types) {
        let at = place.below("type");
        self.expect(place, json!({}), &place.path, Rule::Missing, Severity::Error);
        self.expect(place, json!({ "type": 1 }), &at, Rule::WrongType, Severity::Error);
        self.expect(place, json!({ "type": "no such" }), &at, Rule::UnknownType, types.unknown);
        let unlisted = |object: &&&'static Object| !types.listed.iter().any(|listed| listed.name == object.name);
        for object in types.known.iter().filter(unlisted) {
            self.expect(place, sample_object(object), &at, Rule::MisplacedType, types.unlisted);
        }
        for object in types.listed {
            self.expect_no_error(place, sample_object(object));
            self.object(place, object);
        }
    }

    fn list(&mut self, place: &Place<'_>, list: &'static List, field: &'static Field) {
        let many = |count: usize| Value::Array(vec![sample(&list.items); count]);
        self.most(place, list.max, Rule::TooMany, &place.path, field, &many);
        if list.min > 0 {
            self.expect_nothing(place, many(list.min), &place.path);
            self.expect(place, many(list.min - 1), &place.path, Rule::TooFew, field.severity());
        }
        // Not the first item: an index that is not counted would still be 0.
        let at = 1.max(list.min - usize::from(list.min > 1));
        let at = if list.max.agreed > 1 { at } else { 0 };
        let with = |value: Value| {
            let mut items = vec![sample(&list.items); list.min.max(at + 1)];
            items[at] = value;
            (place.message)(Value::Array(items))
        };
        let item = Place { path: place.below(&at.to_string()), message: &with };
        self.kind(&item, &list.items, field);
        if list.nulls {
            self.expect_nothing(&item, Value::Null, &item.path);
        }
    }

    fn wrong_types(&mut self, place: &Place<'_>, kind: &Kind, field: &'static Field) {
        for wrong in [json!(true), json!(7), json!("seven"), json!(["seven"]), json!({ "seven": 7 })] {
            let fits = match kind {
                Kind::Flag => wrong.is_boolean(),
                Kind::Str(_) | Kind::Enum(_) => wrong.is_string(),
                Kind::Int(..) | Kind::Number | Kind::Positive => wrong.is_number(),
                Kind::IntOrStr => wrong.is_number() || wrong.is_string(),
                Kind::Text(..) | Kind::Object(_) | Kind::Typed(_) => wrong.is_object(),
                Kind::List(_) => wrong.is_array(),
                Kind::Any | Kind::Never => true,
            };
            if !fits {
                self.expect(place, wrong, &place.path, Rule::WrongType, field.severity());
            }
        }
    }

    fn unknown_field(&mut self, place: &Place<'_>, object: &Object) {
        let mut whole = sample_object(object);
        whole["no/such~field"] = json!(1);
        self.expect(place, whole, &place.below("no~1such~0field"), Rule::UnknownField, Severity::Warning);
    }

    fn groups(&mut self, place: &Place<'_>, object: &'static Object) {
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
            self.expect(place, none, &place.path, Rule::MissingOneOf, Severity::Error);
            match both {
                Some(rule) => self.expect(place, all, &place.path, rule, Severity::Error),
                None => self.expect_nothing(place, all, &place.path),
            }
        }
    }

    fn pairs(&mut self, place: &Place<'_>, object: &'static Object) {
        for pair in object.pairs {
            let yes = || Some(json!(true));
            let sample_of = |key: &str| sample(&object.fields.iter().find(|field| field.key == key).unwrap().kind);
            let (a, b, good, bad, severity) = match *pair {
                Pair::OnlyWith(a, b) => (a, b, [yes(), yes()], [yes(), None], Severity::Error),
                Pair::NeverWith(a, b) => (a, b, [yes(), None], [yes(), yes()], Severity::Error),
                Pair::IdleWithout(a, b) => {
                    let (x, y) = (Some(sample_of(a)), Some(sample_of(b)));
                    (a, b, [x.clone(), y], [x, None], Severity::Warning)
                }
                Pair::IdleBeside(a, b) => {
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
            let found = place.check(with(good));
            if found.iter().any(|one| one.rule == Rule::Pairing && one.path == place.below(a)) {
                self.problems.push(format!("{}: {pair:?}: {found:?}", place.path));
            }
            self.expect(place, with(bad), &place.below(a), Rule::Pairing, severity);
        }
    }

    /// At each of the two limits, and one above.
    fn most(
        &mut self,
        place: &Place<'_>,
        max: Max,
        rule: Rule,
        path: &str,
        field: &'static Field,
        make: &dyn Fn(usize) -> Value,
    ) {
        if max.agreed == usize::MAX {
            return;
        }
        self.expect_nothing(place, make(max.agreed), path);
        let above = if max.agreed == max.largest { field.severity() } else { Severity::Warning };
        self.expect_numbers(place, make(max.agreed + 1), path, rule, above, max.agreed);
        if max.largest != usize::MAX && max.largest > max.agreed {
            self.expect_numbers(place, make(max.largest), path, rule, Severity::Warning, max.agreed);
            self.expect_numbers(place, make(max.largest + 1), path, rule, field.severity(), max.largest);
        }
    }

    fn expect_numbers(
        &mut self,
        place: &Place<'_>,
        value: Value,
        path: &str,
        rule: Rule,
        severity: Severity,
        limit: usize,
    ) {
        let found = place.check(value.clone());
        let told = found.iter().find(|one| one.path == path && one.rule == rule);
        let right = told.is_some_and(|one| {
            one.limit == Some(limit as i64) && one.value > one.limit && one.message.contains(&limit.to_string())
        });
        if !right {
            self.problems.push(format!("{path}: limit {limit} is not told: {told:?}"));
        }
        self.expect(place, value, path, rule, severity);
    }

    /// Exactly this finding at the path, and no error but it.
    fn expect(&mut self, place: &Place<'_>, value: Value, path: &str, rule: Rule, severity: Severity) {
        self.rules += 1;
        let found = place.check(value.clone());
        let here: Vec<_> = found.iter().filter(|one| one.path == path && one.rule == rule).collect();
        let alone = found.iter().filter(|one| is_error(one)).all(|one| one.path == path);
        // An object of the wrong type lacks what others need.
        let other = matches!(rule, Rule::MisplacedType | Rule::UnknownType | Rule::Missing | Rule::WrongType);
        if here.len() != 1 || here[0].severity != severity || !(alone || other) || here[0].sources.is_empty() {
            let shown: String = value.to_string().chars().take(200).collect();
            self.problems.push(format!("{path}: {shown}: expected {severity:?} {rule}, found {found:#?}"));
        }
    }

    fn expect_nothing(&mut self, place: &Place<'_>, value: Value, path: &str) {
        self.rules += 1;
        let found = place.check(value.clone());
        let here: Vec<_> = found.iter().filter(|one| one.path == path && !BETWEEN.contains(&one.rule)).collect();
        if here.iter().any(|one| one.rule != Rule::Useless) {
            let shown: String = value.to_string().chars().take(200).collect();
            self.problems.push(format!("{path}: {shown}: expected nothing, found {here:#?}"));
        }
    }

    fn expect_no_error(&mut self, place: &Place<'_>, value: Value) {
        self.rules += 1;
        let errors: Vec<_> = place.check(value).into_iter().filter(is_error).collect();
        if !errors.is_empty() {
            self.problems.push(format!("{}: the least that is needed is refused: {errors:#?}", place.path));
        }
    }
}

/// Rules about several objects: samples repeated to fill a list break them. `rule_tests` has them.
const BETWEEN: [Rule; 10] = [
    Rule::OneTable,
    Rule::TooManyCharts,
    Rule::MarkdownTotal,
    Rule::TableText,
    Rule::RaggedRows,
    Rule::PointsPerCategory,
    Rule::DuplicateName,
    Rule::Pairing,
    Rule::DuplicateBlockId,
    Rule::DuplicateActionId,
];

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error && !BETWEEN.contains(&finding.rule)
}

impl Field {
    fn kind_is_never(&self) -> bool {
        matches!(self.kind, Kind::Never)
    }
}

/// `start`, made `count` characters long.
fn stretch(start: &str, unit: &str, count: usize) -> String {
    start.chars().chain(unit.chars().cycle()).take(count).collect()
}

#[test]
fn every_rule_of_the_table_holds_where_it_should() {
    let tour = Tour::whole();
    let shown: Vec<_> = tour.problems.iter().take(20).collect();
    assert!(shown.is_empty(), "{} of {}:\n{shown:#?}", tour.problems.len(), tour.rules);
    // A tour that went nowhere would have found nothing.
    for object in BLOCKS.iter().chain(ELEMENTS).chain(INLINE) {
        assert!(tour.has_seen(object), "{} was not reached", object.name);
    }
    assert!(tour.rules > 3_000, "{}", tour.rules);
}

#[test]
fn every_field_says_where_it_was_read() {
    for object in BLOCKS.iter().chain(ELEMENTS).chain(INLINE).chain([&&MESSAGE]) {
        for field in object.all_fields() {
            assert!(!field.sources.is_empty(), "{} of {}", field.key, object.name);
            assert!(field.sources != [super::table::HEARSAY] || !field.sure, "{} of {}", field.key, object.name);
        }
    }
}
