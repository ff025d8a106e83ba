//! The host's interface as Rust, generated from `wit/`.
//!
//! All modules use its types. Only `guest` uses its functions: they cannot be called outside WebAssembly.

#![allow(missing_docs, unsafe_code, unused_qualifications, clippy::all)]

wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package banhook:template@0.1.0;

        world template {
            include banhook:plugin/plugin-with-digest@0.1.0;
            import banhook:plugin/geo@0.1.0;
            export banhook:plugin/descriptor@0.1.0;
            export banhook:plugin/checker@0.1.0;
        }
    ",
    generate_all,
    additional_derives: [PartialEq],
});
