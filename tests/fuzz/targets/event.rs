//! Any text as an event's JSON, or as a record of the spool: it is refused, or it is an event that stays the same however often
//! it is written and read, and that any message can be about.
#![no_main]

use banhook::event::Event;
use banhook::message::{Target, fallback};
use banhook_notify::SpooledEvent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(event) = Event::from_json(text) {
        check(&event);
    }
    if let Ok((spooled, json)) = SpooledEvent::from_payload(input) {
        assert!(text.contains(json));
        check(&spooled.event);
        let written = spooled.to_payload();
        assert_eq!(SpooledEvent::from_payload(written.as_bytes()).map(|(read, _)| read), Ok(spooled));
    }
});

fn check(event: &Event) {
    let json = event.to_json();
    // It was valid, so its own form is.
    assert_eq!(&Event::from_json(&json).unwrap_or_else(|error| panic!("{error}: {json}")), event);
    assert_eq!(&Event::from_stored_json(&json).unwrap_or_else(|error| panic!("{error}: {json}")), event);
    for &target in Target::ALL {
        let body = fallback(event, "", target);
        if target == Target::SLACK {
            assert_eq!(blockkit::check(body.body()), [], "{json}");
        }
    }
}
