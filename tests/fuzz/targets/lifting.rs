//! Results that no toolchain produces: arbitrary pointers, invalid text, invalid discriminants, endless lists.
//!
//! A guest that is compiled once copies the event's host name, which is the input in hexadecimal, to its result. The host
//! lifts the result and passes it to the guard: it is an error or a valid message.
#![no_main]

mod plugin;

use std::fmt::Write as _;
use std::sync::LazyLock;

use banhook::message::{Decision, Policy, Target, guard};
use banhook::plugin::Plugin;
use libfuzzer_sys::fuzz_target;
use plugin::{World, check_fallback, event, limits, passes_lint, providers, runtime};

/// The address of the guest's result, as in lifting.wat.
const AREA: u32 = 0x1000;
/// The size of the result, in bytes.
const AREA_BYTES: usize = 0x8000;

static PLUGIN: LazyLock<Plugin> = LazyLock::new(|| {
    let module = wat::parse_str(include_str!("lifting.wat")).expect("valid text");
    let runtime = runtime();
    runtime.load(&World::plugin().of(module), &providers(&runtime), limits()).expect("a valid plugin")
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
                    // The linter has the rules of Slack.
                    if target == Target::SLACK
                        && let Ok(guarded) = guarded
                    {
                        passes_lint(&guarded);
                    }
                }
            }
        }
        Ok(Decision::Skip(_) | Decision::Hold(_)) => {}
        Err(error) => check_fallback(&error),
    }
});

/// Words of four bytes, each after a byte that selects its kind: unchanged, a pointer into the result, a small number (a
/// discriminant, a short list) or a length. Of plain random words almost none would be a valid pointer.
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
