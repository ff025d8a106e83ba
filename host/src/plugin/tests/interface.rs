//! The interface of 0.1.0 is frozen: compiled plugins contain it.

use wit_component::WitPrinter;
use wit_parser::Resolve;

#[test]
fn interface_has_the_shapes_that_were_frozen() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let mut printer = WitPrinter::default();
    // Comments may change.
    printer.emit_docs(false);
    printer.print(&resolve, package, &[]).unwrap();
    let shapes = printer.output.to_string();
    let frozen = include_str!("../testdata/0.1.0.wit");
    assert!(
        shapes == frozen,
        "the shapes of wit/ are no longer those of 0.1.0, which every compiled plugin contains: see wit/VERSIONING.md for what \
         may be added, and add it to 0.1.0.wit by hand\n{shapes}"
    );
}
