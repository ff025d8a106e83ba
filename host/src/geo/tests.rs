//! Records of each vendor, damaged files, and files that change.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::address::address;
use super::mmdb::mmdb;
use super::*;

fn info(json: Value) -> GeoInfo {
    serde_json::from_value(json).unwrap()
}

/// A folder with files in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// As updaters do it.
    fn replace(&self, name: &str, bytes: &[u8]) {
        let new = self.write("new", bytes);
        fs::rename(new, self.0.path().join(name)).unwrap();
    }
}

fn country(code: &str) -> Vec<u8> {
    mmdb(4, 24, &[("203.0.113.0/24", json!({ "country": { "iso_code": code } }))])
}

fn country_of(geo: &GeoFiles) -> Option<String> {
    geo.lookup("203.0.113.7").unwrap().and_then(|info| info.country)
}

#[test]
fn address_subject_is_parsed_or_none() {
    for (subject, found) in [
        ("203.0.113.7", Some("203.0.113.7")),
        ("203.0.113.7/24", Some("203.0.113.0")),
        ("203.0.113.7/32", Some("203.0.113.7")),
        ("203.0.113.7/0", Some("0.0.0.0")),
        ("203.0.113.7/33", None),
        ("203.0.113.7/", None),
        ("2001:db8:1:2::7/32", Some("2001:db8::")),
        ("2001:db8::7/0", Some("::")),
        ("::ffff:203.0.113.7", Some("203.0.113.7")),
        ("mail.example.org", None),
        ("user bob", None),
        ("", None),
    ] {
        assert_eq!(address(subject).map(|address| address.to_string()).as_deref(), found, "{subject}");
    }
}

#[test]
fn lookup_records_of_each_vendor_are_understood() {
    for (vendor, record, expected) in [
        (
            "MaxMind, DB-IP: city",
            json!({
                "city": { "geoname_id": 2950159, "names": { "de": "Berlin (de)", "en": "Berlin" } },
                "continent": { "code": "EU", "names": { "en": "Europe" } },
                "country": { "is_in_european_union": true, "iso_code": "DE", "names": { "de": "Deutschland", "en": "Germany" } },
                "location": { "accuracy_radius": 100, "latitude": 52.5, "longitude": -13.25, "time_zone": "Europe/Berlin" },
                "postal": { "code": "10115" },
                "registered_country": { "iso_code": "US", "names": { "en": "United States" } },
                "subdivisions": [{ "names": { "en": "Land Berlin" } }, { "names": { "en": "not this" } }],
            }),
            json!({ "country": "DE", "country_name": "Germany", "labels": {
                "city": "Berlin", "continent": "Europe", "continent-code": "EU", "latitude": "52.5",
                "longitude": "-13.25", "postal-code": "10115", "region": "Land Berlin", "time-zone": "Europe/Berlin",
            } }),
        ),
        (
            "MaxMind: only registered",
            json!({ "registered_country": { "iso_code": "AU", "names": { "en": "Australia" } } }),
            json!({ "country": "AU", "country_name": "Australia" }),
        ),
        (
            "MaxMind: AS",
            json!({ "autonomous_system_number": 64496, "autonomous_system_organization": "Example Net" }),
            json!({ "as_number": 64496, "as_name": "Example Net" }),
        ),
        (
            "IPinfo Lite",
            json!({ "asn": "AS64496", "as_name": "Example Net", "as_domain": "example.net", "continent": "Europe",
                "continent_code": "EU", "country": "Germany", "country_code": "DE" }),
            json!({ "country": "DE", "country_name": "Germany", "as_number": 64496, "as_name": "Example Net",
                "labels": { "as-domain": "example.net", "continent": "Europe", "continent-code": "EU" } }),
        ),
        (
            "IPinfo, earlier",
            json!({ "country": "DE", "country_name": "Germany", "city": "Berlin", "region": "Berlin", "asn": "AS64496" }),
            json!({ "country": "DE", "country_name": "Germany", "as_number": 64496,
                "labels": { "city": "Berlin", "region": "Berlin" } }),
        ),
        ("no known field", json!({ "is_anonymous": true, "scores": [1, 2] }), json!({})),
        ("no map", json!("text"), json!({})),
        (
            "absurd",
            json!({ "country_code": "germany", "asn": "AS99999999999", "as_name": "", "city": 7 }),
            json!({ "labels": { "city": "7" } }),
        ),
    ] {
        let files = Files::new();
        let path = files.write("x.mmdb", &mmdb(4, 28, &[("203.0.113.0/24", record)]));
        let (geo, errors) = GeoDatabases::default().open(&[path]);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(geo.lookup("203.0.113.7").unwrap(), Some(info(expected)), "{vendor}");
        assert_eq!(geo.lookup("203.0.114.7").unwrap(), None, "{vendor}");
    }
}

