//! Links the program at a fixed address.
//!
//! fail2ban starts `banhook notify` for each ban and waits for it with all its jails. A position-independent program
//! of this size spends a third of that time on some 30,000 relocations, nearly all for parts that `notify` never
//! touches. Stack, heap, libraries and compiled plugins stay at random addresses.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
