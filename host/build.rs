//! Links the program at a fixed address.
//!
//! fail2ban starts `banhook notify` for each ban and waits for it with all its jails. A position-independent program
//! of this size spends a third of that time on some 30,000 relocations, nearly all for parts that `notify` never
//! touches. Stack, heap, libraries and compiled plugins stay at random addresses.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