#[test]
fn lookup_several_files_first_answer_counts() {
    let files = Files::new();
    let paths = [
        files.write("asn.mmdb", &mmdb(4, 24, &[("203.0.113.0/24", json!({ "asn": "AS1", "country_code": "DE" }))])),
        files.write(
            "city.mmdb",
            &mmdb(
                6,
                32,
                &[
                    ("203.0.112.0/20", json!({ "country_code": "FR", "as_name": "not of AS1", "city": "Berlin" })),
                    ("2001:db8::/32", json!({ "country_code": "AT" })),
                ],
            ),
        ),
    ];
    let (geo, errors) = GeoDatabases::default().open(&paths);
    assert!(errors.is_empty(), "{errors:?}");
    let found = |subject| geo.lookup(subject).unwrap();
    let both = json!({ "country": "DE", "as_number": 1, "labels": { "city": "Berlin" } });
    assert_eq!(found("203.0.113.7"), Some(info(both.clone())));
    assert_eq!(found("::ffff:203.0.113.7"), Some(info(both)));
    assert_eq!(
        found("203.0.113.0/20"),
        Some(info(json!({ "country": "FR", "as_name": "not of AS1", "labels": { "city": "Berlin" } })))
    );
    assert_eq!(found("2001:db8::7"), Some(info(json!({ "country": "AT" }))), "the first file knows IPv4 only");
    assert_eq!(found("2001:db9::7"), None);
    assert_eq!(found("user bob"), None);
}

#[test]
fn lookup_large_record_is_bounded() {
    let files = Files::new();
    let many: serde_json::Map<_, _> = (0..1_000).map(|n| (format!("a{n:04}"), json!("x"))).collect();
    let mut deep = json!("x");
    for _ in 0..300 {
        deep = json!([{ "names": deep }]);
    }
    let long = "\u{1b}[31m".to_owned() + &"ü".repeat(1_000);
    for (record, city) in [
        (json!({ "city": long }), Some("[31m".to_owned() + &"ü".repeat(97))),
        (json!({ "a": many, "city": "y" }), None),
        (json!({ "city": "y", "deep": deep }), Some("y".to_owned())),
    ] {
        let path = files.write("x.mmdb", &mmdb(4, 24, &[("203.0.113.0/24", record)]));
        let (geo, _) = GeoDatabases::default().open(&[path]);
        // A record that is too deep may be refused as a whole.
        if let Ok(Some(info)) = geo.lookup("203.0.113.7") {
            assert_eq!(info.labels.get("city"), city.as_ref());
        }
    }
}

#[test]
fn open_broken_file_is_reported_and_answers_nothing_until_replaced() {
    let good = country("DE");
    let marker = good.windows(11).position(|part| part == b"MaxMind.com").unwrap();
    let files = Files::new();
    for (damage, bytes) in [
        ("empty", &b""[..]),
        ("text", b"<html>404 not found</html>"),
        ("cut short", &good[..good.len() / 2]),
        ("cut in the metadata", &good[..marker + 30]),
        ("only the metadata", &good[marker - 3..]),
    ] {
        let path = files.write("x.mmdb", bytes);
        let databases = GeoDatabases::default();
        let (geo, errors) = databases.open(std::slice::from_ref(&path));
        let [GeoError::Damaged { .. }] = &errors[..] else { panic!("{damage}: {errors:?}") };
        assert!(errors[0].to_string().contains("x.mmdb is not an MMDB file, or is damaged"), "{}", errors[0]);
        assert_eq!(country_of(&geo), None, "{damage}");
        assert!(databases.reload_if_changed().is_empty(), "{damage}: reported once");
        files.replace("x.mmdb", &good);
        assert!(matches!(&databases.reload_if_changed()[..], [(changed, Ok(()))] if *changed == path), "{damage}");
        assert_eq!(country_of(&geo).as_deref(), Some("DE"), "{damage}");
    }
    let (_, errors) = GeoDatabases::default().open(&[files.0.path().join("none.mmdb"), files.0.path().to_owned()]);
    assert!(matches!(&errors[..], [GeoError::Read { .. }, GeoError::Read { .. }]), "{errors:?}");
}

