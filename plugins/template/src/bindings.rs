//! The host's interface as Rust, generated from `wit/`.
//!
//! Its types are used throughout. Its functions only by `guest`: outside WebAssembly they cannot be called.

#![allow(missing_docs, unsafe_code, unused_qualifications, clippy::all)]

wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package banhook:template@0.1.0;

        world template {
            include banhook:plugin/plugin@0.1.0;
            export banhook:plugin/checker@0.1.0;
        }
    ",
    generate_all,
    additional_derives: [PartialEq],
});
