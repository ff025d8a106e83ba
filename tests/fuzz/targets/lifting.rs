//! Results that no toolchain writes: pointers to anywhere, text that is none, cases that do not exist, lists without end.
//!
//! A guest that is compiled once copies the event's host name, which is the input in hexadecimal, to where its answer
//! lies. What is lifted from there goes past the guard: it is an error, or a message without a fault.
#![no_main]

mod plugin;

use std::fmt::Write as _;
use std::sync::LazyLock;

use banhook::message::{Decision, Policy, Target, guard};
use banhook::plugin::Plugin;
use libfuzzer_sys::fuzz_target;
use plugin::{World, can_be_told, event, limits, passes_lint, providers, runtime};

/// Where the guest's answer lies; as in lifting.wat.
const AREA: u32 = 0x1000;
/// Bytes that it may have.
const AREA_BYTES: usize = 0x8000;

static PLUGIN: LazyLock<Plugin> = LazyLock::new(|| {
    let module = wat::parse_str(include_str!("lifting.wat")).expect("sound text");
    let runtime = runtime();
    runtime.load(&World::plugin().of(module), &providers(&runtime), limits()).expect("a sound plugin")
});

fuzz_target!(|input: &[u8]| {
    let answer = answer(input);
    let mut hexadecimal = String::with_capacity(answer.len() * 2);
    for byte in &answer {
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    let event = event(hexadecimal);
    match PLUGIN.format(&event).decision {
        Ok(Decision::Post(message)) => {
            for &target in Target::ALL {
                for mentions in [false, true] {
                    let guarded = guard(&message, [&event], &Policy { mentions, target });
                    // The linter knows what Slack takes.
                    if target == Target::SLACK
                        && let Ok(guarded) = guarded
                    {
                        passes_lint(&guarded);
                    }
                }
            }
        }
        Ok(Decision::Skip(_) | Decision::Digest(_)) => {}
        Err(error) => can_be_told(&error),
    }
});

/// Words of four bytes, each after a byte that says what it is: as it is, a pointer into the answer, a small number (a
/// case, a short list) or a length. Of plain random words, next to none would be a pointer that leads anywhere.
fn answer(input: &[u8]) -> Vec<u8> {
    let length = u32::try_from(input.len()).unwrap_or(u32::MAX).max(8);
    let mut answer = Vec::with_capacity(input.len());
    for word in input.chunks(5).take(AREA_BYTES / 4) {
        let mut bytes = [0; 4];
        let Some((kind, rest)) = word.split_first() else { continue };
        bytes[..rest.len()].copy_from_slice(rest);
        let value = u32::from_le_bytes(bytes);
        let value = match kind % 4 {
            0 => value,
            1 => AREA + (value % length & !3),
            2 => value % 16,
            _ => value % length,
        };
        answer.extend(value.to_le_bytes());
    }
    answer
}