/// Each byte of a file damaged, one at a time: an error or an answer, never a panic.
#[test]
fn lookup_any_damaged_byte_never_panics() {
    let record = json!({ "country": { "iso_code": "DE", "names": { "en": "Germany" } }, "subdivisions": [{ "iso_code": "BE" }], "asn": 64496, "location": { "latitude": 52.5 } });
    let (mut refused, mut unanswered, mut answered) = (0, 0, 0);
    for record_size in [24, 28, 32] {
        let good =
            mmdb(6, record_size, &[("203.0.113.0/24", record.clone()), ("2001:db8::/32", json!({ "asn": "AS1" }))]);
        let files = Files::new();
        for byte in 0..good.len() {
            let mut bytes = good.clone();
            bytes[byte] ^= 1 << (byte % 8);
            let (geo, errors) =
                GeoDatabases::default().open(&[files.write(&format!("{record_size}-{byte}.mmdb"), &bytes)]);
            refused += errors.len();
            for subject in ["203.0.113.7", "2001:db8::7", "198.51.100.1", "::"] {
                match geo.lookup(subject) {
                    Ok(_) => answered += 1,
                    Err(_) => unanswered += 1,
                }
            }
        }
    }
    assert!(refused > 100 && unanswered > 100 && answered > 1_000, "{refused} {unanswered} {answered}");
}

#[test]
fn reload_changed_file_is_read_and_the_old_one_serves_meanwhile() {
    let files = Files::new();
    let path = files.write("x.mmdb", &country("DE"));
    let databases = GeoDatabases::default();
    let (geo, _) = databases.open(std::slice::from_ref(&path));
    let serves = |code: &str| assert_eq!(country_of(&geo).as_deref(), Some(code));
    let outcome = || databases.reload_if_changed().into_iter().map(|(_, outcome)| outcome.is_ok()).collect::<Vec<_>>();
    serves("DE");
    assert_eq!(outcome(), [] as [bool; 0]);

    files.replace("x.mmdb", &country("FR"));
    serves("DE");
    assert_eq!((outcome(), outcome()), (vec![true], vec![]));
    serves("FR");

    // Overwritten in place, at first by half.
    let new = country("AT");
    files.write("x.mmdb", &new[..new.len() / 2]);
    assert_eq!((outcome(), outcome()), (vec![false], vec![]));
    serves("FR");
    files.write("x.mmdb", &new);
    assert_eq!(outcome(), [true]);
    serves("AT");

    fs::remove_file(&path).unwrap();
    assert_eq!((outcome(), outcome()), (vec![false], vec![]));
    serves("AT");
    files.write("x.mmdb", &country("CH"));
    assert_eq!(outcome(), [true]);
    serves("CH");
}

#[test]
fn open_same_file_twice_is_shared_and_freed_with_the_last_route() {
    let files = Files::new();
    let path = [files.write("x.mmdb", &country("DE"))];
    let databases = GeoDatabases::default();
    let (one, _) = databases.open(&path);
    let (other, _) = databases.open(&path);
    files.replace("x.mmdb", &country("FR"));
    assert_eq!(databases.reload_if_changed().len(), 1, "read once for both");
    assert_eq!((country_of(&one), country_of(&other)), (Some("FR".into()), Some("FR".into())));
    assert_eq!(databases.paths(), path);
    drop((one, other));
    assert_eq!(databases.paths(), [] as [&Path; 0]);
    assert!(databases.reload_if_changed().is_empty());
}
