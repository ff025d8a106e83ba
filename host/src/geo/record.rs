//! Where an address is registered, read from the record of an MMDB file, whoever made it.
//!
//! MaxMind and DB-IP nest (`country.iso_code`, `names.en`), IPinfo and others are flat (`country_code`, `asn`). So a
//! record is read as paths with texts, and a table says which paths mean what.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Where an address is registered.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GeoInfo {
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// In English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_name: Option<String>,
    /// Autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_number: Option<u32>,
    /// Who runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_name: Option<String>,
    /// Everything else that the files say, by the names that `wit/` lists.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Bytes of a text that are kept.
const TEXT: usize = 200;
/// Texts of one record that are kept; GeoLite2-City has about 40.
const TEXTS: usize = 100;
/// Steps of a path: `subdivisions.0.names.en`.
const STEPS: usize = 4;
/// Bytes of a path.
const PATH: usize = 100;

/// Labels, and the paths that they are found under; the first path that exists counts.
const LABELS: [(&str, &[&str]); 9] = [
    ("as-domain", &["as_domain"]),
    ("city", &["city.names.en", "city"]),
    ("continent", &["continent.names.en", "continent_name", "continent"]),
    ("continent-code", &["continent.code", "continent_code"]),
    ("latitude", &["location.latitude", "latitude", "lat"]),
    ("longitude", &["location.longitude", "longitude", "lng"]),
    ("postal-code", &["postal.code", "postal_code", "postcode"]),
    ("region", &["subdivisions.0.names.en", "region", "state1"]),
    ("time-zone", &["location.time_zone", "time_zone", "timezone"]),
];

/// Where a country's code is found. IPinfo has had both a code and a name under `country`.
const COUNTRY: [&str; 5] =
    ["country.iso_code", "country_code", "country", "registered_country.iso_code", "registered_country_code"];
const COUNTRY_NAME: [&str; 4] = ["country.names.en", "country_name", "country", "registered_country.names.en"];
const AS_NUMBER: [&str; 3] = ["autonomous_system_number", "asn", "as_number"];
const AS_NAME: [&str; 4] = ["autonomous_system_organization", "as_name", "as_org", "asn_name"];

/// The texts and numbers of a record by their paths.
#[derive(Debug, Default)]
pub(super) struct Record(BTreeMap<String, String>);

impl Record {
    /// Fills in what is missing in `info`.
    pub(super) fn complete(&self, info: &mut GeoInfo) {
        let GeoInfo { country, country_name, as_number, as_name, labels } = info;
        *country = country.take().or_else(|| self.first(&COUNTRY, is_code).map(str::to_ascii_uppercase));
        *country_name =
            country_name.take().or_else(|| self.first(&COUNTRY_NAME, |text| !is_code(text)).map(str::to_owned));
        // The name goes with the number: two files may not agree on the network.
        if as_number.is_none() && as_name.is_none() {
            *as_number = AS_NUMBER.iter().find_map(|path| as_number_of(self.0.get(*path)?));
            *as_name = self.first(&AS_NAME, |_| true).map(str::to_owned);
        }
        for (name, paths) in LABELS {
            if let (false, Some(text)) = (labels.contains_key(name), self.first(paths, |_| true)) {
                labels.insert(name.to_owned(), text.to_owned());
            }
        }
    }

    fn first(&self, paths: &[&str], fits: fn(&str) -> bool) -> Option<&str> {
        paths
            .iter()
            .filter_map(|path| self.0.get(*path))
            .map(String::as_str)
            .find(|text| !text.is_empty() && fits(text))
    }
}

fn is_code(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// `15169`, `AS15169`
fn as_number_of(text: &str) -> Option<u32> {
    text.strip_prefix("AS").unwrap_or(text).parse().ok().filter(|number| *number != 0)
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut record = Self::default();
        Value { path: "", steps: 0, record: &mut record }.deserialize(deserializer)?;
        Ok(record)
    }
}

/// A value somewhere in a record: texts and numbers in it are added to the record.
struct Value<'a> {
    path: &'a str,
    steps: usize,
    record: &'a mut Record,
}

impl Value<'_> {
    fn put<E>(self, text: &str) -> Result<(), E> {
        if self.record.0.len() < TEXTS {
            // Control characters of a file go no further.
            let kept = text.get(..text.floor_char_boundary(TEXT)).unwrap_or_default();
            self.record.0.insert(self.path.to_owned(), kept.chars().filter(|c| !c.is_control()).collect());
        }
        Ok(())
    }

    fn put_number<E>(self, number: impl fmt::Display) -> Result<(), E> {
        self.put(&number.to_string())
    }

    /// The path of a value in this one; `None` if it is of no interest.
    fn below(&self, step: &str) -> Option<String> {
        // Names come in a dozen languages.
        let other_language = step != "en" && (self.path == "names" || self.path.ends_with(".names"));
        let fits = self.steps < STEPS && self.path.len() + step.len() < PATH;
        (fits && !other_language)
            .then(|| if self.path.is_empty() { step.to_owned() } else { format!("{}.{step}", self.path) })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of an MMDB record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&str>()? {
            match self.below(key) {
                Some(path) => {
                    map.next_value_seed(Value { path: &path, steps: self.steps + 1, record: &mut *self.record })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    /// Only the first: of subdivisions it is the largest.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if let Some(path) = self.below("0") {
            list.next_element_seed(Value { path: &path, steps: self.steps + 1, record: &mut *self.record })?;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.put(text)
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.put_number(number)
    }

    fn visit_u128<E>(self, number: u128) -> Result<(), E> {
        self.put_number(number)
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.put_number(number)
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.put_number(number)
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }
}
