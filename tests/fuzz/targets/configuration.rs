//! Any text as a configuration: it is read, or refused with errors that say where; twice the same.
#![no_main]

use banhook::check_configuration;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let checked = check_configuration(text);
    assert_eq!(checked, check_configuration(text));
    if let Err(errors) = checked {
        assert!(!errors.is_empty(), "refused without a reason");
        // What is between quotes is not shown as it is.
        let hidden = |char: &char| char.is_control() && !"\n\t".contains(*char);
        assert_eq!(errors.chars().find(hidden), None, "{errors:?}");
    }
});
